"""The compiled kernels of the fast engine, loaded through ctypes: arrays in, arrays out, every length checked here."""

import ctypes
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from pipelines.extraction import memory
from pipelines.extraction.memory import Memory

Box = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
"""First and one past the last index along (slices, rows, columns)."""

VOXEL_TYPES: Final = ("int16", "uint16", "int32", "float32", "float64")
"""What a CT may be made of, in the order of kernels.h."""
DIRECTIONS: Final = 13
DEPENDENCES: Final = 28
"""Columns of the dependence counts: a voxel has up to 26 dependent neighbours, which are counted at that number + 1."""
GLCM_VALUES: Final = 22
SIZE_VALUES: Final = 16
FIRSTORDER_VALUES: Final = 17
TAPS: Final = 6
BLOCK: Final = 32
"""Voxels of a row that a sweep looks at together, so that it may look at some of the next two rows, too."""
MAX_RADIUS: Final = 3
"""Of the cubes that feature maps are made of."""
SIZE_MAPS: Final = ("glrlm", "glszm", "gldm")
"""Classes whose maps `size_maps` makes, in the order of the kernels."""

_INT = ctypes.c_int64
_REAL = ctypes.c_double
_BYTE = ctypes.c_char


class _ArrayOf:
    """Argument type of a C-ordered array of one type (None: any); much faster than numpy.ctypeslib.ndpointer."""

    def __init__(self, dtype: type[np.generic] | None) -> None:
        self._dtype = None if dtype is None else np.dtype(dtype)

    def from_param(self, array: object) -> object:
        if (
            not isinstance(array, np.ndarray)
            or not array.flags.c_contiguous
            # NumPy takes None for float64 when it compares types
            or (array.dtype is not self._dtype and self._dtype is not None and array.dtype != self._dtype)
        ):
            wanted = "numbers" if self._dtype is None else self._dtype
            raise TypeError(f"a kernel needs a C-ordered array of {wanted}")
        if array.size and array.flags.writeable:
            # several times quicker than to ask NumPy for the address, and there are hundreds of these in a lesion
            # NumPy declares itself a buffer from Python 3.12 on only
            return ctypes.byref(_BYTE.from_buffer(array))  # type: ignore[arg-type]
        return ctypes.c_void_p(array.__array_interface__["data"][0])


class _RowsOf:
    """Argument type of a volume whose rows are in one piece each, wherever they begin."""

    def from_param(self, array: object) -> object:
        if not isinstance(array, np.ndarray) or array.ndim != 3 or array.strides[2] != array.itemsize:
            raise TypeError("a kernel needs a volume of unbroken rows")
        return ctypes.c_void_p(array.__array_interface__["data"][0])


