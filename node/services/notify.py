"""Tell subscribers what happens to procedure steps, in order, and give up on those who never answer."""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from node.logs import Log
from node.ports import Clock, StepEvent, StepNotifications

_MOST_ATTEMPTS: Final = 8
_FIRST_PAUSE: Final = timedelta(seconds=5)


class Notifier:
    """Sends what is due.

    Parameters
    ----------
    send
        Sends one notification; False when the subscriber did not take it.
    """

    def __init__(self, waiting: StepNotifications, send: Callable[[StepEvent], bool], clock: Clock, log: Log) -> None:
        self._waiting = waiting
        self._send = send
        self._clock = clock
        self._log = log

    def tick(self) -> None:
        """Send what is due; after a failure the later ones of that subscriber wait, so that their order stays."""
        deaf: set[str] = set()
        for event in self._waiting.due_events(at=self._clock()):
            if event.receiving_ae_title in deaf:
                continue
            if self._send(event):
                self._waiting.event_sent(event)
                continue
            deaf.add(event.receiving_ae_title)
            if event.attempts + 1 >= _MOST_ATTEMPTS:
                self._log.warning("notification_given_up", step=event.sop_instance, ae=event.receiving_ae_title)
                self._waiting.event_sent(event)
            else:
                self._waiting.event_postponed(event, until=self._clock() + _FIRST_PAUSE * 2**event.attempts)
