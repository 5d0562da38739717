"""Which voxels of a lesion lie beside each other: the one structure that all texture matrices are counted from."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np
from numpy.typing import NDArray

Step = tuple[int, int, int]

VOLUME: Final[tuple[Step, ...]] = tuple(
    (z, y, x) for z, y, x in product((0, 1), (-1, 0, 1), (-1, 0, 1)) if (z, y, x) > (0, 0, 0)
)
"""The thirteen directions (slice, row, column) of a volume; the other thirteen are their opposites."""
SLICE: Final[tuple[Step, ...]] = tuple(step for step in VOLUME if step[0] == 0)
"""The four directions within a slice."""


@dataclass(frozen=True, slots=True, eq=False)
class Levels:
    """Grey levels in a border of zeros, so that every voxel of the lesion has all neighbours.

    Attributes
    ----------
    flat
        Grey levels from 1, and 0 outside the lesion, as one line.
    shape
        What `flat` was, with the border.
    voxels
        Index in `flat` of each voxel that is looked at.
    level_count
        The highest grey level of the whole lesion.
    """

    flat: NDArray[np.int64]
    shape: tuple[int, int, int]
    voxels: NDArray[np.intp]
    level_count: int

    @classmethod
    def of(cls, volume: NDArray[np.int64]) -> "Levels":
        """Levels of a volume (slices, rows, columns) that is 0 outside the lesion."""
        padded = np.pad(volume, 1)
        flat = padded.ravel()
        z, y, x = padded.shape
        return cls(flat, (z, y, x), np.flatnonzero(flat), int(flat.max()))

    def slices(self) -> Iterator["Levels"]:
        """The same lesion, looking at the voxels of one slice after the other."""
        of_voxel = self.voxels // (self.shape[1] * self.shape[2])
        for index in np.unique(of_voxel):
            yield Levels(self.flat, self.shape, self.voxels[of_voxel == index], self.level_count)

    @property
    def centres(self) -> NDArray[np.int64]:
        """Levels of the voxels that are looked at."""
        return self.flat[self.voxels]

    def offset(self, step: Step) -> int:
        """How far `step` leads in `flat`."""
        return (step[0] * self.shape[1] + step[1]) * self.shape[2] + step[2]

    def beside(self, step: Step) -> NDArray[np.int64]:
        """Level of the neighbour that `step` leads to, for each voxel; 0 outside the lesion."""
        return self.flat[self.voxels + self.offset(step)]


def both_ways(steps: tuple[Step, ...]) -> Iterator[Step]:
    """Each step and its opposite."""
    for z, y, x in steps:
        yield z, y, x
        yield -z, -y, -x
