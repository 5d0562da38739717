"""A backup as a folder: copies of files with a manifest that tells size and SHA-256 of each, written last."""

import errno
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

from pipelines.domain.reasons import Rejected

MANIFEST: Final = "manifest.json"
_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of the backup, by its path in the folder."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds.

    Attributes
    ----------
    facts
        When and by which release it was made, and which form the ledger has.
    missing
        Files that the ledger names and that were not there.
    """

    facts: Mapping[str, str]
    files: tuple[Entry, ...]
    missing: tuple[str, ...]


def take(source: Path, target: Path, *, link: bool) -> Entry | None:
    """Bring a file into the backup; None when it is not there.

    Parameters
    ----------
    link
        Give the same file a second name where the disk is the same, rather than copy it. The files of the spool are
        never written again, so both names keep showing the same bytes.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        if link:
            try:
                os.link(source, target)
                return described(target, target.name)
            except OSError as fault:
                if fault.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP):
                    raise
        return _copied(source, target)
    except FileNotFoundError:
        return None


def _copied(source: Path, target: Path) -> Entry:
    sha256, size = hashlib.sha256(), 0
    with source.open("rb") as file, target.open("xb") as copy:
        while piece := file.read(2**20):
            sha256.update(piece)
            copy.write(piece)
            size += len(piece)
        copy.flush()
        os.fsync(copy.fileno())
    return Entry(target.name, size, sha256.hexdigest())


def described(path: Path, name: str) -> Entry:
    """Size and SHA-256 of a file."""
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        return Entry(name, file.tell(), sha256)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Make the backup whole: until then it counts as broken off."""
    told: dict[str, Any] = {"version": _VERSION, **manifest.facts, "missing": manifest.missing}
    told["files"] = [asdict(entry) for entry in manifest.files]
    text = json.dumps(told, indent=1)
    told_sha256 = hashlib.sha256(text.encode()).hexdigest()
    being_written = folder / f"{MANIFEST}.part"
    with being_written.open("x", encoding="utf-8") as file:
        file.write(f"{told_sha256}\n{text}\n")
        file.flush()
        os.fsync(file.fileno())
    os.sync()
    being_written.rename(folder / MANIFEST)


def read_manifest(folder: Path) -> Manifest | Rejected:
    """What a backup says that it holds."""
    remedy = "Restore another backup; one that was broken off has no manifest."
    try:
        sha256, _, text = (folder / MANIFEST).read_text("utf-8").partition("\n")
        told = json.loads(text)
    except (OSError, ValueError) as fault:
        return Rejected("LDG-006", f"{folder / MANIFEST} cannot be read: {fault}", remedy)
    if hashlib.sha256(text.rstrip("\n").encode()).hexdigest() != sha256:
        return Rejected("LDG-006", f"{folder / MANIFEST} has been changed.", remedy)
    if told.pop("version") != _VERSION:
        return Rejected("LDG-006", f"{folder} was made by a newer release.", "Restore it with that release.")
    files = tuple(Entry(**entry) for entry in told.pop("files"))
    return Manifest({key: value for key, value in told.items() if key != "missing"}, files, tuple(told["missing"]))


def faults(folder: Path, manifest: Manifest) -> Iterator[Rejected]:
    """Every file of a backup that is missing or changed; reads them all."""
    for entry in manifest.files:
        if PurePosixPath(entry.path).is_absolute() or ".." in PurePosixPath(entry.path).parts:
            yield Rejected("LDG-006", f"{entry.path} is no path within the backup.", "Restore another backup.")
            continue
        found = None
        with suppress(OSError):
            found = described(folder / entry.path, entry.path)
        if found is None:
            yield Rejected("LDG-006", f"The file {entry.path} is missing.", "Restore another backup.")
        elif found != entry:
            yield Rejected("LDG-006", f"The file {entry.path} has been changed.", "Restore another backup.")
