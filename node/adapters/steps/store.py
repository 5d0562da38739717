"""Unified Procedure Steps in the ledger's database: those that the node keeps, and those that it performs."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, Final

from pydicom import Dataset
from sqlalchemy import Connection, Engine, Row, insert, or_, select, update
from sqlalchemy.exc import IntegrityError, OperationalError

from node.adapters import ledger_schema as t
from node.adapters.ledger_time import LONGEST_WAIT, is_due
from node.adapters.steps.datasets import (
    cancel_request,
    creation_fault,
    decoded,
    encoded,
    final_state_met,
    progress_report,
    state_report,
)
from node.errors import TransientError
from node.ports import StepEvent, StepInputs, StepTask, TaskState
from pipelines.domain.identifiers import CaseId
from pipelines.domain.procedure_step import StepRequest, StepState, StepStatus, decide

ALL_STEPS: Final = "1.2.840.10008.5.1.4.34.5"
"""Stands for every step in subscriptions (PS3.4 CC.2.3)."""
MATCHING_STEPS: Final = "1.2.840.10008.5.1.4.34.5.1"
"""Stands for the steps that match a filter."""

STATE_REPORT: Final = 1
CANCEL_REQUESTED: Final = 2
PROGRESS_REPORT: Final = 3
_FINAL: Final = {StepRequest.COMPLETE: StepState.COMPLETED, StepRequest.CANCEL: StepState.CANCELED}


class SqlSteps:
    """The steps of the node's own worklist.

    Parameters
    ----------
    engine
        From `node.adapters.ledger.open_engine`.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except OperationalError as fault:
            raise TransientError("RCV-005", "The ledger cannot be written.") from fault

    def create(self, sop_instance: str, dataset: Dataset, *, at: datetime) -> StepStatus:
        """Keep a new step; `dataset` is what the N-CREATE brought."""
        fault = creation_fault(dataset)
        if fault is not None:
            return fault
        with self._writing() as connection:
            try:
                with connection.begin_nested():
                    connection.execute(
                        insert(t.procedure_step).values(
                            sop_instance=sop_instance,
                            state=StepState.SCHEDULED,
                            transaction_uid="",
                            performer="",
                            dataset=encoded(dataset),
                            created_at=at,
                            updated_at=at,
                        )
                    )
            except IntegrityError:
                return StepStatus.DUPLICATE
            _tell(connection, sop_instance, STATE_REPORT, state_report(dataset), at)
        return StepStatus.SUCCESS

    def get(self, sop_instance: str) -> Dataset | None:
        """All attributes of a step but the Transaction UID, which is its performer's secret (PS3.4 CC.2.7.2)."""
        with self._engine.connect() as connection:
            row = connection.execute(_step(sop_instance)).first()
        return None if row is None else decoded(row.dataset)

    def all(self) -> Sequence[tuple[str, Dataset]]:
        """Every step with its UID, oldest first."""
        with self._engine.connect() as connection:
            rows = connection.execute(select(t.procedure_step).order_by(t.procedure_step.c.created_at)).all()
        return [(row.sop_instance, decoded(row.dataset)) for row in rows]

    def scheduled(self) -> Sequence[tuple[str, Dataset]]:
        """Steps that nobody has claimed."""
        with self._engine.connect() as connection:
            here = t.procedure_step.c.state == StepState.SCHEDULED
            rows = connection.execute(select(t.procedure_step).where(here)).all()
        return [(row.sop_instance, decoded(row.dataset)) for row in rows]

    def change(
        self, sop_instance: str, request: StepRequest, transaction_uid: str, *, performer: str, at: datetime
    ) -> StepStatus:
        """Change the state; of two that claim one step at the same time exactly one wins."""
        with self._writing() as connection:
            row = _locked(connection, sop_instance)
            dataset = Dataset() if row is None else decoded(row.dataset)
            final = _FINAL.get(request)
            decision = decide(
                None if row is None else StepState(row.state),
                request,
                given=transaction_uid,
                held="" if row is None else row.transaction_uid,
                final_state_met=final is None or final_state_met(dataset, final),
            )
            if decision.state is not None:
                dataset.ProcedureStepState = decision.state.value
                values = {"state": decision.state, "dataset": encoded(dataset), "updated_at": at}
                if request is StepRequest.CLAIM:
                    values |= {"transaction_uid": transaction_uid, "performer": performer}
                _write(connection, sop_instance, values)
                _tell(connection, sop_instance, STATE_REPORT, state_report(dataset), at)
        return decision.status

    def request_cancel(
        self, sop_instance: str, information: Dataset, *, requester: str, performed_here: bool, at: datetime
    ) -> StepStatus:
        """Cancel a step that waits, or ask the performer of one that runs (PS3.4 CC.2.2).

        Parameters
        ----------
        performed_here
            Whether the node itself performs the step and knows of the wish; a foreign performer is told by an event,
            if it has subscribed.
        """
        with self._writing() as connection:
            row = _locked(connection, sop_instance)
            state = None if row is None else StepState(row.state)
            decision = decide(state, StepRequest.REQUEST_CANCEL, given="", held="")
            if row is None or decision.status != StepStatus.SUCCESS:
                return decision.status
            if decision.state is None:
                subscribers = _subscribers(connection, sop_instance)
                if not performed_here and row.performer not in subscribers:
                    return StepStatus.PERFORMER_NOT_REACHED
                _tell(connection, sop_instance, CANCEL_REQUESTED, cancel_request(requester, information), at)
                return decision.status
            dataset = decoded(row.dataset)
            dataset.ProcedureStepState = decision.state.value
            _write(connection, sop_instance, {"state": decision.state, "dataset": encoded(dataset), "updated_at": at})
            _tell(connection, sop_instance, STATE_REPORT, state_report(dataset), at)
        return decision.status

    def update(self, sop_instance: str, modifications: Dataset, transaction_uid: str, *, at: datetime) -> StepStatus:
        """Set attributes of a step; its state only changes by `change`."""
        if "ProcedureStepState" in modifications:
            return StepStatus.SCHEDULED_BY_CREATION_ONLY
        with self._writing() as connection:
            row = _locked(connection, sop_instance)
            decision = decide(
                None if row is None else StepState(row.state),
                StepRequest.UPDATE,
                given=transaction_uid,
                held="" if row is None else row.transaction_uid,
            )
            if row is None or decision.status != StepStatus.SUCCESS:
                return decision.status
            dataset = decoded(row.dataset)
            for element in modifications:
                if element.keyword != "TransactionUID":
                    dataset.add(element)
            _write(connection, sop_instance, {"dataset": encoded(dataset), "updated_at": at})
            if "ProcedureStepProgressInformationSequence" in modifications:
                _tell(connection, sop_instance, PROGRESS_REPORT, progress_report(dataset), at)
        return StepStatus.SUCCESS

    def subscribe(self, receiving_ae_title: str, sop_instance: str, *, at: datetime) -> StepStatus:
        """Tell an AE of one step, or of all by `ALL_STEPS`; it learns the present state at once (PS3.4 CC.2.3.3)."""
        with self._writing() as connection:
            row = None
            if sop_instance not in (ALL_STEPS, MATCHING_STEPS):
                row = _locked(connection, sop_instance)
                if row is None:
                    return StepStatus.NO_SUCH_STEP
            known = connection.execute(_subscription(receiving_ae_title, sop_instance)).first()
            if known is None:
                connection.execute(
                    insert(t.step_subscription).values(receiving_ae_title=receiving_ae_title, sop_instance=sop_instance)
                )
            if row is not None:
                report = state_report(decoded(row.dataset))
                _queue_event(connection, receiving_ae_title, sop_instance, STATE_REPORT, report, at)
        return StepStatus.SUCCESS

    def unsubscribe(self, receiving_ae_title: str, sop_instance: str) -> StepStatus:
        """Tell an AE no more."""
        with self._writing() as connection:
            here = t.step_subscription.c.receiving_ae_title == receiving_ae_title
            if sop_instance != ALL_STEPS:
                here &= t.step_subscription.c.sop_instance == sop_instance
            connection.execute(t.step_subscription.delete().where(here))
        return StepStatus.SUCCESS

    def due_events(self, *, at: datetime, limit: int = 50) -> Sequence[StepEvent]:
        """Notifications that are to be sent now, oldest first."""
        with self._engine.connect() as connection:
            rows = connection.execute(
                select(t.step_event)
                .where(is_due(t.step_event.c.next_at, at, LONGEST_WAIT))
                .order_by(t.step_event.c.id)
                .limit(limit)
            ).all()
        return [
            StepEvent(
                row.id, row.receiving_ae_title, row.sop_instance, row.event_type, decoded(row.dataset), row.attempts
            )
            for row in rows
        ]

    def event_sent(self, event: StepEvent) -> None:
        """Forget a notification that has arrived, or that was tried too often."""
        with self._writing() as connection:
            connection.execute(t.step_event.delete().where(t.step_event.c.id == event.id))

    def event_postponed(self, event: StepEvent, *, until: datetime) -> None:
        """Try a notification again later."""
        with self._writing() as connection:
            connection.execute(
                update(t.step_event)
                .where(t.step_event.c.id == event.id)
                .values(attempts=event.attempts + 1, next_at=until)
            )

    def forget(self, *, ended_before: datetime) -> int:
        """Delete steps that ended before that time; how many there were."""
        with self._writing() as connection:
            here = t.procedure_step.c.state.in_([StepState.COMPLETED, StepState.CANCELED]) & (
                t.procedure_step.c.updated_at < ended_before
            )
            ended = select(t.procedure_step.c.sop_instance).where(here)
            connection.execute(t.step_subscription.delete().where(t.step_subscription.c.sop_instance.in_(ended)))
            return connection.execute(t.procedure_step.delete().where(here)).rowcount


