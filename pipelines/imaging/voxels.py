"""HU that are decoded when they are looked at, slice by slice, and only once."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

SliceReader = Callable[[int], NDArray[Any]]
"""HU of one slice by its index, shape (rows, columns); raises `UnreadableVoxels` for one that is damaged."""


class LazyVoxels:
    """Voxels of shape (slices, rows, columns) that stand in for an array.

    A lesion needs the slices around it, not all of a long series. Indexing decodes the slices that the index names and
    gives a view of them. Slices that nobody looked at cost no memory: the system hands pages out when they are written.
    """

    def __init__(self, shape: tuple[int, int, int], read: SliceReader) -> None:
        self._read = read
        self._hu: NDArray[Any] = np.empty(shape, dtype=np.int16)
        self._decoded = np.zeros(shape[0], dtype=np.bool_)

    @property
    def shape(self) -> tuple[int, ...]:
        return self._hu.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """int16 until a slice needs more; then that of all that has been decoded."""
        return self._hu.dtype

    @property
    def decoded(self) -> int:
        """How many slices have been decoded so far."""
        return int(self._decoded.sum())

    def __getitem__(self, part: Any) -> NDArray[Any]:
        along_slices = part[0] if isinstance(part, tuple) else part
        for index in np.atleast_1d(np.arange(self.shape[0])[along_slices]):
            if not self._decoded[index]:
                self._decode(int(index))
        found: NDArray[Any] = self._hu[part]
        return found

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self[:], dtype=dtype, copy=copy)

    def _decode(self, index: int) -> None:
        hu = self._read(index)
        common = np.result_type(self._hu, hu)
        if common != self._hu.dtype:
            # what was not decoded yet is copied too, whatever it is
            self._hu = self._hu.astype(common)
        self._hu[index] = hu
        self._decoded[index] = True
