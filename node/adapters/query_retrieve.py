"""Find and retrieve what a peer has: C-FIND, C-MOVE and C-GET as SCU, Study Root (PS3.4 annex C)."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from pydicom import Dataset
from pynetdicom import _config, evt

from node.adapters.association import Context, PeerAddress, associate
from node.adapters.identifiers import readable
from node.adapters.incoming import part10
from node.logs import Log
from node.ports import FoundSeries, FoundStudy, PatientIdentity, Retrieved, Sender
from node.services.receive import Announced, Receiver
from pipelines.domain.case import SeriesKey
from pipelines.domain.identifiers import FrameOfReferenceUID, SeriesUID, SopClassUID, SopInstanceUID, StudyUID
from pipelines.domain.reasons import Rejected
from pipelines.domain.sop_classes import STUDY_ROOT_FIND, STUDY_ROOT_GET, STUDY_ROOT_MOVE

FINDING: Final = Context(STUDY_ROOT_FIND)
MOVING: Final = Context(STUDY_ROOT_MOVE)
GETTING: Final = Context(STUDY_ROOT_GET)
_PENDING: Final = frozenset({0xFF00, 0xFF01})
_SUCCESS: Final = 0x0000
_SOME_FAILED: Final = 0xB000
_INTERNAL_ERROR: Final = 0xC211
_MOST_ANSWERS: Final = 20_000
_UIDS_AT_ONCE: Final = 100

WHY: Final[dict[int, tuple[str, str]]] = {
    0xA700: ("it is out of resources", "Try again later."),
    0xA701: ("it is out of resources and cannot count the matches", "Try again later."),
    0xA702: ("it is out of resources and cannot send", "Try again later."),
    0xA801: (
        "it does not know the move destination {destination}",
        'Enter {destination} with this node\'s address and port in that system, or set retrieve = "get".',
    ),
    0xA900: ("the request does not fit its query model", "Report it; that system cannot be queried this way."),
    0xB000: ("some instances could not be sent", "Look at the log of that system, and of this node."),
    0xFE00: ("it cancelled the operation", "Look at the log of that system."),
    0x0122: ("it does not support this query", "Enable Study Root query/retrieve in that system."),
    0x0124: ("it does not allow this node to ask", "Allow AE title {own} to query and retrieve in that system."),
}
"""What the statuses of a peer mean, and what to do about them."""


@dataclass(frozen=True, slots=True)
class Source:
    """A peer that can be asked, and how it sends.

    Attributes
    ----------
    move_destination
        AE title under which the peer knows this node.
    """

    address: PeerAddress
    retrieve: Literal["move", "get"]
    move_destination: str


class QueryRetrieveScu:
    """Asks peers under one AE title.

    Parameters
    ----------
    receiver
        Takes what comes by C-GET, exactly as if it had come by C-STORE.
    storage_classes, transfer_syntaxes
        What to take by C-GET.
    retrieve_timeout_s
        Longest silence of a peer while it sends.
    queried
        Hears of every query and every retrieval: the peer, the SOP class and the keys.
    """

    def __init__(
        self,
        ae_title: str,
        sources: Iterable[Source],
        receiver: Receiver,
        log: Log,
        *,
        storage_classes: Collection[SopClassUID],
        transfer_syntaxes: Sequence[str],
        retrieve_timeout_s: float,
        queried: Callable[[str, str, Dataset], None] = lambda peer, sop_class, keys: None,
    ) -> None:
        self._ae_title = ae_title
        self._sources: Mapping[str, Source] = {source.address.name: source for source in sources}
        self._receiver = receiver
        self._log = log
        self._storage_classes = sorted(storage_classes)
        self._transfer_syntaxes = tuple(transfer_syntaxes)
        self._retrieve_timeout_s = retrieve_timeout_s
        self._queried = queried
        # identifiers name patients
        _config.LOG_REQUEST_IDENTIFIERS = False
        _config.LOG_RESPONSE_IDENTIFIERS = False

    def studies(self, peer: str, patient: PatientIdentity) -> Sequence[FoundStudy] | Rejected:
        keys = _keys("STUDY", StudyInstanceUID="", StudyDate="", ModalitiesInStudy="")
        keys.PatientID = patient.patient_id
        keys.IssuerOfPatientID = patient.issuer
        keys.SpecificCharacterSet = "ISO_IR 192"
        found = self._find(peer, keys)
        if isinstance(found, Rejected):
            return found
        return [
            FoundStudy(
                StudyUID(_text(one, "StudyInstanceUID")),
                _text(one, "StudyDate"),
                tuple(_texts(one, "ModalitiesInStudy")),
            )
            for one in found
            if _text(one, "StudyInstanceUID")
            # a peer may match similar IDs, and an ID means nothing with another issuer
            and _text(one, "PatientID") == patient.patient_id
            and _text(one, "IssuerOfPatientID") in ("", patient.issuer or _text(one, "IssuerOfPatientID"))
        ]

    def series(
        self, peer: str, *, study: StudyUID | None, series: SeriesUID | None = None
    ) -> Sequence[FoundSeries] | Rejected:
        keys = _keys(
            "SERIES",
            StudyInstanceUID=study or "",
            SeriesInstanceUID=series or "",
            Modality="",
            FrameOfReferenceUID="",
        )
        found = self._find(peer, keys)
        if isinstance(found, Rejected):
            return found
        return [
            FoundSeries(
                SeriesKey(
                    StudyUID(_text(one, "StudyInstanceUID") or study or ""), SeriesUID(_text(one, "SeriesInstanceUID"))
                ),
                _text(one, "Modality"),
                FrameOfReferenceUID(_text(one, "FrameOfReferenceUID")) if _text(one, "FrameOfReferenceUID") else None,
            )
            for one in found
            if _text(one, "SeriesInstanceUID") and series in (None, _text(one, "SeriesInstanceUID"))
        ]

    def instances(
        self, peer: str, key: SeriesKey, wanted: Sequence[SopInstanceUID] = ()
    ) -> frozenset[SopInstanceUID] | Rejected:
        found: set[SopInstanceUID] = set()
        for part in _parts(wanted) if wanted else [()]:
            keys = _keys("IMAGE", StudyInstanceUID=key.study, SeriesInstanceUID=key.series)
            keys.SOPInstanceUID = list(part)
            answers = self._find(peer, keys)
            if isinstance(answers, Rejected):
                return answers
            found |= {SopInstanceUID(_text(one, "SOPInstanceUID")) for one in answers}
        found.discard(SopInstanceUID(""))
        return frozenset(found & set(wanted) if wanted else found)

    def retrieve(self, peer: str, key: SeriesKey, instances: Sequence[SopInstanceUID] = ()) -> Retrieved:
        completed = failed = 0
        for part in _parts(instances) if instances else [()]:
            keys = _keys("IMAGE" if part else "SERIES", StudyInstanceUID=key.study, SeriesInstanceUID=key.series)
            if part:
                keys.SOPInstanceUID = list(part)
            done = self._retrieve(self._sources[peer], keys)
            completed, failed = completed + done.completed, failed + done.failed
            if done.fault is not None:
                return Retrieved(completed, failed, done.fault)
        return Retrieved(completed, failed)

    def _find(self, peer: str, keys: Dataset) -> list[Dataset] | Rejected:
        association = associate(self._ae_title, self._sources[peer].address, [FINDING])
        if isinstance(association, Rejected):
            return _renamed(association, peer, "be queried")
        self._queried(peer, STUDY_ROOT_FIND, keys)
        found: list[Dataset] = []
        status = None
        try:
            for answer, identifier in association.send_c_find(keys, STUDY_ROOT_FIND):
                status = answer.get("Status")
                if status in _PENDING and identifier is not None:
                    found.append(readable(identifier))
                if len(found) >= _MOST_ANSWERS:
                    association.close(lost=True)
                    detail = f"{peer} answers with more than {_MOST_ANSWERS} matches."
                    return Rejected("NET-007", detail, "Look whether that system heeds the keys of a query.")
        except RuntimeError:  # the association is gone
            status = None
        association.close(lost=status is None)
        return found if status == _SUCCESS else self._fault(peer, "query", status)

    def _retrieve(self, source: Source, keys: Dataset) -> Retrieved:
        peer = source.address.name
        by_move = source.retrieve == "move"
        model = STUDY_ROOT_MOVE if by_move else STUDY_ROOT_GET
        contexts = [MOVING] if by_move else [GETTING, *self.stored_by_get]
        handlers = [] if by_move else [(evt.EVT_C_STORE, lambda event: self._store(event, source.address))]
        association = associate(self._ae_title, source.address, contexts, handlers=handlers)
        if isinstance(association, Rejected):
            return Retrieved(0, 0, _renamed(association, peer, "send what it has"))
        if model not in association.accepted:
            association.close()
            fault = Rejected("NET-004", f"{peer} does not offer C-GET.", 'Set retrieve = "move" for that peer.')
            return Retrieved(0, 0, fault)
        self._queried(peer, model, keys)
        # a peer may fetch from a tape before it sends, and say nothing meanwhile
        association.wait_for_answers(self._retrieve_timeout_s)
        last = Dataset()
        try:
            answers = (
                association.send_c_move(keys, source.move_destination, model)
                if by_move
                else association.send_c_get(keys, model)
            )
            for answer, _ in answers:
                last = answer
        except RuntimeError:  # the association is gone
            last = Dataset()
        status = last.get("Status")
        association.close(lost=status is None)
        completed = int(last.get("NumberOfCompletedSuboperations") or 0) + int(
            last.get("NumberOfWarningSuboperations") or 0
        )
        failed = int(last.get("NumberOfFailedSuboperations") or 0)
        if status == _SUCCESS or (status == _SOME_FAILED and not failed):
            return Retrieved(completed, failed)
        return Retrieved(completed, failed, self._fault(peer, "retrieval", status))

    @property
    def stored_by_get(self) -> tuple[Context, ...]:
        """What the peer may store at us on the association of a C-GET."""
        # one for each pair, so that the peer need not transcode
        return tuple(
            Context(sop_class, (syntax,), as_scp=True)
            for sop_class in self._storage_classes
            for syntax in self._transfer_syntaxes
        )

    def _store(self, event: Any, peer: PeerAddress) -> int:
        announced = Announced(
            SopClassUID(str(event.request.AffectedSOPClassUID)),
            SopInstanceUID(str(event.request.AffectedSOPInstanceUID)),
        )
        try:
            data = part10(announced, event.context.transfer_syntax, event.encoded_dataset(include_meta=False))
            return self._receiver.receive(data, announced, Sender(peer.ae_title, self._ae_title))
        except Exception:
            self._log.error("receive_failed", traceback=True, ae=peer.ae_title)
            return _INTERNAL_ERROR

    def _fault(self, peer: str, what: str, status: int | None) -> Rejected:
        if status is None:
            return Rejected(
                "NET-005", f"{peer} broke off a {what} without an answer.", "Look at the log of that system."
            )
        why, remedy = WHY.get(status, ("its log says why", "Look at the log of that system."))
        words = {"destination": self._sources[peer].move_destination, "own": self._ae_title}
        detail = f"{peer} answered a {what} with status 0x{status:04X}: {why.format(**words)}."
        return Rejected("NET-007", detail, remedy.format(**words))


def _renamed(fault: Rejected, peer: str, what: str) -> Rejected:
    if fault.code != "NET-004":
        return fault
    return Rejected("NET-004", f"{peer} cannot {what}: it refuses Study Root query/retrieve.", "Enable it there.")


def _keys(level: str, **keys: str) -> Dataset:
    made = Dataset()
    made.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(made, keyword, value)
    return made


def _parts(uids: Sequence[SopInstanceUID]) -> Iterator[Sequence[SopInstanceUID]]:
    for start in range(0, len(uids), _UIDS_AT_ONCE):
        yield uids[start : start + _UIDS_AT_ONCE]


def _text(dataset: Dataset, keyword: str) -> str:
    value = dataset.get(keyword)
    return "" if value is None else str(value).strip()


def _texts(dataset: Dataset, keyword: str) -> Iterator[str]:
    value = dataset.get(keyword)
    if isinstance(value, str):
        yield from (value,) if value else ()
    elif value is not None:
        yield from (str(one) for one in value)
