"""The surface of a lesion as IBSI asks for it: a marching-cubes mesh at half a voxel."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist

from pipelines.extraction.ibsi.roi import Spacing
from pipelines.extraction.marching_cubes import cube_table

# corners of a cube (slice, row, column) in the order of the bits of its kind, see marching_cubes
_CORNERS = ((0, 0, 0), (0, 0, 1), (0, 1, 1), (0, 1, 0), (1, 0, 0), (1, 0, 1), (1, 1, 1), (1, 1, 0))


@dataclass(frozen=True, slots=True)
class Mesh:
    """What IBSI features need of a mesh.

    Attributes
    ----------
    box_mm
        Extent of the vertices along (slices, rows, columns).
    """

    volume_mm3: float
    area_mm2: float
    diameter_mm: float
    box_mm: tuple[float, float, float]
    hull_volume_mm3: float
    hull_area_mm2: float


def mesh_of(mask: NDArray[np.bool_], spacing_mm: Spacing) -> Mesh:
    """The mesh of a mask, shape (slices, rows, columns), that holds at least one voxel."""
    padded = np.pad(mask, 1).astype(np.uint8)
    volume, area = _volume_and_area(padded, spacing_mm)
    vertices = _vertices(padded) * np.array(spacing_mm)
    hull = ConvexHull(vertices)
    depth, height, width = (float(extent) for extent in np.ptp(vertices, axis=0))
    return Mesh(
        volume_mm3=volume,
        area_mm2=area,
        diameter_mm=float(pdist(vertices[hull.vertices]).max()),
        box_mm=(depth, height, width),
        hull_volume_mm3=float(hull.volume),
        hull_area_mm2=float(hull.area),
    )


def _volume_and_area(padded: NDArray[np.uint8], spacing_mm: Spacing) -> tuple[float, float]:
    """A sum over the 256 kinds of cubes of 2 x 2 x 2 voxels; cubes wholly inside or outside add nothing."""
    kinds = np.zeros([size - 1 for size in padded.shape], dtype=np.int64)
    for bit, corner in enumerate(_CORNERS):
        part = tuple(slice(at, at + size) for at, size in zip(corner, kinds.shape, strict=True))
        kinds |= padded[part].astype(np.int64) << bit
    where = np.argwhere((kinds > 0) & (kinds < 255))
    found = kinds[tuple(where.T)]
    cubes = cube_table(spacing_mm)
    area = cubes.area_mm2[found].sum()
    moved = (where * np.array(spacing_mm) * cubes.volume_per_mm[found]).sum()
    return float((cubes.volume_mm3[found].sum() + moved) / 6.0), float(area)


def _vertices(padded: NDArray[np.uint8]) -> NDArray[np.float64]:
    """In voxels: half way between each voxel of the lesion and its neighbours outside."""
    found = []
    for axis in range(3):
        crossings = np.argwhere(np.diff(padded.astype(np.int8), axis=axis)).astype(np.float64)
        crossings[:, axis] += 0.5
        found.append(crossings)
    return np.concatenate(found)
