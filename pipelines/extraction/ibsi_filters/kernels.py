"""The one-dimensional kernels of the filters: mean, Gaussian and its second derivative, Laws', wavelets'."""

import math
from typing import Final

import numpy as np
import pywt
from numpy.typing import NDArray

from pipelines.extraction.ibsi_filters.separable import Taps
from pipelines.extraction.ibsi_filters.settings import SeparableWavelet

LAWS: Final[dict[str, tuple[int, ...]]] = {
    "L3": (1, 2, 1),
    "L5": (1, 4, 6, 4, 1),
    "E3": (-1, 0, 1),
    "E5": (-1, -2, 0, 2, 1),
    "S3": (-1, 2, -1),
    "S5": (-1, 0, 2, 0, -1),
    "W5": (-1, 2, 0, -2, 1),
    "R5": (1, -4, 6, -4, 1),
}
"""Level, edge, spot, wave and ripple, before they are scaled to a length of 1."""


def mean_taps(size: int) -> Taps:
    """`size` equal taps.

    Raises
    ------
    ValueError
        If `size` is even, which has no middle.
    """
    if size % 2 == 0:
        raise ValueError(f"a mean filter spans an odd number of voxels, not {size}")
    return Taps(np.full(size, 1.0 / size))


def gaussian_radius(sigma: float, truncate: float) -> int:
    """Voxels on each side of the middle of a Gaussian of `sigma` voxels that is cut off at `truncate` sigma."""
    return math.floor(truncate * sigma + 0.5)


def gaussian_taps(sigma: float, radius: int) -> tuple[Taps, Taps]:
    """A Gaussian of `sigma` voxels and its second derivative."""
    squares = np.arange(-radius, radius + 1, dtype=np.float64) ** 2
    gaussian = np.exp(-squares / (2.0 * sigma**2)) / (math.sqrt(2.0 * math.pi) * sigma)
    return Taps(gaussian), Taps((squares / sigma**4 - 1.0 / sigma**2) * gaussian)


def laws_taps(name: str) -> Taps:
    """Laws' kernel `name`, of length 1.

    >>> [round(float(tap), 3) for tap in laws_taps("E3").values]
    [-0.707, 0.0, 0.707]
    """
    values = np.array(LAWS[name], dtype=np.float64)
    return Taps(values / np.linalg.norm(values))


def wavelet_taps(wavelet: SeparableWavelet) -> list[list[Taps]]:
    """The kernels of each level along each axis, spread by zeros instead of thinning the image out."""
    of = pywt.Wavelet(wavelet.family)
    pass_of = {"L": np.array(of.dec_lo), "H": np.array(of.dec_hi)}
    levels = ["L" * len(wavelet.subband)] * (wavelet.level - 1) + [wavelet.subband]
    return [[Taps(_spread(pass_of[letter], 2**before)) for letter in letters] for before, letters in enumerate(levels)]


def _spread(values: NDArray[np.float64], factor: int) -> NDArray[np.float64]:
    spread = np.zeros(values.size * factor)
    spread[::factor] = values
    return spread