class SqlTasks:
    """The steps that the node performs, its own and those of peers."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def taken(self, task: StepTask, *, at: datetime) -> bool:
        try:
            with self._engine.begin() as connection:
                connection.execute(
                    insert(t.step_task).values(
                        board=task.board,
                        sop_instance=task.sop_instance,
                        transaction_uid=task.transaction_uid,
                        inputs=asdict(task.inputs),
                        claimed_at=task.claimed_at,
                        **_task_values(task, at),
                    )
                )
        except IntegrityError:
            return False
        return True

    def noted(self, task: StepTask, *, at: datetime) -> None:
        with self._engine.begin() as connection:
            values = _task_values(task, at)
            # a request that came meanwhile stays
            del values["cancel_requested"]
            connection.execute(update(t.step_task).where(_task(task.board, task.sop_instance)).values(**values))

    def dropped(self, task: StepTask) -> None:
        with self._engine.begin() as connection:
            connection.execute(t.step_task.delete().where(_task(task.board, task.sop_instance)))

    def open(self) -> Sequence[StepTask]:
        with self._engine.connect() as connection:
            rows = connection.execute(
                select(t.step_task).where(t.step_task.c.state != TaskState.ENDED).order_by(t.step_task.c.claimed_at)
            ).all()
        return [_task_of(row) for row in rows]

    def cancel_requested(self, board: str, sop_instance: str) -> bool:
        """Note that somebody wants a step cancelled; False when the node does not perform it."""
        with self._engine.begin() as connection:
            here = _task(board, sop_instance) & (t.step_task.c.state != TaskState.ENDED)
            return bool(connection.execute(update(t.step_task).where(here).values(cancel_requested=True)).rowcount)

    def case_for(self, inputs: StepInputs) -> CaseId | None:
        named = [
            column.in_(values)
            for column, values in (
                (t.case.c.segmentation, inputs.instances),
                (t.instance.c.series, inputs.series),
            )
            if values
        ]
        # a study alone may hold several segmentations; it counts when nothing more is said
        if not named and inputs.studies:
            named = [t.case.c.study.in_(inputs.studies)]
        if not named:
            return None
        with self._engine.connect() as connection:
            found = connection.scalar(
                select(t.case.c.id)
                .join(t.instance, t.instance.c.sop_instance == t.case.c.segmentation)
                .where(or_(*named))
                .order_by(t.case.c.id.desc())
                .limit(1)
            )
        return None if found is None else CaseId(found)


def _step(sop_instance: str) -> Any:
    return select(t.procedure_step).where(t.procedure_step.c.sop_instance == sop_instance)


def _locked(connection: Connection, sop_instance: str) -> Row[Any] | None:
    return connection.execute(_step(sop_instance).with_for_update()).first()


def _write(connection: Connection, sop_instance: str, values: dict[str, Any]) -> None:
    connection.execute(update(t.procedure_step).where(t.procedure_step.c.sop_instance == sop_instance).values(**values))


def _subscription(receiving_ae_title: str, sop_instance: str) -> Any:
    return select(t.step_subscription).where(
        t.step_subscription.c.receiving_ae_title == receiving_ae_title,
        t.step_subscription.c.sop_instance == sop_instance,
    )


def _subscribers(connection: Connection, sop_instance: str) -> list[str]:
    here = t.step_subscription.c.sop_instance.in_([sop_instance, ALL_STEPS, MATCHING_STEPS])
    return sorted(set(connection.scalars(select(t.step_subscription.c.receiving_ae_title).where(here)).all()))


def _tell(connection: Connection, sop_instance: str, event_type: int, dataset: Dataset, at: datetime) -> None:
    for receiver in _subscribers(connection, sop_instance):
        _queue_event(connection, receiver, sop_instance, event_type, dataset, at)


def _queue_event(
    connection: Connection, receiver: str, sop_instance: str, event_type: int, dataset: Dataset, at: datetime
) -> None:
    connection.execute(
        insert(t.step_event).values(
            receiving_ae_title=receiver,
            sop_instance=sop_instance,
            event_type=event_type,
            dataset=encoded(dataset),
            attempts=0,
            # in the order in which they were queued, whatever the clock does
            next_at=at - timedelta(seconds=1),
        )
    )


def _task(board: str, sop_instance: str) -> Any:
    return (t.step_task.c.board == board) & (t.step_task.c.sop_instance == sop_instance)


def _task_values(task: StepTask, at: datetime) -> dict[str, Any]:
    return {
        "state": task.state,
        "case": task.case,
        "progress": task.progress,
        "detail": task.detail,
        "cancel_requested": task.cancel_requested,
        "updated_at": at,
    }


def _task_of(row: Row[Any]) -> StepTask:
    return StepTask(
        row.board,
        row.sop_instance,
        row.transaction_uid,
        TaskState(row.state),
        StepInputs(**{name: tuple(values) for name, values in row.inputs.items()}),
        None if row.case is None else CaseId(row.case),
        row.progress,
        row.detail,
        row.cancel_requested,
        row.claimed_at,
    )
