"""Small stand-ins that meet the ports: a clock that is set by hand, a queue in memory, a disk that is full."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from node.errors import TransientError
from node.ports import Draft, Sent, Spool, StoredFile, StoredResult
from pipelines.domain.identifiers import CaseId
from pipelines.domain.priority import Priority
from pipelines.domain.reasons import Rejected


class SetClock:
    """A clock that moves only when it is told to."""

    def __init__(self, at: datetime = datetime(2026, 3, 1, 10, 20, 30, 400_000, tzinfo=UTC)) -> None:
        self.now = at

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> datetime:
        """Let time pass; the time that it is then."""
        self.now += timedelta(seconds=seconds)
        return self.now


class MemoryQueue:
    """Remembers which cases were submitted; refuses them while it is `down`."""

    def __init__(self) -> None:
        self.submitted: list[CaseId] = []
        self.priorities: list[Priority] = []
        self.down = False
        self.waiting = 0

    def submit(self, case: CaseId, priority: Priority = Priority.NORMAL) -> None:
        if self.down:
            raise TransientError("RUN-003", "The queue cannot be reached.")
        self.submitted.append(case)
        self.priorities.append(priority)

    def depth(self) -> int:
        if self.down:
            raise TransientError("RUN-003", "The queue cannot be reached.")
        return self.waiting


class FailingSpool:
    """A spool that cannot be written or read while it has a `fault`, and works otherwise."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self.fault: Exception | None = None

    def draft(self) -> Draft:
        self._fail()
        return self._spool.draft()

    def put_result(self, case: CaseId, name: str, data: bytes) -> StoredFile:
        self._fail()
        return self._spool.put_result(case, name, data)

    def path(self, file: StoredFile) -> Path:
        return self._spool.path(file)

    def holds(self, file: StoredFile) -> bool:
        return self._spool.holds(file)

    def read(self, file: StoredFile) -> bytes:
        self._fail()
        return self._spool.read(file)

    def _fail(self) -> None:
        if self.fault is not None:
            raise self.fault


class ScriptedArchive:
    """A peer that answers as it is told: to the results of a kind with `answers[kind]`, to all others that it has them.

    Attributes
    ----------
    offered
        The kinds of the results of each association, in order.
    """

    def __init__(self) -> None:
        self.answers: dict[str, Sent] = {}
        self.offered: list[tuple[str, list[str]]] = []

    def send(self, peer: str, results: Sequence[StoredResult]) -> Iterator[tuple[StoredResult, Sent]]:
        self.offered.append((peer, [result.kind for result in results]))
        for result in results:
            yield result, self.answers.get(result.kind, Sent(0x0000))

    def echo(self, peer: str) -> Rejected | None:
        return None
