"""Turns at a file that several processes write: each gets its share of it, and waits no longer than it must."""

import fcntl
import os
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_LOOK_EVERY_S: Final = 0.0002


class Turns:
    """Lets one process at a time have its turn, and the one that waits before the one that comes back.

    SQLite's own lock is not fair: who finds it taken sleeps for milliseconds, and who has just released it takes it
    again meanwhile. Here a process first waits at the gate, where only one stands, and then for its turn; who has had
    it finds another at the gate and stands behind it.

    It is a courtesy and no protection: a process that has waited in vain goes on without, and what it does has to be
    safe by itself. A process that dies gives up its turn with it. Threads of one process take turns among themselves.

    Parameters
    ----------
    path
        Beginning of the names of two empty files, on a disk of this machine.
    patience_s
        Seconds after which a process goes on without its turn.
    """

    def __init__(self, path: str, *, patience_s: float) -> None:
        self._path = path
        self._patience_s = patience_s
        self._opened: tuple[int, int, int] | None = None

    @contextmanager
    def mine(self) -> Iterator[None]:
        """Do what is inside when the turn has come."""
        held = self._wait()
        try:
            yield
        finally:
            if held is not None:
                fcntl.flock(held, fcntl.LOCK_UN)

    def _wait(self) -> int | None:
        """What has to be let go of after the turn; None when it did not come."""
        try:
            gate, turn = self._files()
        except OSError:
            return None
        give_up_at = time.monotonic() + self._patience_s
        if not _locked(gate, give_up_at):
            return None
        try:
            return turn if _locked(turn, give_up_at) else None
        finally:
            fcntl.flock(gate, fcntl.LOCK_UN)

    def _files(self) -> tuple[int, int]:
        # a forked process would share the locks of this one, and let go of them
        if self._opened is None or self._opened[0] != os.getpid():
            gate, turn = (self._open(name) for name in ("gate", "turn"))
            self._opened = (os.getpid(), gate, turn)
        return self._opened[1:]

    def _open(self, name: str) -> int:
        descriptor = os.open(f"{self._path}-{name}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        weakref.finalize(self, os.close, descriptor)
        return descriptor


def _locked(descriptor: int, give_up_at: float) -> bool:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() > give_up_at:
                return False
            time.sleep(_LOOK_EVERY_S)
        except OSError:  # a file system without locks
            return False
