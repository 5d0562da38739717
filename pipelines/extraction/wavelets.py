"""The eight sub-bands of the stationary coif1 wavelet transform around a lesion."""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipelines.extraction import native
from pipelines.extraction.native import Box

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


def sub_bands(image: NDArray[np.generic], box: Box) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Name (LLL to HHH) and values within `box` of each sub-band of `image`.

    The first letter is the band along columns, the second along rows, the third along slices, as in PyRadiomics. The
    transform is periodic; an axis of odd length is continued by one voxel, its first.

    References
    ----------
    `radiomics.imageoperations._swt3`, `pywt.swtn`; Lee et al. 2019, PyWavelets.
    """
    low, high = np.array(LOW_TAPS), np.array(HIGH_TAPS)
    around = image
    for axis, (first, stop) in enumerate(box):
        around = np.take(around, _support(first, stop, image.shape[axis]), axis=axis)
    along_columns = native.wavelet_bands(around.astype(np.float64, order="C"), 2, low, high)
    for x, first_pass in zip("LH", along_columns, strict=True):
        for y, second_pass in zip("LH", native.wavelet_bands(first_pass, 1, low, high), strict=True):
            for z, band in zip("LH", native.wavelet_bands(second_pass, 0, low, high), strict=True):
                yield x + y + z, band


def _support(first: int, stop: int, size: int) -> NDArray[np.intp]:
    """Indices of the voxels that the bands at `first` to `stop` are made of: two before to three after."""
    half = native.TAPS // 2
    period = size + size % 2
    index = np.arange(first - half + 1, stop + half) % period
    return np.where(index >= size, index - size, index)
