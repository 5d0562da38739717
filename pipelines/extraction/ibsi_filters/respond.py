"""The response of an image to a filter."""

from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from pipelines.extraction.ibsi_filters import kernels as of
from pipelines.extraction.ibsi_filters.gabor import gabor_radius, gabor_response
from pipelines.extraction.ibsi_filters.separable import convolve, filtered
from pipelines.extraction.ibsi_filters.settings import (
    PAD_MODES,
    Boundary,
    Box,
    Filter,
    Gabor,
    LaplacianOfGaussian,
    Laws,
    Mean,
    NonseparableWavelet,
    SeparableWavelet,
)
from pipelines.extraction.ibsi_filters.spectral import band, riesz, transferred


def response(
    image: NDArray[np.float64], pixel_mm: float, wanted: Filter, box: Box | None = None
) -> NDArray[np.float64]:
    """Filter `image`.

    Parameters
    ----------
    image
        Shape (slices, rows, columns).
    pixel_mm
        Edge of a voxel; within the slice only where the filter works by slice.
    wanted
        The filter.
    box
        The part of the response that is needed; all of it by default. The rest is computed only where the filter needs
        it.

    Returns
    -------
    ndarray
        The response map, or the part of it in `box`; its values are in HU for an image in HU.

    Raises
    ------
    ValueError
        If the filter has other dimensions than it is applied in.

    References
    ----------
    IBSI-2 reference manual (arXiv:2006.05470).
    """
    _check(wanted)
    if box is None:
        return _whole(image, pixel_mm, wanted)
    if isinstance(wanted.kernel, Gabor):
        # takes of each plane what it needs
        return gabor_response(image, wanted.kernel, pixel_mm, wanted.boundary, box)
    extent = reach(wanted, pixel_mm)
    if extent is None:
        return _whole(image, pixel_mm, wanted)[box]
    margins = (0 if wanted.by_slice else extent, extent, extent)
    wide, inner = [], []
    for part, margin, size in zip(box, margins, image.shape, strict=True):
        first, stop = max(0, part.start - margin), min(size, part.stop + margin)
        wide.append(slice(first, stop))
        inner.append(slice(part.start - first, part.stop - first))
    return _whole(image[tuple(wide)], pixel_mm, wanted)[tuple(inner)]


def reach(wanted: Filter, pixel_mm: float) -> int | None:
    """Voxels around a voxel that its response depends on at most; None where it is the whole image."""
    if wanted.boundary == "periodic":
        return None
    match wanted.kernel:
        case Mean(size):
            return size // 2
        case LaplacianOfGaussian(sigma_mm, truncate, None):
            return of.gaussian_radius(sigma_mm / pixel_mm, truncate)
        case Laws(_, _, distance):
            return 2 + (distance or 0)
        case Gabor() as gabor:
            return gabor_radius(gabor, pixel_mm)
        case SeparableWavelet() as wavelet:
            return sum(max(taps.values.size for taps in level) for level in of.wavelet_taps(wavelet))
        case LaplacianOfGaussian() | NonseparableWavelet():
            return None
        case _:
            assert_never(wanted.kernel)


def _check(wanted: Filter) -> None:
    match wanted.kernel:
        case Laws(kernels=axes) | SeparableWavelet(subband=axes):
            if len(axes) != (2 if wanted.by_slice else 3):
                raise ValueError(f"{axes} does not have the dimensions that it is to be applied in")
        case NonseparableWavelet() if wanted.boundary != "periodic":
            raise ValueError("a filter in the frequency domain takes the image for periodic")
        case Gabor(orthogonal=True) if wanted.by_slice:
            raise ValueError("a filter by slice has one plane")
        case LaplacianOfGaussian(riesz=(_, _, third)) | NonseparableWavelet(riesz=(_, _, third)):
            if wanted.by_slice and third:
                raise ValueError("a Riesz transform by slice has no order across the slices")
        case _:
            pass


def _whole(image: NDArray[np.float64], pixel_mm: float, wanted: Filter) -> NDArray[np.float64]:
    dimensions = 2 if wanted.by_slice else 3
    boundary = wanted.boundary
    match wanted.kernel:
        case Mean(size):
            return convolve(image, [of.mean_taps(size)] * dimensions, boundary)
        case LaplacianOfGaussian() as kernel:
            return _laplacian(image, kernel, pixel_mm, dimensions, boundary)
        case Laws(names, pooling, distance):
            made = filtered(image, [[of.laws_taps(name) for name in names]], boundary, pooling)
            if distance is None:
                return made
            return convolve(np.abs(made), [of.mean_taps(2 * distance + 1)] * dimensions, boundary)
        case Gabor() as gabor:
            slices, rows, columns = (slice(0, size) for size in image.shape)
            return gabor_response(image, gabor, pixel_mm, boundary, (slices, rows, columns))
        case SeparableWavelet(pooling=pooling) as wavelet:
            return filtered(image, of.wavelet_taps(wavelet), boundary, pooling)
        case NonseparableWavelet(riesz=orders) as wavelet:
            shape = image.shape[-dimensions:]
            passed = band(wavelet, shape)
            return transferred(image, passed if orders is None else passed * riesz(orders, shape))
        case _:
            assert_never(wanted.kernel)


def _laplacian(
    image: NDArray[np.float64], kernel: LaplacianOfGaussian, pixel_mm: float, dimensions: int, boundary: Boundary
) -> NDArray[np.float64]:
    sigma = kernel.sigma_mm / pixel_mm
    radius = of.gaussian_radius(sigma, kernel.truncate)
    gaussian, second = of.gaussian_taps(sigma, radius)
    # the Riesz transform takes what it is given for periodic: the margin keeps one end of the image from the other
    margin = 0 if kernel.riesz is None or boundary == "periodic" else radius
    margins = [margin if axis >= image.ndim - dimensions else 0 for axis in range(image.ndim)]
    padded = np.pad(image, [(size, size) for size in margins], mode=PAD_MODES[boundary]) if margin else image
    # the cube of the truncated kernel is a sum of products of kernels along the axes
    found = np.zeros(padded.shape)
    for across in range(dimensions):
        found += convolve(padded, [second if axis == across else gaussian for axis in range(dimensions)], boundary)
    if kernel.riesz is None:
        return found
    found = transferred(found, riesz(kernel.riesz, found.shape[-dimensions:]))
    return found[tuple(slice(size, size + old) for size, old in zip(margins, image.shape, strict=True))]
