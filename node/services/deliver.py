"""Bring results to their destinations, again and again until they are there or hope is lost."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final

from node.faults import fault_point
from node.logs import Log
from node.meters import SILENT, Meters
from node.ports import Archive, Clock, Delivery, Ledger, Sent
from pipelines.domain.reasons import Rejected

LONGEST_CASE_WAIT: Final = timedelta(minutes=15)
"""Between two tries of a case while the world is unwell."""


_FEWEST_TRIES: Final = 10
"""Before a delivery is given up: a node that stood still for days, or whose clock jumped, did not try in that time."""


def backoff(attempt: int, *, first: timedelta, longest: timedelta) -> timedelta:
    """Time to wait after failed attempt number `attempt` (from 1): doubled each time up to `longest`.

    Examples
    --------
    >>> five, hour = timedelta(seconds=5), timedelta(hours=1)
    >>> [backoff(n, first=five, longest=hour).seconds for n in (1, 2, 3, 20)]
    [5, 10, 20, 3600]
    """
    doublings: int = min(attempt - 1, 32)
    return min(longest, first * (1 << doublings))


class Deliverer:
    """Sends what is due for one destination.

    Parameters
    ----------
    batch
        Objects sent over one association.
    give_up_after
        Age of a delivery from which on a failure is final, once it has been tried ten times.
    begins
        Hears of what is about to be offered.
    """

    def __init__(
        self,
        ledger: Ledger,
        archive: Archive,
        clock: Clock,
        log: Log,
        *,
        retry_first: timedelta,
        retry_max: timedelta,
        give_up_after: timedelta,
        batch: int = 50,
        meters: Meters = SILENT,
        begins: Callable[[str, Sequence[Delivery]], None] = lambda destination, due: None,
    ) -> None:
        self._ledger = ledger
        self._archive = archive
        self._clock = clock
        self._log = log
        self._retry_first = retry_first
        self._retry_max = retry_max
        self._give_up_after = give_up_after
        self._batch = batch
        self._meters = meters
        self._begins = begins

    def deliver(self, destination: str) -> int:
        """Send everything that is due for `destination`; how many objects were offered."""
        due = self._ledger.due(destination, at=self._clock(), limit=self._batch)
        if not due:
            return 0
        self._begins(destination, due)
        waiting = {delivery.result: delivery for delivery in due}
        with self._meters.timing("deliver"):
            for result, sent in self._archive.send(destination, list(waiting)):
                fault_point("deliver.sent")
                self._settle(destination, waiting.pop(result), sent)
                fault_point("deliver.recorded")
        return len(due)

    def _settle(self, destination: str, delivery: Delivery, sent: Sent) -> None:
        now = self._clock()
        sent = self._final(sent, delivery)
        wait = backoff(delivery.attempt, first=self._retry_first, longest=self._retry_max)
        self._ledger.sent(delivery, sent, at=now, next_at=now + wait)
        outcome = "delivered" if sent.fault is None else "refused" if sent.permanent else "put-off"
        self._meters.sent(destination, outcome)
        if sent.fault is None:
            self._log.info("result_delivered", case=delivery.case, kind=delivery.result.kind, peer=destination)
        elif sent.permanent:
            self._log.error("result_refused", case=delivery.case, peer=destination, code=sent.fault.code)
        else:
            self._log.warning(
                "result_not_delivered",
                case=delivery.case,
                peer=destination,
                code=sent.fault.code,
                attempt=delivery.attempt,
                next_try_s=wait.total_seconds(),
            )

    def _final(self, sent: Sent, delivery: Delivery) -> Sent:
        """A fault becomes permanent when the delivery is too old to try again, and was tried often enough."""
        young = self._clock() - delivery.created_at < self._give_up_after
        if sent.fault is None or sent.permanent or young or delivery.attempt < _FEWEST_TRIES:
            return sent
        hours = self._give_up_after.total_seconds() / 3600
        reason = Rejected(sent.fault.code, f"{sent.fault.detail} Gave up after {hours:g} hours.", sent.fault.remedy)
        return Sent(sent.status, reason, permanent=True)
