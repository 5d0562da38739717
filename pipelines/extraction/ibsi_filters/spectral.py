"""Filters that are defined in the frequency domain: isotropic wavelets and Riesz transforms."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from pipelines.extraction.ibsi_filters.settings import NonseparableWavelet, Riesz

Axes = tuple[int, ...]


def frequencies(shape: Sequence[int]) -> list[NDArray[np.float64]]:
    """Frequencies along each axis, 1 at Nyquist's, in the order of a Fourier transform and ready to broadcast.

    They reach from -1 to 1 at both ends, as in the consensus response maps, and not from -1 to almost 1.
    """
    lines = [fft.ifftshift(np.linspace(-1.0, 1.0, size)) for size in shape]
    return [np.asarray(line) for line in np.meshgrid(*lines, indexing="ij", sparse=True)]


def band(wavelet: NonseparableWavelet, shape: Sequence[int]) -> NDArray[np.float64]:
    """Transfer function of an isotropic wavelet, the same in every direction."""
    highest = 1.0 / 2 ** (wavelet.level - 1)
    radius = np.sqrt(sum((line**2 for line in frequencies(shape)), start=np.zeros(1)))
    found = np.zeros(radius.shape)
    if wavelet.family == "shannon":
        found[(radius > highest / 2) & (radius <= highest)] = 1.0
        return found
    passed = (radius > highest / 4) & (radius <= highest)
    found[passed] = np.cos(math.pi / 2 * np.log2(2.0 * radius[passed] / highest))
    return found


def riesz(orders: Riesz, shape: Sequence[int]) -> NDArray[np.complex128]:
    """Transfer function of the Riesz transform with `orders` along (columns, rows, slices)."""
    total = sum(orders)
    weight = math.sqrt(math.factorial(total) / math.prod(math.factorial(order) for order in orders))
    lines = frequencies(shape)
    radius = np.sqrt(sum((line**2 for line in lines), start=np.zeros(1)))
    radius[radius == 0] = 1.0
    found = np.full(radius.shape, (-1j) ** total * weight)
    for line, order in zip(reversed(lines), orders, strict=False):
        found *= (line / radius) ** order
    return found


def transferred(
    image: NDArray[np.float64], transfer: NDArray[np.float64] | NDArray[np.complex128]
) -> NDArray[np.float64]:
    """`image` times a transfer function over its last axes, as if it were periodic."""
    axes = tuple(range(-transfer.ndim, 0))
    return np.asarray(fft.ifftn(fft.fftn(image, axes=axes) * transfer, axes=axes).real)
