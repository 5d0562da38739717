"""Gaussian smoothing and the Laplacian of Gaussian as ITK's recursive filters compute them."""

from functools import lru_cache
from math import cos, exp, sin
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipelines.extraction import memory, native
from pipelines.extraction.native import Box, Reach, Turned

# Farneback & Westin 2006, table 2: frequencies and decays of the two damped oscillations, then their amplitudes
# (of cosine and sine) in the fit to the Gaussian and to its second derivative.
_W1, _L1, _W2, _L2 = 0.6681, -1.3932, 2.0787, -1.3732
_FIT: Final = {
    0: (1.3530, 1.8151, -0.3531, 0.0902),
    2: (-1.3563, 5.2318, 0.3446, -2.2355),
}


def smoothed(
    image: NDArray[np.floating], spacing_mm: tuple[float, float, float], sigma_mm: float
) -> NDArray[np.float32]:
    """`image` after `itk::SmoothingRecursiveGaussianImageFilter`, which filters slices, then columns, then rows."""
    return native.smoothed(image, np.array([coefficients(sigma_mm, step, order=0) for step in spacing_mm]))


def laplacian(
    image: Turned,
    spacing_mm: tuple[float, float, float],
    sigma_mm: float,
    box: Box,
    reach: Reach | None = None,
    numbers: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """`image` after `itk::LaplacianRecursiveGaussianImageFilter`, normalised across scales, within `box` only.

    For each axis: the second derivative along it first, then the Gaussian along the two others, columns before rows
    before slices; the three are added up in single precision.

    Parameters
    ----------
    spacing_mm
        Along (slices, rows, columns).
    reach
        What is wanted of the box; all of it by default.
    numbers
        Memory of the result and of what leads to it; see `pipelines.extraction.native.laplacian_size`.
    """
    if reach is None:
        (z0, z1), (y0, y1), (x0, x1) = box
        reach = Reach.whole((z1 - z0, y1 - y0, x1 - x0))
    if numbers is None:
        numbers = memory.empty(native.laplacian_size(image.image.shape, box), np.float32)
    kernels = np.array([[coefficients(sigma_mm, step, order) for order in (0, 2)] for step in spacing_mm])
    factors = np.array([1.0 / (step * step) for step in spacing_mm])
    return native.laplacian(image, box, reach, kernels, factors, numbers)


def laplacian_exists(shape: tuple[int, ...], spacing_mm: tuple[float, float, float], sigma_mm: float) -> bool:
    """False where PyRadiomics finds an image too small for the filter and leaves its features out."""
    return min(shape) >= 4 and all(
        size >= np.ceil(sigma_mm / step) + 1 for size, step in zip(shape, spacing_mm, strict=True)
    )


@lru_cache(maxsize=256)
def coefficients(sigma_mm: float, step_mm: float, order: int) -> NDArray[np.float64]:
    """Recursion coefficients of a Gaussian (`order` 0) or of its second derivative (2), times sigma squared.

    Returns
    -------
    array
        Twenty: n0 to n3 of the causal part, d1 to d4 of both parts, m1 to m4 of the anticausal part, then the sums that
        continue the causal and the anticausal part beyond the borders (four each).

    References
    ----------
    Deriche 1993; Farneback & Westin 2006; `itk::RecursiveGaussianImageFilter::SetUp`, whose order of operations this
    follows.
    """
    sigma = sigma_mm / step_mm
    s1, s2, c1, c2 = sin(_W1 / sigma), sin(_W2 / sigma), cos(_W1 / sigma), cos(_W2 / sigma)
    e1, e2 = exp(_L1 / sigma), exp(_L2 / sigma)

    d4 = e1 * e1 * e2 * e2
    d3 = -2 * c1 * e1 * e2 * e2
    d3 += -2 * c2 * e2 * e1 * e1
    d2 = 4 * c2 * c1 * e1 * e2
    d2 += e1 * e1 + e2 * e2
    d1 = -2 * (e2 * c2 + e1 * c1)
    sum_d = 1.0 + d1 + d2 + d3 + d4
    first_d = d1 + 2 * d2 + 3 * d3 + 4 * d4
    second_d = d1 + 4 * d2 + 9 * d3 + 16 * d4

    def causal(a1: float, b1: float, a2: float, b2: float) -> tuple[float, float, float, float]:
        n0 = a1 + a2
        n1 = e2 * (b2 * s2 - (a2 + 2 * a1) * c2)
        n1 += e1 * (b1 * s1 - (a1 + 2 * a2) * c1)
        n2 = (a1 + a2) * c2 * c1
        n2 -= b1 * c2 * s1 + b2 * c1 * s2
        n2 *= 2 * e1 * e2
        n2 += a2 * e1 * e1 + a1 * e2 * e2
        n3 = e2 * e1 * e1 * (b2 * s2 - a2 * c2)
        n3 += e1 * e2 * e2 * (b1 * s1 - a1 * c1)
        return n0, n1, n2, n3

    def moments(n: tuple[float, float, float, float]) -> tuple[float, float, float]:
        return n[0] + n[1] + n[2] + n[3], n[1] + 2 * n[2] + 3 * n[3], n[1] + 4 * n[2] + 9 * n[3]

    smooth = causal(*_FIT[0])
    sum_0, first_0, second_0 = moments(smooth)
    if order == 0:
        scale = 1.0 / (2 * sum_0 / sum_d - smooth[0])
        raw = smooth
    else:
        curved = causal(*_FIT[2])
        sum_2, first_2, second_2 = moments(curved)
        # the derivative of a constant is zero
        beta = -(2 * sum_2 - sum_d * curved[0]) / (2 * sum_0 - sum_d * smooth[0])
        raw = (
            curved[0] + beta * smooth[0],
            curved[1] + beta * smooth[1],
            curved[2] + beta * smooth[2],
            curved[3] + beta * smooth[3],
        )
        sum_n, first_n, second_n = sum_2 + beta * sum_0, first_2 + beta * first_0, second_2 + beta * second_0
        alpha = second_n * sum_d * sum_d - second_d * sum_n * sum_d
        alpha = alpha - 2 * first_n * first_d * sum_d + 2 * first_d * first_d * sum_n
        alpha /= sum_d * sum_d * sum_d
        scale = sigma_mm * sigma_mm / alpha
    n0, n1, n2, n3 = (value * scale for value in raw)

    m = (n1 - d1 * n0, n2 - d2 * n0, n3 - d3 * n0, -d4 * n0)
    sum_n, sum_m = n0 + n1 + n2 + n3, m[0] + m[1] + m[2] + m[3]
    d = (d1, d2, d3, d4)
    before = [value * sum_n / sum_d for value in d]
    beyond = [value * sum_m / sum_d for value in d]
    found = np.array([n0, n1, n2, n3, *d, *m, *before, *beyond])
    found.flags.writeable = False
    return found
