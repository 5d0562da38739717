"""A lesion and the CT around it on PyRadiomics' resampling grid, touching no more of the CT than that needs."""

from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from pipelines.domain.case import Lesion
from pipelines.domain.volume import CtVolume, Grid
from pipelines.extraction import native
from pipelines.extraction.limits import Unsupported
from pipelines.extraction.settings import ExtractionSettings

Voxel = TypeVar("Voxel", bound=np.generic)

Positions = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]
"""Continuous indices in the CT volume along (slices, rows, columns)."""

Box = tuple[slice, slice, slice]

# A cubic spline forgets what lies n voxels away by 0.268 ** n: after this many less than a double can hold.
_SPLINE_REACH: Final = 32
# ITK truncates samples to whole HU; so close to a whole number its order of summation decides.
_CLOSE_TO_WHOLE_HU: Final = 1e-8
# ITK's rounding noise decides which voxel is the nearest to a point so close to the middle of two.
_CLOSE_TO_HALF: Final = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Resampled:
    """CT and mask that features are computed from.

    Attributes
    ----------
    image
        HU around the lesion, shape (slices, rows, columns): int16, or float32 after smoothing.
    mask
        Boolean, same shape.
    spacing_mm
        Along (slices, rows, columns).
    """

    image: NDArray[np.int16] | NDArray[np.float32]
    mask: NDArray[np.bool_]
    spacing_mm: tuple[float, float, float]


def resample(ct: CtVolume, lesion: Lesion, settings: ExtractionSettings) -> Resampled | Unsupported:
    """Resample as `radiomics.imageoperations.resampleImage` does with the whole volume.

    The grid is anchored to the first voxel of the CT, not to the lesion, and reaches `pad_distance_mm` voxels beyond it
    or to the border. An axis on which the lesion is one voxel thick keeps its spacing.

    References
    ----------
    PyRadiomics 3.1 `imageoperations.resampleImage`; ITK 5 `ResampleImageFilter`.
    """
    extents = np.array(lesion.mask.voxels.shape[::-1])
    spacing = np.array(ct.grid.spacing_mm)
    wanted = np.where(extents != 1, settings.resampled_spacing_mm, spacing)
    if np.allclose(spacing, wanted):
        box = _padded(ct, lesion, settings.pad_distance_mm)
        return _unsupported_type(ct, box[0]) or _cropped(ct, lesion, box)
    positions, new_spacing = _grid(ct.grid, lesion, wanted, settings.pad_distance_mm)
    upright = _upright(ct.grid)
    for along, straight in zip(positions, upright, strict=True):
        if not straight and (np.abs(along % 1.0 - 0.5) < _CLOSE_TO_HALF).any():
            return Unsupported("voxels of the grid lie half way between two of an oblique CT")
    mask = _nearest(lesion.mask.voxels, lesion.mask.offset, positions, ct.grid.shape)
    reach = 1 if settings.interpolator == "sitkNearestNeighbor" else _SPLINE_REACH
    box = _support(positions, ct.grid.shape, reach)
    unsupported = _unsupported_type(ct, box[0])
    if unsupported is not None:
        return unsupported
    if settings.interpolator == "sitkNearestNeighbor":
        start = box[0].start, box[1].start, box[2].start
        return Resampled(_nearest(ct.hu[box], start, positions, ct.grid.shape), mask, new_spacing)
    image, close = _spline(ct, positions, box)
    if close and not all(upright):
        return Unsupported("samples of an oblique CT lie at whole HU")
    return Resampled(image, mask, new_spacing)


def positions_of(ct: CtVolume, lesion: Lesion, settings: ExtractionSettings) -> Positions:
    """Where the voxels lie that `resample` gives, as continuous indices in the CT volume."""
    extents = np.array(lesion.mask.voxels.shape[::-1])
    spacing = np.array(ct.grid.spacing_mm)
    wanted = np.where(extents != 1, settings.resampled_spacing_mm, spacing)
    if np.allclose(spacing, wanted):
        z, y, x = (
            np.arange(part.start, part.stop, dtype=np.float64) for part in _padded(ct, lesion, settings.pad_distance_mm)
        )
        return z, y, x
    return _grid(ct.grid, lesion, wanted, settings.pad_distance_mm)[0]


def _padded(ct: CtVolume, lesion: Lesion, pad: int) -> Box:
    a, b, c = (
        slice(max(0, part.start - pad), min(size, part.stop + pad))
        for part, size in zip(lesion.mask.box, ct.grid.shape, strict=True)
    )
    return a, b, c


def _support(positions: Positions, shape: tuple[int, int, int], reach: int) -> Box:
    """The part of the CT that samples at `positions` depend on, `reach` voxels to each side of them."""
    a, b, c = (
        slice(max(0, int(np.floor(along[0])) - reach), min(size, int(np.ceil(along[-1])) + reach + 1))
        for along, size in zip(positions, shape, strict=True)
    )
    return a, b, c


def _unsupported_type(ct: CtVolume, slices: slice) -> Unsupported | None:
    """Look at `slices`, for voxels may be decoded only now: whether they hold more than int16 does."""
    kind = ct.hu[slices].dtype
    return None if kind == np.int16 else Unsupported(f"the CT holds {kind} values, not int16")


