"""Large arrays in pages that the operating system hands out soonest."""

import contextlib
import math
import mmap
import sys
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


def zeros(shape: tuple[int, ...] | int, dtype: type[Number] | np.dtype[Number]) -> NDArray[Number]:
    """As `numpy.zeros`, in the memory of `empty`."""
    dims = (shape,) if isinstance(shape, int) else shape
    if math.prod(dims) * np.dtype(dtype).itemsize < _LARGE:
        return np.zeros(dims, dtype)
    return _fresh(dims, dtype)


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
