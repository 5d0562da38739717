"""How the fast engine has its jobs run: one after the other, or side by side."""

from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

JobT = TypeVar("JobT")
FoundT = TypeVar("FoundT")


class Mapper(Protocol):
    """Calls a function for each job, as `map` does; results come in the order of the jobs."""

    def __call__(self, work: Callable[[JobT], FoundT], jobs: Iterable[JobT], /) -> Iterable[FoundT]: ...
