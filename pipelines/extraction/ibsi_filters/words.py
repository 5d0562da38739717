"""A filter in the words of the IBSI-2 reference manual."""

from typing import assert_never

from pipelines.extraction.ibsi_filters.settings import (
    Filter,
    Gabor,
    Kernel,
    LaplacianOfGaussian,
    Laws,
    Mean,
    NonseparableWavelet,
    Pooling,
    Riesz,
    SeparableWavelet,
)


def described(wanted: Filter) -> str:
    """Everything that the response depends on, in one line.

    Examples
    --------
    >>> described(Filter(LaplacianOfGaussian(1.5), by_slice=True))
    'Laplacian of Gaussian, sigma 1.5 mm, cut off at 4 sigma, 2D, boundary mirror'
    """
    dimensions = "2D" if wanted.by_slice else "3D"
    return f"{_kernel(wanted.kernel)}, {dimensions}, boundary {wanted.boundary}"


def _kernel(kernel: Kernel) -> str:
    match kernel:
        case Mean(size):
            return f"mean, {size} voxels"
        case LaplacianOfGaussian(sigma, truncate, orders):
            return f"Laplacian of Gaussian, sigma {sigma:g} mm, cut off at {truncate:g} sigma{_riesz(orders)}"
        case Laws(names, pooling, distance):
            energy = "" if distance is None else f", energy at distance {distance} voxels"
            return f"Laws {''.join(names)}{_pooling(pooling)}{energy}"
        case Gabor(sigma, wavelength, aspect, angle, step, orthogonal):
            turned = f"angle {angle:g} degrees" if step is None else f"average over angles in steps of {step:g} degrees"
            planes = " and over orthogonal planes" if orthogonal else ""
            return (
                f"Gabor modulus, sigma {sigma:g} mm, wavelength {wavelength:g} mm, aspect {aspect:g}, {turned}{planes}"
            )
        case SeparableWavelet(family, subband, level, pooling):
            return f"undecimated wavelet {family}, {subband}, level {level}{_pooling(pooling)}"
        case NonseparableWavelet(family, level, orders):
            return f"{family.capitalize()} wavelet, level {level}{_riesz(orders)}"
        case _:
            assert_never(kernel)


def _pooling(pooling: Pooling | None) -> str:
    return "" if pooling is None else f", {pooling} over right-angle rotations"


def _riesz(orders: Riesz | None) -> str:
    return "" if orders is None else f", Riesz transform of orders {orders[0]} {orders[1]} {orders[2]}"
