"""Boards on which procedure steps are scheduled: the node's own, and those of peers by UPS Pull (PS3.4 CC)."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pydicom import Dataset

from node.adapters.association import Context, PeerAddress, associate
from node.adapters.bounded import BoundedAssociation
from node.adapters.steps.datasets import cancellation_of, inputs_of, performed_of, progress_of, station_and_workitem
from node.adapters.steps.scp import EVENT, PULL, PUSH, WATCH
from node.adapters.steps.store import SqlSteps
from node.errors import TransientError
from node.ports import Clock, Performed, ScheduledStep, StepEvent
from pipelines.domain.procedure_step import StepRequest, StepState, StepStatus
from pipelines.domain.reasons import Rejected

PULLING: Final = (Context(PULL), Context(WATCH))
NOTIFYING: Final = Context(EVENT, as_scp=True)
_CHANGE_STATE: Final = 1
_SUBSCRIBE: Final = 3
_PENDING: Final = frozenset({0xFF00, 0xFF01})


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which steps the node takes.

    Attributes
    ----------
    station
        AE title of the node: a step scheduled for another station is not taken.
    workitems
        Code Values of the work that it does; empty for any.
    """

    station: str
    workitems: frozenset[str] = frozenset()

    def takes(self, step: Dataset, *, unassigned: bool) -> bool:
        """Whether to claim `step`; one that names no station only where `unassigned` steps are meant for the node.

        Examples
        --------
        >>> Wanted("PULMONODE").takes(Dataset(), unassigned=True)
        True
        >>> Wanted("PULMONODE").takes(Dataset(), unassigned=False)
        False
        """
        stations, workitems = station_and_workitem(step)
        if stations:
            return self.station in stations and (not self.workitems or bool(workitems & self.workitems))
        if self.workitems:
            return bool(workitems & self.workitems)
        return unassigned


class OwnBoard:
    """Steps that others have pushed to the node."""

    def __init__(self, steps: SqlSteps, clock: Clock, wanted: Wanted) -> None:
        self._steps = steps
        self._clock = clock
        self._wanted = wanted

    def scheduled(self) -> Sequence[ScheduledStep]:
        return [
            ScheduledStep("", uid, inputs_of(step))
            for uid, step in self._steps.scheduled()
            if self._wanted.takes(step, unassigned=True)
        ]

    def claim(self, step: str, transaction_uid: str) -> int:
        return self._change(step, StepRequest.CLAIM, transaction_uid)

    def progress(self, step: str, transaction_uid: str, percent: int, text: str) -> int:
        return self._steps.update(step, progress_of(percent, text), transaction_uid, at=self._clock())

    def complete(self, step: str, transaction_uid: str, performed: Performed) -> int:
        status = self._steps.update(step, performed_of(performed), transaction_uid, at=self._clock())
        return status or self._change(step, StepRequest.COMPLETE, transaction_uid)

    def cancel(self, step: str, transaction_uid: str, reason: str, at: datetime) -> int:
        status = self._steps.update(step, cancellation_of(reason, at), transaction_uid, at=self._clock())
        return status or self._change(step, StepRequest.CANCEL, transaction_uid)

    def _change(self, step: str, request: StepRequest, transaction_uid: str) -> StepStatus:
        return self._steps.change(step, request, transaction_uid, performer=self._wanted.station, at=self._clock())


