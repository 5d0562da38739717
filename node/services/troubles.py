"""What is wrong with the node at this moment, as alerts."""

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from node.errors import TransientError
from node.ports import Clock, DeliveryState
from node.services.alert import Alert
from pipelines.domain.case_state import CaseState
from pipelines.domain.identifiers import CaseId

_MOST_CASES: Final = 1000


@dataclass(frozen=True, slots=True)
class FailedCase:
    """A case that needs a person."""

    case: CaseId
    code: str


@dataclass(frozen=True, slots=True)
class StuckCase:
    """A case that has been in a state for long."""

    case: CaseId
    state: CaseState
    since: datetime


class TroubleLedger(Protocol):
    """What the ledger knows of trouble."""

    def failed(self, *, limit: int) -> Iterable[FailedCase]:
        """Cases that failed and have not been run again, newest first."""

    def stuck(self, *, at: datetime, after: timedelta, limit: int) -> Iterable[StuckCase]:
        """Open cases that have not moved for that long, the longest first."""

    def deliveries(self) -> Iterable[tuple[str, DeliveryState, int]]:
        """(destination, state, number) of the results that are to be sent or were."""


class Troubles:
    """Looks at everything that alerts are made of.

    Parameters
    ----------
    free_bytes
        Space that is left on the data disk.
    restarting
        Processes that end again and again.
    """

    def __init__(
        self,
        ledger: TroubleLedger,
        clock: Clock,
        *,
        stuck_after: timedelta,
        least_free_bytes: int,
        free_bytes: Callable[[], int],
        restarting: Callable[[], Collection[str]],
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._stuck_after = stuck_after
        self._least_free_bytes = least_free_bytes
        self._free_bytes = free_bytes
        self._restarting = restarting

    def look(self) -> Iterator[Alert]:
        try:
            free = self._free_bytes()
        except TransientError as fault:
            yield Alert("spool-away", f"{fault.code} {fault}", "Mount it again; senders keep what they have meanwhile.")
            # a ledger that lies on the same disk is away too, and that is no news
            with suppress(TransientError):
                yield from self._of_ledger()
        else:
            yield from self._of_ledger()
            if free < self._least_free_bytes:
                yield Alert(
                    "disk-low",
                    f"{free // 2**20} MB are free on the data disk.",
                    "Free space, or shorten what [retain] keeps. Below receive.min_free_mb instances are refused.",
                )
        for process in sorted(self._restarting()):
            yield Alert(
                f"restarting:{process}",
                f"The process {process} ends again and again.",
                "Look for process_ended in the log of the node.",
            )

    def _of_ledger(self) -> Iterator[Alert]:
        for failed in self._ledger.failed(limit=_MOST_CASES):
            yield Alert(
                f"case-failed:{failed.case}",
                f"Case {failed.case} failed ({failed.code}).",
                f"`pulmonode status {failed.case}` tells why; `pulmonode retry {failed.case}` runs it again.",
            )
        for stuck in self._ledger.stuck(at=self._clock(), after=self._stuck_after, limit=_MOST_CASES):
            yield Alert(
                f"case-stuck:{stuck.case}",
                f"Case {stuck.case} has been {stuck.state.value} since {stuck.since:%Y-%m-%d %H:%M} UTC.",
                "Look whether workers run and destinations answer: `pulmonode doctor`.",
            )
        for destination, state, number in self._ledger.deliveries():
            if state is DeliveryState.REFUSED:
                yield Alert(
                    f"results-refused:{destination}",
                    f"{destination} refused {number} results.",
                    "`pulmonode status CASE` tells why; `pulmonode send CASE --to PEER` sends them again.",
                )
