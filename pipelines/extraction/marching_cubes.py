"""Surface area and volume that each kind of cube of 2 x 2 x 2 voxels adds to a marching-cubes mesh."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

# For each of the first 128 kinds (see the kernels; the rest are their complements) the triangles of the surface, three
# edges each in hexadecimal, "-" for none. Source: the table of PyRadiomics' cshape.c (BSD-3-Clause), after Bourke 1994,
# "Polygonising a scalar field"; another triangulation of the same kinds would give another area.
_TRIANGLES: Final = """
    - 083 190 183198 12a 08312a 92a029 2832a8a98 b23 b2008b 190b23 b2119b98b 3a1ba3 a1008a8ba 9033b9ba9
    98aba8 478 043473 190478 194147173 12a478 34730412a 92a902478 2a9297273479 478b23 b47b24204
    190478b23 47b94bb29192 3a1ba3478 ba114b10447b 4789033b9ba9 47b4b99ba 954 954083 054015 854835315
    12a954 08312a954 2a5542240 2a5325354834 954b23 b2008b954 054015b23 215258b28548 3a1ba3954
    549a1008a8ba 54050ba5bb03 548a58ba8 789579 309539357 780017715 157173 78957912a 12a309395357
    0288258572a5 2a5253357 579789b23 579972209b27 b23018178157 21b17b157 7895793a1ba3 5705097b0a10ba0
    ba003ba50078570 ba557b 65a 08365a 19065a 18319865a 165126 165126083 965906026 598582526832 b2365a
    b2008b65a 190b2365a b2119b98b65a 63b653513 08b0b50515b6 63b036065059 65969bb98 47865a 04347365a
    19047865a 19414717365a 478165126 043473165126 478965906026 739479329596269 b2347865a b47b2420465a
    190b2347865a 47b94bb2919265a 47863b653513 51b5b610b47b04b 47863b036065059 65969b4797b9 a4964a
    a4964a083 01aa60640 18316886461a 149124264 149124264083 024426 832824426 b23a4964a b2008ba4964a
    b2301aa60640 64161a148b2118b 964369139b63 18b081b61149641 63b036640 86468b 67a78a89a 67a0a709a073
    67a1a7178018 67a1a7173 126168189678 269129679309739 078706602 273267 b2367a78a89a 207b2709767a9a7
    67a1a7178018b23 b2117ba61167 896678169b63136 09167b 07870603bb60 67b
"""
# Middle of each edge (slice, row, column), in halves of a voxel.
_MIDDLES: Final = "001 012 021 010 201 212 221 210 100 102 122 120"


@dataclass(frozen=True, slots=True, eq=False)
class CubeTable:
    """What one cube adds to a mesh, by kind.

    Attributes
    ----------
    area_mm2
        Surface, shape (256,).
    volume_mm3
        Six times the signed volume between the surface and the origin, for a cube at the origin, shape (256,).
    volume_per_mm
        How that grows with the position of the cube, shape (256, 3).
    """

    area_mm2: NDArray[np.float64]
    volume_mm3: NDArray[np.float64]
    volume_per_mm: NDArray[np.float64]


@lru_cache(maxsize=16)
def cube_table(spacing_mm: tuple[float, float, float]) -> CubeTable:
    """The table for voxels of `spacing_mm` along (slices, rows, columns).

    A triangle (a, b, c) has the area |(a - c) x (b - c)| / 2 and, with the origin, six times the volume (a x b) . c.
    Moving it by t adds (a x b + b x c + c x a) . t to the latter.
    """
    middles = np.array([[int(digit) / 2 for digit in middle] for middle in _MIDDLES.split()]) * np.array(spacing_mm)
    kinds = ["" if edges == "-" else edges for edges in _TRIANGLES.split()]
    # the complement of a kind has the same surface, seen from the other side
    kinds += reversed(kinds)
    triangle_counts = [len(edges) // 3 for edges in kinds]
    kind = np.repeat(np.arange(256), triangle_counts)
    sign = np.where(kind < 128, 1.0, -1.0)
    a, b, c = middles[[int(edge, 16) for edge in "".join(kinds)]].reshape(-1, 3, 3).transpose(1, 0, 2)

    def summed(by_triangle: NDArray[np.float64]) -> NDArray[np.float64]:
        total = np.zeros(256)
        np.add.at(total, kind, by_triangle)
        return total

    area = summed(np.sqrt((np.cross(a - c, b - c) ** 2).sum(axis=1)) / 2)
    volume = summed(sign * (np.cross(a, b) * c).sum(axis=1))
    growth = sign[:, None] * (np.cross(a, b) + np.cross(b, c) + np.cross(c, a))
    per_mm = np.stack([summed(growth[:, axis]) for axis in range(3)], axis=1)
    for table in (area, volume, per_mm):
        table.flags.writeable = False
    return CubeTable(area, volume, per_mm)
