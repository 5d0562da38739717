"""How far a run is: a bar on a terminal, a plain line now and then elsewhere; counts only, never a name."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Protocol

import rich.progress
from rich.console import Console

_LINE_EVERY_S: Final = 10.0


class Progress(Protocol):
    """Takes note of what is done."""

    def begin(self, what: str, total: int) -> None: ...

    def advance(self, count: int, *, failed: int) -> None: ...


@contextmanager
def progress(console: Console) -> Iterator[Progress]:
    """What fits the console."""
    if not console.is_terminal:
        yield _Lines(console)
        return
    columns = (
        rich.progress.TextColumn("{task.description}"),
        rich.progress.BarColumn(),
        rich.progress.MofNCompleteColumn(),
        rich.progress.TimeRemainingColumn(),
        rich.progress.TextColumn("{task.fields[failed]}"),
    )
    with rich.progress.Progress(*columns, console=console) as bar:
        yield _Bar(bar)


class _Bar:
    def __init__(self, bar: rich.progress.Progress) -> None:
        self._bar = bar
        self._task: rich.progress.TaskID | None = None
        self._failed = 0

    def begin(self, what: str, total: int) -> None:
        if self._task is not None:
            self._bar.remove_task(self._task)
        self._task = self._bar.add_task(what, total=total, failed="")

    def advance(self, count: int, *, failed: int) -> None:
        if self._task is None:
            return
        self._failed += failed
        told = f"{self._failed} with errors" if self._failed else ""
        self._bar.update(self._task, advance=count, failed=told)


class _Lines:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._what, self._total, self._done, self._failed = "", 0, 0, 0
        self._told_at = 0.0

    def begin(self, what: str, total: int) -> None:
        self._what, self._total, self._done, self._failed = what, total, 0, 0
        self._told_at = time.monotonic()

    def advance(self, count: int, *, failed: int) -> None:
        self._done += count
        self._failed += failed
        now = time.monotonic()
        if self._done < self._total and now < self._told_at + _LINE_EVERY_S:
            return
        self._told_at = now
        errors = f", {self._failed} with errors" if self._failed else ""
        self._console.print(f"{self._what}: {self._done} of {self._total}{errors}")
