"""The node's processes, started by the test itself so that none waits before it starts again."""

import os
import random
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from node.faults import ENVIRONMENT, POINTS
from tests.tools import descendants

_ON_THE_DISK = frozenset({"draft.written", "spool.linked", "spool.durable"})
"""Places where the system may fail instead of the process."""
ROLES = ("receiver", "receiver", "dispatcher", "worker")


class Processes:
    """Keeps one process running for each role, and kills them when it is told to."""

    def __init__(self, config: Path, folder: Path) -> None:
        self.kills: Counter[str] = Counter()
        self.starts = 0
        self._config = config
        self._faults = folder / "faults"
        self._faults.mkdir(parents=True, exist_ok=True)
        self._log = folder / "node.log"
        self._lock = threading.RLock()
        self._running: list[subprocess.Popen[bytes] | None] = [None] * len(ROLES)
        self._stop = threading.Event()
        self._keeper = threading.Thread(target=self._keep, daemon=True)

    def start(self) -> None:
        self._keeper.start()

    def stop(self) -> None:
        """End all of them in good order, and what a killed worker left behind."""
        self._stop.set()
        self._keeper.join()
        living = [process for process in self._running if process is not None]
        for process in living:
            process.terminate()
        for process in living:
            try:
                process.wait(40)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for pid in self._ours():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def done_at_points(self) -> Counter[str]:
        """How often something happened at each named place."""
        return Counter(path.name.partition(".done.")[0] for path in self._faults.glob("*.done.*"))

    def arm(self, dice: random.Random) -> None:
        """Let the next process that comes by one of the named places die there, or fail."""
        point = dice.choice(POINTS)
        what = dice.choice(("KILL", "KILL", "ENOSPC", "EIO")) if point in _ON_THE_DISK else "KILL"
        written = self._faults / f".{point}"
        written.write_text(what)
        written.rename(self._faults / point)

    def disarm(self) -> None:
        for point in POINTS:
            (self._faults / point).unlink(missing_ok=True)

    def kill_one(self, dice: random.Random) -> None:
        """SIGKILL a process by its role, a child of the worker, or all at once."""
        what = dice.choice(("receiver", "receiver", "dispatcher", "worker", "child", "child", "tree"))
        with self._lock:
            living = [(role, p) for role, p in zip(ROLES, self._running, strict=True) if p is not None]
            if what == "tree":
                targets = self._ours()
            elif what == "child":
                targets = [pid for role, p in living if role == "worker" for pid in descendants(p.pid)][:1]
            else:
                targets = [p.pid for role, p in dice.sample(living, len(living)) if role == what][:1]
            for pid in targets:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if targets:
                self.kills[what] += 1

    def _keep(self) -> None:
        base = [sys.executable, "-m", "node", "--config", str(self._config), "role"]
        environment = os.environ | {ENVIRONMENT: str(self._faults)}
        while not self._stop.wait(0.05):
            with self._lock, self._log.open("ab") as log:
                for place, role in enumerate(ROLES):
                    process = self._running[place]
                    if process is None or process.poll() is not None:
                        self._running[place] = subprocess.Popen(
                            [*base, role], stdout=log, stderr=log, env=environment, start_new_session=True
                        )
                        self.starts += 1

    def _ours(self) -> list[int]:
        """All processes whose command line names our configuration, children of dead ones included."""
        wanted, found = str(self._config).encode(), []
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit() and int(folder.name) != os.getpid():
                with suppress(OSError):
                    command = (folder / "cmdline").read_bytes().split(b"\0")
                    if wanted in command and b"role" in command:
                        found.append(int(folder.name))
        return found


class Redis:
    """A Redis that can be killed and comes back under the same address, without what it knew."""

    def __init__(self, start: Callable[[], "subprocess.Popen[bytes]"]) -> None:
        self._start = start
        self._process = start()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._process = self._start()

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
