"""Long and short axis of a lesion, as RECIST 1.1 wants them measured: on one axial slice.

The outline of a mask runs half a pixel outside the centres of its border pixels, where marching squares would draw it.
A disc of 20 mm so measures 20 mm, while centre to centre it would lose a pixel and from corner to corner gain one.
"""

from dataclasses import replace
from typing import Final

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from pipelines.domain.diameters import Caliper, Diameters, Point
from pipelines.domain.volume import Grid, Mask

Points = NDArray[np.float64]
"""Points of one slice as (column, row), in pixels or in mm; shape (n, 2)."""

# half a pixel from the centre of a pixel to the middle of each of its four edges
_EDGES: Final = np.array([(0.5, 0.0), (-0.5, 0.0), (0.0, 0.5), (0.0, -0.5)])
_EPSILON: Final = 1e-9


def diameters(mask: Mask, grid: Grid) -> Diameters:
    """Measure `mask` on the slice where its long axis is longest; of equal ones the lowest slice counts.

    The long axis is the longest straight line between two points of the outline of one connected part of the mask (also
    across a bay of the outline); the short axis is the longest line at a right angle to it within the convex hull of
    that part. Both lie in the plane of the CT slices.

    References
    ----------
    Eisenhauer et al. 2009 (RECIST 1.1), section 3: longest diameter, and short axis for nodes, in the plane of
    acquisition.
    """
    spacing = np.array(grid.spacing_mm[:2])
    best: tuple[float, int, Points, int] | None = None
    for index, drawn in enumerate(mask.voxels):
        for hull, parts in _hulls(drawn, spacing):
            length = _longest(hull)[0]
            if best is None or length > best[0] + _EPSILON:
                best = length, index, hull, parts
    if best is None:
        raise ValueError("a mask holds at least one voxel")
    _, index, hull, parts = best
    first, second, row = mask.offset[2], mask.offset[1], mask.offset[0] + index
    origin = np.array([first, second], dtype=np.float64)
    length, (start, end) = _longest(hull)
    across = _widest(hull, end - start)
    # rounding must not make the short axis of a disc longer than its long axis, not even by the last bit
    long = _caliper(start, end, spacing, origin)
    short = _caliper(*_no_longer(across, length), spacing, origin)
    short = replace(short, length_mm=min(short.length_mm, long.length_mm))
    return Diameters(slice_index=row, long=long, short=short, parts=parts)


def _hulls(drawn: NDArray[np.bool_], spacing: NDArray[np.float64]) -> list[tuple[Points, int]]:
    """Convex hull in mm of each connected part of one slice, with the number of parts."""
    if not drawn.any():
        return []
    connected = sitk.ConnectedComponentImageFilter()
    connected.SetFullyConnected(True)
    labels = sitk.GetArrayFromImage(connected.Execute(sitk.GetImageFromArray(drawn.astype(np.uint8))))
    count = int(labels.max())
    return [(_convex_hull(_outline(labels == label) * spacing), count) for label in range(1, count + 1)]


def _outline(part: NDArray[np.bool_]) -> Points:
    """Middles of the edges of the first and last pixel of each row and column; the hull needs no others."""
    rows, columns = np.nonzero(part)
    extreme = np.zeros(rows.size, dtype=np.bool_)
    for line in (rows, columns):
        # np.nonzero goes row by row, so both coordinates ascend within a line
        order = np.argsort(line, kind="stable")
        changes = np.flatnonzero(np.diff(line[order])) + 1
        extreme[order[np.concatenate([[0], changes])]] = True
        extreme[order[np.concatenate([changes - 1, [rows.size - 1]])]] = True
    centres = np.column_stack([columns[extreme], rows[extreme]]) + 0.5
    return np.asarray((centres[:, None, :] + _EDGES).reshape(-1, 2))


def _convex_hull(points: Points) -> Points:
    """Corners of the convex hull in order (Andrew 1979, monotone chain)."""
    ordered = np.unique(points, axis=0).tolist()

    def chain(path: list[list[float]]) -> list[list[float]]:
        kept: list[list[float]] = []
        for x, y in path:
            while len(kept) > 1 and (
                (kept[-1][0] - kept[-2][0]) * (y - kept[-2][1]) <= (kept[-1][1] - kept[-2][1]) * (x - kept[-2][0])
            ):
                kept.pop()
            kept.append([x, y])
        return kept[:-1]

    return np.array(chain(ordered) + chain(ordered[::-1]))


def _longest(hull: Points) -> tuple[float, tuple[Points, Points]]:
    """The longest distance between two corners, and these; of equal ones the first pair."""
    squared = ((hull[:, None, :] - hull[None, :, :]) ** 2).sum(axis=-1)
    # rounding must not choose between the equal diameters of a symmetric lesion
    first = int(np.flatnonzero(squared.ravel() >= squared.max() * (1 - _EPSILON))[0])
    one, other = divmod(first, len(hull))
    return float(np.sqrt(squared[one, other])), (hull[one], hull[other])


def _widest(hull: Points, axis: NDArray[np.float64]) -> tuple[Points, Points]:
    """The longest chord of a convex polygon at a right angle to `axis`; it passes through a corner."""
    along = axis / np.linalg.norm(axis)
    across = np.array([-along[1], along[0]])
    positions = hull @ along
    chords = [_chord(hull, positions, corner, across) for corner in positions]
    lengths = [float(np.linalg.norm(end - start)) for start, end in chords]
    return chords[int(np.flatnonzero(np.array(lengths) >= max(lengths) - _EPSILON)[0])]


def _chord(
    hull: Points, positions: NDArray[np.float64], at: float, across: NDArray[np.float64]
) -> tuple[Points, Points]:
    """Where the line at `at` along the axis enters and leaves the polygon."""
    following, after = np.roll(hull, -1, axis=0), np.roll(positions, -1)
    steps = after - positions
    flat = np.abs(steps) < _EPSILON
    part = np.where(flat, 0.0, (at - positions) / np.where(flat, 1.0, steps))
    hit = (part >= -_EPSILON) & (part <= 1 + _EPSILON) & (~flat | (np.abs(positions - at) < _EPSILON))
    crossings = hull[hit] + part[hit, None] * (following - hull)[hit]
    heights = crossings @ across
    return crossings[int(heights.argmin())], crossings[int(heights.argmax())]


def _no_longer(chord: tuple[Points, Points], length: float) -> tuple[Points, Points]:
    start, end = chord
    own = float(np.linalg.norm(end - start))
    if own <= length:
        return chord
    middle, scale = (start + end) / 2, length / own
    return middle + (start - middle) * scale, middle + (end - middle) * scale


def _caliper(start: Points, end: Points, spacing: NDArray[np.float64], origin: NDArray[np.float64]) -> Caliper:
    points = [Point(*(float(value) for value in place / spacing + origin)) for place in (start, end)]
    return Caliper(points[0], points[1], float(np.linalg.norm(end - start)))
