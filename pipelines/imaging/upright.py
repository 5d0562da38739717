"""Slices that do not stack up to a box, carried over to a grid that does: tilted gantries and uneven spacings.

The new grid keeps the planes' own directions. Each slice is shifted within its plane until all stand above each other,
which undoes the shear of a tilted gantry; between slices of uneven spacing the new ones are interpolated. Where a slice
is in its place already it stays as it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipelines.domain.volume import Grid, Mask, Voxels
from pipelines.imaging.frames import AIR_HU
from pipelines.imaging.geometry import Stack, normal_of

_IN_PLACE: Final = 1e-3
"""Part of a pixel or of a slice spacing below which nothing is interpolated."""


@dataclass(frozen=True, slots=True, eq=False)
class Lattice:
    """Where the slices of a series lie as they were acquired.

    Attributes
    ----------
    nominal
        The box that the slices would fill if they stood above each other at equal steps; its indices are theirs.
    heights_mm
        Of each slice above the first, along the normal; ascending.
    sideways_mm
        Shift of each slice against the first along rows and columns, shape (slices, 2).
    """

    nominal: Grid
    heights_mm: NDArray[np.float64]
    sideways_mm: NDArray[np.float64]

    def nominal_points(self, points_mm: NDArray[np.float64]) -> NDArray[np.float64]:
        """Where points of the patient lie in `nominal`, shape (n, 3): a voxel's centre goes to that voxel's centre."""
        directions = np.array([self.nominal.row_cosines, self.nominal.column_cosines, self.nominal.normal])
        local = (points_mm - np.array(self.nominal.origin_mm)) @ directions.T
        index = _extended(local[:, 2], self.heights_mm, np.arange(len(self.heights_mm), dtype=np.float64))
        for axis in range(2):
            local[:, axis] -= _extended(local[:, 2], self.heights_mm, self.sideways_mm[:, axis])
        local[:, 2] = index * self.nominal.spacing_mm[2]
        return np.asarray(local @ directions + self.nominal.origin_mm)


@dataclass(frozen=True, slots=True, eq=False)
class Upright:
    """A regular grid around a lattice, and how to fill it.

    Attributes
    ----------
    grid
        The regular grid.
    lower
        Slice of the lattice at or below each slice of the grid.
    weight
        Part of the next slice above in it, 0 to 1.
    shifts
        Row and column of the first pixel of each slice of the lattice on the grid, in pixels; shape (slices, 2).
    """

    grid: Grid
    lower: NDArray[np.intp]
    weight: NDArray[np.float64]
    shifts: NDArray[np.float64]

    def nearest(self, index: int) -> int:
        """Slice of the lattice nearest to slice `index` of the grid."""
        return int(self.lower[index]) + int(self.weight[index] > 0.5)

    def hounsfield(self, acquired: Voxels, index: int) -> NDArray[Any]:
        """HU of slice `index` of the grid, linear between pixels and between slices, in whole numbers."""
        lower, weight = int(self.lower[index]), float(self.weight[index])
        mixed = self._shifted(acquired[lower], lower)
        if weight > 0:
            mixed = (1 - weight) * mixed + weight * self._shifted(acquired[lower + 1], lower + 1)
        return mixed if acquired.dtype.kind == "f" else np.rint(mixed).astype(acquired.dtype)

    def carried(self, mask: Mask) -> Mask:
        """A mask drawn on the slices of the lattice, on the grid by the nearest neighbour."""
        first, stop = mask.offset[0], mask.offset[0] + mask.voxels.shape[0]
        # the grid's steps are no longer than the lattice's, so each slice of that is the nearest of some of these
        slices = [i for i in range(self.grid.shape[0]) if first <= self.nearest(i) < stop]
        block = np.zeros((len(slices), *self.grid.shape[1:]), dtype=np.bool_)
        for place, index in enumerate(slices):
            source = self.nearest(index)
            row, column = (int(v) for v in np.rint(self.shifts[source]))
            top, left = mask.offset[1] + row, mask.offset[2] + column
            height, width = mask.voxels.shape[1:]
            block[place, top : top + height, left : left + width] = mask.voxels[source - first]
        carried = Mask.of(block, (slices[0], 0, 0))
        if carried is None:
            raise ValueError("a mask without voxels cannot be carried over")
        return carried

    def _shifted(self, slice_hu: NDArray[Any], source: int) -> NDArray[Any]:
        """One slice of the lattice in its place on the grid, air around it."""
        made: NDArray[Any] = slice_hu
        starts = []
        for axis, shift in enumerate(self.shifts[source]):
            start, part = int(np.floor(shift)), float(shift - np.floor(shift))
            if part > 0:
                made = _moved(made, part, axis)
            starts.append(start)
        if not any(starts) and made.shape == self.grid.shape[1:]:
            return made
        whole = np.full(self.grid.shape[1:], AIR_HU, dtype=made.dtype)
        row, column = starts
        rows, columns = made.shape
        whole[row : row + rows, column : column + columns] = made
        return whole


def upright(acquired: Lattice, stacked: Stack) -> Upright:
    """The regular grid that holds all slices of a lattice.

    Slices at equal steps keep their places. Others are brought to the smallest step between them, so that no slice is
    skipped, made a little smaller so that the first and the last slice keep their places.
    """
    heights = acquired.heights_mm
    rise = float(heights[-1])
    count = len(heights) - 1
    if not stacked.regular:
        smallest = float(np.diff(heights).min())
        count = int(np.ceil(rise / smallest - _IN_PLACE))
    spacing = rise / count
    if stacked.regular:
        lower, weight = np.arange(count + 1), np.zeros(count + 1)
    else:
        at = np.interp(np.arange(count + 1) * spacing, heights, np.arange(len(heights)))
        whole = np.rint(at)
        at = np.where(np.abs(at - whole) < _IN_PLACE, whole, at)
        lower = np.floor(at).astype(np.intp)
        weight = at - lower
    x, y, _ = acquired.nominal.spacing_mm
    shifts = np.zeros((len(heights), 2))
    if not stacked.upright:
        # along columns first: an index of an array names its row first
        shifts = acquired.sideways_mm[:, ::-1] / (y, x)
        whole = np.rint(shifts)
        shifts = np.where(np.abs(shifts - whole) < _IN_PLACE, whole, shifts)
    first = np.floor(shifts.min(axis=0))
    shifts = shifts - first
    more_rows, more_columns = (int(v) for v in np.ceil(shifts.max(axis=0)))
    _, rows, columns = acquired.nominal.shape
    origin = (
        np.array(acquired.nominal.origin_mm)
        + first[0] * y * np.array(acquired.nominal.column_cosines)
        + first[1] * x * np.array(acquired.nominal.row_cosines)
    )
    ox, oy, oz = (float(v) for v in origin)
    grid = Grid(
        (count + 1, rows + more_rows, columns + more_columns),
        (ox, oy, oz),
        (x, y, spacing),
        acquired.nominal.direction,
    )
    return Upright(grid, np.asarray(lower, dtype=np.intp), weight, shifts)


def grid_of(
    origin_mm: tuple[float, float, float],
    orientation: Sequence[float],
    shape: tuple[int, int, int],
    spacing_mm: tuple[float, float, float],
) -> Grid:
    """The box of planes with Image Orientation Patient `orientation`, stacked along their normal."""
    direction = np.column_stack([orientation[:3], orientation[3:], normal_of(orientation)])
    return Grid(shape, origin_mm, spacing_mm, tuple(float(cosine) for cosine in direction.ravel()))


def _moved(values: NDArray[Any], part: float, axis: int) -> NDArray[np.float64]:
    """`values` moved up by `part` of a pixel along `axis`, one pixel longer; air beyond the edges."""
    pads = [(0, 0), (0, 0)]
    pads[axis] = (1, 1)
    wide = np.pad(values.astype(np.float64), pads, constant_values=AIR_HU)
    below = wide[:-1] if axis == 0 else wide[:, :-1]
    above = wide[1:] if axis == 0 else wide[:, 1:]
    return part * below + (1 - part) * above


def _extended(at: NDArray[np.float64], places: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Piecewise linear `values` at `places`, continued beyond both ends with the slope there."""
    found = np.interp(at, places, values)
    below, above = at < places[0], at > places[-1]
    found[below] += (at[below] - places[0]) * (values[1] - values[0]) / (places[1] - places[0])
    found[above] += (at[above] - places[-1]) * (values[-1] - values[-2]) / (places[-1] - places[-2])
    return np.asarray(found)
