"""Fill planar contours on the slices of a grid."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipelines.domain.volume import Grid, Mask

MAX_STRETCH: Final = 4.0
"""Contours on every fourth slice still make a volume; what is further apart are lesions of their own."""
_SAME_PLANE: Final = 0.05
"""Part of a slice by which contours of one plane may differ."""
_NEARLY: Final = 1e-6


class Unusable(ValueError):
    """A contour cannot be filled; the message says why."""


@dataclass(frozen=True, slots=True, eq=False)
class Contour:
    """A closed line in patient coordinates.

    Attributes
    ----------
    points_mm
        Shape (n, 3); the last is joined to the first.
    exclusive
        True for a contour that is combined with the others of its slice by exclusive or (PS3.3 C.8.8.6.3).
    """

    points_mm: NDArray[np.float64]
    exclusive: bool = False

    @classmethod
    def of(cls, data: Any, *, exclusive: bool = False) -> "Contour":
        """From Contour Data (3006,0050).

        Raises
        ------
        ValueError
            If it is no list of points.
        """
        values = np.asarray(data, dtype=np.float64)
        if values.ndim != 1 or len(values) % 3 or not len(values):
            raise Unusable("a contour is no list of points")
        if not np.isfinite(values).all() or np.abs(values).max() > 1e6:
            raise Unusable("a contour has a point that is nowhere")
        return cls(values.reshape(-1, 3), exclusive)


@dataclass(frozen=True, slots=True, eq=False)
class Filled:
    """What contours cover.

    Attributes
    ----------
    mask
        None when they cover no voxel.
    between
        Contours that lie between slices and were not used, as others lie nearer.
    stretched
        True when the contours lie further apart than the slices.
    step_mm
        Distance of the contours.
    """

    mask: Mask | None
    between: int
    stretched: bool
    step_mm: float


def fill(contours: Sequence[Contour], grid: Grid) -> Filled:
    """Fill `contours` on the slices of `grid`.

    The contours of a slice are those of the plane that is nearest to it, at most half a slice away, or half the
    distance of the contours where these are drawn on every second slice or so. A contour that lies inside another one
    of its slice cuts a hole; contours that overlap otherwise are joined; one that is there twice counts once.

    Raises
    ------
    Unusable
        If a contour is not parallel to the slices.
    """
    direction = np.reshape(grid.direction, (3, 3))
    planes: list[tuple[float, list[tuple[NDArray[np.float64], bool]]]] = []
    levelled = []
    for contour in contours:
        along = np.linalg.solve(direction, (contour.points_mm - grid.origin_mm).T).T / grid.spacing_mm
        if np.ptp(along[:, 2]) > 0.5:
            raise Unusable("a contour is not parallel to the CT slices")
        levelled.append((float(along[:, 2].mean()), along[:, 1::-1], contour.exclusive))
    for level, polygon, exclusive in sorted(levelled, key=lambda one: one[0]):
        if not planes or level - planes[-1][0] > _SAME_PLANE:
            planes.append((level, []))
        planes[-1][1].append((polygon, exclusive))
    if not planes:
        return Filled(None, 0, stretched=False, step_mm=0.0)
    levels = np.array([level for level, _ in planes])
    step = _step(levels)
    slices: dict[int, NDArray[np.bool_]] = {}
    used: set[int] = set()
    first, last = (
        max(0, int(np.ceil(levels[0] - step / 2))),
        min(grid.shape[0] - 1, int(np.floor(levels[-1] + step / 2))),
    )
    inside: dict[int, NDArray[np.bool_]] = {}
    for index in range(first, last + 1):
        # of two planes that are equally near the upper one: no plane between two slices may fill both
        nearest = int(np.abs(levels - index - _NEARLY).argmin())
        if not -step / 2 - _NEARLY <= index - levels[nearest] < step / 2 - _NEARLY:
            continue
        used.add(nearest)
        if nearest not in inside:
            inside[nearest] = _plane(planes[nearest][1], (grid.shape[1], grid.shape[2]))
        slices[index] = inside[nearest]
    on_ct = [n for n, level in enumerate(levels) if -0.5 <= level <= grid.shape[0] - 0.5]
    between = sum(len(planes[n][1]) for n in on_ct if n not in used)
    mask = None
    if slices:
        start = min(slices)
        block = np.zeros((max(slices) - start + 1, *grid.shape[1:]), dtype=np.bool_)
        for index, pixels in slices.items():
            block[index - start] = pixels
        mask = Mask.of(block, (start, 0, 0))
    return Filled(mask, between, stretched=step > 1, step_mm=step * grid.spacing_mm[2])


def _step(levels: NDArray[np.float64]) -> float:
    """Distance of contours in slices: 1 where they are drawn on every slice, and where nothing says otherwise."""
    if len(levels) < 3:
        return 1.0
    distances = np.diff(levels)
    step = float(np.median(distances))
    whole = np.rint(distances / step)
    even = np.abs(distances - whole * step).max() <= 0.1 * step and np.mean(whole == 1) > 0.5
    return step if even and 1.5 <= step <= MAX_STRETCH else 1.0


def _plane(polygons: Sequence[tuple[NDArray[np.float64], bool]], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Combine the contours of one plane, the largest first."""
    # as bits, and equal ones once: a structure set may have tens of thousands of contours in one plane
    filled: list[tuple[int, bytes, bool]] = []
    known: dict[bytes, bytes] = {}
    for polygon, exclusive in polygons:
        pixels = fill_polygon(polygon, shape)
        bits = np.packbits(pixels).tobytes()
        filled.append((int(np.count_nonzero(pixels)), known.setdefault(bits, bits), exclusive))
    filled.sort(key=lambda one: -one[0])
    inside = np.zeros(shape, dtype=np.bool_)
    seen: set[bytes] = set()
    for _, bits, exclusive in filled:
        if not exclusive and bits in seen:
            continue
        seen.add(bits)
        pixels = np.unpackbits(np.frombuffer(bits, np.uint8), count=inside.size).reshape(shape).astype(np.bool_)
        hole = exclusive or bool(inside[pixels].all())
        inside = inside ^ pixels if hole else inside | pixels
    return inside


def fill_polygon(polygon: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Pixels of `shape` whose centres lie inside `polygon` by the even-odd rule.

    Parameters
    ----------
    polygon
        Vertices as (row, column) in pixels, shape (n, 2); the last is joined to the first.

    Examples
    --------
    >>> square = np.array([[0.5, 0.5], [0.5, 2.5], [2.5, 2.5], [2.5, 0.5]])
    >>> fill_polygon(square, (4, 4)).astype(int)
    array([[0, 0, 0, 0],
           [0, 1, 1, 0],
           [0, 1, 1, 0],
           [0, 0, 0, 0]])
    """
    inside = np.zeros(shape, dtype=np.bool_)
    start, end = polygon, np.roll(polygon, -1, axis=0)
    first = max(0, int(np.ceil(polygon[:, 0].min())))
    last = min(shape[0] - 1, int(np.floor(polygon[:, 0].max())))
    columns = np.arange(shape[1])
    for row in range(first, last + 1):
        # half-open edges, so that a vertex on the row counts once
        crossing = (start[:, 0] <= row) != (end[:, 0] <= row)
        a, b = start[crossing], end[crossing]
        at = a[:, 1] + (row - a[:, 0]) * (b[:, 1] - a[:, 1]) / (b[:, 0] - a[:, 0])
        inside[row] = (np.sum(at[:, None] < columns[None, :], axis=0) % 2).astype(np.bool_)
    return inside
