"""Model packages as folders on a disk: read whole, or written so that they appear whole."""

import os
import shutil
import stat
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pipelines.domain.reasons import Rejected

MAX_BYTES: Final = 64 * 2**20
"""A package is a few files of text and pictures; what is larger is something else."""
MAX_FILES: Final = 1000


def read_folder(folder: Path) -> dict[str, bytes] | Rejected:
    """Every file below `folder` by its path with `/`; `MODEL-004` when that cannot be read or is no package."""
    files: dict[str, bytes] = {}
    left = MAX_BYTES
    try:
        if not folder.is_dir():
            return _unreadable(folder, "is no folder")
        for path in sorted(folder.rglob("*")):
            kind = path.lstat().st_mode
            if stat.S_ISDIR(kind):
                continue
            name = path.relative_to(folder).as_posix()
            # a link or a device can say something else at each look
            if not stat.S_ISREG(kind):
                return _unreadable(folder, f"holds {name!a}, which is no plain file")
            with path.open("rb") as file:
                files[name] = file.read(left + 1)
            left -= len(files[name])
            if left < 0 or len(files) > MAX_FILES:
                return _unreadable(folder, f"holds more than {MAX_FILES} files or {MAX_BYTES // 2**20} MB")
    except OSError as fault:
        return _unreadable(folder, f"cannot be read: {fault.strerror}")
    return files


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write a package, or leave nothing behind.

    Raises
    ------
    FileExistsError
        If `folder` exists already: a package is never changed in place.
    OSError
        If it cannot be written.
    """
    if folder.exists():
        raise FileExistsError(str(folder))
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = folder.parent / f".{folder.name}.{uuid.uuid4().hex}"
    try:
        for name, data in files.items():
            path = made / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        # of two that write the same package one wins: a folder that is not empty cannot be replaced
        made.rename(folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def add_file(folder: Path, name: str, data: bytes) -> None:
    """Write one file of a package in place of another of that name; the folder never holds half of it."""
    made = folder / f".{name}.{uuid.uuid4().hex}"
    try:
        with made.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        made.replace(folder / name)
    finally:
        made.unlink(missing_ok=True)


def _unreadable(folder: Path, why: str) -> Rejected:
    return Rejected("MODEL-004", f"The model package {folder} {why}.", "Name the folder of a signed model package.")
