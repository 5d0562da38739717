"""The eight sub-bands of the stationary coif1 wavelet transform around a lesion."""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipelines.extraction import native
from pipelines.extraction.memory import Memory
from pipelines.extraction.native import Box, Runs

# PyWavelets' `Wavelet("coif1").dec_lo` and `.dec_hi`, with its digits
LOW_TAPS: Final = (
    -0.015655728135791993,
    -0.07273261951252645,
    0.3848648468648578,
    0.8525720202116004,
    0.3378976624574818,
    -0.07273261951252645,
)
HIGH_TAPS: Final = (
    0.07273261951252645,
    0.3378976624574818,
    -0.8525720202116004,
    0.3848648468648578,
    0.07273261951252645,
    -0.015655728135791993,
)
# its single-precision taps are the nearest numbers to those but for the largest, which is the next one towards zero
_LARGEST, _LARGEST_IN_SINGLE_PRECISION = 0.8525720202116004, 0.852571964263916


def sub_bands(image: NDArray[np.generic], box: Box) -> Iterator[tuple[str, NDArray[np.floating]]]:
    """Name (wavelet-LLL to -HHH) and values within `box` of each sub-band of `image`.

    The first letter is the band along columns, the second along rows, the third along slices, as in PyRadiomics. The
    transform is periodic; an axis of odd length is continued by one voxel, its first. Single precision stays single,
    whole numbers become double precision.

    References
    ----------
    `radiomics.imageoperations._swt3`, `pywt.swtn`; Lee et al. 2019, PyWavelets.
    """
    single = image.dtype == np.float32
    taps = {"L": _single(LOW_TAPS), "H": _single(HIGH_TAPS)} if single else {"L": LOW_TAPS, "H": HIGH_TAPS}

    def band(volume: NDArray[np.floating], axis: int, letter: str) -> NDArray[np.floating]:
        return native.wavelet_band(volume, axis, taps[letter], to_the_end=_at_the_end(box, image.shape, axis))

    # one band of each axis at a time, and none that is no longer needed: they are the largest things in memory
    around: NDArray[np.floating] | None
    around = np.ascontiguousarray(_around(image, box), dtype=np.float32 if single else np.float64)
    for x in "LH":
        assert around is not None
        along_columns = band(around, 2, x)
        if x == "H":
            around = None
        for y in "LH":
            along_rows = band(along_columns, 1, y)
            for z in "LH":
                yield f"wavelet-{x}{y}{z}", band(along_rows, 0, z)
            del along_rows


def sub_band_values(
    image: NDArray[np.generic],
    box: Box,
    runs: Runs,
    first: str,
    found: tuple[NDArray[np.float64], NDArray[np.float64]],
    room: Memory,
) -> Iterator[tuple[str, str]]:
    """Write to `found` the values of the voxels in `runs` of `box` in two of the `sub_bands` at a time: their names.

    Parameters
    ----------
    first
        The letter that the sub-bands begin with.
    room
        Lends what leads to them.
    """
    single = image.dtype == np.float32
    low, high = (_single(LOW_TAPS), _single(HIGH_TAPS)) if single else (LOW_TAPS, HIGH_TAPS)
    taps = {"L": low, "H": high}
    a, b, c = (_at_the_end(box, image.shape, axis) for axis in range(3))
    around = _around(image, box)
    for y in "LH":
        native.wavelet_values(around, (taps[first], taps[y], low, high), runs, found, to_the_end=(a, b, c), room=room)
        yield f"wavelet-{first}{y}L", f"wavelet-{first}{y}H"


def _at_the_end(box: Box, shape: tuple[int, ...], axis: int) -> bool:
    """Whether the box ends where the period does; the last voxel of an axis of odd length is not the last of that."""
    return box[axis][1] == shape[axis] and shape[axis] % 2 == 0


def _around(image: NDArray[np.generic], box: Box) -> NDArray[np.generic]:
    """The voxels that the bands within `box` are made of."""
    for axis, (first, stop) in enumerate(box):
        support = _support(first, stop, image.shape[axis])
        if support[-1] - support[0] == support.size - 1:
            # in one piece: no need for a copy
            image = image[(slice(None),) * axis + (slice(int(support[0]), int(support[-1]) + 1),)]
        else:
            image = np.take(image, support, axis=axis)
    return image


def _single(taps: tuple[float, ...]) -> tuple[float, ...]:
    replaced = {_LARGEST: _LARGEST_IN_SINGLE_PRECISION, -_LARGEST: -_LARGEST_IN_SINGLE_PRECISION}
    return tuple(replaced.get(tap, tap) for tap in taps)


def _support(first: int, stop: int, size: int) -> NDArray[np.intp]:
    """Indices of the voxels that the bands at `first` to `stop` are made of: two before to three after."""
    half = native.TAPS // 2
    period = size + size % 2
    index = np.arange(first - half + 1, stop + half) % period
    return np.where(index >= size, index - size, index)
