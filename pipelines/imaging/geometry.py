"""Whether images stack up to a volume: pure geometry over planes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipelines.domain.instance import Plane

POSITION_TOLERANCE_MM: Final = 0.05
"""Positions are often rounded to a few decimals; finer differences mean nothing."""
RELATIVE_TOLERANCE: Final = 0.1
"""Part of the slice spacing by which a slice may be off its place."""
ANGLE_TOLERANCE: Final = 1e-3
"""Largest difference of direction cosines within one stack, about 0.06 degrees."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Slices that are missing between two neighbours."""

    after_mm: float
    missing: int


@dataclass(frozen=True, slots=True)
class Stack:
    """Parallel planes in ascending order.

    Attributes
    ----------
    order
        Indices of the planes, ascending along the normal; of planes at one place only the first.
    duplicates
        Pairs of indices that lie at the same place.
    spacing_mm
        Median distance of neighbours; 0 for a single plane.
    gaps
        Where slices are missing.
    irregular_mm
        Largest deviation from the spacing that is no whole number of slices.
    shear_mm
        Sideways shift between neighbours, as a gantry tilt leaves it.
    """

    order: tuple[int, ...]
    duplicates: tuple[tuple[int, int], ...]
    spacing_mm: float
    gaps: tuple[Gap, ...]
    irregular_mm: float
    shear_mm: float

    @property
    def missing(self) -> int:
        return sum(gap.missing for gap in self.gaps)

    @property
    def tolerance_mm(self) -> float:
        return max(POSITION_TOLERANCE_MM, RELATIVE_TOLERANCE * self.spacing_mm)


def normal_of(orientation: Sequence[float]) -> NDArray[np.float64]:
    """Unit normal of a plane with Image Orientation Patient `orientation`, pointing to ascending slices."""
    normal = np.cross(orientation[:3], orientation[3:])
    return np.asarray(normal / np.linalg.norm(normal), dtype=np.float64)


def parallel(one: Plane, other: Plane) -> bool:
    """True if both planes have the same in-plane directions."""
    return bool(np.allclose(one.orientation, other.orientation, atol=ANGLE_TOLERANCE, rtol=0))


def stack(planes: Sequence[Plane]) -> Stack:
    """Order parallel `planes` and tell what keeps them from being a regular volume."""
    normal = normal_of(planes[0].orientation)
    positions = np.array([plane.position_mm for plane in planes], dtype=np.float64)
    heights = positions @ normal
    ascending = np.argsort(heights, kind="stable")
    order, duplicates = [int(ascending[0])], []
    for index in (int(i) for i in ascending[1:]):
        if heights[index] - heights[order[-1]] < POSITION_TOLERANCE_MM:
            duplicates.append((order[-1], index))
        else:
            order.append(index)
    if len(order) == 1:
        return Stack(tuple(order), tuple(duplicates), 0.0, (), 0.0, 0.0)
    steps = np.diff(heights[order])
    spacing = float(np.median(steps))
    slices = np.maximum(1, np.rint(steps / spacing)).astype(int)
    gaps = tuple(Gap(float(heights[order[i]]), int(n) - 1) for i, n in enumerate(slices) if n > 1)
    sideways = np.diff(positions[order], axis=0) - steps[:, None] * normal
    return Stack(
        tuple(order),
        tuple(duplicates),
        spacing,
        gaps,
        float(np.abs(steps - slices * spacing).max()),
        float((np.linalg.norm(sideways, axis=1) / slices).max()),
    )
