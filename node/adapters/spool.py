"""The spool: files that are durable before anybody hears of them, under names that no sender chose."""

import errno
import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from node.errors import TransientError
from node.ports import StoredFile
from pipelines.domain.identifiers import CaseId
from pipelines.domain.instance import InstanceRef

_SET_ASIDE: Final = "lost+found"


class FileSpool:
    """Files under one root: `received`, `results`, and `tmp` for what is being written.

    `lost+found` holds what was there and in no ledger.

    Parameters
    ----------
    root
        Folder on a local or shared disk.
    min_free_bytes
        Space that must stay free for a received instance to be accepted.
    """

    def __init__(self, root: Path, *, min_free_bytes: int) -> None:
        self._root = root
        self._min_free_bytes = min_free_bytes

    def put_received(self, ref: InstanceRef, data: bytes) -> StoredFile:
        return self._put_instance("received", ref, data)

    def put_result(self, case: CaseId, name: str, data: bytes) -> StoredFile:
        sha256 = hashlib.sha256(data).hexdigest()
        return self._put(f"results/{case}/{name}-{sha256[:16]}.dcm", data, sha256)

    def discard_unfinished(self, *, older_than_s: float) -> int:
        """Remove what killed processes left half written, which nobody was told of; how many files."""
        limit = time.time() - older_than_s
        left = [path for path in (self._root / "tmp").glob("*") if path.stat().st_mtime < limit]
        for path in left:
            path.unlink(missing_ok=True)
        return len(left)

    def path(self, file: StoredFile) -> Path:
        return self._root / file.path

    def read(self, file: StoredFile) -> bytes:
        try:
            data = self.path(file).read_bytes()
        except OSError as fault:
            raise TransientError("RCV-005", f"Spool file {file.path} cannot be read: {fault.strerror}.") from fault
        if hashlib.sha256(data).hexdigest() != file.sha256:
            raise TransientError("RCV-005", f"Spool file {file.path} is not what was stored.")
        return data

    def files(self, *, older_than_s: float = 0) -> Iterator[str]:
        limit = time.time() - older_than_s
        for folder in ("received", "results"):
            for path in (self._root / folder).rglob("*"):
                with suppress(FileNotFoundError):
                    if path.is_file() and path.stat().st_mtime <= limit:
                        yield str(path.relative_to(self._root))

    def size(self, path: str) -> int | None:
        try:
            return (self._root / path).stat().st_size
        except FileNotFoundError:
            return None

    def sha256(self, path: str) -> str:
        try:
            with (self._root / path).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            return ""

    def unlink(self, path: str) -> None:
        with _writing():
            (self._root / path).unlink(missing_ok=True)

    def set_aside(self, path: str) -> str:
        target = self._root / _SET_ASIDE / path
        with _writing():
            _make_durable_folder(target.parent)
            (self._root / path).rename(target)
            _sync_folder(target.parent)
        return f"{_SET_ASIDE}/{path}"

    def free_bytes(self) -> int:
        self._root.mkdir(parents=True, exist_ok=True)
        return shutil.disk_usage(self._root).free

    def _put_instance(self, folder: str, ref: InstanceRef, data: bytes) -> StoredFile:
        self._require_space(len(data))
        name = hashlib.sha256(ref.sop_instance.encode()).hexdigest()
        sha256 = hashlib.sha256(data).hexdigest()
        return self._put(f"{folder}/{name[:2]}/{name[:32]}-{sha256[:16]}.dcm", data, sha256)

    def _require_space(self, size: int) -> None:
        with _writing():
            _make_durable_folder(self._root)
            free = shutil.disk_usage(self._root).free
        if free - size < self._min_free_bytes:
            raise TransientError("RCV-003", f"The spool has {free // 2**20} MB left.")

    def _put(self, relative: str, data: bytes, sha256: str) -> StoredFile:
        target = self._root / relative
        temporary = self._root / "tmp" / f"{os.getpid()}-{os.urandom(8).hex()}"
        with _writing():
            for folder in (target.parent, temporary.parent):
                _make_durable_folder(folder)
            try:
                with temporary.open("xb") as file:
                    file.write(data)
                    file.flush()
                    os.fdatasync(file.fileno())
                temporary.replace(target)
            finally:
                temporary.unlink(missing_ok=True)
            _sync_folder(target.parent)
        return StoredFile(relative, len(data), sha256)


@contextmanager
def _writing() -> Iterator[None]:
    """Turn what is wrong with the disk into a `TransientError`."""
    try:
        yield
    except OSError as fault:
        code = "RCV-003" if fault.errno in (errno.ENOSPC, errno.EDQUOT) else "RCV-005"
        raise TransientError(code, f"The spool cannot be written: {fault.strerror}.") from fault


def _make_durable_folder(folder: Path) -> None:
    """Create `folder` with its parents; each new entry is on the disk when this returns."""
    if folder.is_dir():
        return
    _make_durable_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