class PeerBoard:
    """Steps of a peer, found and claimed by UPS Pull."""

    def __init__(self, ae_title: str, peer: PeerAddress, wanted: Wanted) -> None:
        self._ae_title = ae_title
        self._peer = peer
        self._wanted = wanted

    def scheduled(self) -> Sequence[ScheduledStep]:
        query = Dataset()
        query.SOPInstanceUID = ""
        query.ProcedureStepState = StepState.SCHEDULED.value
        query.InputInformationSequence = []
        query.ScheduledStationNameCodeSequence = []
        query.ScheduledWorkitemCodeSequence = []
        found = []
        with self._associated() as association:
            for status, step in association.send_c_find(query, PULL):
                if status.get("Status") in _PENDING and step is not None:
                    found.append(step)
        return [
            ScheduledStep(self._peer.name, str(step.SOPInstanceUID), inputs_of(step))
            for step in found
            if self._wanted.takes(step, unassigned=False)
        ]

    def claim(self, step: str, transaction_uid: str) -> int:
        with self._associated() as association:
            status = self._change(association, step, StepState.IN_PROGRESS, transaction_uid)
            if status == StepStatus.SUCCESS:
                # a request to cancel reaches the node only as a notification; a peer without UPS Watch has none
                self._subscribe(association, step)
            return status

    def progress(self, step: str, transaction_uid: str, percent: int, text: str) -> int:
        with self._associated() as association:
            return self._set(association, step, progress_of(percent, text), transaction_uid)

    def complete(self, step: str, transaction_uid: str, performed: Performed) -> int:
        with self._associated() as association:
            status = self._set(association, step, performed_of(performed), transaction_uid)
            return status or self._change(association, step, StepState.COMPLETED, transaction_uid)

    def cancel(self, step: str, transaction_uid: str, reason: str, at: datetime) -> int:
        with self._associated() as association:
            status = self._set(association, step, cancellation_of(reason, at), transaction_uid)
            return status or self._change(association, step, StepState.CANCELED, transaction_uid)

    def _change(self, association: BoundedAssociation, step: str, state: StepState, transaction_uid: str) -> int:
        information = Dataset()
        information.ProcedureStepState = state.value
        information.TransactionUID = transaction_uid
        # by the Pull context, but about an instance of the Push class (PS3.4 CC.2.1)
        answered = association.send_n_action(information, _CHANGE_STATE, PUSH, step, meta_uid=PULL)
        return self._status(answered)

    def _set(self, association: BoundedAssociation, step: str, modifications: Dataset, transaction_uid: str) -> int:
        modifications.TransactionUID = transaction_uid
        answered = association.send_n_set(modifications, PUSH, step, meta_uid=PULL)
        return self._status(answered)

    def _subscribe(self, association: BoundedAssociation, step: str) -> None:
        if WATCH not in association.accepted:
            return
        information = Dataset()
        information.ReceivingAE = self._ae_title
        information.DeletionLock = "FALSE"
        association.send_n_action(information, _SUBSCRIBE, PUSH, step, meta_uid=WATCH)

    def _status(self, answered: Dataset) -> int:
        status = answered.get("Status")
        if status is None:
            raise TransientError("NET-005", f"{self._peer.name} broke off without an answer.")
        return int(status)

    @contextmanager
    def _associated(self) -> Iterator[BoundedAssociation]:
        association = associate(self._ae_title, self._peer, PULLING)
        if isinstance(association, Rejected):
            raise TransientError(association.code, association.detail)
        try:
            if PULL not in association.accepted:
                raise TransientError("NET-004", f"{self._peer.name} offers no Unified Procedure Step Pull.")
            try:
                yield association
            except (RuntimeError, ValueError) as fault:  # the association is gone
                raise TransientError("NET-005", f"{self._peer.name} broke off without an answer.") from fault
        finally:
            association.close()


def send_event(ae_title: str, peer: PeerAddress, event: StepEvent) -> bool:
    """Tell a subscriber what happened to a step; False when it did not take the notification."""
    association = associate(ae_title, peer, [NOTIFYING])
    if isinstance(association, Rejected):
        return False
    try:
        answered = association.send_n_event_report(
            event.dataset, event.event_type, PUSH, event.sop_instance, meta_uid=EVENT
        )
    except (RuntimeError, ValueError):
        return False
    finally:
        association.close()
    return bool(answered.get("Status") == StepStatus.SUCCESS)
