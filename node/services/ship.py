"""Bring the audit trail to its repository, in order and until it is there."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from node.errors import TransientError
from node.logs import Log

_AT_ONCE: Final = 200


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the record: a file of it, and how many of its bytes lie before."""

    file: str
    offset: int


class Outbox(Protocol):
    """Lines that wait to be sent."""

    def unsent(self) -> Iterator[tuple[bytes, Place]]:
        """Oldest first, each with the place behind it."""

    def sent(self, until: Place) -> None:
        """Remember durably that everything before a place has been sent."""


class Shipper:
    """Sends what is new.

    Parameters
    ----------
    send
        Sends lines; raises `TransientError` when they may not have arrived, and they are sent again.
    """

    def __init__(self, outbox: Outbox, send: Callable[[Sequence[bytes]], None], log: Log) -> None:
        self._outbox = outbox
        self._send = send
        self._log = log

    def tick(self) -> int:
        """Send everything that waits; how many lines."""
        shipped = 0
        lines: list[bytes] = []
        reached = None
        for line, place in self._outbox.unsent():
            lines.append(line)
            reached = place
            if len(lines) == _AT_ONCE:
                shipped += self._ship(lines, reached)
                lines = []
        if reached is not None and lines:
            shipped += self._ship(lines, reached)
        return shipped

    def _ship(self, lines: Sequence[bytes], until: Place) -> int:
        try:
            self._send(lines)
        except TransientError:
            self._log.warning("audit_not_sent", code="MON-004", lines=len(lines))
            raise
        self._outbox.sent(until)
        return len(lines)
