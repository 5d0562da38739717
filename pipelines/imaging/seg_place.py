"""Bring frames of a segmentation onto the grid of a CT: copied where they lie on it, resampled where they do not."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from pipelines.domain.volume import Grid, Mask
from pipelines.imaging.geometry import normal_of
from pipelines.imaging.seg_frames import Frames

_PIXEL_TOLERANCE: Final = 0.1
"""Part of a pixel by which a corner of a frame may be off its place on the CT."""
_SLICE_TOLERANCE: Final = 0.15
"""Part of a slice by which a frame may be off its slice; a CT series itself may vary by a tenth."""
_FAR: Final = 2**31
_MAX_VOXELS: Final = 2**30
_UNEVEN: Final = 0.2
"""Part of a slice by which frames of a grid of their own may be off an even spacing."""


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """The true pixels of one frame: the smallest rectangle around them.

    Attributes
    ----------
    frame
        Index of the frame.
    """

    frame: int
    row: int
    column: int
    pixels: NDArray[np.bool_]

    @classmethod
    def of(cls, frame: int, pixels: NDArray[np.bool_]) -> "Patch | None":
        """Crop `pixels`, shape (rows, columns), to the true ones; None when there are none."""
        rows = np.flatnonzero(pixels.any(axis=1))
        if not len(rows):
            return None
        band = pixels[rows[0] : rows[-1] + 1]
        columns = np.flatnonzero(band.any(axis=0))
        return cls(frame, int(rows[0]), int(columns[0]), band[:, columns[0] : columns[-1] + 1].copy())

    @property
    def count(self) -> int:
        return int(np.count_nonzero(self.pixels))


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """A segment on the grid of the CT.

    Attributes
    ----------
    mask
        None when no voxel of it lies on the CT.
    outside
        Pixels that lie beyond the border of the CT.
    copied
        False when it was resampled.
    """

    mask: Mask | None
    outside: int
    copied: bool


class Uneven(Exception):
    """Frames with a grid of their own have no even spacing, so nothing says what lies between them."""


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Where frames lie on the grid of the CT.

    Attributes
    ----------
    indices
        Index (slice, row, column) of the first pixel of each frame, shape (n, 3).
    fits
        Whether all its pixels lie on voxels; the index of a frame that does not fit means nothing.
    """

    indices: NDArray[np.int64]
    fits: NDArray[np.bool_]


def places_on(frames: Frames, shape: tuple[int, int], grid: Grid) -> Places:
    """Find the place of each frame on `grid`, which may lie beyond its border.

    Parameters
    ----------
    shape
        Rows and columns of the frames.
    """
    own = np.concatenate([grid.row_cosines, grid.column_cosines])
    # how far the last pixel of a frame is from where the grid of the CT has it
    rows, columns = (size - 1 for size in shape)
    column_steps = frames.orientations[:, :3] * frames.spacings_mm[:, 1:]
    row_steps = frames.orientations[:, 3:] * frames.spacings_mm[:, :1]
    corner = columns * (column_steps - own[:3] * grid.spacing_mm[0]) + rows * (row_steps - own[3:] * grid.spacing_mm[1])
    indices = _indices(frames.positions_mm, grid)
    drift = np.abs(_indices(frames.positions_mm + corner, grid) - indices)
    nearest = np.rint(indices)
    off = np.maximum(np.abs(indices - nearest), drift)
    near = (off <= (_SLICE_TOLERANCE, _PIXEL_TOLERANCE, _PIXEL_TOLERANCE)) & (np.abs(nearest) < _FAR)
    return Places(np.where(near, nearest, 0).astype(np.int64), np.asarray(near.all(axis=1)))


def _indices(points_mm: NDArray[np.float64], grid: Grid) -> NDArray[np.float64]:
    """Continuous index (slice, row, column) of each point, shape (n, 3)."""
    direction = np.reshape(grid.direction, (3, 3))
    along = np.linalg.solve(direction, (points_mm - grid.origin_mm).T).T / grid.spacing_mm
    return np.asarray(along[:, ::-1], dtype=np.float64)


def copied(patches: Sequence[Patch], places: Places, grid: Grid) -> Placed:
    """Copy patches of frames that fit; what lies beyond the border of the CT is counted and left."""
    inside: list[tuple[int, int, int, NDArray[np.bool_]]] = []
    outside = 0
    for patch in patches:
        k, r, c = (int(v) for v in places.indices[patch.frame])
        r, c = r + patch.row, c + patch.column
        kept = patch.pixels[
            max(0, -r) : max(0, grid.shape[1] - r),
            max(0, -c) : max(0, grid.shape[2] - c),
        ]
        if not 0 <= k < grid.shape[0] or not kept.any():
            outside += patch.count
            continue
        outside += patch.count - int(np.count_nonzero(kept))
        inside.append((k, max(0, r), max(0, c), kept))
    if not inside:
        return Placed(None, outside, copied=True)
    start = (min(k for k, *_ in inside), min(r for _, r, *_ in inside), min(c for _, _, c, _ in inside))
    end = (
        max(k for k, *_ in inside) + 1,
        max(r + pixels.shape[0] for _, r, _, pixels in inside),
        max(c + pixels.shape[1] for *_, c, pixels in inside),
    )
    block = np.zeros([e - s for s, e in zip(start, end, strict=True)], dtype=np.bool_)
    for k, r, c, pixels in inside:
        rows, columns = pixels.shape
        block[k - start[0], r - start[1] : r - start[1] + rows, c - start[2] : c - start[2] + columns] |= pixels
    return Placed(Mask.of(block, start), outside, copied=True)