def _signatures() -> dict[str, tuple[Any, tuple[Any, ...]]]:
    u8, u16, u32, i64 = _ArrayOf(np.uint8), _ArrayOf(np.uint16), _ArrayOf(np.uint32), _ArrayOf(np.int64)
    i32 = _ArrayOf(np.int32)
    f32, f64 = _ArrayOf(np.float32), _ArrayOf(np.float64)
    i, r = _INT, _REAL
    return {
        "spline_coefficients": (ctypes.c_int, (_ArrayOf(None), i64, i, i, i, i64, f64)),
        "spline_sample": (
            i,
            (f64, i, i, i, i64, i64, f64, i, f64, i, f64, i, u8, r, ctypes.c_int, _ArrayOf(None)),
        ),
        "spline_resample": (
            i,
            (_RowsOf(), i64, i, i, i, i64, f64, i, f64, i, f64, i, u8, r, f64, _ArrayOf(None)),
        ),
        "turn_f32": (None, (_ArrayOf(None), ctypes.c_int, i, i, i, f32)),
        "turn_f64": (None, (_ArrayOf(None), ctypes.c_int, i, i, i, f64)),
        "smoothed_f32": (ctypes.c_int, (f32, i, i, i, f64, f32, f32)),
        "smoothed_f64": (ctypes.c_int, (f64, i, i, i, f64, f32, f32)),
        "laplacian_f32": (ctypes.c_int, (_ArrayOf(None), ctypes.c_int, f32, i, i, i, i64, i64, f64, f64, f32, f32)),
        "laplacian_f64": (ctypes.c_int, (_ArrayOf(None), ctypes.c_int, f64, i, i, i, i64, i64, f64, f64, f32, f32)),
        "wavelet_band_f32": (None, (f32, i, i, i, f32, ctypes.c_int, f32)),
        "wavelet_band_f64": (None, (f64, i, i, i, f64, ctypes.c_int, f64)),
        "wavelet_values_f32": (None, (_RowsOf(), i64, i, i, i, f32, i32, i64, i, f32, f64, f64)),
        "wavelet_values_f64": (None, (_RowsOf(), i64, i, i, i, f64, i32, i64, i, f64, f64, f64)),
        "grey_levels": (None, (f64, i, f64, i, r, u16)),
        **{f"gather_{name}": (None, (_ArrayOf(getattr(np, name)), i64, i, f64)) for name in VOXEL_TYPES},
        "count_runs": (i, (u8, i, i)),
        "list_runs": (None, (u8, i, i, i, i, i64, i64, i64)),
        "summary": (None, (f64, i, f64)),
        "place_levels_u8": (ctypes.c_int, (f64, i, f64, i, r, i64, i, u8, i64, i64, i, f64, u16)),
        "place_levels_u16": (ctypes.c_int, (f64, i, f64, i, r, i64, i, u16, i64, i64, i, f64, u16)),
        "moments": (None, (f64, i, r, r, r, r, f64)),
        "zone_representatives": (None, (u16,)),
        "cut_to_blocks": (None, (i, i, i, i64, i64, i32, i64)),
        "sweep_u8": (ctypes.c_int, (u8, i, i, i, i32, i64, i, i, i64, u32, u32, u8)),
        "sweep_u16": (ctypes.c_int, (u16, i, i, i, i32, i64, i, i, i64, u32, u32, u16)),
        "zones_u8": (i, (u8, i, i, i, i64, i64, i, u16, i64, u32, u32, u32, u32)),
        "zones_u16": (i, (u16, i, i, i, i64, i64, i, u16, i64, u32, u32, u32, u32)),
        "glcm_features": (ctypes.c_int, (u32, i, f64, f64)),
        "glrlm_features": (ctypes.c_int, (u32, u8, i, i, r, f64)),
        "glszm_features": (ctypes.c_int, (u32, u32, i, i, r, f64)),
        "gldm_features": (ctypes.c_int, (i64, i, r, f64)),
        "cube_kinds": (None, (u8, i, i, i, i64, i64)),
        "position_sums": (None, (u8, i, i, i, i64)),
        "widest": (r, (i64, i, f64)),
        "intensity_maps": (ctypes.c_int, (u16, f64, i, i, i64, i, i, ctypes.c_int, i, r, u8, f64, i)),
        "cooccurrence_maps": (ctypes.c_int, (u16, i, i, i64, i, i, ctypes.c_int, i, u8, f64, i, u16)),
        "thing_maps": (ctypes.c_int, (u16, i, i, i64, i, i, ctypes.c_int, i, ctypes.c_int, u8, f64, i)),
        "row_ends": (None, (u8, i, i, i, i32)),
        "column_ends": (None, (u8, i, i, i, i32)),
        "widest_in_planes": (r, (i32, i, i, ctypes.c_int, f64, i64, i64)),
    }


def kernels_path() -> Path | None:
    """Where the compiled kernels lie; None when they have not been built."""
    folder = Path(__file__).parent
    return next((path for suffix in EXTENSION_SUFFIXES if (path := folder / f"_kernels{suffix}").is_file()), None)


def unusable() -> str | None:
    """Why the kernels cannot be called; None when they can."""
    try:
        _library()
    except OSError as fault:
        return str(fault)
    return None


@cache
def _library() -> ctypes.CDLL:
    path = kernels_path()
    if path is None:
        raise OSError("the kernels have not been built")
    library = ctypes.CDLL(str(path))
    for name, (result, arguments) in _signatures().items():
        try:
            function = getattr(library, name)
        except AttributeError as fault:
            raise OSError("the kernels were built for another version and have to be built again") from fault
        function.restype = result
        function.argtypes = arguments
    return library


def _enough_memory(status: float) -> None:
    if status < 0:
        raise MemoryError("not enough memory for the features of a lesion")


def spline_samples(
    volume: NDArray[np.generic],
    positions: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]],
    inside: tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]],
    *,
    reach: int,
    margin: float,
) -> tuple[NDArray[np.generic], int]:
    """Cubic B-spline interpolation of `volume` at a rectangular grid of positions.

    Parameters
    ----------
    volume
        Of one of `VOXEL_TYPES`, shape (slices, rows, columns).
    positions
        Ascending continuous indices along each axis.
    inside
        Along each axis, False for samples that are 0 instead.
    reach
        How many voxels beyond the positions are looked at.
    margin
        Samples closer than this to where their rounding changes are added up in ITK's order.

    Returns
    -------
    samples, int
        Shape of the positions, in the type of the volume (whole numbers are truncated); how many were that close.
    """
    source = np.ascontiguousarray(volume)
    z, y, x = (np.ascontiguousarray(along) for along in positions)
    part = tuple(
        (max(0, int(np.floor(along[0])) - reach), min(size, int(np.ceil(along[-1])) + reach + 1))
        for along, size in zip((z, y, x), source.shape, strict=True)
    )
    slices, rows, columns = (stop - first for first, stop in part)
    over, next_row = source.shape[1] * source.shape[2], source.shape[2]
    begin = part[0][0] * over + part[1][0] * next_row + part[2][0]
    kind = VOXEL_TYPES.index(source.dtype.name)
    used = [_support(along, first, stop - first) for along, (first, stop) in zip((y, x), part[1:], strict=True)]
    (top, bottom), (left, right) = used
    coefficients = np.empty((slices, bottom - top, right - left))
    status = _library().spline_coefficients(
        source,
        np.array([kind, begin, over, next_row], dtype=np.int64),
        slices,
        rows,
        columns,
        np.array([top, bottom, left, right], dtype=np.int64),
        coefficients,
    )
    _enough_memory(status)
    samples = np.empty((z.size, y.size, x.size), source.dtype)
    close = _library().spline_sample(
        coefficients,
        *coefficients.shape,
        np.array([part[0][0], part[1][0] + top, part[2][0] + left], dtype=np.int64),
        np.array(source.shape, dtype=np.int64),
        z,
        z.size,
        y,
        y.size,
        x,
        x.size,
        np.concatenate(inside).view(np.uint8),
        margin,
        kind,
        samples,
    )
    _enough_memory(close)
    return samples, int(close)


