"""Random fields with spatial correlation."""

import numpy as np
from numpy.typing import NDArray

from pipelines.phantom.space import Mesh

_WAVES = 160


def correlated_field(mesh: Mesh, scale_mm: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Evaluate a Gaussian random field of mean 0 and standard deviation 1 at the points of `mesh`.

    The field is a sum of plane waves in mm, so that it does not depend on the grid it is evaluated on.

    Parameters
    ----------
    scale_mm
        The correlation of two points falls with their distance d as exp(-d^2 / (2 scale^2)).

    References
    ----------
    Rahimi & Recht, Random features for large-scale kernel machines, NIPS 2007.
    """
    waves = rng.normal(0.0, 1.0 / scale_mm, (_WAVES, 3))
    phases = rng.uniform(0.0, 2.0 * np.pi, _WAVES)
    total = np.zeros(mesh.shape)
    for (kx, ky, kz), phase in zip(waves, phases, strict=True):
        total += np.cos(kx * mesh.x + ky * mesh.y + kz * mesh.z + phase)
    return np.asarray(total * np.sqrt(2.0 / _WAVES))


def smoothed_noise(
    shape: tuple[int, int, int], sigmas_voxels: tuple[float, float, float], rng: np.random.Generator
) -> NDArray[np.float32]:
    """White noise after a Gaussian filter of `sigmas_voxels` along each axis, scaled to mean 0 and SD 1."""
    noise = rng.standard_normal(shape, dtype=np.float32)
    for axis, sigma in enumerate(sigmas_voxels):
        if sigma > 0:
            noise = _filtered(noise, axis, sigma)
    return noise


def _filtered(values: NDArray[np.float32], axis: int, sigma: float) -> NDArray[np.float32]:
    reach = int(np.ceil(3.0 * sigma))
    taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    # independent samples weighted by the taps keep their variance when the squares of the taps add up to 1
    taps /= np.sqrt(np.sum(taps**2))
    padding = [(0, 0)] * 3
    padding[axis] = (reach, reach)
    padded = np.moveaxis(np.pad(values, padding, mode="wrap"), axis, 0)
    size = values.shape[axis]
    total = np.zeros_like(padded[:size])
    for start, tap in enumerate(taps):
        total += np.float32(tap) * padded[start : start + size]
    return np.moveaxis(total, 0, axis)
