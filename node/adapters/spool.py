"""The spool: files that are durable before anybody hears of them, under names that no sender chose."""

import errno
import hashlib
import mmap
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Final

from node.adapters.spool_identity import SpoolIdentity
from node.errors import TransientError
from node.faults import fault_point
from node.ports import BEING_SENT, StoredFile
from pipelines.domain.identifiers import CaseId
from pipelines.domain.instance import InstanceRef

_CHECK_SPACE_EVERY: Final = 64 * 2**20
"""Bytes of one instance after which the disk is looked at again."""
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
    identity
        What tells the spool from an empty mount point: nothing is written, found missing or removed without it.
    """

    def __init__(self, root: Path, *, min_free_bytes: int, identity: SpoolIdentity | None = None) -> None:
        self._root = root
        self._min_free_bytes = min_free_bytes
        self._identity = identity or SpoolIdentity(root)

    @property
    def identity(self) -> SpoolIdentity:
        """Which spool this is."""
        return self._identity

    def require(self) -> None:
        """Make sure that this is the spool; raises `TransientError` RCV-005 or RCV-008."""
        try:
            self._identity.require()
        except OSError as fault:
            raise TransientError("RCV-005", f"The spool cannot be read: {fault.strerror}.") from fault

    def prepare(self) -> None:
        """Make all folders of received instances at once; one by one, each would keep its first instance waiting."""
        with _WRITING:
            self._identity.require()
            received = self._root / "received"
            _make_durable_folder(received)
            for number in range(256):
                (received / f"{number:02x}").mkdir(exist_ok=True)
            _sync_folder(received)

    def draft(self) -> "FileDraft":
        self._require_space(0)
        with _WRITING:
            try:
                return FileDraft(self._root, self._require_space, self._identity)
            except FileNotFoundError:
                # the folder is missing, or all of them are
                self._identity.require()
                _make_durable_folder(self._root / "tmp")
                return FileDraft(self._root, self._require_space, self._identity)

    def put_received(self, ref: InstanceRef, data: bytes) -> StoredFile:
        """Store a whole instance durably; raises `TransientError` RCV-003 or RCV-005."""
        draft = self.draft()
        try:
            draft.write(data)
            return draft.keep(ref)
        finally:
            draft.close()

    def put_result(self, case: CaseId, name: str, data: bytes) -> StoredFile:
        sha256 = hashlib.sha256(data).hexdigest()
        return self._put(f"results/{case}/{name}-{sha256[:16]}.dcm", data, sha256)

    def discard_unfinished(self, *, older_than_s: float) -> int:
        """Remove what killed processes left half written or half sent, which nobody was told of; how many."""
        limit = time.time() - older_than_s
        found = [*(self._root / "tmp").glob("*"), *(self._root / "results").glob(f"*/{BEING_SENT}*")]
        left = []
        for path in found:
            # another process may be ready with it in this moment
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < limit:
                    left.append(path)
        for path in left:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        return len(left)

    def path(self, file: StoredFile) -> Path:
        return self._root / file.path

    def holds(self, file: StoredFile) -> bool:
        try:
            os.stat(f"{self._root}/{file.path}")  # noqa: PTH116  # as below: a path object takes longer than the answer
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as fault:
            raise TransientError("RCV-005", f"The spool cannot be read: {fault.strerror}.") from fault
        return True

    def read(self, file: StoredFile) -> bytes:
        self.require()
        try:
            data = self.path(file).read_bytes()
        except OSError as fault:
            raise TransientError("RCV-005", f"Spool file {file.path} cannot be read: {fault.strerror}.") from fault
        if hashlib.sha256(data).hexdigest() != file.sha256:
            raise TransientError("RCV-005", f"Spool file {file.path} is not what was stored.")
        return data

    def files(self, *, older_than_s: float = 0) -> Iterator[str]:
        limit = time.time() - older_than_s
        self.require()
        for folder in ("received", "results"):
            for path in (self._root / folder).rglob("*"):
                with suppress(FileNotFoundError):
                    if path.is_file() and path.stat().st_mtime <= limit:
                        yield str(path.relative_to(self._root))

    def size(self, path: str) -> int | None:
        self.require()
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
        with _WRITING:
            # what is not there may be elsewhere: then it was not removed
            self._identity.require()
            (self._root / path).unlink(missing_ok=True)

    def set_aside(self, path: str) -> str:
        target = self._root / _SET_ASIDE / path
        with _WRITING:
            self._identity.require()
            _make_durable_folder(target.parent)
            (self._root / path).rename(target)
            _sync_folder(target.parent)
        return f"{_SET_ASIDE}/{path}"

    def free_bytes(self) -> int:
        self.require()
        disk = os.statvfs(self._root)
        return disk.f_bavail * disk.f_frsize

    def _require_space(self, size: int) -> None:
        with _WRITING:
            self._identity.require()
            disk = os.statvfs(self._root)
        free = disk.f_bavail * disk.f_frsize
        if free - size < self._min_free_bytes:
            raise TransientError("RCV-003", f"The spool has {free // 2**20} MB left.")

    def _put(self, relative: str, data: bytes, sha256: str) -> StoredFile:
        target = self._root / relative
        temporary = self._root / "tmp" / f"{os.getpid()}-{os.urandom(8).hex()}"
        with _WRITING:
            self._identity.require()
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
            self._identity.require()
        return StoredFile(relative, len(data), sha256)


class FileDraft:
    """An instance that is arriving: a file nobody knows of until it is kept.

    Parameters
    ----------
    root
        Folder of the spool.
    require_space
        Raises when the disk has no room for so many bytes more.
    identity
        Of the spool.
    """

    def __init__(self, root: Path, require_space: Callable[[int], None], identity: SpoolIdentity) -> None:
        self._root = root
        self._identity = identity
        self._require_space = require_space
        # texts: a path object takes longer to make than the call that it is made for
        self._path: str | None = f"{root}/tmp/{os.getpid()}-{os.urandom(8).hex()}"
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        self._digest = hashlib.sha256()
        self._size = 0
        self._checked = 0

    @property
    def size(self) -> int:
        return self._size

    def write(self, data: bytes | bytearray | memoryview) -> None:
        view = memoryview(data)
        self._digest.update(view)
        with _WRITING:
            while view:
                # a disk that is nearly full takes a part and says so only in the count
                view = view[os.write(self._descriptor, view) :]
        self._size += len(data)
        if self._size - self._checked >= _CHECK_SPACE_EVERY:
            self._checked = self._size
            self._require_space(0)

    @contextmanager
    def content(self) -> Iterator[bytes | mmap.mmap]:
        with _WRITING:
            fault_point("draft.written")
        if not self._size:
            yield b""
            return
        with mmap.mmap(self._descriptor, self._size, access=mmap.ACCESS_READ) as content:
            yield content

    def keep(self, ref: InstanceRef) -> StoredFile:
        name = hashlib.sha256(ref.sop_instance.encode()).hexdigest()
        sha256 = self._digest.hexdigest()
        relative = f"received/{name[:2]}/{name[:32]}-{sha256[:16]}.dcm"
        if self._path is None:
            raise ValueError("this instance has been kept already")
        with _WRITING:
            self._name(self._path, f"{self._root}/{relative}")
            # whoever looks for it will find it there
            self._identity.require()
            fault_point("spool.durable")
        return StoredFile(relative, self._size, sha256)

    def _name(self, temporary: str, target: str) -> None:
        """Make what was written durable under its name.

        The name is given before the flush where that is possible: the file's own flush then carries it to the disk, and
        the folder's finds nothing left to do. Until the ledger names the file, it is an orphan that nobody was told of.
        """
        folder = target.rpartition("/")[0]
        try:
            os.link(temporary, target)
            linked = True
        except OSError:
            # its folder is missing; the same instance is there and must stay whole; the file system knows no links
            self._identity.require()
            _make_durable_folder(Path(folder))
            linked = False
        fault_point("spool.linked")
        # once: a disk that lost what was written says so to the first who asks, and calls the second well
        os.fdatasync(self._descriptor)
        if not linked:
            Path(temporary).replace(target)
        _sync_folder(folder)

    def close(self) -> None:
        """Let go of the file; remove it when it was not kept."""
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            # a file server may tell only now that it lost what was written; who keeps a file has asked before
            with suppress(OSError):
                os.close(descriptor)
        if self._path is not None:
            # of a disk that is gone nothing can be removed; what is left there is removed when it is old
            with suppress(OSError):
                os.unlink(self._path)  # noqa: PTH108  # as above
            self._path = None


class _Writing:
    """Turns what is wrong with the disk into a `TransientError`."""

    __slots__ = ()

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        if isinstance(fault, OSError):
            code = "RCV-003" if fault.errno in (errno.ENOSPC, errno.EDQUOT) else "RCV-005"
            raise TransientError(code, f"The spool cannot be written: {fault.strerror}.") from fault


_WRITING: Final = _Writing()


def _make_durable_folder(folder: Path) -> None:
    """Create `folder` with its parents; each new entry is on the disk when this returns."""
    if folder.is_dir():
        return
    _make_durable_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    _sync_folder(folder.parent)


def _sync_folder(folder: Path | str) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
