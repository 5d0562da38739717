"""A lesion and the CT around it on PyRadiomics' resampling grid, touching no more of the CT than that needs."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeVar

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from pipelines.domain.case import Lesion
from pipelines.domain.volume import Grid, Mask, Volume
from pipelines.extraction import native
from pipelines.extraction.limits import Unsupported
from pipelines.extraction.memory import Memory
from pipelines.extraction.settings import ExtractionSettings

Voxel = TypeVar("Voxel", bound=np.generic)

Positions = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]
"""Continuous indices in the CT volume along (slices, rows, columns)."""

Box = tuple[slice, slice, slice]

# A cubic spline forgets what lies n voxels away by 0.268 ** n: after this many less than a double can hold.
_SPLINE_REACH: Final = 32
# Of 4000 HU, so many voxels away, less than a hundredth of `_CLOSE_TO_WHOLE_HU` is left.
_NEAR_REACH: Final = 24
# ITK truncates samples of whole numbers; so close to one its order of summation decides.
_CLOSE_TO_WHOLE_HU: Final = 1e-8
# The same for single-precision samples, which are rounded.
_CLOSE_TO_ROUNDING: Final = 1e-11
# ITK's rounding noise decides which voxel is the nearest to a point so close to the middle of two.
_CLOSE_TO_HALF: Final = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Resampled:
    """CT and mask that features are computed from.

    Attributes
    ----------
    image
        HU around the lesion, shape (slices, rows, columns), in the type of the CT, or float32 after smoothing.
    mask
        Of the lesion, in the volume of `image`; None where it has vanished.
    spacing_mm
        Along (slices, rows, columns).
    noisy
        True when the last bits of the image are not those of ITK: interpolated double-precision HU.
    """

    image: NDArray[np.generic]
    mask: Mask | None
    spacing_mm: tuple[float, float, float]
    noisy: bool = False

    def whole_mask(self) -> NDArray[np.bool_]:
        """The mask as a volume of the shape of `image`."""
        whole = np.zeros(self.image.shape, dtype=np.bool_)
        if self.mask is not None:
            whole[self.mask.box] = self.mask.voxels
        return whole


def resample(
    ct: Volume, lesion: Lesion, settings: ExtractionSettings, room: Memory | None = None
) -> Resampled | Unsupported:
    """Resample as `radiomics.imageoperations.resampleImage` does with the whole volume.

    The grid is anchored to the first voxel of the CT, not to the lesion, and reaches `pad_distance_mm` voxels beyond it
    or to the border. An axis on which the lesion is one voxel thick keeps its spacing.

    Parameters
    ----------
    room
        Where large arrays come from; memory of their own by default.

    References
    ----------
    PyRadiomics 3.1 `imageoperations.resampleImage`; ITK 5 `ResampleImageFilter`.
    """
    if room is None:
        room = Memory()
    extents = np.array(lesion.mask.voxels.shape[::-1])
    spacing = np.array(ct.grid.spacing_mm)
    wanted = np.where(extents != 1, settings.resampled_spacing_mm, spacing)
    if np.allclose(spacing, wanted):
        box = _padded(ct, lesion, settings.pad_distance_mm)
        return _cropped(ct, lesion, box)
    positions, new = _grid(ct.grid, lesion, wanted, settings.pad_distance_mm)
    new_spacing = (float(wanted[2]), float(wanted[1]), float(wanted[0]))
    upright = _upright(ct.grid)
    tied = any((np.abs(along % 1.0 - 0.5) < _CLOSE_TO_HALF).any() for along in positions)
    if tied and not upright:
        whole = _nearest_by_itk(lesion.mask.on(ct.grid).view(np.uint8), ct.grid, new, positions)
        mask = Mask.of(whole.view(np.bool_))
    else:
        mask = _nearest_mask(lesion.mask, positions, ct.grid.shape)
    if settings.interpolator == "sitkNearestNeighbor":
        if tied and not upright:
            return Resampled(_nearest_by_itk(ct.hu[:], ct.grid, new, positions), mask, new_spacing)
        box = _support(positions, ct.grid.shape, 1)
        start = box[0].start, box[1].start, box[2].start
        return Resampled(_nearest(ct.hu[box], start, positions, ct.grid.shape, room), mask, new_spacing)
    image, close = _spline(ct, positions, room)
    if close and not upright:
        return Unsupported("samples of an oblique CT lie where their rounding changes")
    if not upright and _on_border(positions, ct.grid.shape):
        # the same for all interpolators: whether a point counts as inside
        inside = _nearest_by_itk(np.ones(ct.grid.shape, dtype=np.uint8), ct.grid, new, positions)
        image[inside == 0] = 0
    return Resampled(image, mask, new_spacing, noisy=image.dtype == np.float64)


def positions_of(ct: Volume, lesion: Lesion, settings: ExtractionSettings) -> Positions:
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


def _padded(ct: Volume, lesion: Lesion, pad: int) -> Box:
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


def _cropped(ct: Volume, lesion: Lesion, box: Box) -> Resampled:
    """The CT as it is within `box` around the lesion."""
    a, b, c = (first - part.start for first, part in zip(lesion.mask.offset, box, strict=True))
    x, y, z = ct.grid.spacing_mm
    mask = Mask((a, b, c), np.ascontiguousarray(lesion.mask.voxels))
    return Resampled(np.ascontiguousarray(ct.hu[box]), mask, (z, y, x))


def _grid(grid: Grid, lesion: Lesion, wanted: NDArray[np.float64], pad: int) -> tuple[Positions, sitk.Image]:
    """Where the voxels of the new grid lie in the CT volume, and its first voxel as an image.

    The sums are those of ITK, digit by digit: a step of 1.25 mm puts every fifth voxel half way between two, and only
    the same rounding picks the same one.
    """
    spacing = np.array(grid.spacing_mm)
    first = np.array(lesion.mask.offset[::-1])
    extents = np.array(lesion.mask.voxels.shape[::-1])
    ratio = spacing / wanted
    lower = np.maximum(np.floor((first - 0.5) * ratio - pad), 0)
    last = np.ceil(np.array(grid.shape[::-1]) * ratio) - 1
    upper = np.minimum(np.ceil((first + extents - 0.5) * ratio + pad), last)
    size = [int(n) for n in upper - lower + 1]

    ct = _first_voxel(grid.origin_mm, spacing, grid.direction)
    origin = ct.TransformContinuousIndexToPhysicalPoint(0.5 * (wanted - spacing) / spacing + lower / ratio)
    new = _first_voxel(origin, wanted, grid.direction)

    to_point, _ = _matrices(tuple(wanted.tolist()), grid.direction)
    _, to_index = _matrices(tuple(spacing.tolist()), grid.direction)

    def along(axis: int, indices: NDArray[np.int64]) -> NDArray[np.float64]:
        moved = [
            at + step * indices - zero for at, step, zero in zip(origin, to_point[axis], grid.origin_mm, strict=True)
        ]
        found = to_index[0][axis] * moved[0] + to_index[1][axis] * moved[1] + to_index[2][axis] * moved[2]
        if all(_position(ct, new, axis, indices[k]) == found[k] for k in (0, len(indices) // 2, -1)):
            return np.asarray(found, dtype=np.float64)
        # a build of ITK that adds up in another order
        return np.array([_position(ct, new, axis, index) for index in indices])

    # along a row ITK converts the ends only and interpolates between them
    start, stop = along(0, np.array([0, size[0]]))
    x = start + (stop - start) * (np.arange(size[0]) / float(size[0]))
    return (along(2, np.arange(size[2])), along(1, np.arange(size[1])), x), new


@lru_cache(maxsize=16)
def _matrices(
    spacing: tuple[float, ...], direction: tuple[float, ...]
) -> tuple[tuple[tuple[float, ...], ...], tuple[tuple[float, ...], ...]]:
    """The columns of ITK's matrices from indices to points and back: without an origin, what it makes of units."""
    units = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    plain = _first_voxel((0.0, 0.0, 0.0), np.array(spacing), direction)
    to_point = tuple(plain.TransformContinuousIndexToPhysicalPoint(one) for one in units)
    return to_point, tuple(plain.TransformPhysicalPointToContinuousIndex(one) for one in units)


