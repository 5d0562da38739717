"""Points of a voxel grid in mm, and soft-edged shapes evaluated at them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.domain.volume import Grid
from pipelines.phantom.settings import Point

Values = NDArray[np.float32]

_EDGE_MM = 0.6
"""Blur of a CT at an edge; partial volume looks like this."""


@dataclass(frozen=True, slots=True, eq=False)
class Mesh:
    """Coordinates in mm that broadcast against each other: x (1, 1, columns), y (1, rows, 1), z (slices, 1, 1)."""

    x: Values
    y: Values
    z: Values

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along (slices, rows, columns)."""
        return self.z.size, self.y.size, self.x.size

    def part(self, box: tuple[slice, slice, slice]) -> "Mesh":
        """The mesh of the voxels in `box` (slices, rows, columns)."""
        return Mesh(self.x[:, :, box[2]], self.y[:, box[1]], self.z[box[0]])

    def box_around(self, low_mm: Sequence[float], high_mm: Sequence[float]) -> tuple[slice, slice, slice] | None:
        """Voxels between two corners (x, y, z); None when there are none."""
        box = []
        for axis, low, high in zip((self.z, self.y, self.x), reversed(low_mm), reversed(high_mm), strict=True):
            start, stop = (int(i) for i in np.searchsorted(axis.ravel(), (low, high)))
            if start == stop:
                return None
            box.append(slice(start, stop))
        return box[0], box[1], box[2]


def mesh_of(grid: Grid) -> Mesh:
    """The voxel centres of an upright `grid`."""
    slices, rows, columns = grid.shape

    def axis(i: int, count: int) -> NDArray[Any]:
        return (grid.origin_mm[i] + grid.spacing_mm[i] * np.arange(count)).astype(np.float32)

    return Mesh(axis(0, columns).reshape(1, 1, -1), axis(1, rows).reshape(1, -1, 1), axis(2, slices).reshape(-1, 1, 1))


def inside(distance_mm: NDArray[Any], edge_mm: float = _EDGE_MM) -> Values:
    """Fraction of a voxel within a shape, from the signed distance to its surface (negative inside)."""
    # beyond 30 edge widths the fraction is 0 or 1 to float32 accuracy, and exp would overflow further out
    steep = np.clip(distance_mm / edge_mm, -30.0, 30.0)
    return (1.0 / (1.0 + np.exp(steep))).astype(np.float32)


def ellipsoid(mesh: Mesh, centre: Point, radii: Point, power: float = 2.0) -> Values:
    """Approximate signed distance to an ellipsoid (a rounder box for `power` above 2), in mm."""
    terms = [
        np.abs((axis - np.float32(c)) / np.float32(r)) ** np.float32(power)
        for axis, c, r in zip((mesh.x, mesh.y, mesh.z), centre, radii, strict=True)
    ]
    rho = (terms[0] + terms[1] + terms[2]) ** np.float32(1.0 / power)
    return np.asarray((rho - 1.0) * min(radii), dtype=np.float32)


def column(mesh: Mesh, centre: tuple[float, float], radii: tuple[float, float], power: float = 2.0) -> Values:
    """Approximate signed distance to an elliptic cylinder along z, in mm; shape (1, rows, columns)."""
    flat = Mesh(mesh.x, mesh.y, np.zeros((1, 1, 1), dtype=np.float32))
    return ellipsoid(flat, (*centre, 0.0), (*radii, max(radii)), power)


def tube(mesh: Mesh, start: Point, end: Point, radius_mm: float) -> Values:
    """Signed distance to the capsule of `radius_mm` around the line from `start` to `end`, in mm."""
    way = np.subtract(end, start)
    length2 = float(way @ way)
    dx, dy, dz = mesh.x - start[0], mesh.y - start[1], mesh.z - start[2]
    along = np.clip((dx * way[0] + dy * way[1] + dz * way[2]) / length2, 0.0, 1.0)
    gap2 = (dx - along * way[0]) ** 2 + (dy - along * way[1]) ** 2 + (dz - along * way[2]) ** 2
    return np.asarray(np.sqrt(gap2) - radius_mm, dtype=np.float32)


def blend(hu: Values, value: NDArray[Any] | float, weight: Values) -> Values:
    """Replace `hu` by `value` where `weight` is 1, mix in between."""
    return (hu + (value - hu) * weight).astype(np.float32)
