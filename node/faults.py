"""Named places at which a test ends this process or lets it fail; in service they do nothing.

A folder is armed at the start of a process that belongs to a test. Whoever then puts a file with the name of a place
into it has the first process that comes by do what the file says, once.
"""

import errno
import os
import signal
import time
from pathlib import Path
from typing import Final

ENVIRONMENT: Final = "PULMONODE_FAULTS"
"""Variable that names the folder."""

POINTS: Final = (
    "draft.written",
    "spool.linked",
    "spool.durable",
    "receive.recorded",
    "assemble.completed",
    "assemble.submitted",
    "process.claimed",
    "process.measured",
    "process.stored",
    "process.reported",
    "deliver.sent",
    "deliver.recorded",
    "commit.recorded",
    "commit.asked",
)
"""The places, in the order of the way of an instance through the node."""

# the one piece of state of this module, because a place has to be free of cost where nobody tests
_folder: Path | None = None


def arm(folder: str) -> None:
    """Heed the files in `folder`, in this process and those that it forks; an empty name disarms."""
    global _folder
    _folder = Path(folder) if folder else None


def fault_point(name: str) -> None:
    """Pass a place: go on, die by SIGKILL, stay until the folder's file of that name and `.held` is removed, or raise.

    Raises
    ------
    OSError
        If the file holds the name of an error, such as ENOSPC.
    """
    if _folder is not None:
        _act(_folder / name)


def _act(wanted: Path) -> None:
    claimed = wanted.with_name(f"{wanted.name}.{os.getpid()}")
    try:
        # of processes that come by at the same time, one
        wanted.rename(claimed)
    except FileNotFoundError:
        return
    what = claimed.read_text("ascii").strip()
    if what == "HOLD":
        held = wanted.with_name(f"{wanted.name}.held")
        claimed.rename(held)
        while held.exists():
            time.sleep(0.05)
        return
    claimed.rename(wanted.with_name(f"{wanted.name}.done.{os.urandom(4).hex()}"))
    if what == "KILL":
        os.kill(os.getpid(), signal.SIGKILL)
    raise OSError(getattr(errno, what), os.strerror(getattr(errno, what)))
