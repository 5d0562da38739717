"""Start the cases that are complete, reject those that stay incomplete, and put lost ones back into the queue."""

import uuid
from datetime import timedelta
from typing import assert_never

from node.errors import TransientError
from node.faults import fault_point
from node.logs import Log
from node.meters import SILENT, Meters
from node.ports import Clock, CollectingCase, JobQueue, Ledger, PriorityLedger
from pipelines.domain.identifiers import CaseId
from pipelines.domain.priority import Precedence, Priority
from pipelines.domain.reasons import Rejected
from pipelines.imaging.assembly import Complete, Incomplete, Patience, Wait, decide
from pipelines.imaging.geometry import TOLERANCES, Tolerances


class Assembler:
    """One look at everything that waits; called again and again by the dispatcher.

    Parameters
    ----------
    max_attempts
        Runs of a case that may be interrupted.
    resubmit_after
        Age of a queued case at which its message counts as lost.
    tolerances
        How exactly the slices of a CT have to stack up.
    priorities, rule
        Which case goes first, and which waits for off-peak hours.
    """

    def __init__(
        self,
        ledger: Ledger,
        queue: JobQueue,
        clock: Clock,
        log: Log,
        *,
        patience: Patience,
        max_attempts: int,
        resubmit_after: timedelta,
        tolerances: Tolerances = TOLERANCES,
        priorities: PriorityLedger,
        rule: Precedence,
        meters: Meters = SILENT,
    ) -> None:
        self._ledger = ledger
        self._queue = queue
        self._clock = clock
        self._log = log
        self._patience = patience
        self._max_attempts = max_attempts
        self._resubmit_after = resubmit_after
        self._tolerances = tolerances
        self._meters = meters
        self._priorities = priorities
        self._rule = rule
        self._off_peak = False
        self._started = False

    def tick(self) -> None:
        """Reconcile ledger and queue, then decide on every collecting case."""
        with self._meters.timing("assemble"):
            self._look()

    def _look(self) -> None:
        again = self._ledger.reconcile(
            at=self._clock(), max_attempts=self._max_attempts, resubmit_after=self._lost_after()
        )
        self._started = True
        for case in again:
            self._log.warning("case_queued_again", case=case)
            self._submit(case)
        for waiting in self._ledger.collecting():
            try:
                self._decide(waiting)
            except TransientError:
                raise
            except Exception:
                self._give_up(waiting.case)

    def _decide(self, waiting: CollectingCase) -> None:
        segmentation = waiting.segmentation
        now = self._clock()
        candidates = self._ledger.candidates(segmentation.ref)
        decision = decide(segmentation, candidates, now=now, patience=self._patience, tolerances=self._tolerances)
        match decision:
            case Wait(why=why):
                if why != waiting.reason:
                    self._ledger.waits(waiting.case, why)
            case Complete(why=why, ct=ct):
                if self._ledger.complete(waiting.case, ct, why, at=now):
                    fault_point("assemble.completed")
                    self._log.info("case_queued", case=waiting.case, series=ct.series)
                    self._submit(waiting.case)
            case Incomplete(reason=reason, ct=paired):
                if self._ledger.incomplete(waiting.case, paired, reason, at=now):
                    self._log.warning("case_rejected", case=waiting.case, code=reason.code, reason=reason.detail)
            case _:
                assert_never(decision)

    def _lost_after(self) -> timedelta | None:
        """Age from which on a queued case counts as lost; None while no case does.

        A dispatcher may have died after it wrote a case into the ledger and before it queued it, so the first look
        takes all. Later, a case may be among the messages that wait: only an empty queue can have lost one.
        """
        off_peak, before = self._rule.off_peak.hold(self._clock().astimezone()), self._off_peak
        self._off_peak = off_peak
        if not self._started or (off_peak and not before):
            # with the off-peak hours those begin that were held back
            return timedelta(0)
        try:
            return self._resubmit_after if self._queue.depth() == 0 else None
        except TransientError:
            return None

    def _give_up(self, case: CaseId) -> None:
        """One case that cannot be decided on must not keep all others from starting."""
        trace = uuid.uuid4().hex[:8]
        self._log.error("case_failed", case=case, trace=trace, traceback=True)
        remedy = f"Look for {trace} in the log of the dispatcher and report it."
        self._ledger.incomplete(case, None, Rejected("RUN-002", f"Internal error {trace}.", remedy), at=self._clock())

    def _submit(self, case: CaseId) -> None:
        sender, chosen = self._priorities.sender_and_choice(case)
        priority = self._rule.priority(sender, chosen)
        if not self._rule.may_start(priority, self._clock().astimezone()):
            self._priorities.held_back(
                case, f"It waits for the off-peak hours, from {self._rule.off_peak.begin:%H:%M}."
            )
            return
        try:
            self._queue.submit(case, priority)
            fault_point("assemble.submitted")
        except TransientError as fault:
            # the case stays queued in the ledger; the reconciler submits it when the broker is back
            self._log.warning("queue_unavailable", case=case, code=fault.code, reason=str(fault))


def priority_of(case: CaseId, priorities: PriorityLedger, rule: Precedence) -> Priority:
    """The priority of a case by who sent it and by what a person chose."""
    return rule.priority(*priorities.sender_and_choice(case))


def may_start(priorities: PriorityLedger, rule: Precedence, clock: Clock, case: CaseId) -> bool:
    """True when a case may be computed now."""
    return rule.may_start(priority_of(case, priorities, rule), clock().astimezone())
