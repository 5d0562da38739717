"""A file server that can fail: a folder shown elsewhere through FUSE, run by the system's Python with `fusepy`.

python3 file_server.py FOLDER MOUNT MOOD

Whenever the file MOOD holds the name of an error, every operation fails with it; with `EIO fsync` only that one.
"""

import errno
import os
import sys
from pathlib import Path

from fusepy import FUSE, FuseOSError, Operations


class FileServer(Operations):
    """Passes on what the kernel asks."""

    def __init__(self, folder: str, mood: str) -> None:
        self._folder = folder
        self._mood = mood

    def __call__(self, operation: str, *arguments: object) -> object:
        if operation not in ("init", "destroy", "release"):
            self._obey(operation)
        return super().__call__(operation, *arguments)

    def _obey(self, operation: str) -> None:
        try:
            name, _, only = Path(self._mood).read_text().strip().partition(" ")
        except FileNotFoundError:
            return
        if name and only in ("", operation):
            raise FuseOSError(getattr(errno, name))

    def _at(self, path: str) -> Path:
        return Path(self._folder + path)

    def access(self, path: str, mode: int) -> None:
        if not os.access(self._at(path), mode):
            raise FuseOSError(errno.EACCES)

    def getattr(self, path: str, handle: "int | None" = None) -> "dict[str, object]":
        found = self._at(path).lstat()
        names = ("atime", "ctime", "mtime", "gid", "ino", "mode", "nlink", "size", "uid")
        return {f"st_{name}": getattr(found, f"st_{name}") for name in names}

    def readdir(self, path: str, handle: int) -> "list[str]":
        return [".", "..", *(one.name for one in self._at(path).iterdir())]

    def statfs(self, path: str) -> "dict[str, int]":
        found = os.statvfs(self._at(path))
        names = ("bavail", "bfree", "blocks", "bsize", "favail", "ffree", "files", "flag", "frsize", "namemax")
        return {f"f_{name}": getattr(found, f"f_{name}") for name in names}

    def mkdir(self, path: str, mode: int) -> None:
        self._at(path).mkdir(mode)

    def rmdir(self, path: str) -> None:
        self._at(path).rmdir()

    def unlink(self, path: str) -> None:
        self._at(path).unlink()

    def rename(self, old: str, new: str) -> None:
        self._at(old).rename(self._at(new))

    def link(self, target: str, source: str) -> None:
        os.link(self._at(source), self._at(target))

    def utimens(self, path: str, times: "tuple[float, float] | None" = None) -> None:
        os.utime(self._at(path), times)

    def chmod(self, path: str, mode: int) -> None:
        self._at(path).chmod(mode)

    def truncate(self, path: str, length: int, handle: "int | None" = None) -> None:
        os.truncate(self._at(path), length)

    def open(self, path: str, flags: int) -> int:
        return os.open(self._at(path), flags)

    def create(self, path: str, mode: int, info: object = None) -> int:
        return os.open(self._at(path), os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)

    def read(self, path: str, size: int, offset: int, handle: int) -> bytes:
        return os.pread(handle, size, offset)

    def write(self, path: str, data: bytes, offset: int, handle: int) -> int:
        return os.pwrite(handle, data, offset)

    def fsync(self, path: str, data_only: int, handle: int) -> None:
        os.fsync(handle)

    def fsyncdir(self, path: str, data_only: int, handle: int) -> None:
        return None

    def release(self, path: str, handle: int) -> None:
        os.close(handle)


if __name__ == "__main__":
    folder, mount, mood = sys.argv[1:]
    # the kernel keeps no answer: each question reaches the server, whatever it feels like by then
    FUSE(FileServer(folder, mood), mount, foreground=True, attr_timeout=0, entry_timeout=0, negative_timeout=0)
