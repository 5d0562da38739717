"""Large arrays in pages that the operating system hands out soonest."""

import math
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

Number = TypeVar("Number", bound=np.generic)

# of x86 and of most others with pages of 4 KB
_HUGE_PAGE: Final = 1 << 21
# smaller arrays come from memory that is in use already, mostly
_LARGE: Final = 1 << 19
# from this size on NumPy asks for huge pages
_ASKED_FOR: Final = 1 << 22


def empty(shape: tuple[int, ...] | int, dtype: type[Number] | np.dtype[Number]) -> NDArray[Number]:
    """As `numpy.empty`, in huge pages of Linux when it is large.

    The first touch of each 4 KB of fresh memory costs more than a kernel needs to compute what is written there. NumPy
    asks for huge pages itself, for what of an array of 4 MB lies on whole ones: so this one begins on one.
    """
    dims = (shape,) if isinstance(shape, int) else shape
    size = math.prod(dims) * np.dtype(dtype).itemsize
    if size < _LARGE:
        return np.empty(dims, dtype)
    pages = -(-size // _HUGE_PAGE) + 1
    block = np.empty(max(pages * _HUGE_PAGE, _ASKED_FOR), np.uint8)
    begin = -block.__array_interface__["data"][0] % _HUGE_PAGE
    found: NDArray[Number] = block[begin : begin + size].view(dtype).reshape(dims)
    return found


def zeros(shape: tuple[int, ...] | int, dtype: type[Number] | np.dtype[Number]) -> NDArray[Number]:
    """As `numpy.zeros`, in the memory of `empty`."""
    found = empty(shape, dtype)
    found.fill(0)
    return found