def quick_spline_samples(
    volume: NDArray[np.integer],
    positions: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]],
    inside: tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]],
    *,
    reach: int,
    margin: float,
    room: Memory,
) -> NDArray[np.integer] | None:
    """What `spline_samples` gives, sooner; None when a sample is closer than `margin` to where its rounding changes.

    The volume, of whole numbers, need not be in one piece. The samples lie in the memory of `room`.
    """
    source = volume
    over, next_row, one = (stride // source.itemsize for stride in source.strides)
    if one != 1 or over < 0 or next_row < 0:
        source = np.ascontiguousarray(source)
        over, next_row = source.shape[1] * source.shape[2], source.shape[2]
    z, y, x = (np.ascontiguousarray(along) for along in positions)
    part = tuple(
        (max(0, int(np.floor(along[0])) - reach), min(size, int(np.ceil(along[-1])) + reach + 1))
        for along, size in zip((z, y, x), source.shape, strict=True)
    )
    starts = [first for first, _ in part]
    begin = starts[0] * over + starts[1] * next_row + starts[2]
    samples = room.empty((z.size, y.size, x.size), source.dtype)
    with room.borrowed((part[0][1] - part[0][0], y.size, x.size), np.float64) as filtered:
        close = _library().spline_resample(
            source,
            np.array([VOXEL_TYPES.index(source.dtype.name), begin, over, next_row, *starts], dtype=np.int64),
            *(stop - first for first, stop in part),
            np.array(source.shape, dtype=np.int64),
            z,
            z.size,
            y,
            y.size,
            x,
            x.size,
            np.concatenate(inside).view(np.uint8),
            margin,
            filtered,
            samples,
        )
    _enough_memory(close)
    return None if close else samples


def _support(positions: NDArray[np.float64], origin: int, size: int) -> tuple[int, int]:
    """First and one past the last coefficient that samples at ascending positions are made of, mirrored ones too."""
    first, last = int(np.floor(positions[0])) - origin, int(np.floor(positions[-1])) - origin
    return max(0, min(first, size - 1) - 4), min(size, max(last, 0) + 5)


def smoothed(image: NDArray[np.floating], coefficients: NDArray[np.float64]) -> NDArray[np.float32]:
    """`image` (float32 or float64) after recursive Gaussians along slices, then columns, then rows.

    Parameters
    ----------
    coefficients
        Shape (3, 20): for slices, rows and columns, as `pipelines.extraction.gaussian.coefficients` gives them.
    """
    if image.ndim != 3 or min(image.shape) < 4 or coefficients.shape != (3, 20):
        raise ValueError("a recursive Gaussian needs a volume of four voxels a side, and 20 coefficients for each axis")
    slices, rows, columns = image.shape
    filtered = memory.empty((slices, rows, columns), np.float32)
    between = memory.empty(image.size, np.float32)
    run = _of_type(image, _library().smoothed_f32, _library().smoothed_f64)
    _enough_memory(run(image, *image.shape, coefficients, between, filtered))
    return filtered


@dataclass(frozen=True, slots=True, eq=False)
class Turned:
    """A volume (slices, rows, columns) of one of `VOXEL_TYPES` as its Laplacians want it in memory.

    Attributes
    ----------
    image
        As it is.
    rows_last
        Shape (slices, columns, rows), in the single precision that the filters read, or in double precision where that
        holds more.
    """

    image: NDArray[np.generic]
    rows_last: NDArray[np.floating]

    @classmethod
    def of(cls, image: NDArray[np.generic], room: Memory) -> Self:
        """An image, turned in the memory of `room`."""
        if image.ndim != 3:
            raise ValueError("only a volume can be turned")
        source = np.ascontiguousarray(image)
        slices, rows, columns = source.shape
        double = source.dtype.name in ("int32", "float64")
        real: type[np.floating] = np.float64 if double else np.float32
        rows_last = room.empty((slices, columns, rows), real)
        run = _of_type(rows_last, _library().turn_f32, _library().turn_f64)
        run(source, VOXEL_TYPES.index(source.dtype.name), *source.shape, rows_last)
        return cls(source, rows_last)


@dataclass(frozen=True, slots=True, eq=False)
class Reach:
    """The part of each row and of each slice of a box that matters.

    Attributes
    ----------
    shape
        Of the box.
    ends
        For each row in whatever slice, then for each slice in whatever row: first and one past the last column, then
        first and one past the last slice or row, shape (rows + slices, 4); zeros where nothing does.
    """

    shape: tuple[int, int, int]
    ends: NDArray[np.int64]

    @classmethod
    def of(cls, shape: tuple[int, int, int], ends: NDArray[np.int64]) -> Self:
        """The reach within a box of such a shape."""
        slices, rows, columns = shape
        most = np.repeat([[columns, slices], [columns, rows]], (rows, slices), axis=0)
        begin, end = ends[:, ::2], ends[:, 1::2]
        if ends.shape != (rows + slices, 4) or begin.min() < 0 or (begin > end).any() or (end > most).any():
            raise ValueError("a reach lies within its box")
        return cls(shape, ends)

    @classmethod
    def whole(cls, shape: tuple[int, int, int]) -> Self:
        """That of a box which matters as a whole."""
        slices, rows, columns = shape
        ends = np.array([[0, columns, 0, slices], [0, columns, 0, rows]], dtype=np.int64)
        return cls.of(shape, np.repeat(ends, (rows, slices), axis=0))


def laplacian_size(shape: tuple[int, ...], box: Box) -> int:
    """How many numbers the Laplacian of an image of such a shape within `box` is made in."""
    (slices, rows, columns), (high, wide, broad) = shape, (stop - first for first, stop in box)
    return high * wide * broad + max(2 * slices * wide * broad, high * columns * rows)


def laplacian(
    image: Turned,
    box: Box,
    reach: Reach,
    coefficients: NDArray[np.float64],
    factors: NDArray[np.float64],
    numbers: NDArray[np.float32],
) -> NDArray[np.float32]:
    """The Laplacian of Gaussian of `image` within `box`.

    Parameters
    ----------
    reach
        What is wanted of the box. A voxel that is not wanted in its row or in its slice may have any value.
    coefficients
        Shape (3, 2, 20): for slices, rows and columns those of the Gaussian and of its second derivative.
    factors
        Of the second derivative along slices, rows and columns.
    numbers
        Memory of the result and of what leads to it: as many as `laplacian_size` says.
    """
    shape = image.image.shape
    within = all(0 <= first < stop <= size for (first, stop), size in zip(box, shape, strict=True))
    if not within or min(shape) < 4 or coefficients.shape != (3, 2, 20) or factors.shape != (3,):
        raise ValueError("a Laplacian needs a volume of four voxels a side, a box within it, and coefficients")
    high, wide, broad = (stop - first for first, stop in box)
    if numbers.size < laplacian_size(shape, box):
        raise ValueError("a Laplacian needs more memory")
    if reach.shape != (high, wide, broad):
        raise ValueError("the reach of a Laplacian is that of its box")
    size = high * wide * broad
    filtered, between = numbers[:size].reshape(high, wide, broad), numbers[size:]
    run = _of_type(image.rows_last, _library().laplacian_f32, _library().laplacian_f64)
    kind, places = VOXEL_TYPES.index(image.image.dtype.name), np.array(box, dtype=np.int64)
    _enough_memory(
        run(image.image, kind, image.rows_last, *shape, places, reach.ends, coefficients, factors, between, filtered)
    )
    return filtered


def _of_type(image: NDArray[np.floating], single: Callable[..., Any], double: Callable[..., Any]) -> Callable[..., Any]:
    """The kernel for the numbers of an image."""
    return {"float32": single, "float64": double}[image.dtype.name]


@dataclass(frozen=True, slots=True, eq=False)
class Runs:
    """Voxels of a lesion in a row without a gap, in the order of the array.

    Attributes
    ----------
    places
        Shape (runs, 3): flat index of the first voxel in the box of the lesion, that in a frame, and how many.
    count
        Of the voxels.
    """

    places: NDArray[np.int64]
    count: int

    @classmethod
    def of(cls, places: NDArray[np.int64]) -> Self:
        """Runs at ascending `places`."""
        if places.ndim != 2 or places.shape[1] != 3 or not len(places):
            raise ValueError("runs have a beginning in the box, one in a frame, and a length")
        return cls(places, int(places[:, 2].sum()))


def runs_of(mask: NDArray[np.bool_], stride: int) -> tuple[Runs, tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """The runs of `mask`, in a frame of one more voxel on all sides and rows of the length `stride`.

    Returns
    -------
    Runs, (array, array)
        The arrays have the shape (slices, rows) of the frame: of each row the first and one past the last column that
        holds a voxel; 0 where there is none.
    """
    slices, rows, columns = mask.shape
    if stride < columns + 2:
        raise ValueError("the rows of a frame are longer than those of the mask")
    voxels = mask.view(np.uint8)
    places = np.empty((_library().count_runs(voxels, slices * rows, columns), 3), dtype=np.int64)
    first, stop = (np.zeros((slices + 2, rows + 2), dtype=np.int64) for _ in range(2))
    _library().list_runs(voxels, slices, rows, columns, stride, places, first, stop)
    return Runs.of(places), (first, stop)


def wavelet_band(
    image: NDArray[np.floating], axis: int, taps: Sequence[float], *, to_the_end: bool
) -> NDArray[np.floating]:
    """Convolve `image` (float32 or float64) along `axis` with six `taps`.

    The band has the type of the image, and is five voxels shorter along `axis`. `to_the_end` says that the last band
    value belongs to the last sample of the period (see the kernels).
    """
    shape = list(image.shape)
    shape[axis] -= TAPS - 1
    if shape[axis] < 1 or len(taps) != TAPS:
        raise ValueError("a wavelet band needs six taps and as many voxels")
    band = np.empty(shape, image.dtype)
    convolve = {"float32": _library().wavelet_band_f32, "float64": _library().wavelet_band_f64}[
        image.dtype.type.__name__
    ]
    outer, count, inner = math.prod(image.shape[:axis]), image.shape[axis], math.prod(image.shape[axis + 1 :])
    convolve(image, outer, count, inner, np.array(taps, image.dtype), to_the_end, band)
    return band


def wavelet_values(
    image: NDArray[np.generic],
    taps: Sequence[Sequence[float]],
    runs: Runs,
    found: tuple[NDArray[np.float64], NDArray[np.float64]],
    *,
    to_the_end: tuple[bool, bool, bool],
    room: Memory,
) -> None:
    """The voxels of a lesion in two sub-bands of `image` (of `VOXEL_TYPES`), which is five larger than its box.

    Those of single precision are computed in single precision, those of all others in double precision.

    Parameters
    ----------
    taps
        Six each: along columns, along rows, of the first and of the second sub-band along slices.
    runs
        Of the lesion in the box.
    found
        Gets the values in both sub-bands.
    to_the_end
        For slices, rows and columns; see `wavelet_band`.
    room
        Lends what leads to them.
    """
    kept = [size - TAPS + 1 for size in image.shape]
    if min(kept) < 1 or [len(part) for part in taps] != [TAPS] * 4 or found[0].shape != found[1].shape:
        raise ValueError("wavelet sub-bands need four times six taps, and as many voxels")
    places = _checked_runs(runs, found[0].size, math.prod(kept))
    single = image.dtype == np.float32
    work = _library().wavelet_values_f32 if single else _library().wavelet_values_f64
    steps = [stride // image.itemsize for stride in image.strides[:2]]
    source = np.array([VOXEL_TYPES.index(image.dtype.name), *steps], dtype=np.int64)
    ends = np.array(to_the_end, dtype=np.int32)
    exact = np.array(taps, np.float32 if single else np.float64)
    with room.borrowed(image.shape[2] + kept[2] * (image.shape[1] + TAPS * kept[1]), exact.dtype) as spare:
        work(image, source, *image.shape, exact, ends, *places, spare, *found)


def grey_levels(
    values: NDArray[np.float64], edges: NDArray[np.float64], width: float, levels: NDArray[np.uint16]
) -> None:
    """Write to `levels` the number of ascending `edges`, about `width` apart, that each of `values` reaches."""
    if levels.shape != values.shape or edges.size < 2:
        raise ValueError("grey levels need room and at least two edges")
    _library().grey_levels(values, values.size, edges, edges.size, width, levels)


def _checked_runs(
    runs: Runs, count: int, box_size: int, frame_size: int | None = None
) -> tuple[NDArray[np.int64], int]:
    """The places and the number of `runs`, which ascend and hold `count` voxels."""
    begin, framed, length = runs.places[-1].tolist()
    if begin + length > box_size or (frame_size is not None and framed + length > frame_size):
        raise ValueError("the runs of a lesion do not lie within its box and its frame")
    if runs.count != count:
        raise ValueError("the runs of a lesion do not hold its voxels")
    return runs.places, len(runs.places)


def gather(image: NDArray[np.generic], runs: Runs, values: NDArray[np.float64]) -> None:
    """Copy the voxels of `image` (C-ordered, one of `VOXEL_TYPES`) in `runs` to `values`."""
    places = _checked_runs(runs, values.size, image.size)
    getattr(_library(), f"gather_{image.dtype.type.__name__}")(image, *places, values)


class Summary(NamedTuple):
    """The smallest and the largest of some values and their sum, in the order of intensities.c."""

    least: float
    most: float
    total: float


def summary(values: NDArray[np.float64]) -> Summary:
    """What is known of `values`, of which there is at least one, after one look at each; the sum as NumPy rounds it."""
    if not values.size:
        raise ValueError("nothing has no extremes")
    found = np.empty(len(Summary._fields))
    _library().summary(values, values.size, found)
    return Summary(*found.tolist())


def place_levels(
    values: NDArray[np.float64],
    edges: NDArray[np.float64],
    width: float,
    runs: Runs,
    frame: NDArray[np.unsignedinteger],
    ranks: Sequence[int],
    spare: NDArray[np.uint16],
) -> tuple[NDArray[np.int64], list[float]]:
    """Write grey levels (see `grey_levels`) to the `runs` in `frame`.

    Parameters
    ----------
    ranks
        Ascending places among the ordered values, from 0.
    spare
        Working memory: one number for each value.

    Returns
    -------
    histogram, list
        How many values have each level from 0; the values at the `ranks`.
    """
    # buckets are counted in 16 bits, and there are at least two for each level
    if not 2 <= edges.size < min(2 ** (8 * frame.itemsize), 2**15):
        raise ValueError("grey levels need at least two edges, and a type that holds them")
    if spare.size < values.size:
        raise ValueError("every value needs a bucket")
    if ranks and not 0 <= ranks[0] <= ranks[-1] < values.size:
        raise ValueError("a rank is a place among the values")
    places = _checked_runs(runs, values.size, frame.size, frame.size)
    voxels, found = np.zeros(edges.size, dtype=np.int64), np.empty(len(ranks))
    place = _library().place_levels_u8 if frame.dtype == np.uint8 else _library().place_levels_u16
    asked = np.array(ranks, dtype=np.int64)
    status = place(
        values, values.size, edges, edges.size, width, *places, frame, voxels, asked, len(ranks), found, spare
    )
    _enough_memory(status)
    return voxels[: int(voxels.nonzero()[0][-1]) + 1], found.tolist()


class Moments(NamedTuple):
    """Sums over values v, in the order of intensities.c.

    Of powers of v - mean, of (v + shift)^2, and `inner_` of those within bounds: of v, 1 and |v - their mean|.
    """

    second: float
    third: float
    fourth: float
    absolute: float
    squares: float
    inner_sum: float
    inner_count: float
    inner_absolute: float


def moments(values: NDArray[np.float64], mean: float, shift: float, bounds: tuple[float, float]) -> Moments:
    """The sums that first-order features are made of; `inner_` only over values within the `bounds`."""
    sums = np.empty(len(Moments._fields))
    _library().moments(values, values.size, mean, shift, *bounds, sums)
    return Moments(*sums.tolist())


def level_type(level_count: int, longest: int) -> type[np.uint8] | type[np.uint16]:
    """The smallest type in which the matrices of levels up to `level_count` and runs up to `longest` can be counted."""
    side = level_count + 1
    return np.uint8 if max(side, longest) < 2**8 and side * (side + longest + 2) <= 2**16 else np.uint16


@dataclass(frozen=True, slots=True, eq=False)
class Blocks:
    """Where a sweep looks for voxels in a frame.

    Attributes
    ----------
    shape
        Of the frame: slices, rows, length of a row.
    places
        Shape (blocks, 2): where the first voxel of each lies in its slice, and how many there are, up to `BLOCK`.
    begin
        Of each slice the number of the first block.
    """

    shape: tuple[int, int, int]
    places: NDArray[np.int32]
    begin: NDArray[np.int64]

    @classmethod
    def of(cls, rows: tuple[NDArray[np.int64], NDArray[np.int64]], stride: int) -> Self:
        """Those of a region, of which each row has a first and one past the last column, shape (slices, rows)."""
        first, stop = rows
        # the outermost rows and slices are the border of the frame
        if first.shape != stop.shape or 2 * stride < BLOCK or first.min() < 0 or stop.max() >= stride:
            raise ValueError("the rows of a region lie within its frame")
        inner = np.maximum(stop - first, 0)[1:-1, 1:-1]
        places = np.empty((int((-(-inner // BLOCK)).sum()), 2), dtype=np.int32)
        begin = np.empty(first.shape[0], dtype=np.int64)
        _library().cut_to_blocks(*first.shape, stride, first, stop, places, begin)
        return cls((*first.shape, stride), places, begin)


def sweep(
    volume: NDArray[np.unsignedinteger],
    blocks: Blocks,
    longest: int,
    voxels: NDArray[np.int64],
    spare: NDArray[np.uint32] | None = None,
) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Co-occurrences and run positions of a volume of grey levels (see matrices_of.h).

    Parameters
    ----------
    volume
        Grey levels with a border of zeros, of `level_type` or larger.
    blocks
        Of the region.
    longest
        No run is longer.
    voxels
        How many voxels have each level, from level 0.
    spare
        Memory for what is found, if it is large enough.
    """
    level_count = voxels.size - 1
    if blocks.shape != volume.shape or volume.itemsize < level_type(level_count, longest)().itemsize:
        raise ValueError("the arrays of a sweep differ in shape or type")
    if longest < max(volume.shape[:2]) - 2:
        raise ValueError("the sweep has too little room")
    side, reach = level_count + 1, longest + 2
    size = DIRECTIONS * side * (side + reach)
    found = spare.reshape(-1)[:size] if spare is not None and spare.size >= size else np.empty(size, np.uint32)
    pairs = found[: DIRECTIONS * side * side].reshape(DIRECTIONS, side, side)
    positions = found[DIRECTIONS * side * side :].reshape(DIRECTIONS, side, reach)
    numbers = np.empty(4 * volume.shape[1] * volume.shape[2] + BLOCK, volume.dtype)
    count = _library().sweep_u8 if volume.dtype == np.uint8 else _library().sweep_u16
    _enough_memory(
        count(
            volume,
            *volume.shape,
            blocks.places,
            blocks.begin,
            level_count,
            longest,
            voxels,
            pairs,
            positions,
            numbers,
        )
    )
    return pairs, positions


@cache
def _zone_representatives() -> NDArray[np.uint16]:
    table = np.empty(2**DIRECTIONS, dtype=np.uint16)
    _library().zone_representatives(table)
    return table


def zones(
    volume: NDArray[np.unsignedinteger],
    rows: tuple[NDArray[np.int64], NDArray[np.int64]],
    level_count: int,
    *,
    found: NDArray[np.uint32],
) -> tuple[int, NDArray[np.int64]]:
    """The number of zones of equal level, and the counts of (level, dependence).

    Parameters
    ----------
    found
        Levels and sizes of the zones, and working memory, shape (3, room): room for one more than `rows` hold voxels.
    """
    first, stop = rows
    if not first.shape == stop.shape == volume.shape[:2] or volume.size >= 2**32:
        raise ValueError("the arrays of the zones differ in shape")
    counts = np.zeros((level_count + 1, DEPENDENCES), dtype=np.int64)
    labels = np.empty((2, *volume.shape[1:]), dtype=np.uint32)
    find = _library().zones_u8 if volume.dtype == np.uint8 else _library().zones_u16
    levels, sizes, parents = found
    count = find(
        volume,
        *volume.shape,
        first,
        stop,
        level_count,
        _zone_representatives(),
        counts,
        labels,
        parents,
        levels,
        sizes,
    )
    _enough_memory(count)
    return int(count), counts


def glcm_features(pairs: NDArray[np.uint32]) -> tuple[NDArray[np.float64], float]:
    """The 22 features of co-occurrences in the order of the kernels, and the smallest HXY2 - HXY of a direction."""
    values, gap = np.empty(GLCM_VALUES), np.empty(1)
    _enough_memory(_library().glcm_features(pairs, pairs.shape[1] - 1, values, gap))
    return values, float(gap[0])


def glrlm_features(positions: NDArray[np.uint32], lined: NDArray[np.uint8], voxels: int) -> NDArray[np.float64]:
    """The 16 features of the runs in the directions that `lined` marks, in the order of the kernels."""
    values = np.empty(SIZE_VALUES)
    if lined.shape != (DIRECTIONS,) or positions.shape[0] != DIRECTIONS:
        raise ValueError("there are thirteen directions")
    level_count, longest = positions.shape[1] - 1, positions.shape[2] - 2
    _enough_memory(_library().glrlm_features(positions, lined, level_count, longest, voxels, values))
    return values


def glszm_features(found: NDArray[np.uint32], count: int, level_count: int, voxels: int) -> NDArray[np.float64]:
    """The 16 features of the first `count` zones, in the order of the kernels."""
    values = np.empty(SIZE_VALUES)
    _enough_memory(_library().glszm_features(found[0], found[1], count, level_count, voxels, values))
    return values


def gldm_features(counts: NDArray[np.int64], voxels: int) -> NDArray[np.float64]:
    """The 16 features of the counts of (level, dependence), in the order of the kernels."""
    values = np.empty(SIZE_VALUES)
    _enough_memory(_library().gldm_features(counts, counts.shape[0] - 1, voxels, values))
    return values


def cube_kinds(mask: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How often each of the 256 cubes of 2 x 2 x 2 voxels occurs in `mask` (0 or 1), and the sum of their indices."""
    counts = np.zeros(256, dtype=np.int64)
    positions = np.zeros((256, 3), dtype=np.int64)
    _library().cube_kinds(mask, *mask.shape, counts, positions)
    return counts, positions


def position_sums(mask: NDArray[np.uint8]) -> tuple[int, list[int], list[list[int]]]:
    """How many voxels `mask` (0 or 1) has, the sums of their indices, and of the products of each two, shape (3, 3)."""
    sums = np.empty(10, dtype=np.int64)
    _library().position_sums(mask, *mask.shape, sums)
    count, z, y, x, zz, zy, zx, yy, yx, xx = sums.tolist()
    return count, [z, y, x], [[zz, zy, zx], [zy, yy, yx], [zx, yx, xx]]


def widest(points: NDArray[np.int64], unit: NDArray[np.float64]) -> float:
    """Largest squared distance between two of `points` (n, 3), counted in `unit`."""
    best = float(_library().widest(points, len(points), unit))
    _enough_memory(best)
    return best


def row_ends(mask: NDArray[np.uint8]) -> NDArray[np.int32]:
    """First and last vertex of the mesh along each row of `mask`, 0 or 1 with a border of zeros (see shape.c)."""
    slices, rows, columns = mask.shape
    ends = np.empty((3, slices, rows, 2), dtype=np.int32)
    _library().row_ends(mask, slices, rows, columns, ends)
    return ends


def column_ends(mask: NDArray[np.uint8]) -> NDArray[np.int32]:
    """What `row_ends` gives for a mask whose rows and columns are exchanged."""
    slices, rows, columns = mask.shape
    ends = np.empty((3, slices, columns, 2), dtype=np.int32)
    _library().column_ends(mask, slices, rows, columns, ends)
    return ends


def widest_in_planes(ends: NDArray[np.int32], axis: int, unit: NDArray[np.float64]) -> tuple[float, NDArray[np.int64]]:
    """Largest squared distance of two vertices in a plane across `axis`, 0 or 1, and the corners of the planes' hulls.

    Parameters
    ----------
    ends
        Of the rows of a mask.
    unit
        Half a voxel, along (slices, rows, columns).

    Returns
    -------
    float, array
        Corners have shape (n, 3) and are counted in `unit`.
    """
    _, slices, rows, _ = ends.shape
    # two on each line of each plane, both in halves of a voxel
    corners = np.empty((2 * (2 * slices) * (2 * rows), 3), dtype=np.int64)
    kept = np.zeros(1, dtype=np.int64)
    best = float(_library().widest_in_planes(ends, slices, rows, axis, unit, corners, kept))
    _enough_memory(best)
    return best, corners[: int(kept[0])]


@dataclass(frozen=True, slots=True, eq=False)
class Cubes:
    """The cubes around the voxels of a lesion, made by `cubes_of`.

    Attributes
    ----------
    levels
        Grey levels with a border of `radius` voxels; level 0 is outside of the lesion.
    centres
        Flat index of each voxel of the lesion, in the order of the array.
    """

    levels: NDArray[np.uint16]
    radius: int
    centres: NDArray[np.int64]
    level_count: int


def cubes_of(levels: NDArray[np.uint16], radius: int) -> Cubes:
    """The cubes of (2 `radius` + 1)^3 voxels in a volume of `levels` that has a border of `radius` voxels."""
    if not 1 <= radius <= MAX_RADIUS:
        raise ValueError(f"a cube has a radius of 1 to {MAX_RADIUS} voxels")
    inner = levels[radius:-radius, radius:-radius, radius:-radius]
    if np.count_nonzero(inner) != np.count_nonzero(levels):
        raise ValueError("the border of a map holds voxels of the lesion")
    return Cubes(levels, radius, np.flatnonzero(levels).astype(np.int64), int(levels.max()))


class Columns(NamedTuple):
    """Where a kernel writes its features of some voxels of a lesion.

    Attributes
    ----------
    part
        The numbers of the voxels.
    wanted
        1 for each feature of the class that is asked for, in the order of the kernels.
    features
        Shape (wanted features, voxels of the lesion).
    """

    part: slice
    wanted: NDArray[np.uint8]
    features: NDArray[np.float64]


def _checked(cubes: Cubes, to: Columns, known: int) -> tuple[int, int]:
    """First and one past the last voxel."""
    fits = to.features.shape == (np.count_nonzero(to.wanted), cubes.centres.size) and to.wanted.shape == (known,)
    if not fits or not 0 <= to.part.start <= to.part.stop <= cubes.centres.size:
        raise ValueError("maps need a row for each wanted feature, and a column for each voxel")
    return to.part.start, to.part.stop


def firstorder_maps(cubes: Cubes, values: NDArray[np.float64], to: Columns, *, shift: float) -> None:
    """Write those of the 17 first-order features around voxels of a lesion that are wanted.

    Parameters
    ----------
    values
        Volume of the shape of the levels.
    """
    if values.shape != cubes.levels.shape:
        raise ValueError("levels and values differ in shape")
    rows, columns = cubes.levels.shape[1:]
    _enough_memory(
        _library().intensity_maps(
            cubes.levels,
            values,
            rows,
            columns,
            cubes.centres,
            *_checked(cubes, to, FIRSTORDER_VALUES),
            cubes.radius,
            cubes.level_count,
            shift,
            to.wanted,
            to.features,
            cubes.centres.size,
        )
    )


def glcm_maps(cubes: Cubes, to: Columns, directions: NDArray[np.uint16]) -> None:
    """Write those of the 22 co-occurrence features around voxels of a lesion that are wanted.

    Parameters
    ----------
    directions
        For each voxel of the lesion: gets one bit for each of the thirteen directions that hold a pair.
    """
    if directions.shape != cubes.centres.shape:
        raise ValueError("every voxel has its directions")
    rows, columns = cubes.levels.shape[1:]
    _enough_memory(
        _library().cooccurrence_maps(
            cubes.levels,
            rows,
            columns,
            cubes.centres,
            *_checked(cubes, to, GLCM_VALUES),
            cubes.radius,
            cubes.level_count,
            to.wanted,
            to.features,
            cubes.centres.size,
            directions,
        )
    )


def size_maps(cubes: Cubes, kind: str, to: Columns) -> None:
    """Write those of the 16 features of runs, zones or dependences (`kind` of `SIZE_MAPS`) that are wanted."""
    rows, columns = cubes.levels.shape[1:]
    _enough_memory(
        _library().thing_maps(
            cubes.levels,
            rows,
            columns,
            cubes.centres,
            *_checked(cubes, to, SIZE_VALUES),
            cubes.radius,
            cubes.level_count,
            SIZE_MAPS.index(kind),
            to.wanted,
            to.features,
            cubes.centres.size,
        )
    )
