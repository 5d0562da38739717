"""Give up files and history that the settings do not want kept, and make room when the disk is nearly full."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from node.keeping import Erasure, FileStore, RetentionLedger, Why
from node.logs import Log
from node.ports import Clock

_CASES_A_ROUND: Final = 20
_INSTANCES_A_ROUND: Final = 2000
_FILES_AT_ONCE: Final = 200


@dataclass(frozen=True, slots=True)
class Terms:
    """How long what is kept; None for ever.

    Attributes
    ----------
    inputs, results, cases
        After a case has ended with every result where it belongs: what it was read from, its results, all about it.
    unused
        After the last instance of a series that belongs to no case.
    bookkeeping
        Finished requests, tasks, retrievals and refusals.
    emergency_free_bytes
        Below it inputs of ended cases go before their time; 0 for never.
    """

    inputs: timedelta | None = None
    results: timedelta | None = None
    cases: timedelta | None = None
    unused: timedelta | None = None
    bookkeeping: timedelta | None = None
    emergency_free_bytes: int = 0


class ForgetSteps(Protocol):
    """Deletes the tasks of the node's own worklist that ended before a time; how many."""

    def __call__(self, *, ended_before: datetime) -> int: ...


class Retainer:
    """One look at what may go; called again and again by the dispatcher."""

    def __init__(
        self,
        ledger: RetentionLedger,
        erasure: Erasure,
        files: FileStore,
        clock: Clock,
        log: Log,
        *,
        terms: Terms,
        forget_steps: ForgetSteps,
    ) -> None:
        self._ledger = ledger
        self._erasure = erasure
        self._files = files
        self._clock = clock
        self._log = log
        self._terms = terms
        self._forget_steps = forget_steps

    def tick(self) -> None:
        """Give up what is due, a bounded amount a round, and remove the files."""
        now, terms = self._clock(), self._terms
        # what a crash left first: those files have been given up already
        removed = self.remove_files()
        released = 0
        if terms.cases is not None:
            self._erase_ended(now - terms.cases)
        if terms.inputs is not None:
            released += self._ledger.release_inputs(ended_before=now - terms.inputs, at=now, cases=_CASES_A_ROUND)
        if terms.results is not None:
            released += self._ledger.release_results(ended_before=now - terms.results, at=now, cases=_CASES_A_ROUND)
        if terms.unused is not None:
            before = now - terms.unused
            released += self._ledger.release_unused(received_before=before, at=now, instances=_INSTANCES_A_ROUND)
        pruned = 0
        if terms.bookkeeping is not None:
            pruned = self._ledger.prune(before=now - terms.bookkeeping)
            pruned += self._forget_steps(ended_before=now - terms.bookkeeping)
        removed += self.remove_files()
        removed += self._make_room(now)
        if removed or pruned:
            self._log.info("retention", files=removed, given_up=released, rows=pruned)

    def remove_files(self) -> int:
        """Remove the files that have been given up; how many."""
        removed = 0
        while listed := self._ledger.removals(limit=_FILES_AT_ONCE):
            gone = self._ledger.remove(listed, self._files.unlink)
            removed += gone
            if gone < len(listed):
                # those of a case that runs at this moment: later
                break
        return removed

    def _erase_ended(self, before: datetime) -> None:
        for case in self._ledger.ended(before=before, cases=_CASES_A_ROUND):
            if self._erasure.erase(case, Why.RETENTION, "retain.cases_days", at=self._clock()) is None:
                self._log.info("case_erased", case=case, why=Why.RETENTION.value)

    def _make_room(self, now: datetime) -> int:
        """Inputs of the longest ended cases go first, case by case, until there is room; results and history never."""
        removed = 0
        while self._terms.emergency_free_bytes and self._files.free_bytes() < self._terms.emergency_free_bytes:
            if not self._ledger.release_inputs(ended_before=now, at=now, cases=1):
                self._log.error("disk_nearly_full", code="RCV-003", free_mb=self._files.free_bytes() // 2**20)
                break
            gone = self.remove_files()
            self._log.warning("inputs_removed_early", files=gone, free_mb=self._files.free_bytes() // 2**20)
            removed += gone
        return removed
