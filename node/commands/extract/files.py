"""Find the files of a run below its inputs, and tell what each is by looking into it."""

import mmap
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from pipelines.domain.instance import InstanceRef
from pipelines.domain.reasons import Rejected
from pipelines.imaging.header import parse_ref

# PS3.10 section 8: a directory of the files beside it, which no other file may be called
_DIRECTORY: Final = "DICOMDIR"


@dataclass(frozen=True, slots=True)
class Scanned:
    """A file and what it turned out to be: a DICOM instance, a damaged one, or None for something else."""

    path: Path
    content: InstanceRef | Rejected | None


def files_below(inputs: Sequence[Path], *, without: frozenset[Path]) -> list[Path]:
    """All files among `inputs` and in the folders below, each once, in a lasting order; hidden ones are left out."""
    found: dict[Path, None] = {}
    for given in inputs:
        path = given.absolute()
        for file in _walk(path) if path.is_dir() else (path,):
            if file not in without:
                found[file] = None
    return list(found)


def _walk(folder: Path) -> Iterator[Path]:
    """Links are followed, but no folder is entered twice."""
    seen: set[tuple[int, int]] = set()
    for here, folders, names in os.walk(folder, followlinks=True):
        state = Path(here).stat()
        if (state.st_dev, state.st_ino) in seen:
            folders.clear()
            continue
        seen.add((state.st_dev, state.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(here, name)
            if not name.startswith(".") and path.is_file():
                yield path


def scan(paths: Sequence[Path]) -> tuple[Scanned, ...]:
    """Look into files that may be DICOM."""
    return tuple(Scanned(path, _content(path)) for path in paths)


def _content(path: Path) -> InstanceRef | Rejected | None:
    if path.name == _DIRECTORY:
        return None
    try:
        with path.open("rb") as file:
            if file.read(132)[128:] != b"DICM":
                return None
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
                # the header reader steps over pixel data, so that most pages of the file are never read
                return parse_ref(cast(bytes, mapped))
    except OSError as fault:
        return Rejected("VOL-001", f"The file cannot be read: {fault.strerror}.", "Check the file's permissions.")