def _position(ct: sitk.Image, new: sitk.Image, axis: int, index: int) -> float:
    """Continuous index in `ct` along `axis` of the voxel of `new` whose other indices are 0."""
    at = [0, 0, 0]
    at[axis] = int(index)
    return float(ct.TransformPhysicalPointToContinuousIndex(new.TransformIndexToPhysicalPoint(at))[axis])


def _first_voxel(origin: tuple[float, ...], spacing: NDArray[np.float64], direction: tuple[float, ...]) -> sitk.Image:
    """Converts between the points and the indices of a whole grid, which need not be made for that."""
    image = sitk.Image([1, 1, 1], sitk.sitkUInt8)
    image.SetSpacing([float(step) for step in spacing])
    image.SetOrigin(origin)
    image.SetDirection(direction)
    return image


def _upright(grid: Grid) -> bool:
    """True when the rounding of a position along one axis does not depend on the indices along the others.

    Not so when axes are exchanged: the inverse of such a matrix, as ITK computes it, holds noise in place of its zeros.
    """
    direction = np.array(grid.direction).reshape(3, 3)
    return not np.any(direction - np.diag(np.diag(direction)))


def _inside(along: NDArray[np.float64], size: int, slack: float = 0.0) -> NDArray[np.bool_]:
    return (along >= -0.5 - slack) & (along < size - 0.5 + slack)


