"""Memory of large arrays, which costs an extraction more than many a kernel."""

import contextlib
import math
import mmap
import sys
from collections.abc import Iterator
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

Number = TypeVar("Number", bound=np.generic)

# of x86 and of most others with pages of 4 KB
_HUGE_PAGE: Final = 1 << 21
# smaller arrays come from memory that is in use already, mostly
_LARGE: Final = 1 << 19


def empty(shape: tuple[int, ...] | int, dtype: type[Number] | np.dtype[Number]) -> NDArray[Number]:
    """As `numpy.empty`, in huge pages of Linux when it is large.

    The first touch of each 4 KB of fresh memory costs more than a kernel needs to compute what is written there, and
    kernels that take long strides look up many pages. NumPy asks for huge pages for arrays of 4 MB and more only.
    """
    dims = (shape,) if isinstance(shape, int) else shape
    if math.prod(dims) * np.dtype(dtype).itemsize < _LARGE:
        return np.empty(dims, dtype)
    return _fresh(dims, dtype)


class Memory:
    """Large arrays for one lesion after the other: those of the last one become those of the next.

    A system clears memory before it hands it out, which takes an extraction a tenth of its time. Jobs of one lesion in
    several threads may ask for arrays; two lesions at a time need two of these.
    """

    def __init__(self) -> None:
        # by size and a number of its own; single operations on a dictionary are safe in threads
        self._free: dict[tuple[int, int], NDArray[np.uint8]] = {}
        self._used: dict[tuple[int, int], NDArray[np.uint8]] = {}

    def empty(self, shape: tuple[int, ...] | int, dtype: type[Number] | np.dtype[Number]) -> NDArray[Number]:
        """As `numpy.empty`; in use until all are reused."""
        dims = (shape,) if isinstance(shape, int) else shape
        size = math.prod(dims) * np.dtype(dtype).itemsize
        if size < _LARGE:
            return np.empty(dims, dtype)
        block = self._take(size)
        self._used[_key(block)] = block
        return _as_array(block, dims, dtype)

    def zeros(self, shape: tuple[int, ...] | int, dtype: type[Number] | np.dtype[Number]) -> NDArray[Number]:
        """As `numpy.zeros`; in use until all are reused."""
        found = self.empty(shape, dtype)
        found.fill(0)
        return found

    @contextlib.contextmanager
    def borrowed(
        self, shape: tuple[int, ...] | int, dtype: type[Number] | np.dtype[Number]
    ) -> Iterator[NDArray[Number]]:
        """As `numpy.empty`; in use as long as this context."""
        dims = (shape,) if isinstance(shape, int) else shape
        block = self._take(math.prod(dims) * np.dtype(dtype).itemsize)
        try:
            yield _as_array(block, dims, dtype)
        finally:
            self._free[_key(block)] = block

    def reuse(self) -> None:
        """Nothing that has been handed out is needed any more."""
        self._free |= self._used
        self._used = {}

    @property
    def size(self) -> int:
        """Bytes that are held."""
        return sum(block.size for blocks in (self._free, self._used) for block in list(blocks.values()))

    def _take(self, size: int) -> NDArray[np.uint8]:
        """The smallest block that is large enough."""
        free = sorted(self._free)
        for key in free:
            if key[0] >= size:
                block = self._free.pop(key, None)
                # another thread may have been sooner
                if block is not None:
                    return block
        if free:
            # the largest was for a smaller lesion: so there are never more blocks than arrays at a time
            self._free.pop(free[-1], None)
        return empty(size, np.uint8)


def _key(block: NDArray[np.uint8]) -> tuple[int, int]:
    return block.size, id(block)


def _as_array(
    block: NDArray[np.uint8], shape: tuple[int, ...], dtype: type[Number] | np.dtype[Number]
) -> NDArray[Number]:
    return block[: math.prod(shape) * np.dtype(dtype).itemsize].view(dtype).reshape(shape)


def _fresh(shape: tuple[int, ...], dtype: type[Number] | np.dtype[Number]) -> NDArray[Number]:
    """Zeros in memory of their own, which begins on a huge page where there are any."""
    if sys.platform != "linux":
        return np.zeros(shape, dtype)
    count = math.prod(shape)
    pages = -(-count * np.dtype(dtype).itemsize // _HUGE_PAGE) + 1
    block = mmap.mmap(-1, pages * _HUGE_PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    # a kernel without them refuses: small pages hold as much
    with contextlib.suppress(OSError):
        block.madvise(mmap.MADV_HUGEPAGE)
    address: int = np.frombuffer(block, np.uint8).__array_interface__["data"][0]
    return np.frombuffer(block, dtype, count, -address % _HUGE_PAGE).reshape(shape)
