"""What the node counts and times while it works, never with a patient among the labels."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Literal, Protocol

Stage = Literal["store", "assemble", "read", "measure", "outputs", "deliver"]
"""What is timed: an instance from its last byte to its receipt, a look at what has arrived, the parts of a case, one
association with results."""


class Meters(Protocol):
    """Where services tell what they do; none of it can fail."""

    def association(self, outcome: str) -> None:
        """Count one that was accepted or rejected; `outcome` is accepted or one of a few reasons."""

    def associations_open(self, change: int) -> None:
        """Tell of one more association, or of one less."""

    def received(self, sop_class: str, status: int, size: int) -> None:
        """Count an instance that was offered, with the status of its response and its length in bytes."""

    def timing(self, stage: Stage) -> AbstractContextManager[None]:
        """Time what is done within."""

    def sent(self, destination: str, outcome: str) -> None:
        """Count a result that was offered to a destination."""

    def commitment(self, destination: str, outcome: str, objects: int) -> None:
        """Count objects whose keeping was asked for, promised or denied."""

    def restarted(self, process: str) -> None:
        """Count a process that ended and is started again."""


class Silent:
    """Counts nothing."""

    def association(self, outcome: str) -> None: ...

    def associations_open(self, change: int) -> None: ...

    def received(self, sop_class: str, status: int, size: int) -> None: ...

    @contextmanager
    def timing(self, stage: Stage) -> Iterator[None]:
        yield

    def sent(self, destination: str, outcome: str) -> None: ...

    def commitment(self, destination: str, outcome: str, objects: int) -> None: ...

    def restarted(self, process: str) -> None: ...


SILENT: Meters = Silent()
"""For whoever is not asked to count."""
