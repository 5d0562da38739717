"""From a CT and a lesion to the voxels that IBSI features are computed on: interpolate, re-segment, discretise."""

import math
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pipelines.domain.volume import Mask, Volume, Voxels
from pipelines.extraction.ibsi.settings import FixedBinNumber, FixedBinSize, IbsiSettings

# sphere of the local intensity peak
PEAK_RADIUS_MM: Final = (3.0 / (4.0 * math.pi)) ** (1.0 / 3.0) * 10.0

# A cubic B-spline forgets what lies this many voxels away: its pole is -0.27, whose 32nd power is 5e-19.
_MARGIN: Final = 32
# weights such as 1/3 and 2/3 add up to half a voxel only give or take their rounding
_ROUNDING: Final = 1e-9

Spacing = tuple[float, float, float]


class Line(NamedTuple):
    """Positions along one axis: `start + step * i` in voxels of the CT for i from 0 to `size` - 1."""

    start: float
    step: float
    size: int

    def part(self, first: int, stop: int) -> "Line":
        """The positions from `first` up to `stop`, as far as they exist."""
        first, stop = max(0, first), min(self.size, stop)
        return Line(self.start + self.step * first, self.step, stop - first)

    def around(self, first: float, last: float, margin: int) -> "Line":
        """The positions from `margin` before `first` to `margin` after `last`, both in voxels of the CT."""
        return self.part(
            math.floor((first - self.start) / self.step) - margin,
            math.ceil((last - self.start) / self.step) + margin + 1,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Roi:
    """A lesion on its interpolated grid, with the surroundings that features need.

    Attributes
    ----------
    spacing_mm
        Along (slices, rows, columns).
    image
        Intensities in HU, float64, shape (slices, rows, columns).
    morphological, intensity
        The whole lesion, and what of it the re-segmentation keeps (IBSI 2.5), shape of the image.
    """

    spacing_mm: Spacing
    image: NDArray[np.float64]
    morphological: NDArray[np.bool_]
    intensity: NDArray[np.bool_]

    @property
    def values(self) -> NDArray[np.float64]:
        """Intensities of the intensity mask, in the order of the array."""
        return self.image[self.intensity]


def grid_lines(shape: tuple[int, int, int], spacing_mm: Spacing, wanted_mm: Spacing) -> tuple[Line, Line, Line]:
    """The interpolated grid, which shares its centre with the grid of the CT (IBSI 2.4)."""
    a, b, c = (_line(size, old, new) for size, old, new in zip(shape, spacing_mm, wanted_mm, strict=True))
    return a, b, c


def _line(size: int, old_mm: float, new_mm: float) -> Line:
    step = new_mm / old_mm
    # a count that should be whole is not made larger by its rounding
    count = max(1, math.ceil(size / step - _ROUNDING))
    return Line((size - 1) / 2 - step * (count - 1) / 2, step, count)


def interpolate(voxels: Voxels, lines: tuple[Line, Line, Line], *, cubic: bool) -> NDArray[np.float64]:
    """`voxels` at `lines`, linearly or by cubic B-spline; beyond the edge its nearest voxel counts."""
    if all(line == Line(0.0, 1.0, size) for line, size in zip(lines, voxels.shape, strict=True)):
        return voxels[:].astype(np.float64)
    # only what the samples depend on
    first = [max(0, math.floor(line.start) - _MARGIN) for line in lines]
    stop = [math.ceil(line.start + line.step * (line.size - 1)) + _MARGIN + 1 for line in lines]
    used = voxels[tuple(slice(a, b) for a, b in zip(first, stop, strict=True))].astype(np.float64)
    return np.asarray(
        ndimage.affine_transform(
            used,
            [line.step for line in lines],
            [line.start - a for line, a in zip(lines, first, strict=True)],
            tuple(line.size for line in lines),
            order=3 if cubic else 1,
            mode="nearest",
        )
    )


def wanted_spacing(spacing_mm: Spacing, settings: IbsiSettings) -> Spacing:
    """Spacing of the interpolated grid along (slices, rows, columns)."""
    slices, rows, columns = spacing_mm
    pixel = settings.pixel_spacing_mm
    return settings.slice_spacing_mm or slices, pixel or rows, pixel or columns


def roi_of(ct: Volume, mask: Mask, settings: IbsiSettings, *, margin_mm: float = PEAK_RADIUS_MM) -> Roi | None:
    """The lesion on its interpolated grid; None when no voxel of it is left.

    The image reaches `margin_mm` around the lesion; by default as far as the sphere of the local intensity peak.
    """
    columns_mm, rows_mm, slices_mm = ct.grid.spacing_mm
    spacing = (slices_mm, rows_mm, columns_mm)
    wanted = wanted_spacing(spacing, settings)
    lines = grid_lines(ct.grid.shape, spacing, wanted)
    margins = [math.ceil(margin_mm / step) for step in wanted]
    a, b, c = (
        line.around(offset - 1, offset + size, margin)
        for line, offset, size, margin in zip(lines, mask.offset, mask.voxels.shape, margins, strict=True)
    )
    image = np.rint(interpolate(ct.hu, (a, b, c), cubic=settings.interpolation == "cubic"))
    morphological = interpolated_mask(mask.on(ct.grid), (a, b, c), settings)
    intensity = resegmented(image, morphological, settings)
    return Roi(wanted, image, morphological, intensity) if intensity.any() else None


def interpolated_mask(
    whole: NDArray[np.bool_], lines: tuple[Line, Line, Line], settings: IbsiSettings
) -> NDArray[np.bool_]:
    """The voxels at `lines` that a mask of the CT's shape covers by at least the threshold."""
    return interpolate(whole, lines, cubic=False) >= settings.mask_threshold - _ROUNDING


def resegmented(
    image: NDArray[np.float64], morphological: NDArray[np.bool_], settings: IbsiSettings
) -> NDArray[np.bool_]:
    """The voxels within the range and, independently of it, within so many standard deviations of the mean."""
    kept = morphological.copy()
    if settings.range_hu is not None:
        lowest, highest = settings.range_hu
        kept &= (image >= lowest) & (image <= highest)
    if settings.outlier_sigmas is not None and morphological.any():
        values = image[morphological]
        kept &= np.abs(image - values.mean()) <= settings.outlier_sigmas * values.std()
    return kept


def grey_levels(
    values: NDArray[np.float64], how: FixedBinSize | FixedBinNumber, range_hu: tuple[float, float] | None
) -> NDArray[np.int64]:
    """Grey levels from 1 of intensities.

    >>> grey_levels(np.array([-1000.0, -976.0, -975.0, 399.0]), FixedBinSize(25.0), (-1000.0, 400.0))
    array([ 1,  1,  2, 56])
    >>> grey_levels(np.array([0.0, 4.0, 10.0]), FixedBinNumber(2), None)
    array([1, 1, 2])
    """
    match how:
        case FixedBinSize(width):
            lowest = float(values.min()) if range_hu is None else range_hu[0]
            return np.floor((values - lowest) / width).astype(np.int64) + 1
        case FixedBinNumber(count):
            lowest, extent = float(values.min()), float(np.ptp(values))
            if extent == 0:
                return np.ones(values.shape, dtype=np.int64)
            levels = np.floor(count * (values - lowest) / extent).astype(np.int64) + 1
            return np.minimum(levels, count)
