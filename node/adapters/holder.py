"""Who holds a message: a process that can be recognised, and be found dead."""

import os
import uuid
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Holder:
    """A connection that holds messages, named so that others can find out whether its process still runs.

    Attributes
    ----------
    realm
        Kernel boot and PID namespace: where `pid` means something. Two containers on one file have different realms.
    started
        Start of the process in clock ticks since boot, because a PID is used again.
    serial
        Tells the connections of one process apart.
    """

    realm: str
    pid: int
    started: str
    serial: str

    @classmethod
    def here(cls) -> "Holder":
        """Name a new connection of this process."""
        pid = os.getpid()
        serial = uuid.uuid4().hex[:12]
        started = _started(pid)
        # a system that cannot tell gets a realm of its own, so that only silence counts there
        return cls((started and _realm()) or serial, pid, started or "?", serial)

    @classmethod
    def parse(cls, text: str) -> "Holder | None":
        match text.split(" "):
            case [realm, pid, started, serial] if pid.isdecimal():
                return cls(realm, int(pid), started, serial)
            case _:
                return None

    def __str__(self) -> str:
        return f"{self.realm} {self.pid} {self.started} {self.serial}"

    def has_ended(self) -> bool:
        """True when it is certain that the process no longer runs."""
        if self.realm != _realm():
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return _started(self.pid) not in (self.started, None)


def _realm() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _started(pid: int) -> str | None:
    """Start time of a running process; "ended" for one that only waits to be reaped; None when it cannot be told.

    References
    ----------
    proc(5), /proc/pid/stat, fields 3 (state) and 22 (starttime); field 2 may hold spaces and brackets.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return "ended" if fields[0] in ("Z", "X") else fields[19]
