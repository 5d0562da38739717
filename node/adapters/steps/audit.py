"""Tell the audit trail who created, read and changed the steps of the node's own worklist, and of whom they are."""

from collections.abc import Callable
from typing import Any, Final

from pydicom import Dataset

from node.adapters.steps.store import SqlSteps
from node.services.trail import AuditedPatient, StepAccess
from pipelines.domain.identifiers import is_uid, patient_key_of
from pipelines.imaging.charsets import UnreadableText, text_of
from pipelines.imaging.damaged import READ_FAULTS

_STATE, _CANCEL = 1, 2
_CHANGES: Final = frozenset({_STATE, _CANCEL})


class StepAudit:
    """Names the patient of a step by a digest, unless the trail shall name patients.

    Parameters
    ----------
    told
        Takes what is to be told.
    identify
        Tell ID and name of the patient.
    """

    def __init__(self, steps: SqlSteps, told: Callable[[StepAccess], None], *, identify: bool) -> None:
        self._steps = steps
        self._told = told
        self._identify = identify

    def __call__(self, event: Any, action: str, status: int, answer: Dataset | None) -> None:
        """Tell of a request that was answered with `status` and `answer`; `event` is pynetdicom's."""
        request = event.request
        named = request.AffectedSOPInstanceUID if action == "C" else request.RequestedSOPInstanceUID
        if action == "C" and answer is not None:
            named = answer.AffectedSOPInstanceUID
        step = str(named or "")
        held = self._steps.get(step)
        self._told(
            StepAccess(
                str(event.assoc.requestor.ae_title).strip(),
                str(event.assoc.requestor.address),
                action,
                str(request.AffectedSOPClassUID if action == "C" else request.RequestedSOPClassUID),
                # what is no UID may be anything
                step if is_uid(step) else "",
                None if held is None else self._patient(held),
                int(status),
            )
        )

    def _patient(self, held: Dataset) -> AuditedPatient:
        number, issuer, name = (_text(held, one) for one in ("PatientID", "IssuerOfPatientID", "PatientName"))
        key = patient_key_of(number, issuer)
        return AuditedPatient(key, number, name) if self._identify else AuditedPatient(key)


def _text(held: Dataset, keyword: str) -> str:
    try:
        return text_of(held, keyword)
    except (UnreadableText, *READ_FAULTS):
        return ""


def action_of(action_type: object) -> str:
    """What an N-ACTION does to a step: it changes it, or subscribes to it."""
    return "U" if action_type in _CHANGES else "E"
