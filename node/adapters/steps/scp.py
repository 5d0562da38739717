"""The node's own worklist: Unified Procedure Step as SCP (PS3.4 CC), for those who push tasks to it or watch them."""

from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from datetime import datetime
from typing import Any, Final

from pydicom import Dataset
from pydicom.uid import generate_uid
from pynetdicom import evt

from node.adapters.association import ScpService
from node.adapters.identifiers import is_readable
from node.adapters.matching import answer, matches
from node.adapters.steps.audit import action_of
from node.adapters.steps.store import ALL_STEPS, MATCHING_STEPS, SqlSteps
from node.logs import Log
from node.ports import Clock
from pipelines.domain.procedure_step import StepRequest, StepState, StepStatus
from pipelines.imaging.damaged import READ_FAULTS

PUSH: Final = "1.2.840.10008.5.1.4.34.6.1"
WATCH: Final = "1.2.840.10008.5.1.4.34.6.2"
PULL: Final = "1.2.840.10008.5.1.4.34.6.3"
EVENT: Final = "1.2.840.10008.5.1.4.34.6.4"
QUERY: Final = "1.2.840.10008.5.1.4.34.6.5"
STEP_CLASSES: Final = (PUSH, WATCH, PULL, EVENT, QUERY)

_CHANGE_STATE, _REQUEST_CANCEL, _SUBSCRIBE, _UNSUBSCRIBE, _SUSPEND = 1, 2, 3, 4, 5
_NO_SUCH_ACTION: Final = 0x0123
_PENDING: Final = 0xFF00
_INTERNAL_ERROR: Final = 0x0110
_CANNOT_UNDERSTAND: Final = 0xC000
"""Unable to process (PS3.4 table C.4-1)."""
_REQUESTS: Final = {
    StepState.IN_PROGRESS: StepRequest.CLAIM,
    StepState.COMPLETED: StepRequest.COMPLETE,
    StepState.CANCELED: StepRequest.CANCEL,
    StepState.SCHEDULED: StepRequest.SCHEDULE,
}


class _NotUnderstood(Exception):
    """A data set that came with a request cannot be decoded."""