def _on_border(positions: Positions, shape: tuple[int, int, int]) -> bool:
    """True when points lie half a voxel beyond the first or the last voxel of an axis, but for rounding."""
    return any(
        bool((np.abs(np.abs(along - (size - 1) / 2) - size / 2) < _CLOSE_TO_HALF).any())
        for along, size in zip(positions, shape, strict=True)
    )


def _nearest(
    voxels: NDArray[Voxel],
    offset: tuple[int, int, int],
    positions: Positions,
    shape: tuple[int, int, int],
    room: Memory,
) -> NDArray[Voxel]:
    """Nearest neighbours in a part of the volume that begins at `offset`; 0 outside of the part."""
    z, y, x = positions
    found = room.zeros((z.size, y.size, x.size), voxels.dtype)
    kept = _kept(voxels.shape, offset, positions, shape)
    if kept is not None:
        found[tuple(places for places, _ in kept)] = _taken(voxels, [indices for _, indices in kept])
    return found


def _nearest_mask(mask: Mask, positions: Positions, shape: tuple[int, int, int]) -> Mask | None:
    """The nearest neighbours of a mask; None where it has none."""
    kept = _kept(mask.voxels.shape, mask.offset, positions, shape)
    if kept is None:
        return None
    a, b, c = (places.start for places, _ in kept)
    return Mask.of(_taken(mask.voxels, [indices for _, indices in kept]), (a, b, c))


def _kept(
    extents: tuple[int, ...], offset: tuple[int, int, int], positions: Positions, shape: tuple[int, int, int]
) -> list[tuple[slice, NDArray[np.intp]]] | None:
    """For each axis which positions lie in a part of the volume, and at which of its indices; None if nothing does."""
    kept = []
    for along, start, extent, size in zip(positions, offset, extents, shape, strict=True):
        index = np.floor(along + 0.5).astype(np.intp) - start
        # positions ascend: those within follow each other
        within = np.flatnonzero(_inside(along, size) & (index >= 0) & (index < extent))
        if not within.size:
            return None
        places = slice(int(within[0]), int(within[-1]) + 1)
        kept.append((places, index[places]))
    return kept


def _taken(voxels: NDArray[Voxel], indices: list[NDArray[np.intp]]) -> NDArray[Voxel]:
    """The voxels at ascending indices along slices, rows and columns; much quicker than indexing by arrays."""
    a, b, c = indices
    part = voxels[a[0] : a[-1] + 1, b[0] : b[-1] + 1, c[0] : c[-1] + 1]
    found: NDArray[Voxel] = part.take(c - c[0], axis=2).take(b - b[0], axis=1).take(a - a[0], axis=0)
    return found


def _nearest_by_itk(voxels: NDArray[Voxel], grid: Grid, new: sitk.Image, positions: Positions) -> NDArray[Voxel]:
    """Nearest neighbours from ITK itself, where its rounding is a different one for each voxel.

    The grid begins at the voxel of `new` and is as large as that of the `positions`.
    """
    image = sitk.GetImageFromArray(voxels)
    image.SetSpacing(grid.spacing_mm)
    image.SetOrigin(grid.origin_mm)
    image.SetDirection(grid.direction)
    size = [along.size for along in reversed(positions)]
    placed = new.GetOrigin(), new.GetSpacing(), new.GetDirection()
    found: NDArray[Voxel] = sitk.GetArrayFromImage(
        sitk.Resample(image, size, sitk.Transform(), sitk.sitkNearestNeighbor, *placed)
    )
    return found


def _spline(ct: Volume, positions: Positions, room: Memory) -> tuple[NDArray[np.generic], int]:
    """Cubic B-spline samples in the type of the CT; how many lay where their rounding changes."""
    # ITK decides about points on the border of a turned CT
    slack = 0.0 if _upright(ct.grid) else _CLOSE_TO_HALF
    z, y, x = (_inside(along, size, slack) for along, size in zip(positions, ct.grid.shape, strict=True))
    # only what the samples depend on is looked at, because it may be decoded only then
    box = _support(positions, ct.grid.shape, _SPLINE_REACH)
    hu = ct.hu[box]
    a, b, c = (along - part.start for along, part in zip(positions, box, strict=True))
    if np.issubdtype(hu.dtype, np.integer):
        quick = native.quick_spline_samples(
            hu, (a, b, c), (z, y, x), reach=_NEAR_REACH, margin=_CLOSE_TO_WHOLE_HU, room=room
        )
        if quick is not None:
            return quick, 0
        return native.spline_samples(hu, (a, b, c), (z, y, x), reach=_SPLINE_REACH, margin=_CLOSE_TO_WHOLE_HU)
    return native.spline_samples(hu, (a, b, c), (z, y, x), reach=_SPLINE_REACH, margin=_CLOSE_TO_ROUNDING)
