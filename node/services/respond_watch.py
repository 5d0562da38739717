"""Find the patients who wait for an assessment, and have a worker look after them."""

from datetime import datetime, timedelta
from typing import Final

from node.errors import TransientError
from node.history import History
from node.logs import Log
from node.ports import Clock, JobQueue
from pipelines.domain.identifiers import CaseId

_IN_HAND: Final = timedelta(seconds=30)
"""So long after its last change a case may still be with the worker that measured it."""
_MOST: Final = 100


class ResponseWatch:
    """One look at everything that waits; called again and again by the dispatcher.

    Mostly there is nothing: the worker that measured a case assesses its patient as well. What waits comes from a
    reader's decision, from clinical data, from cases that are older than the follow-up, or from a worker that died.

    Parameters
    ----------
    again_after
        Age of a message at which it counts as lost.
    """

    def __init__(self, history: History, queue: JobQueue, clock: Clock, log: Log, *, again_after: timedelta) -> None:
        self._history = history
        self._queue = queue
        self._clock = clock
        self._log = log
        self._again_after = again_after
        self._submitted: dict[CaseId, datetime] = {}

    def tick(self) -> None:
        """Put what waits into the queue."""
        now = self._clock()
        waiting = self._history.waiting(quiet_since=now - _IN_HAND, most=_MOST)
        self._submitted = {
            case: at for case, at in self._submitted.items() if case in waiting and now < at + self._again_after
        }
        for case in waiting:
            if case in self._submitted:
                continue
            try:
                self._queue.submit(case)
            except TransientError as fault:
                self._log.warning("queue_unavailable", case=case, code=fault.code, reason=str(fault))
                return
            self._submitted[case] = now
            self._log.info("response_queued", case=case)