def resampled(patches: Sequence[Patch], frames: Frames, grid: Grid) -> Placed:
    """Carry patches with a grid of their own over to `grid` with the nearest neighbour.

    Raises
    ------
    Uneven
        If the frames are not parallel or not evenly spaced.
    """
    used = [patch.frame for patch in patches]
    orientation, spacing = frames.orientations[used[0]], frames.spacings_mm[used[0]]
    if not (
        np.allclose(frames.orientations[used], orientation, atol=1e-3, rtol=0)
        and np.allclose(frames.spacings_mm[used], spacing, atol=1e-4, rtol=0)
    ):
        raise Uneven
    normal = normal_of(orientation.tolist())
    heights = frames.positions_mm @ normal
    step = _step(frames, heights, grid)
    exact = (heights[used] - heights[used].min()) / step
    area = int(np.prod([max(p.pixels.shape[axis] for p in patches) for axis in (0, 1)]))
    if (exact.max() + 1) * area > _MAX_VOXELS:
        raise Uneven
    levels = np.rint(exact).astype(int)
    sideways = frames.positions_mm[used] - heights[used][:, None] * normal
    shift = np.abs(sideways - sideways[0]).max()
    if np.abs(exact - levels).max() > _UNEVEN or shift > _UNEVEN * spacing.min():
        raise Uneven
    first_row, first_column = min(p.row for p in patches), min(p.column for p in patches)
    rows = max(p.row + p.pixels.shape[0] for p in patches) - first_row
    columns = max(p.column + p.pixels.shape[1] for p in patches) - first_column
    block = np.zeros((int(levels.max()) + 1, rows, columns), dtype=np.uint8)
    for level, patch in zip(levels, patches, strict=True):
        r, c = patch.row - first_row, patch.column - first_column
        block[level, r : r + patch.pixels.shape[0], c : c + patch.pixels.shape[1]] |= patch.pixels
    lowest = frames.positions_mm[used[int(heights[used].argmin())]]
    corner = lowest + first_column * spacing[1] * orientation[:3] + first_row * spacing[0] * orientation[3:]
    own = sitk.GetImageFromArray(block)
    own.SetOrigin(corner.tolist())
    own.SetSpacing((float(spacing[1]), float(spacing[0]), step))
    own.SetDirection(np.column_stack([orientation[:3], orientation[3:], normal]).ravel().tolist())
    box = _box(own, grid)
    if box is None:
        return Placed(None, int(block.sum()), copied=False)
    start, size = box
    target = sitk.Image([int(n) for n in size[::-1]], sitk.sitkUInt8)
    offset = np.reshape(grid.direction, (3, 3)) @ (start[::-1] * grid.spacing_mm)
    target.SetOrigin((offset + grid.origin_mm).tolist())
    target.SetSpacing(grid.spacing_mm)
    target.SetDirection(grid.direction)
    moved = sitk.Resample(own, target, sitk.Transform(), sitk.sitkNearestNeighbor, 0)
    k, r, c = (int(v) for v in start)
    return Placed(Mask.of(sitk.GetArrayFromImage(moved).astype(np.bool_), (k, r, c)), 0, copied=False)


def _step(frames: Frames, heights: NDArray[np.float64], grid: Grid) -> float:
    """Distance of the slices that the frames were cut from."""
    distances = np.diff(np.unique(np.round(heights, 3)))
    if not len(distances):
        return float(frames.steps_mm[0]) or grid.spacing_mm[2]
    nearest = float(distances.min())
    stated = float(frames.steps_mm[0])
    # frames without a voxel may be left out: their neighbours are then several slices apart
    several = nearest / stated if stated else 0.0
    if several >= 1 - _UNEVEN and abs(several - round(several)) < _UNEVEN / 2:
        return stated
    if np.mean(np.abs(distances - nearest) <= _UNEVEN * nearest) <= 0.5:
        raise Uneven
    return nearest


def _box(own: sitk.Image, grid: Grid) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """First index and size (slice, row, column) of the part of `grid` that `own` may reach; None when there is none."""
    corners = [
        own.TransformContinuousIndexToPhysicalPoint(
            [-0.5 if low else size - 0.5 for low, size in zip(ends, own.GetSize(), strict=True)]
        )
        for ends in product((True, False), repeat=3)
    ]
    indices = _indices(np.array(corners), grid)
    start = np.maximum(np.floor(indices.min(axis=0)).astype(np.int64), 0)
    end = np.minimum(np.ceil(indices.max(axis=0)).astype(np.int64) + 1, grid.shape)
    return None if (end <= start).any() else (start, end - start)
