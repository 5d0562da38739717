"""A chest without disease: body wall, ribs, spine, mediastinum, lungs and their vessels.

Sizes in mm and attenuations in HU are those of an average adult, rounded; the shapes are geometric.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.phantom.noise import smoothed_noise
from pipelines.phantom.settings import Point
from pipelines.phantom.space import Mesh, Values, blend, column, ellipsoid, inside, tube

_AIR = -1000.0
_FAT = -100.0
_MUSCLE = 52.0
_BLOOD = 42.0
_LUNG = -850.0
_CORTEX = 520.0
_MARROW = 190.0

_RIB_STEP_MM = 24.0
_RIB_DROP_MM = 96.0
_CARINA_Z_MM = 14.0


def paint_chest(mesh: Mesh, rng: np.random.Generator) -> Values:
    """Attenuation in HU at the points of `mesh`, without noise; shape (slices, rows, columns)."""
    hu = np.full(mesh.shape, _AIR, dtype=np.float32)
    hu = blend(hu, _FAT, inside(column(mesh, (0.0, 0.0), (168.0, 122.0), power=2.3)))
    hu = blend(hu, _MUSCLE, inside(column(mesh, (0.0, 1.0), (154.0, 107.0), power=2.3)))
    hu = _ribs(hu, mesh)
    lungs = _lungs(mesh)
    hu = _mediastinum(hu, mesh)
    hu = blend(hu, _parenchyma(mesh, rng), lungs)
    hu = _vessels(hu, mesh, lungs, rng)
    hu = _airways(hu, mesh)
    return _spine(hu, mesh)


def _lungs(mesh: Mesh) -> Values:
    """Fraction of lung in each voxel."""
    # lungs narrow towards the apex
    taper = np.sqrt(np.clip(1.0 - ((mesh.z + 40.0) / 190.0) ** 2, 0.2, 1.0))
    both = np.zeros(mesh.shape, dtype=np.float32)
    for side in (-1.0, 1.0):
        rx, ry = 62.0 * taper, 86.0 * taper
        rho = (np.abs((mesh.x - side * 76.0) / rx) ** 2.2 + np.abs((mesh.y - 4.0) / ry) ** 2.2) ** (1 / 2.2)
        both = np.maximum(both, inside((rho - 1.0) * 60.0))
    middle = np.minimum(
        column(mesh, (0.0, -20.0), (33.0, 75.0)),
        np.minimum(ellipsoid(mesh, (24.0, -34.0, -52.0), (62.0, 48.0, 62.0)), column(mesh, (0.0, 64.0), (28.0, 36.0))),
    )
    return (both * (1.0 - inside(middle))).astype(np.float32)


def _mediastinum(hu: Values, mesh: Mesh) -> Values:
    hu = blend(hu, _FAT + 20.0, inside(column(mesh, (0.0, -18.0), (30.0, 66.0))))
    hu = blend(hu, _BLOOD, inside(ellipsoid(mesh, (24.0, -34.0, -52.0), (57.0, 43.0, 58.0)), 1.5))
    for centre, radius in (((26.0, 50.0), 12.0), ((-8.0, -32.0), 15.0), ((-25.0, -26.0), 9.0)):
        hu = blend(hu, _BLOOD, inside(column(mesh, centre, (radius, radius))))
    pulmonary = tube(mesh, (30.0, -14.0, -6.0), (-26.0, 6.0, -6.0), 11.0)
    hu = blend(hu, _BLOOD, inside(pulmonary))
    return blend(hu, 30.0, inside(column(mesh, (10.0, 41.0), (8.0, 5.0))))


def _airways(hu: Values, mesh: Mesh) -> Values:
    carina = (0.0, 20.0, _CARINA_Z_MM)
    branches: tuple[tuple[Point, Point, float], ...] = (
        ((0.0, 14.0, 200.0), carina, 8.5),
        (carina, (-36.0, 20.0, -14.0), 6.5),
        (carina, (38.0, 22.0, -18.0), 6.0),
    )
    for start, end, radius in branches:
        hu = blend(hu, 20.0, inside(tube(mesh, start, end, radius + 1.8)))
    for start, end, radius in branches:
        hu = blend(hu, _AIR, inside(tube(mesh, start, end, radius)))
    return hu


def _ribs(hu: Values, mesh: Mesh) -> Values:
    """Twelve pairs, or as many as the field shows, each falling from the spine to the sternum."""
    x, y = mesh.x / 146.0, (mesh.y - 1.0) / 99.0
    across = (np.abs(x) ** 2.3 + np.abs(y) ** 2.3) ** (1 / 2.3)
    # 0 at the sternum, 1 at the spine
    backwards = np.arctan2(np.abs(x), -y) / np.float32(np.pi)
    height = (mesh.z - _RIB_DROP_MM * backwards) % _RIB_STEP_MM - _RIB_STEP_MM / 2
    bone = np.sqrt(((across - 1.0) * 120.0 / 4.5) ** 2 + (height / 6.5) ** 2)
    # cartilage in front is as soft as muscle
    weight = inside((bone - 1.0) * 4.5) * inside(-60.0 - mesh.y, 4.0)
    hu = blend(hu, _MARROW + (_CORTEX - _MARROW) * np.clip(bone, 0.0, 1.0) ** 3, weight)
    sternum = column(mesh, (0.0, -97.0), (19.0, 6.5))
    return blend(hu, _MARROW, inside(sternum))


def _spine(hu: Values, mesh: Mesh) -> Values:
    body = column(mesh, (0.0, 62.0), (19.0, 16.0))
    # a disc of 6 mm every 28 mm between the vertebral bodies
    disc = inside(np.abs((mesh.z + 9.0) % 28.0 - 14.0) - 3.0, 0.8)
    hu = blend(hu, _CORTEX - (_CORTEX - _MARROW) * inside(body + 2.5), inside(body) * (1.0 - disc))
    hu = blend(hu, 75.0, inside(body) * disc)
    arch = column(mesh, (0.0, 86.0), (14.0, 12.0))
    hu = blend(hu, _CORTEX - 120.0, inside(arch))
    for side in (-1.0, 1.0):
        process = tube(mesh, (side * 12.0, 84.0, 0.0), (side * 34.0, 92.0, 0.0), 5.0)
        level = inside(np.abs((mesh.z + 2.0) % 28.0 - 14.0) - 6.0, 1.0)
        hu = blend(hu, _CORTEX - 180.0, inside(process) * level)
    return blend(hu, 25.0, inside(column(mesh, (0.0, 86.0), (9.0, 8.0))))


def _parenchyma(mesh: Mesh, rng: np.random.Generator) -> Values:
    """Lung tissue: denser towards the back, where blood gathers in a supine patient."""
    fine = smoothed_noise(mesh.shape, (0.6, 1.0, 1.0), rng)
    coarse = smoothed_noise(mesh.shape, (2.0, 4.0, 4.0), rng)
    return np.asarray(_LUNG + 0.35 * mesh.y + 16.0 * fine + 14.0 * coarse, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class _Branch:
    start: Point
    end: Point
    radius_mm: float


def _vessels(hu: Values, mesh: Mesh, lungs: Values, rng: np.random.Generator) -> Values:
    for branch in (*_tree(-1.0, rng), *_tree(1.0, rng)):
        reach = branch.radius_mm + 2.0
        low = [min(a, b) - reach for a, b in zip(branch.start, branch.end, strict=True)]
        high = [max(a, b) + reach for a, b in zip(branch.start, branch.end, strict=True)]
        box = mesh.box_around(low, high)
        if box is not None:
            weight = inside(tube(mesh.part(box), branch.start, branch.end, branch.radius_mm)) * lungs[box]
            hu[box] = blend(hu[box], _BLOOD, weight)
    return hu


def _tree(side: float, rng: np.random.Generator) -> Iterator[_Branch]:
    """Vessels of one lung: they leave the hilum in all directions and fork at every step."""
    hilum = np.array([side * 36.0, 12.0, -8.0])
    trunks = []
    for up in (-0.9, -0.3, 0.3, 0.9):
        for back in (-0.9, 0.0, 0.9):
            way = np.array([side * 0.9, back, up]) + rng.normal(0.0, 0.15, 3)
            trunks.append((hilum + rng.normal(0.0, 3.0, 3), way / np.linalg.norm(way), 3.6, 24.0))
    while trunks:
        start, way, radius, length = trunks.pop()
        end = start + way * length
        yield _Branch(_point(start), _point(end), radius)
        if radius < 0.9:
            continue
        for _ in range(2):
            bent = way + rng.normal(0.0, 0.38, 3)
            thinner = radius * rng.uniform(0.62, 0.82)
            trunks.append((end, bent / np.linalg.norm(bent), thinner, length * rng.uniform(0.7, 0.95)))


def _point(values: NDArray[np.float64]) -> Point:
    x, y, z = (float(v) for v in values)
    return x, y, z
