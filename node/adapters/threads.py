"""Runs the fast engine's jobs in threads: the core itself starts none."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipelines.extraction.jobs import FoundT, JobT, Mapper


def mapper(threads: int) -> "Mapper":
    """What `map` does, in so many threads at a time.

    Threads end with the call: a worker process that is forked off later inherits none.
    """
    if threads == 1:
        return map

    def in_threads(work: "Callable[[JobT], FoundT]", jobs: "Iterable[JobT]", /) -> "list[FoundT]":
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(work, jobs))

    return in_threads
