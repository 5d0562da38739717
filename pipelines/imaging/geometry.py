"""Whether images stack up to a volume: pure geometry over planes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipelines.domain.instance import Plane

_MOST_SPACINGS: Final = 4
"""Largest whole number of slice spacings that the median step is tried as, when every second slice is missing."""
_WIDEST_STEP: Final = 2.5
"""Step in slice spacings from which on slices are missing, whole multiple or not."""


@dataclass(frozen=True, slots=True)
class Tolerances:
    """How exact positions and directions have to be.

    Attributes
    ----------
    position_mm
        Positions are often rounded to a few decimals; finer differences mean nothing.
    spacing
        Part of the slice spacing by which a slice may be off its place.
    angle_degrees
        Difference of directions within one stack; also the tilt below which slices count as stacked upright.
    """

    position_mm: float = 0.05
    spacing: float = 0.1
    angle_degrees: float = 0.1

    def of_spacing_mm(self, spacing_mm: float) -> float:
        """How far a slice may be off its place along the normal."""
        return max(self.position_mm, self.spacing * spacing_mm)


TOLERANCES: Final = Tolerances()
"""Those of the packaged configuration."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Slices that are missing between two neighbours.

    Attributes
    ----------
    after_mm
        Height of the slice below the gap.
    at_mm, to_mm
        Positions at which the first and the last missing slice would lie.
    """

    after_mm: float
    missing: int
    at_mm: tuple[float, float, float]
    to_mm: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Stack:
    """Parallel planes in ascending order.

    Attributes
    ----------
    order
        Indices of the planes, ascending along the normal; of planes at one place only the first.
    duplicates
        Pairs of indices that lie at the same place.
    axis
        Axis of the patient (0 x, 1 y, 2 z) that the normal follows most; places are told on it.
    heights_mm
        Place of each plane of `order` along the normal.
    sideways_mm
        How far each lies from the normal through the first, along rows and columns.
    spacing_mm
        Median distance of neighbours, or the smaller one that it is a whole multiple of; 0 for a single plane.
    gaps
        Where slices are missing.
    irregular_mm
        Largest distance of a plane from its place in a stack of equal steps from the first to the last, with the
        missing ones in theirs.
    tilt_degrees
        Angle between the normal and the line from the first plane to the last.
    regular, upright
        Whether both stay within the tolerances.
    """

    order: tuple[int, ...]
    duplicates: tuple[tuple[int, int], ...]
    axis: int
    heights_mm: tuple[float, ...]
    sideways_mm: tuple[tuple[float, float], ...]
    spacing_mm: float
    gaps: tuple[Gap, ...]
    irregular_mm: float
    tilt_degrees: float
    regular: bool
    upright: bool

    @property
    def missing(self) -> int:
        return sum(gap.missing for gap in self.gaps)


def normal_of(orientation: Sequence[float]) -> NDArray[np.float64]:
    """Unit normal of a plane with Image Orientation Patient `orientation`, pointing to ascending slices."""
    normal = np.cross(orientation[:3], orientation[3:])
    return np.asarray(normal / np.linalg.norm(normal), dtype=np.float64)


def parallel(one: Plane, other: Plane, tolerances: Tolerances = TOLERANCES) -> bool:
    """True if both planes have the same in-plane directions."""
    limit = float(np.radians(tolerances.angle_degrees))
    return bool(np.allclose(one.orientation, other.orientation, atol=limit, rtol=0))


def stack(planes: Sequence[Plane], tolerances: Tolerances = TOLERANCES) -> Stack:
    """Order parallel `planes` and tell what keeps them from being a regular volume."""
    orientation = np.array(planes[0].orientation, dtype=np.float64)
    normal = normal_of(planes[0].orientation)
    positions = np.array([plane.position_mm for plane in planes], dtype=np.float64)
    all_heights = positions @ normal
    ascending = np.argsort(all_heights, kind="stable")
    order, duplicates = [int(ascending[0])], []
    for index in (int(i) for i in ascending[1:]):
        if all_heights[index] - all_heights[order[-1]] < tolerances.position_mm:
            duplicates.append((order[-1], index))
        else:
            order.append(index)
    heights = all_heights[order]
    axis = int(np.abs(normal).argmax())
    sideways = (positions[order] - positions[order[0]]) @ orientation.reshape(2, 3).T
    if len(order) == 1:
        return Stack(
            tuple(order), tuple(duplicates), axis, (float(heights[0]),), ((0.0, 0.0),), 0.0, (), 0.0, 0.0, True, True
        )
    steps = np.diff(heights)
    spacing = _spacing(steps, tolerances)
    counts = _counts(steps, spacing, tolerances)
    gaps = tuple(
        _gap(positions[order[i]], positions[order[i + 1]], float(heights[i]), int(counts[i]) - 1)
        for i in np.flatnonzero(counts > 1)
    )
    irregular = _irregular(heights, counts)
    shifts = np.linalg.norm(sideways, axis=1)
    rise = heights - heights[0]
    allowed = np.maximum(tolerances.position_mm, rise * np.tan(np.radians(tolerances.angle_degrees)))
    return Stack(
        tuple(order),
        tuple(duplicates),
        axis,
        tuple(float(height) for height in heights),
        tuple((float(along_rows), float(along_columns)) for along_rows, along_columns in sideways),
        spacing,
        gaps,
        irregular,
        float(np.degrees(np.arctan2(shifts[-1], rise[-1]))),
        regular=irregular <= tolerances.of_spacing_mm(spacing),
        upright=bool((shifts <= allowed).all()),
    )


def _spacing(steps: NDArray[np.float64], tolerances: Tolerances) -> float:
    """The median step, or a smaller one that it holds two to four times: then most of the slices are missing."""
    median = float(np.median(steps))
    smallest = float(steps.min())
    times = round(median / smallest)
    limit = tolerances.of_spacing_mm(smallest)
    if 2 <= times <= _MOST_SPACINGS and abs(median - times * smallest) <= limit:
        return float(np.median(steps[steps <= smallest + limit]))
    return median


def _counts(steps: NDArray[np.float64], spacing: float, tolerances: Tolerances) -> NDArray[np.intp]:
    """How many slices on each step leads: more than one where some are missing."""
    nearest = np.maximum(1, np.rint(steps / spacing)).astype(np.intp)
    whole = np.abs(steps - nearest * spacing) <= tolerances.of_spacing_mm(spacing)
    return np.where(whole | (steps > _WIDEST_STEP * spacing), nearest, 1)


def _irregular(heights: NDArray[np.float64], counts: NDArray[np.intp]) -> float:
    numbers = np.concatenate([[0], np.cumsum(counts)])
    even = heights[0] + numbers * (heights[-1] - heights[0]) / numbers[-1]
    return float(np.abs(heights - even).max())


def _gap(below: NDArray[np.float64], above: NDArray[np.float64], after_mm: float, missing: int) -> Gap:
    step = (above - below) / (missing + 1)
    (ax, ay, az), (bx, by, bz) = (below + step).tolist(), (above - step).tolist()
    return Gap(after_mm, missing, (ax, ay, az), (bx, by, bz))
