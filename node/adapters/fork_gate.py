"""Close SQLite connections before each fork: they must not be carried through it."""

import functools
import os
import threading
import weakref
from typing import Protocol


class Guarded(Protocol):
    """What must be shut before a fork."""

    def disconnect(self) -> None:
        """Close the connection; it is opened again at its next use."""

    def forget_holder(self) -> None:
        """Forget, in the child, whatever names the parent."""


class ForkGate:
    """Lets a process fork only while none of its threads is inside SQLite and no connection is open."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._files: weakref.WeakSet[Guarded] = weakref.WeakSet()

    def guard(self, file: Guarded) -> None:
        with self.lock:
            self._files.add(file)

    def before_fork(self) -> None:
        self.lock.acquire()
        for file in tuple(self._files):
            file.disconnect()

    def after_fork_in_parent(self) -> None:
        self.lock.release()

    def after_fork_in_child(self) -> None:
        self.lock = threading.RLock()
        for file in tuple(self._files):
            file.forget_holder()


@functools.cache
def fork_gate() -> ForkGate:
    """The gate of this process: a fork concerns all threads, and its hooks can be set but never taken back."""
    gate = ForkGate()
    os.register_at_fork(
        before=gate.before_fork,
        after_in_parent=gate.after_fork_in_parent,
        after_in_child=gate.after_fork_in_child,
    )
    return gate
