"""Keep the node's processes running: start them, restart those that end, stop them all together."""

import ctypes
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from node.logs import Log
from node.meters import SILENT, Meters

_PR_SET_PDEATHSIG: Final = 1
_LOOK_EVERY_S: Final = 0.2
_HEALTHY_AFTER_S: Final = 60.0
_LONGEST_PAUSE_S: Final = 30.0
_UNWELL_AFTER: Final = 3

WRONGLY_CONFIGURED: Final = 2
"""Exit code of a process that no restart can help."""


@dataclass(slots=True)
class _Child:
    """One process, or the pause before its next start."""

    command: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    start_at: float = 0.0
    failures: int = 0


class Supervisor:
    """Runs one process for each name.

    Parameters
    ----------
    commands
        Command line of each process.
    unwell
        Hears which processes end again and again, whenever that changes.
    environment
        What the processes find there beside what this one does.
    grace_s
        Time that the processes have to end after SIGTERM before they are killed.
    """

    def __init__(
        self,
        commands: Mapping[str, Sequence[str]],
        log: Log,
        *,
        environment: Mapping[str, str] | None = None,
        grace_s: float = 60.0,
        meters: Meters = SILENT,
        unwell: Callable[[frozenset[str]], None] = lambda names: None,
    ) -> None:
        self._children = {name: _Child(command) for name, command in commands.items()}
        self._log = log
        self._environment = os.environ | (environment or {})
        self._grace_s = grace_s
        self._meters = meters
        self._unwell = unwell
        self._told: frozenset[str] | None = None

    def run(self, stop: threading.Event) -> int:
        """Keep all processes running until `stop` is set, then end them in reverse order.

        Returns
        -------
        int
            0, or `WRONGLY_CONFIGURED` when a process ended with that and took the others with it.
        """
        try:
            while not stop.wait(_LOOK_EVERY_S):
                for name, child in self._children.items():
                    if self._look_after(name, child) == WRONGLY_CONFIGURED:
                        return WRONGLY_CONFIGURED
                self._tell()
        finally:
            self._end()
        return 0

    def _tell(self) -> None:
        names = frozenset(name for name, child in self._children.items() if child.failures >= _UNWELL_AFTER)
        if names == self._told:
            return
        try:
            self._unwell(names)
        except OSError as fault:
            self._log.warning("restarts_not_told", reason=fault.strerror)
        self._told = names

    def _look_after(self, name: str, child: _Child) -> int | None:
        """Start the process when it is due; its exit code when it has just ended."""
        now = time.monotonic()
        if child.process is None:
            if now >= child.start_at:
                self._start(name, child, now)
            return None
        code = child.process.poll()
        if code is None:
            if child.failures and now - child.started_at > _HEALTHY_AFTER_S:
                child.failures = 0
            return None
        child.failures = 0 if now - child.started_at > _HEALTHY_AFTER_S else child.failures + 1
        child.process = None
        self._meters.restarted(name)
        self._log.error("process_ended", process=name, exit_code=code, restart_in_s=_pause(child, now))
        return code

    def _start(self, name: str, child: _Child, now: float) -> None:
        try:
            child.process = subprocess.Popen(
                child.command, env=self._environment, start_new_session=True, preexec_fn=_die_with(os.getpid())
            )
            child.started_at = now
        except OSError as fault:
            child.failures += 1
            pause_s = _pause(child, now)
            self._log.error("process_not_started", process=name, reason=fault.strerror, restart_in_s=pause_s)

    def _end(self) -> None:
        deadline = time.monotonic() + self._grace_s
        living = [child.process for child in reversed(self._children.values()) if child.process is not None]
        for process in living:
            process.send_signal(signal.SIGTERM)
        for process in living:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                # each process leads a group of its own, in which its children are
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _pause(child: _Child, now: float) -> float:
    """Put off the next start of a process, the longer the more often it failed; the seconds until then."""
    pause_s: float = min(_LONGEST_PAUSE_S, 0.5 * 2 ** min(child.failures, 10))
    child.start_at = now + pause_s
    return pause_s


def _die_with(parent: int) -> Callable[[], None]:
    """For a new process: ask Linux to end it when the supervisor `parent` dies, however it dies (prctl(2))."""

    def ask() -> None:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        # whoever died before he was asked about tells nobody any more
        if os.getppid() != parent:
            os._exit(1)

    return ask
