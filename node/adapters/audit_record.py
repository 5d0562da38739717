"""The audit trail on the disk: one file a month to which lines are added, and how far it has been sent."""

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from node.services.ship import Place

_READ_AT_ONCE: Final = 2**20


class AuditRecord:
    """Files in one folder that only grow; any number of processes may add to them.

    Parameters
    ----------
    folder
        Made at the first line, for the node's own account alone.
    require
        Raises `TransientError` when the disk that the folder belongs on is not there: it is not made elsewhere.
    """

    def __init__(self, folder: Path, require: Callable[[], None] = lambda: None) -> None:
        self._folder = folder
        self._require = require

    def append(self, line: bytes) -> None:
        """Add a line that holds no line feed; raises `OSError` or `TransientError`."""
        self._make_folder()
        path = self._folder / f"{datetime.now(UTC):%Y-%m}.log"
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            # in one call, so that lines of several processes do not mix
            written = os.write(descriptor, line + b"\n")
            if written <= len(line):
                raise OSError(28, "No space left on device")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def mark(self) -> datetime | None:
        """Until when received instances have been told of."""
        try:
            return datetime.fromisoformat((self._folder / "received-until").read_text("ascii"))
        except FileNotFoundError:
            return None

    def set_mark(self, until: datetime) -> None:
        """Remember that durably."""
        self._replace("received-until", until.isoformat())

    def unsent(self) -> Iterator[tuple[bytes, Place]]:
        """Lines that have not been sent, oldest first, each with the place behind it."""
        reached = self._reached()
        for path in sorted(self._folder.glob("????-??.log")):
            if reached is not None and path.name < reached.file:
                continue
            offset = reached.offset if reached is not None and path.name == reached.file else 0
            with path.open("rb") as file:
                file.seek(offset)
                while line := file.readline(_READ_AT_ONCE):
                    if not line.endswith(b"\n"):
                        break  # being written
                    offset += len(line)
                    yield line[:-1], Place(path.name, offset)

    def sent(self, until: Place) -> None:
        """Remember durably that everything before a place has been sent."""
        self._replace("sent-until", f"{until.file} {until.offset}")

    def _reached(self) -> Place | None:
        try:
            file, offset = (self._folder / "sent-until").read_text("ascii").split()
        except FileNotFoundError:
            return None
        return Place(file, int(offset))

    def _make_folder(self) -> None:
        if not self._folder.is_dir():
            self._require()
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def _replace(self, name: str, text: str) -> None:
        self._make_folder()
        made = self._folder / f"{name}.new"
        with made.open("w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        made.replace(self._folder / name)
