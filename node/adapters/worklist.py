"""Ask a Modality Worklist for the orders of a patient (PS3.4 annex K)."""

from collections.abc import Callable, Sequence

from pydicom import Dataset
from pynetdicom import _config

from node.adapters.association import Context, PeerAddress, associate
from node.adapters.identifiers import readable
from node.ports import PatientIdentity
from pipelines.domain.order import Order
from pipelines.domain.reasons import Rejected
from pipelines.domain.sop_classes import MODALITY_WORKLIST
from pipelines.imaging.order import read_order

ASKING = Context(MODALITY_WORKLIST)
_SUCCESS = 0x0000
_PENDING = frozenset({0xFF00, 0xFF01})


class WorklistScu:
    """Asks one worklist under one AE title.

    Parameters
    ----------
    queried
        Hears of every query: the peer, the SOP class and the keys.
    """

    def __init__(
        self,
        ae_title: str,
        peer: PeerAddress,
        *,
        queried: Callable[[str, str, Dataset], None] = lambda peer, sop_class, keys: None,
    ) -> None:
        self._ae_title = ae_title
        self._peer = peer
        self._queried = queried
        # identifiers name patients
        _config.LOG_REQUEST_IDENTIFIERS = False
        _config.LOG_RESPONSE_IDENTIFIERS = False

    def orders(self, patient: PatientIdentity, *, accession_number: str) -> Sequence[Order] | Rejected:
        association = associate(self._ae_title, self._peer, [ASKING])
        if isinstance(association, Rejected):
            return association
        keys = matching_keys(patient, accession_number)
        self._queried(self._peer.name, MODALITY_WORKLIST, keys)
        found: list[Dataset] = []
        status = None
        try:
            for answer, item in association.send_c_find(keys, MODALITY_WORKLIST):
                status = answer.get("Status")
                if status in _PENDING and item is not None:
                    found.append(readable(item))
        except RuntimeError:  # the association is gone
            status = None
        association.close(lost=status is None)
        if status is None:
            detail = f"{self._peer.name} broke off a worklist query without an answer."
            return Rejected("NET-005", detail, "Look at the log of that system.")
        if status != _SUCCESS:
            detail = f"{self._peer.name} answered a worklist query with status 0x{status:04X}."
            return Rejected("NET-007", detail, "Look at the log of that system.")
        # a worklist may match similar IDs
        mine = [item for item in found if str(item.get("PatientID") or "").strip() == patient.patient_id]
        return [order for order in map(read_order, mine) if order is not None]


def matching_keys(patient: PatientIdentity, accession_number: str) -> Dataset:
    """What is asked for: the keys that must match have a value, the others are to be told."""
    keys = Dataset()
    keys.SpecificCharacterSet = "ISO_IR 192"
    keys.PatientID = patient.patient_id
    keys.AccessionNumber = accession_number
    keys.StudyInstanceUID = ""
    keys.RequestedProcedureID = ""
    keys.RequestedProcedureDescription = ""
    keys.RequestedProcedureCodeSequence = [_empty("CodeValue", "CodingSchemeDesignator", "CodeMeaning")]
    keys.ReferencedStudySequence = [_empty("ReferencedSOPClassUID", "ReferencedSOPInstanceUID")]
    keys.ScheduledProcedureStepSequence = [_empty("Modality", "ScheduledProcedureStepStartDate")]
    return keys


def _empty(*keywords: str) -> Dataset:
    item = Dataset()
    for keyword in keywords:
        setattr(item, keyword, "")
    return item
