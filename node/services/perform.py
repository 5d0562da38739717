"""Perform Unified Procedure Steps: claim them, follow the case that they ask for, and tell how it ended."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final

from node.errors import TransientError
from node.logs import Log
from node.ports import CaseDetail, Clock, Ledger, Performed, ScheduledStep, StepBoard, StepTask, TaskBook, TaskState
from pipelines.domain.case_state import CaseState
from pipelines.domain.identifiers import CaseId
from pipelines.domain.procedure_step import StepStatus

# how far a case is in each state, in percent
_PROGRESS: Final[Mapping[CaseState, int]] = {
    CaseState.COLLECTING: 10,
    CaseState.QUEUED: 20,
    CaseState.WAITING: 20,
    CaseState.RUNNING: 40,
    CaseState.REPORTED: 80,
}
_OVER: Final = frozenset({CaseState.REJECTED, CaseState.FAILED})


class Performer:
    """One round over all boards and tasks; called again and again by the dispatcher.

    Parameters
    ----------
    boards
        Where steps are scheduled, by name; the node's own board has the empty name.
    destinations
        AE titles of the archives that get the results.
    input_timeout
        How long the inputs of a claimed step may take to arrive.
    """

    def __init__(
        self,
        boards: Mapping[str, StepBoard],
        tasks: TaskBook,
        ledger: Ledger,
        clock: Clock,
        log: Log,
        *,
        station: str,
        destinations: Sequence[str],
        input_timeout: timedelta,
    ) -> None:
        self._boards = boards
        self._tasks = tasks
        self._ledger = ledger
        self._clock = clock
        self._log = log
        self._station = station
        self._destinations = tuple(destinations)
        self._input_timeout = input_timeout

    def tick(self) -> None:
        """Claim what is new and move what is claimed; a board that is away does not stop the others."""
        for name, board in self._boards.items():
            try:
                for step in board.scheduled():
                    self._claim(board, step)
            except TransientError as fault:
                self._log.warning("worklist_unavailable", peer=name, code=fault.code, reason=str(fault))
        for task in self._tasks.open():
            claimed_from = self._boards.get(task.board)
            if claimed_from is None:
                continue
            try:
                self._move(claimed_from, task)
            except TransientError as fault:
                self._log.warning("task_postponed", step=task.sop_instance, code=fault.code, reason=str(fault))

    def _claim(self, board: StepBoard, step: ScheduledStep) -> None:
        task = StepTask(
            step.board,
            step.sop_instance,
            f"2.25.{uuid.uuid4().int}",
            TaskState.CLAIMING,
            step.inputs,
            case=None,
            progress=0,
            detail="",
            cancel_requested=False,
            claimed_at=self._clock(),
        )
        # noted first: if the node dies between claim and answer, it still knows the Transaction UID
        if self._tasks.taken(task, at=self._clock()):
            self._settle(task, board.claim(task.sop_instance, task.transaction_uid))

    def _settle(self, task: StepTask, status: int) -> bool:
        if status == StepStatus.SUCCESS:
            self._log.info("task_claimed", step=task.sop_instance, peer=task.board)
            self._tasks.noted(replace(task, state=TaskState.WAITING), at=self._clock())
            return True
        self._log.info("task_not_claimed", step=task.sop_instance, peer=task.board, status=f"0x{status:04X}")
        self._tasks.dropped(task)
        return False

    def _move(self, board: StepBoard, task: StepTask) -> None:
        if task.state is TaskState.CLAIMING:
            # whoever may write under this Transaction UID has claimed the step
            status = board.progress(task.sop_instance, task.transaction_uid, 0, "Claimed.")
            if not self._settle(task, status):
                return
            task = replace(task, state=TaskState.WAITING)
        case = task.case or self._tasks.case_for(task.inputs)
        if case is None:
            self._wait(board, task)
            return
        detail = self._ledger.detail(case)
        if detail is None:
            return
        state = detail.row.state
        if state in _OVER:
            self._cancel(board, task, f"{detail.row.code} {detail.row.reason} {detail.row.remedy}".strip())
        elif state in _PROGRESS and (state is not CaseState.REPORTED or self._destinations):
            self._progress(board, task, case, state, detail.row.reason)
        else:
            self._complete(board, task, case, detail)

    def _wait(self, board: StepBoard, task: StepTask) -> None:
        if task.cancel_requested:
            self._cancel(board, task, "Cancelled on request before its inputs had arrived.")
        elif self._clock() - task.claimed_at > self._input_timeout:
            minutes = round(self._input_timeout.total_seconds() / 60)
            self._cancel(board, task, f"SEG-001 No segmentation among the inputs has arrived within {minutes} minutes.")

    def _progress(self, board: StepBoard, task: StepTask, case: CaseId, state: CaseState, why: str) -> None:
        percent = _PROGRESS[state]
        if (task.progress, task.detail, task.case) == (percent, why, case):
            return
        status = board.progress(task.sop_instance, task.transaction_uid, percent, why)
        self._note(replace(task, state=TaskState.WORKING, case=case, progress=percent, detail=why), status)

    def _complete(self, board: StepBoard, task: StepTask, case: CaseId, detail: CaseDetail) -> None:
        series: dict[str, list[tuple[str, str]]] = {}
        for made in detail.results:
            series.setdefault(made.result.series, []).append((made.result.sop_class, made.result.sop_instance))
        performed = Performed(
            self._station,
            started_at=task.claimed_at,
            ended_at=self._clock(),
            summary=detail.row.reason,
            study=detail.row.study,
            series=series,
            stored_at=self._destinations,
        )
        status = board.complete(task.sop_instance, task.transaction_uid, performed)
        self._note(
            replace(task, state=TaskState.ENDED, case=case, progress=100, detail="completed"), status, final=True
        )

    def _cancel(self, board: StepBoard, task: StepTask, reason: str) -> None:
        status = board.cancel(task.sop_instance, task.transaction_uid, reason, self._clock())
        self._note(replace(task, state=TaskState.ENDED, detail=reason), status, final=True)

    def _note(self, task: StepTask, status: int, *, final: bool = False) -> None:
        """Record what the board took; a step that it gave away or ended itself is no longer ours."""
        if status in (StepStatus.SUCCESS, StepStatus.ALREADY_COMPLETED, StepStatus.ALREADY_CANCELED):
            self._tasks.noted(task, at=self._clock())
            if final:
                self._log.info("task_ended", step=task.sop_instance, peer=task.board, detail=task.detail)
            return
        self._log.warning("task_lost", step=task.sop_instance, peer=task.board, status=f"0x{status:04X}")
        lost = f"The worklist answered with status 0x{status:04X}."
        self._tasks.noted(replace(task, state=TaskState.ENDED, detail=lost), at=self._clock())
