"""Tell people what needs them: each cause once when it appears and once when it is gone, and no patient's data."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from node.errors import TransientError
from node.logs import Log
from node.ports import Clock


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that needs a person.

    Attributes
    ----------
    cause
        The same for as long as it is the same trouble.
    summary, remedy
        What is wrong and what to do, in words that name no patient.
    """

    cause: str
    summary: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Message:
    """What a channel is given: alerts that are new, and those that are over."""

    node: str
    at: datetime
    firing: tuple[Alert, ...]
    resolved: tuple[Alert, ...]


@dataclass(frozen=True, slots=True)
class Known:
    """An alert, and the channels that have been told of it."""

    alert: Alert
    told: frozenset[str] = frozenset()


class Channel(Protocol):
    """A way to people."""

    @property
    def name(self) -> str:
        """By which it is remembered whom an alert has reached."""

    def send(self, message: Message) -> None:
        """Raises `TransientError` MON-005 when nobody got it."""


class AlertBook(Protocol):
    """Which alerts people know of."""

    def read(self) -> Mapping[str, Known]:
        """By cause."""

    def write(self, known: Mapping[str, Known]) -> None:
        """Replace it durably."""


class Alerter:
    """One look at what is wrong; called again and again by the dispatcher.

    Parameters
    ----------
    look
        What is wrong at this moment; raises `TransientError` when that cannot be known.
    """

    def __init__(
        self,
        look: Callable[[], Iterable[Alert]],
        channels: Sequence[Channel],
        book: AlertBook,
        clock: Clock,
        log: Log,
        *,
        node: str,
    ) -> None:
        self._look = look
        self._channels = tuple(channels)
        self._book = book
        self._clock = clock
        self._log = log
        self._node = node

    def tick(self) -> None:
        """Send what each channel has not been told; what does not go out is tried again at the next look."""
        current = {alert.cause: alert for alert in self._look()}
        known = dict(self._book.read())
        before = dict(known)
        for cause, alert in current.items():
            known.setdefault(cause, Known(alert))
        for channel in self._channels:
            self._tell(channel, current, known)
        over = [cause for cause, one in known.items() if cause not in current and not one.told]
        for cause in over:
            del known[cause]
        if known != before:
            self._book.write(known)

    def _tell(self, channel: Channel, current: Mapping[str, Alert], known: dict[str, Known]) -> None:
        new = [cause for cause in current if channel.name not in known[cause].told]
        gone = [cause for cause, one in known.items() if cause not in current and channel.name in one.told]
        if not new and not gone:
            return
        message = Message(
            self._node, self._clock(), tuple(current[c] for c in new), tuple(known[c].alert for c in gone)
        )
        try:
            channel.send(message)
        except TransientError as fault:
            self._log.warning("alert_not_sent", code=fault.code, channel=channel.name, reason=str(fault))
            return
        self._log.info("alert_sent", channel=channel.name, firing=len(new), resolved=len(gone))
        for cause in new:
            known[cause] = replace(known[cause], told=known[cause].told | {channel.name})
        for cause in gone:
            known[cause] = replace(known[cause], told=known[cause].told - {channel.name})
