"""Pictures of lesions: the slice with the long axis, cropped and windowed, and what is drawn on it."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipelines.domain.case import MeasuredLesion
from pipelines.domain.diameters import Diameters, Point
from pipelines.domain.volume import CtVolume, Mask

WINDOW_WIDTH_HU: Final = 1200.0
WINDOW_LEVEL_HU: Final = -600.0
_LEAST_HALF_WIDTH_MM: Final = 25.0
_LEAST_MARGIN_MM: Final = 12.0
_MARGIN: Final = 0.3
"""Part of the lesion's size that is shown around it, where that is more than the least margin."""
_BARS_MM: Final = (5, 10, 20, 50, 100)

Place = tuple[float, float]
"""Column and row in the picture; the top left corner is 0, 0."""


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A lesion on one slice.

    Attributes
    ----------
    pixels
        Grey values 0 to 255, shape (rows, columns), square pixels.
    pixel_mm
        Edge of a pixel.
    contour
        Border of the lesion, along the edges of the CT's own pixels.
    axes
        Long and short axis; empty where they were not measured.
    left, top
        Letter of the patient's side there (R, L, A, P, H or F).
    bar_mm
        Length of a scale bar that fits.
    """

    slice_index: int
    pixels: NDArray[np.uint8]
    pixel_mm: float
    contour: tuple[tuple[Place, Place], ...]
    axes: tuple[tuple[Place, Place], ...]
    left: str
    top: str
    bar_mm: int


def key_slice(measured: MeasuredLesion) -> int:
    """The slice with the long axis; that with most voxels where no axis was measured."""
    return _key_slice(measured.lesion.mask, measured.diameters)


def _key_slice(mask: Mask, diameters: Diameters | None) -> int:
    if diameters is not None:
        return diameters.slice_index
    return mask.offset[0] + int(np.argmax(mask.voxels.sum(axis=(1, 2))))


def lesion_view(ct: CtVolume, measured: MeasuredLesion, *, columns: int, rows: int) -> View:
    """The lesion in the lung window (width 1200, level -600 HU) and its surroundings, `columns` by `rows` pixels.

    What lies outside the CT image is black.

    References
    ----------
    Dong & Chen 2025, section 1.2: the lesions were drawn in this window.
    """
    return mask_view(ct, measured.lesion.mask, measured.diameters, columns=columns, rows=rows)


def mask_view(
    ct: CtVolume,
    mask: Mask,
    diameters: Diameters | None,
    *,
    columns: int,
    rows: int,
    least_half_mm: float = _LEAST_HALF_WIDTH_MM,
) -> View:
    """As `lesion_view`, of voxels; the picture shows `least_half_mm` to both sides at least."""
    index = _key_slice(mask, diameters)
    section = mask.voxels[index - mask.offset[0]]
    hit_rows, hit_columns = np.flatnonzero(section.any(axis=1)), np.flatnonzero(section.any(axis=0))
    top, bottom = mask.offset[1] + int(hit_rows[0]), mask.offset[1] + int(hit_rows[-1]) + 1
    left, right = mask.offset[2] + int(hit_columns[0]), mask.offset[2] + int(hit_columns[-1]) + 1
    column_mm, row_mm, _ = ct.grid.spacing_mm
    wide, high = (right - left) * column_mm / 2, (bottom - top) * row_mm / 2
    margin = half_width_mm(max(wide, high)) - max(wide, high)
    half = max(wide + margin, (high + margin) * columns / rows, least_half_mm)
    pixel_mm = 2 * half / columns
    # the corner of the picture and the size of its pixels, in pixels of the CT
    corner = ((left + right) / 2 - half / column_mm, (top + bottom) / 2 - half * rows / columns / row_mm)
    scale = (pixel_mm / column_mm, pixel_mm / row_mm)

    def place(column: float, row: float) -> Place:
        return (column - corner[0]) / scale[0], (row - corner[1]) / scale[1]

    def placed(start: Point, end: Point) -> tuple[Place, Place]:
        return place(start.column, start.row), place(end.column, end.row)

    calipers = () if diameters is None else (diameters.long, diameters.short)
    grid = ct.grid
    return View(
        slice_index=index,
        pixels=_cropped(ct.hu[index], corner, scale, columns, rows),
        pixel_mm=pixel_mm,
        contour=tuple((place(*start), place(*end)) for start, end in _border(section, mask.offset[1:])),
        axes=tuple(placed(caliper.start, caliper.end) for caliper in calipers),
        left=_side(tuple(-cosine for cosine in grid.row_cosines)),
        top=_side(tuple(-cosine for cosine in grid.column_cosines)),
        bar_mm=max((mm for mm in _BARS_MM if mm <= half / 2), default=_BARS_MM[0]),
    )


def half_width_mm(reach_mm: float) -> float:
    """What is shown to each side of a lesion that reaches so far from its middle."""
    return reach_mm + max(_LEAST_MARGIN_MM, _MARGIN * 2 * reach_mm)


def windowed(hu: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Grey values of `hu` in the lung window."""
    low = WINDOW_LEVEL_HU - WINDOW_WIDTH_HU / 2
    grey = (hu.astype(np.float32) - low) * (255.0 / WINDOW_WIDTH_HU)
    clipped: NDArray[np.float32] = np.clip(np.rint(grey), 0, 255)
    return clipped.astype(np.uint8)


def _cropped(
    hu: NDArray[np.generic], corner: Place, scale: tuple[float, float], columns: int, rows: int
) -> NDArray[np.uint8]:
    # Pillow takes its time to load, and most of the processes that know this module draw nothing
    from PIL import Image

    start = np.floor(corner).astype(int) - 2
    size = np.ceil((columns * scale[0], rows * scale[1])).astype(int) + 5
    part = np.zeros((size[1], size[0]), dtype=np.uint8)
    low = np.clip(start, 0, (hu.shape[1], hu.shape[0]))
    high = np.clip(start + size, 0, (hu.shape[1], hu.shape[0]))
    inside = windowed(hu[low[1] : high[1], low[0] : high[0]])
    part[low[1] - start[1] : high[1] - start[1], low[0] - start[0] : high[0] - start[0]] = inside
    x, y = corner[0] - start[0], corner[1] - start[1]
    box = (float(x), float(y), float(x + columns * scale[0]), float(y + rows * scale[1]))
    picture = Image.fromarray(part).resize((columns, rows), Image.Resampling.BICUBIC, box=box)
    return np.array(picture, dtype=np.uint8)


def _border(section: NDArray[np.bool_], offset: tuple[int, ...]) -> list[tuple[Place, Place]]:
    """The edges between pixels of the lesion and others, as lines in CT pixels."""
    padded = np.pad(section, 1)
    top, left = offset[0] - 1, offset[1] - 1
    upright = np.argwhere(padded[:, 1:] != padded[:, :-1])
    level = np.argwhere(padded[1:, :] != padded[:-1, :])
    lines = [((left + c + 1.0, top + float(r)), (left + c + 1.0, top + r + 1.0)) for r, c in upright.tolist()]
    return lines + [((left + float(c), top + r + 1.0), (left + c + 1.0, top + r + 1.0)) for r, c in level.tolist()]


def _side(direction: tuple[float, ...]) -> str:
    """Letter of the side of the patient that `direction` points to most (PS3.3 C.7.6.1.1.1)."""
    axis = max(range(3), key=lambda a: abs(direction[a]))
    return ("LR", "PA", "HF")[axis][direction[axis] < 0]