class StepScp:
    """Answers the requests of the UPS Push, Pull, Watch, Event and Query classes.

    Parameters
    ----------
    cancel_requested
        Tells the node's performer that somebody wants a step cancelled, by the AE title of whoever keeps it (empty for
        the node) and the step's UID; False when the node does not perform it.
    receivers
        AE titles that notifications can be sent to.
    queried
        Hears of every query: who asks, the SOP class, the keys, and from which address.
    accessed
        Hears of every other request about a step once it is answered: the event, whether the step was to be created,
        read or changed, or is to be watched (C, R, U, E), the status, and the data set of the answer.
    """

    def __init__(
        self,
        steps: SqlSteps,
        clock: Clock,
        log: Log,
        *,
        cancel_requested: Callable[[str, str], bool],
        receivers: Collection[str],
        queried: Callable[[str, str, Dataset, str], None] = lambda who, sop_class, keys, address: None,
        accessed: Callable[[Any, str, int, Dataset | None], None] = lambda event, action, status, answer: None,
    ) -> None:
        self._steps = steps
        self._clock = clock
        self._log = log
        self._cancel_requested = cancel_requested
        self._receivers = frozenset(receivers)
        self._queried = queried
        self._accessed = accessed

    @property
    def services(self) -> tuple[ScpService, ...]:
        """What the receiving process offers for a worklist of its own."""
        asked = (
            (evt.EVT_N_CREATE, self._told(self.create, lambda event: "C")),
            (evt.EVT_N_SET, self._told(self.set, lambda event: "U")),
            (evt.EVT_N_GET, self._told(self.get, lambda event: "R")),
            (evt.EVT_N_ACTION, self._told(self.act, lambda event: action_of(event.action_type))),
            (evt.EVT_C_FIND, self.find),
        )
        return ScpService((PUSH, WATCH, PULL, QUERY), None, asked), *self.notified_services

    @property
    def notified_services(self) -> tuple[ScpService, ...]:
        """What it offers so that the worklists of peers can tell it of their steps."""
        told = ((evt.EVT_N_EVENT_REPORT, self._guarded(self.notified)),)
        # notifications come from the side that is the SCP of the service, whoever calls
        return (ScpService((EVENT,), (True, True), told),)

    def _given(self, read: Callable[[], Dataset]) -> Dataset:
        """A data set that came with a request, decoded to its last element."""
        with suppress(*READ_FAULTS):
            given = read()
            if is_readable(given):
                return given
        raise _NotUnderstood

    def _guarded(self, handle: Callable[[Any], tuple[int, Dataset | None]]) -> Callable[[Any], Any]:
        def guarded(event: Any) -> tuple[int, Dataset | None]:
            try:
                return handle(event)
            except _NotUnderstood:
                self._log.warning("worklist_request_not_understood", ae=_caller(event))
                return StepStatus.INVALID_ATTRIBUTE, None
            except Exception:
                self._log.error("worklist_request_failed", traceback=True, ae=_caller(event))
                return _INTERNAL_ERROR, None

        return guarded

    def _told(
        self, handle: Callable[[Any], tuple[int, Dataset | None]], action: Callable[[Any], str]
    ) -> Callable[[Any], Any]:
        guarded = self._guarded(handle)

        def told(event: Any) -> tuple[int, Dataset | None]:
            status, answer = guarded(event)
            try:
                self._accessed(event, action(event), status, answer)
            except Exception:
                # what has been done is answered in any case
                self._log.error("audit_not_recorded", traceback=True, code="MON-003", ae=_caller(event))
            return status, answer

        return told

    def create(self, event: Any) -> tuple[int, Dataset | None]:
        uid = str(event.request.AffectedSOPInstanceUID or generate_uid(prefix=None))
        dataset = self._given(lambda: event.attribute_list)
        dataset.SOPClassUID, dataset.SOPInstanceUID = PUSH, uid
        status = self._steps.create(uid, dataset, at=self._clock())
        self._log.info("step_created", step=uid, status=f"0x{status:04X}", ae=_caller(event))
        made = Dataset()
        # pynetdicom takes the UID for the response from here
        made.AffectedSOPInstanceUID = uid
        return status, made if status == StepStatus.SUCCESS else None

    def set(self, event: Any) -> tuple[int, Dataset | None]:
        modifications = self._given(lambda: event.modification_list)
        uid = str(event.request.RequestedSOPInstanceUID)
        given = str(modifications.get("TransactionUID", ""))
        return self._steps.update(uid, modifications, given, at=self._clock()), None

    def get(self, event: Any) -> tuple[int, Dataset | None]:
        held = self._steps.get(str(event.request.RequestedSOPInstanceUID))
        if held is None:
            return StepStatus.NO_SUCH_STEP, None
        asked = list(event.attribute_identifiers or ())
        if not asked:
            return StepStatus.SUCCESS, held
        made = Dataset()
        for tag in asked:
            if tag in held:
                made.add(held[tag])
        return StepStatus.SUCCESS, made

    def find(self, event: Any) -> Iterator[tuple[int, Dataset | None]]:
        query = self._understood(event)
        if query is None:
            yield _CANNOT_UNDERSTAND, None
            return
        address = str(event.assoc.requestor.address)
        self._queried(_caller(event), str(event.request.AffectedSOPClassUID), query, address)
        for uid, held in self._steps.all():
            if event.is_cancelled:
                yield 0xFE00, None
                return
            if matches(query, held):
                found = answer(query, held)
                found.SOPClassUID, found.SOPInstanceUID = PUSH, uid
                yield _PENDING, found

    def _understood(self, event: Any) -> Dataset | None:
        """The identifier of a query, decoded to its last element; None when it is none."""
        with suppress(*READ_FAULTS):
            query: Dataset = event.identifier
            if is_readable(query):
                return query
        self._log.warning("query_not_understood", ae=_caller(event))
        return None

    def act(self, event: Any) -> tuple[int, Dataset | None]:
        uid = str(event.request.RequestedSOPInstanceUID)
        has_more = event.request.ActionInformation
        information = self._given(lambda: event.action_information) if has_more else Dataset()
        now = self._clock()
        match event.action_type:
            case action if action == _CHANGE_STATE:
                return self._change(uid, information, _caller(event), now), None
            case action if action == _REQUEST_CANCEL:
                status = self._steps.request_cancel(
                    uid,
                    information,
                    requester=_caller(event),
                    performed_here=self._cancel_requested("", uid),
                    at=now,
                )
                return status, None
            case action if action == _SUBSCRIBE:
                return self._subscribe(uid, information, now), None
            case action if action in (_UNSUBSCRIBE, _SUSPEND):
                return self._steps.unsubscribe(str(information.get("ReceivingAE", _caller(event))), uid), None
        return _NO_SUCH_ACTION, None

    def notified(self, event: Any) -> tuple[int, Dataset | None]:
        """A worklist of somebody else tells of a step that the node performs for it."""
        uid = str(event.request.AffectedSOPInstanceUID)
        if event.event_type == 2:  # UPS Cancel Requested
            self._cancel_requested(_caller(event), uid)
        self._log.info("step_event", step=uid, type=event.event_type, ae=_caller(event))
        return StepStatus.SUCCESS, None

    def _change(self, uid: str, information: Dataset, caller: str, now: datetime) -> StepStatus:
        try:
            request = _REQUESTS[StepState(information.get("ProcedureStepState", ""))]
        except ValueError:
            return StepStatus.INVALID_ATTRIBUTE
        given = str(information.get("TransactionUID", ""))
        status = self._steps.change(uid, request, given, performer=caller, at=now)
        self._log.info("step_changed", step=uid, request=request.value, status=f"0x{status:04X}", ae=caller)
        return status

    def _subscribe(self, uid: str, information: Dataset, now: datetime) -> StepStatus:
        receiver = str(information.get("ReceivingAE", "")).strip()
        if receiver not in self._receivers:
            return StepStatus.UNKNOWN_RECEIVING_AE
        return self._steps.subscribe(receiver, ALL_STEPS if uid == MATCHING_STEPS else uid, at=now)


def _caller(event: Any) -> str:
    return str(event.assoc.requestor.ae_title).strip()
