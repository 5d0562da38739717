"""What the services that give up, delete and compare files need from outside, and the values that cross that border."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from pipelines.domain.case_state import CaseState
from pipelines.domain.identifiers import CaseId


class Why(StrEnum):
    """Why a case was deleted, as the ledger keeps it for good."""

    RETENTION = "retention"
    PERSON = "person"


@dataclass(frozen=True, slots=True)
class Removal:
    """A file that the ledger has given up and that may still be there.

    Attributes
    ----------
    case
        The case that could make the file anew; None for a file that was received.
    """

    path: str
    case: CaseId | None


@dataclass(frozen=True, slots=True)
class ListedFile:
    """A file that the ledger names, with what it stands for; `size` is None when the ledger does not know it."""

    path: str
    size: int | None
    sha256: str
    what: str


class RetentionLedger(Protocol):
    """Gives up what is no longer needed. A method returns how many files, rows or cases it took."""

    def release_inputs(self, *, ended_before: datetime, at: datetime, cases: int) -> int:
        """Give up what the longest ended cases were read from, unless an open case may need it."""

    def release_unused(self, *, received_before: datetime, at: datetime, instances: int) -> int:
        """Give up instances that belong to no case."""

    def release_results(self, *, ended_before: datetime, at: datetime, cases: int) -> int:
        """Give up the results of the longest ended cases."""

    def ended(self, *, before: datetime, cases: int) -> Sequence[CaseId]:
        """The cases that ended longest ago and of which nothing is on its way any more."""

    def prune(self, *, before: datetime) -> int:
        """Delete finished requests, tasks, retrievals and refusals."""

    def removals(self, *, limit: int) -> Sequence[Removal]:
        """Files that have been given up."""

    def remove(self, removals: Sequence[Removal], unlink: Callable[[str], None]) -> int:
        """Unlink files unless somebody has come to need them meanwhile; how many are gone."""


class Erasure(Protocol):
    """Deletes cases with all that is known about them but for the fact."""

    def erase(self, case: CaseId, why: Why, detail: str, *, at: datetime) -> CaseState | None:
        """Delete a case; the state that forbids it, or None when done. Raises `KeyError` when there is none."""

    def erase_patient(self, case: CaseId, detail: str, *, at: datetime) -> Sequence[CaseId] | CaseState:
        """Delete all that came of the patient of a case; the cases, or the state of one that forbids it."""


class FileStore(Protocol):
    """The files of the spool, by name."""

    def files(self, *, older_than_s: float = 0) -> Iterator[str]:
        """Paths of all files of that age, but those that are being written or were set aside."""

    def size(self, path: str) -> int | None:
        """Size of a file in bytes; None when it is not there."""

    def sha256(self, path: str) -> str:
        """SHA-256 of a file, empty when it cannot be read."""

    def unlink(self, path: str) -> None:
        """Remove a file, should it be there."""

    def set_aside(self, path: str) -> str:
        """Move a file out of the way, where nobody looks for it by itself; its new path."""

    def free_bytes(self) -> int:
        """Space that is left on the disk."""


class FileList(Protocol):
    """What the ledger says about the files of the spool."""

    def listed(self) -> Iterator[ListedFile]:
        """Every file that must be there."""

    def must_exist(self, path: str) -> bool:
        """True when the ledger names a file now."""

    def is_listed(self, path: str) -> bool:
        """True when the ledger names a file now, or is about to remove it."""
