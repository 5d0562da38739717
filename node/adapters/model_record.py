"""The record of models: packages that the site activated, and a journal of what was done with them.

Several processes, on several machines that share the data folder, read it while one writes: a line is appended under a
lock, and a line that a crash cut short does not count.
"""

import fcntl
import json
import os
import shutil
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from node.adapters.model_folder import read_folder, write_folder
from pipelines.domain.reasons import Rejected
from pipelines.scoring.lifecycle import ModelEvent, Recorded
from pipelines.scoring.package import Package

_JOURNAL: Final = "events.jsonl"


class ModelRecord:
    """The folder `models` in the data folder.

    Parameters
    ----------
    folder
        Made at the first event; until then there is none.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def events(self) -> tuple[Recorded, ...] | Rejected:
        """Everything that was recorded, the oldest first; `MODEL-019` when it cannot be read."""
        path = self._folder / _JOURNAL
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return ()
        except OSError as fault:
            return _unusable(path, fault.strerror or "cannot be read")
        lines = data.split(b"\n")[:-1]
        try:
            return tuple(_recorded(json.loads(line)) for line in lines)
        except (ValueError, TypeError, KeyError):
            return _unusable(path, "a line is damaged")

    def add(self, event: Recorded) -> Rejected | None:
        """Append `event`; when this returns None, it is on the disk."""
        path = self._folder / _JOURNAL
        line = json.dumps(asdict(event) | {"at": event.at.isoformat()}, ensure_ascii=False, sort_keys=True)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with path.open("ab") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                file.truncate(_whole_lines(path))
                file.write(f"{line}\n".encode())
                file.flush()
                os.fsync(file.fileno())
        except OSError as fault:
            return _unusable(path, fault.strerror or "cannot be written")
        return None

    def keep(self, package: Package, files: dict[str, bytes]) -> Rejected | None:
        """Copy the files of `package`, so that what happens to their folder changes nothing here."""
        folder = self._of(package.package_sha256)
        if read_folder(folder) == files:
            return None
        try:
            # a copy that was damaged is made anew
            shutil.rmtree(folder, ignore_errors=True)
            write_folder(folder, files)
        except OSError as fault:
            return _unusable(folder, fault.strerror or "cannot be written")
        return None

    def files(self, event: Recorded) -> dict[str, bytes] | Rejected:
        """The files of a package that was kept."""
        return read_folder(self._of(event.package_sha256))

    def _of(self, package_sha256: str) -> Path:
        return self._folder / "packages" / package_sha256


def _whole_lines(path: Path) -> int:
    """Length of the file without a line that a crash cut short."""
    return path.read_bytes().rfind(b"\n") + 1


def _recorded(line: dict[str, Any]) -> Recorded:
    return Recorded(**line | {"at": datetime.fromisoformat(line["at"]), "event": ModelEvent(line["event"])})


def _unusable(path: Path, why: str) -> Rejected:
    return Rejected(
        "MODEL-019",
        f"{path}: {why}.",
        "Mend the file from a backup; until then no model scores, because a retired one could.",
    )
