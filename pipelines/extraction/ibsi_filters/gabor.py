"""Two-dimensional Gabor filters, in one plane or averaged over the three orthogonal ones."""

import math
from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from pipelines.extraction.ibsi_filters.settings import PAD_MODES, Boundary, Box, Gabor

_PLANES: Final = ((1, 2), (0, 2), (0, 1))
# the envelope is below 2e-8 of its height there
_SIGMAS: Final = 6.0


def gabor_radius(gabor: Gabor, pixel_mm: float) -> int:
    """Voxels on each side of the middle of the kernel."""
    return math.ceil(_SIGMAS * gabor.sigma_mm / pixel_mm * max(1.0, 1.0 / gabor.aspect))


def gabor_kernel(gabor: Gabor, angle_deg: float, pixel_mm: float) -> NDArray[np.complex128]:
    """The kernel for one direction of the wave, complex, shape (rows, columns)."""
    sigma, wavelength = gabor.sigma_mm / pixel_mm, gabor.wavelength_mm / pixel_mm
    radius = gabor_radius(gabor, pixel_mm)
    line = np.arange(-radius, radius + 1, dtype=np.float64)
    y, x = np.meshgrid(line, line, indexing="ij")
    cosine, sine = math.cos(math.radians(angle_deg)), math.sin(math.radians(angle_deg))
    along, across = cosine * x + sine * y, cosine * y - sine * x
    envelope = np.exp(-(along**2 + (gabor.aspect * across) ** 2) / (2.0 * sigma**2))
    return np.asarray(envelope * np.exp(2j * math.pi * along / wavelength))


def directions(gabor: Gabor) -> list[float]:
    """The directions in degrees that are averaged.

    Opposite ones have the same modulus, since their kernels are complex conjugates: where the others pair up, half a
    turn is enough.
    """
    if gabor.step_deg is None:
        return [gabor.angle_deg]
    count = round(360.0 / gabor.step_deg)
    return [gabor.angle_deg + i * gabor.step_deg for i in range(count if count % 2 else count // 2)]


def gabor_response(
    image: NDArray[np.float64], gabor: Gabor, pixel_mm: float, boundary: Boundary, box: Box
) -> NDArray[np.float64]:
    """Modulus of the response in `box`, averaged over directions and, where asked, over planes."""
    planes = _PLANES if gabor.orthogonal else _PLANES[:1]
    kernels = [gabor_kernel(gabor, angle, pixel_mm) for angle in directions(gabor)]
    found = np.zeros([part.stop - part.start for part in box])
    for plane in planes:
        for response in _moduli(image, plane, kernels, boundary, box):
            found += response
    return found / (len(planes) * len(kernels))


def _moduli(
    image: NDArray[np.float64],
    plane: tuple[int, int],
    kernels: list[NDArray[np.complex128]],
    boundary: Boundary,
    box: Box,
) -> Iterator[NDArray[np.float64]]:
    """The modulus of the response to each kernel in the planes along two axes."""
    width = kernels[0].shape[0]
    (other,) = {0, 1, 2}.difference(plane)
    part = np.moveaxis(image, other, 0)[box[other]]
    for axis in plane:
        part = _extended(part, axis + (axis < other), box[axis], width // 2, boundary)
    # what a transform of this size takes from the other end falls into the margin
    sizes = [fft.next_fast_len(size) for size in part.shape[1:]]
    rows, columns = (slice(width - 1, size) for size in part.shape[1:])
    spectrum = fft.fft2(part, sizes)
    for kernel in kernels:
        # the margin along one axis need not be transformed back along the other
        lines = fft.ifft(spectrum * fft.fft2(kernel, sizes), axis=1)[:, rows]
        yield np.moveaxis(np.abs(fft.ifft(lines, axis=2)[:, :, columns]), 0, other)


def _extended(
    image: NDArray[np.float64], axis: int, part: slice, margin: int, boundary: Boundary
) -> NDArray[np.float64]:
    """`part` of an axis with `margin` voxels on either side, as the boundary condition has those beyond the edge."""
    places = np.arange(image.shape[axis])
    if boundary == "zero":
        extended = np.pad(places, margin, constant_values=-1)
    else:
        extended = np.pad(places, margin, mode=PAD_MODES[boundary])
    chosen = extended[part.start : part.stop + 2 * margin]
    taken = np.take(image, chosen, axis=axis)
    np.moveaxis(taken, axis, 0)[chosen < 0] = 0.0
    return taken