def _cropped(ct: CtVolume, lesion: Lesion, box: Box) -> Resampled:
    """The CT as it is within `box` around the lesion."""
    mask = np.zeros([part.stop - part.start for part in box], dtype=np.bool_)
    inner = tuple(
        slice(part.start - outer.start, part.stop - outer.start)
        for part, outer in zip(lesion.mask.box, box, strict=True)
    )
    mask[inner] = lesion.mask.voxels
    x, y, z = ct.grid.spacing_mm
    return Resampled(np.ascontiguousarray(ct.hu[box], dtype=np.int16), mask, (z, y, x))


def _grid(
    grid: Grid, lesion: Lesion, wanted: NDArray[np.float64], pad: int
) -> tuple[Positions, tuple[float, float, float]]:
    """Where the voxels of the new grid lie in the CT volume.

    SimpleITK converts between indices and points itself: a step of 1.25 mm puts every fifth voxel half way between two,
    and only the same rounding picks the same one.
    """
    spacing = np.array(grid.spacing_mm)
    first = np.array(lesion.mask.offset[::-1])
    extents = np.array(lesion.mask.voxels.shape[::-1])
    ratio = spacing / wanted
    lower = np.maximum(np.floor((first - 0.5) * ratio - pad), 0)
    last = np.ceil(np.array(grid.shape[::-1]) * ratio) - 1
    upper = np.minimum(np.ceil((first + extents - 0.5) * ratio + pad), last)
    size = [int(n) for n in upper - lower + 1]

    ct = _reference(grid.origin_mm, spacing, grid.direction)
    origin = ct.TransformContinuousIndexToPhysicalPoint(0.5 * (wanted - spacing) / spacing + lower / ratio)
    new = _reference(origin, wanted, grid.direction)

    def position(axis: int, index: int) -> float:
        at = [0, 0, 0]
        at[axis] = index
        found = ct.TransformPhysicalPointToContinuousIndex(new.TransformIndexToPhysicalPoint(at))
        return float(found[axis])

    # along a row ITK converts the ends only and interpolates between them
    start, stop = position(0, 0), position(0, size[0])
    x = start + (stop - start) * (np.arange(size[0]) / float(size[0]))
    y = np.array([position(1, index) for index in range(size[1])])
    z = np.array([position(2, index) for index in range(size[2])])
    return (z, y, x), (float(wanted[2]), float(wanted[1]), float(wanted[0]))


def _reference(origin: tuple[float, ...], spacing: NDArray[np.float64], direction: tuple[float, ...]) -> sitk.Image:
    image = sitk.Image([1, 1, 1], sitk.sitkUInt8)
    image.SetSpacing([float(step) for step in spacing])
    image.SetOrigin(origin)
    image.SetDirection(direction)
    return image


def _upright(grid: Grid) -> tuple[bool, ...]:
    """For slices, rows and columns: True when their index depends on one coordinate of the patient only.

    The rounding of a position on such an axis does not depend on the two other indices.
    """
    direction = np.array(grid.direction).reshape(3, 3)
    single = (direction != 0).sum(axis=1) == 1
    return tuple(
        bool((direction[:, axis] != 0).sum() == 1 and single[direction[:, axis] != 0].all()) for axis in (2, 1, 0)
    )


def _inside(along: NDArray[np.float64], size: int) -> NDArray[np.bool_]:
    return (along >= -0.5) & (along < size - 0.5)


def _nearest(
    voxels: NDArray[Voxel], offset: tuple[int, int, int], positions: Positions, shape: tuple[int, int, int]
) -> NDArray[Voxel]:
    """Nearest neighbours in a part of the volume that begins at `offset`; 0 outside of the part."""
    outside = []
    indices = []
    for along, start, extent, size in zip(positions, offset, voxels.shape, shape, strict=True):
        index = np.floor(along + 0.5).astype(np.intp) - start
        outside.append(~_inside(along, size) | (index < 0) | (index >= extent))
        indices.append(np.clip(index, 0, extent - 1))
    z, y, x = indices
    found = voxels[z[0] : z[-1] + 1][z - z[0]][:, y][:, :, x]
    return _blank(found, outside)


def _blank(found: NDArray[Voxel], outside: list[NDArray[np.bool_]]) -> NDArray[Voxel]:
    for axis, beyond in enumerate(outside):
        if beyond.any():
            found[(slice(None),) * axis + (beyond,)] = found.dtype.type(0)
    return np.ascontiguousarray(found)


def _spline(ct: CtVolume, positions: Positions, box: Box) -> tuple[NDArray[np.int16], int]:
    """Cubic B-spline samples, truncated to whole HU as ITK does; how many lay at a whole number."""
    z, y, x = box
    samples, close = native.spline_samples(
        ct.hu[box], (z.start, y.start, x.start), positions, margin=_CLOSE_TO_WHOLE_HU
    )
    limits = np.iinfo(np.int16)
    np.clip(samples, limits.min, limits.max, out=samples)
    beyond = [~_inside(along, size) for along, size in zip(positions, ct.grid.shape, strict=True)]
    return _blank(samples.astype(np.int16), beyond), close
