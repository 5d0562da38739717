"""Morphological features of a lesion: its shape, and how its intensities are spread over it."""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfftn, next_fast_len, rfftn

from pipelines.extraction.ibsi.mesh import Mesh, mesh_of
from pipelines.extraction.ibsi.roi import Roi, Spacing

# terms of the series of an ellipsoid's surface, as many as IBSI recommends
_LEGENDRE_DEGREE: Final = 20


def morphology(roi: Roi) -> dict[str, float]:
    """Morphological features (IBSI 3.1) but for those of the minimum boxes and ellipsoids, which have no reference."""
    mask, spacing = roi.morphological, roi.spacing_mm
    mesh = mesh_of(mask, spacing)
    places = np.argwhere(mask) * np.array(spacing)
    lit = np.argwhere(roi.intensity) * np.array(spacing)
    total = roi.values.sum()
    centre_of_intensity = (lit * roi.values[:, None]).sum(axis=0) / total if total else np.full(3, math.nan)
    moran, geary = _autocorrelation(roi)
    return {
        **_surface(mesh, math.prod(spacing) * len(places)),
        "morph_com": float(np.linalg.norm(places.mean(axis=0) - centre_of_intensity)),
        **_axes(places, mesh),
        "morph_integ_int": float(roi.values.mean()) * mesh.volume_mm3,
        "morph_moran_i": moran,
        "morph_geary_c": geary,
    }


def _surface(mesh: Mesh, voxels_mm3: float) -> dict[str, float]:
    volume, area = mesh.volume_mm3, mesh.area_mm2
    compactness = 36.0 * math.pi * volume**2 / area**3
    depth, height, width = mesh.box_mm
    return {
        "morph_volume": volume,
        "morph_vol_approx": voxels_mm3,
        "morph_area_mesh": area,
        "morph_av": area / volume,
        "morph_comp_1": volume / (math.sqrt(math.pi) * area**1.5),
        "morph_comp_2": compactness,
        "morph_sph_dispr": compactness ** (-1 / 3),
        "morph_sphericity": compactness ** (1 / 3),
        "morph_asphericity": compactness ** (-1 / 3) - 1.0,
        "morph_diam": mesh.diameter_mm,
        "morph_vol_dens_aabb": volume / (depth * height * width),
        "morph_area_dens_aabb": area / (2.0 * (depth * height + height * width + width * depth)),
        "morph_vol_dens_conv_hull": volume / mesh.hull_volume_mm3,
        "morph_area_dens_conv_hull": area / mesh.hull_area_mm2,
    }


def _axes(places_mm: NDArray[np.float64], mesh: Mesh) -> dict[str, float]:
    """Features of the principal axes of the voxels, and of the ellipsoid that has them."""
    if len(places_mm) < 2:
        least = minor = major = 0.0
    else:
        # the reference values are those of the unbiased covariance
        found = np.linalg.eigvalsh(np.cov(places_mm.T)).clip(min=0.0)
        least, minor, major = (float(value) for value in found)
    a, b, c = 2.0 * math.sqrt(major), 2.0 * math.sqrt(minor), 2.0 * math.sqrt(least)
    ellipsoid_volume = 4.0 * math.pi * a * b * c / 3.0
    return {
        "morph_pca_maj_axis": 2.0 * a,
        "morph_pca_min_axis": 2.0 * b,
        "morph_pca_least_axis": 2.0 * c,
        "morph_pca_elongation": b / a if a else math.nan,
        "morph_pca_flatness": c / a if a else math.nan,
        "morph_vol_dens_aee": mesh.volume_mm3 / ellipsoid_volume if ellipsoid_volume else math.nan,
        "morph_area_dens_aee": mesh.area_mm2 / _ellipsoid_area(a, b, c) if b else math.nan,
    }


def _ellipsoid_area(a: float, b: float, c: float) -> float:
    """Surface of an ellipsoid with semi-axes a >= b >= c.

    The terms (alpha beta)^n P_n((alpha^2 + beta^2) / (2 alpha beta)) come from the recurrence of the Legendre
    polynomials P_n, in which alpha = 0 or beta = 0 is no special case.

    >>> round(_ellipsoid_area(2.0, 2.0, 2.0) / (16 * math.pi), 9)
    1.0
    """
    alpha2, beta2 = 1.0 - (b / a) ** 2, 1.0 - (c / a) ** 2
    previous, term = 1.0, (alpha2 + beta2) / 2.0
    total = 1.0 - term / 3.0
    for degree in range(2, _LEGENDRE_DEGREE + 1):
        following = (2 * degree - 1) * (alpha2 + beta2) / 2.0 * term - (degree - 1) * alpha2 * beta2 * previous
        previous, term = term, following / degree
        total += term / (1.0 - 4.0 * degree**2)
    return 4.0 * math.pi * a * b * total


def _autocorrelation(roi: Roi) -> tuple[float, float]:
    """Moran's I and Geary's C, with the inverse distance of two voxels as their weight.

    A weight depends on the step from one voxel to the other only, so the sums over all pairs are sums over all steps
    of what the Fourier transform gives for each step: exact, and in n log n.
    """
    occupied = np.argwhere(roi.intensity)
    count = len(occupied)
    box = tuple(slice(a, b + 1) for a, b in zip(occupied.min(axis=0), occupied.max(axis=0), strict=True))
    mask = roi.intensity[box]
    centred = np.where(mask, roi.image[box] - roi.values.mean(), 0.0)
    scatter = float((centred**2).sum())
    if count < 2 or scatter == 0.0:
        return math.nan, math.nan
    shape = [next_fast_len(2 * size - 1, real=True) for size in mask.shape]
    ones, values, squares = (rfftn(part, shape) for part in (mask.astype(np.float64), centred, centred**2))
    weights = _inverse_distances(shape, roi.spacing_mm)
    pairs = float((weights * irfftn(ones * ones.conj(), shape)).sum())
    products = float((weights * irfftn(values * values.conj(), shape)).sum())
    one_sided = float((weights * irfftn(squares * ones.conj(), shape)).sum())
    moran = count / pairs * products / scatter
    # (x - y)^2 = x^2 + y^2 - 2 x y
    geary = (count - 1) / (2.0 * pairs) * (2.0 * one_sided - 2.0 * products) / scatter
    return moran, geary


def _inverse_distances(shape: list[int], spacing_mm: Spacing) -> NDArray[np.float64]:
    """1 / distance of each circular step; 0 for none at all."""
    steps = [np.fft.fftfreq(size, 1.0 / size) * step for size, step in zip(shape, spacing_mm, strict=True)]
    z, y, x = np.meshgrid(*steps, indexing="ij", sparse=True)
    distance = np.asarray(np.sqrt(z**2 + y**2 + x**2), dtype=np.float64)
    return np.asarray(np.divide(1.0, distance, out=np.zeros_like(distance), where=distance > 0))
