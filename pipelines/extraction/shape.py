"""The fourteen shape features of a lesion's mask."""

from math import nan, pi, sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipelines.extraction import native
from pipelines.extraction.marching_cubes import CubeTable

# of the largest eigenvalue: below this share, the smallest one is computed as PyRadiomics does
_FLAT: Final = 1e-3


def shape_features(
    mask: NDArray[np.bool_], spacing_mm: tuple[float, float, float], cubes: CubeTable
) -> dict[str, float]:
    """Shape features by name, as `radiomics.shape` computes them.

    Parameters
    ----------
    mask
        The smallest box around the lesion, shape (slices, rows, columns).
    spacing_mm
        Along (slices, rows, columns).
    cubes
        `cube_table(spacing_mm)`.

    References
    ----------
    PyRadiomics `shape.py` and `cshape.c`; IBSI 3.1 (mesh: Lorensen & Cline 1987; axes: principal components).
    """
    padded = np.zeros([size + 2 for size in mask.shape], dtype=np.uint8)
    padded[1:-1, 1:-1, 1:-1] = mask
    area, volume = _mesh(padded, spacing_mm, cubes)
    in_slice, in_column, in_row, anywhere = _diameters(padded, spacing_mm)
    least, minor, major = _eigenvalues(padded, spacing_mm)
    return {
        "Elongation": _root(minor / major) if minor >= 0 and major >= 0 else nan,
        "Flatness": _root(least / major) if least >= 0 and major >= 0 else nan,
        "LeastAxisLength": 4.0 * _root(least),
        "MajorAxisLength": 4.0 * _root(major),
        "Maximum2DDiameterColumn": in_column,
        "Maximum2DDiameterRow": in_row,
        "Maximum2DDiameterSlice": in_slice,
        "Maximum3DDiameter": anywhere,
        "MeshVolume": volume,
        "MinorAxisLength": 4.0 * _root(minor),
        "Sphericity": (36.0 * pi * volume**2) ** (1.0 / 3.0) / area,
        "SurfaceArea": area,
        "SurfaceVolumeRatio": area / volume,
        "VoxelVolume": int(np.count_nonzero(mask)) * (spacing_mm[0] * spacing_mm[2] * spacing_mm[1]),
    }


def _root(value: float) -> float:
    return sqrt(value) if value >= 0 else nan


def _mesh(padded: NDArray[np.uint8], spacing_mm: tuple[float, float, float], cubes: CubeTable) -> tuple[float, float]:
    """Area and volume of the marching-cubes mesh: a sum over the kinds of cubes, not over the cubes."""
    counts, positions = native.cube_kinds(padded)
    area = float((counts * cubes.area_mm2).sum())
    moved = (positions * np.array(spacing_mm) * cubes.volume_per_mm).sum()
    return area, float(((counts * cubes.volume_mm3).sum() + moved) / 6.0)


def _diameters(padded: NDArray[np.uint8], spacing_mm: tuple[float, float, float]) -> tuple[float, float, float, float]:
    """Largest distances of mesh vertices: with equal slice, row and column coordinate, and overall.

    A vertex lies half way between a voxel of the lesion and a neighbour outside, so twice its coordinates are whole.
    Two vertices that are farthest apart are corners of the convex hull of each plane that they lie in.
    """
    unit = np.array(spacing_mm, dtype=np.float64) / 2.0
    ends = native.row_ends(padded)
    in_slice, corners = native.widest_in_planes(ends, 0, unit)
    in_column, _ = native.widest_in_planes(ends, 1, unit)
    # planes across columns are those across the rows of a mask with the two exchanged
    in_row, _ = native.widest_in_planes(native.column_ends(padded), 1, unit[[0, 2, 1]])
    # whatever is a corner of the whole hull is one of its slice
    return sqrt(in_slice), sqrt(in_column), sqrt(in_row), sqrt(native.widest(corners, unit))


def _eigenvalues(padded: NDArray[np.uint8], spacing_mm: tuple[float, float, float]) -> tuple[float, float, float]:
    """Ascending eigenvalues of the covariance of the voxels' positions.

    In PyRadiomics' own steps where the smallest may be rounding noise, of which it takes the root: in a flat lesion.
    """
    least, minor, major = _ascending(_covariance(padded) * np.outer(spacing_mm, spacing_mm))
    if least > _FLAT * major:
        return least, minor, major
    coordinates = np.argwhere(padded) * np.array(spacing_mm, dtype=np.float64)[None, :]
    coordinates -= np.mean(coordinates, axis=0)
    coordinates /= np.sqrt(len(coordinates))
    return _ascending(np.dot(coordinates.T.copy(), coordinates))


def _ascending(covariance: NDArray[np.float64]) -> tuple[float, float, float]:
    values = np.linalg.eigvals(covariance)
    values[(values < 0) & (values > -1e-10)] = 0
    values.sort()
    least, minor, major = (float(value) for value in values)
    return least, minor, major


def _covariance(padded: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Of the voxels' indices, from whole numbers."""
    count, sums, products = native.position_sums(padded)
    return np.array(
        [[(count * products[a][b] - sums[a] * sums[b]) / count**2 for b in range(3)] for a in range(3)],
        dtype=np.float64,
    )
