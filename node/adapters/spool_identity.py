"""Which spool a folder holds: a random name in a file at its root, by which an empty mount point is told from it."""

import os
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from node.errors import TransientError

NAME: Final = "identity"
_AWAY: Final = (
    "The spool is not there: {root} is not the folder that this node keeps its files in. Mount its disk or file server "
    "again."
)


class SpoolIdentity:
    """The name of one spool, as the processes of a node know it.

    A folder without a name gets one when nothing speaks against it: a new spool, or one of an earlier release.

    Parameters
    ----------
    root
        Folder of the spool.
    known
        Name of the spool as whoever started this process knows it; empty when nobody does.
    forsaken
        True when a folder without a name cannot be the spool: the ledger names files, and none of them is there.
    """

    def __init__(self, root: Path, *, known: str = "", forsaken: Callable[[], bool] = lambda: False) -> None:
        self._root = root
        self._path = root / NAME
        # every instance asks for it twice, and a path object takes longer than the answer
        self._path_text = str(self._path)
        self._known = known
        self._forsaken = forsaken
        self._seen: tuple[int, int] | None = None

    @property
    def known(self) -> str:
        """The name; empty as long as none was given or seen."""
        return self._known

    def require(self) -> None:
        """Make sure that this is the spool.

        Raises
        ------
        TransientError
            RCV-008 when it is not.
        OSError
            If the file server does not answer as it should.
        """
        try:
            there = os.stat(self._path_text)  # noqa: PTH116
        except (FileNotFoundError, NotADirectoryError):
            self._seen = None
            self._christen()
            there = self._path.stat()
        # a disk that was mounted again has another number
        if (there.st_dev, there.st_ino) != self._seen:
            self._recognise()
            self._seen = there.st_dev, there.st_ino

    def adopt(self) -> None:
        """Take the folder as it is for the spool, whatever the ledger says; raises `OSError`."""
        self._path.unlink(missing_ok=True)
        self._known = self._write()

    def _recognise(self) -> None:
        name = self._path.read_text("ascii", "replace").strip()
        if not name or name != (self._known or name):
            raise TransientError("RCV-008", _AWAY.format(root=self._root))
        self._known = name

    def _christen(self) -> None:
        if self._known or self._forsaken():
            raise TransientError("RCV-008", _AWAY.format(root=self._root))
        self._write()

    def _write(self) -> str:
        """Write a name unless another process was faster; the one that counts."""
        self._root.mkdir(parents=True, exist_ok=True)
        name, made = uuid.uuid4().hex, self._root / f".{NAME}-{os.getpid()}-{os.urandom(4).hex()}"
        with made.open("x", encoding="ascii") as file:
            file.write(f"{name}\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            with suppress(FileExistsError):
                os.link(made, self._path)
        except OSError:  # the file system knows no links
            made.replace(self._path)
        made.unlink(missing_ok=True)
        _sync(self._root)
        return self._path.read_text("ascii").strip()


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
