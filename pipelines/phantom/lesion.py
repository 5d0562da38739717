"""One lesion: where its border runs and what lies within."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.phantom.noise import correlated_field
from pipelines.phantom.settings import LesionSettings
from pipelines.phantom.space import Mesh, Values, inside

_UNDULATIONS = 24
_CORE_HU = -22.0
_DRAWN = 0.9


@dataclass(frozen=True, slots=True, eq=False)
class PaintedLesion:
    """A lesion on part of a grid.

    Attributes
    ----------
    box
        The part (slices, rows, columns).
    hu
        Attenuation of the lesion's tissue at every point of the box, inside or not.
    weight
        Fraction of lesion in each voxel.
    mask
        True where at least 90 % of the voxel is lesion, about where a reader draws the border in a soft-tissue window.
    """

    box: tuple[slice, slice, slice]
    hu: Values
    weight: Values
    mask: NDArray[np.bool_]


def paint_lesion(mesh: Mesh, lesion: LesionSettings, rng: np.random.Generator) -> PaintedLesion | None:
    """Evaluate `lesion` on `mesh`; None when it lies outside."""
    reach = [r * (1.0 + lesion.margin_irregularity) + 5.0 for r in lesion.radii_mm]
    box = mesh.box_around(
        [c - r for c, r in zip(lesion.centre_mm, reach, strict=True)],
        [c + r for c, r in zip(lesion.centre_mm, reach, strict=True)],
    )
    if box is None:
        return None
    part = mesh.part(box)
    x, y, z = (
        (axis - centre) / radius
        for axis, centre, radius in zip((part.x, part.y, part.z), lesion.centre_mm, lesion.radii_mm, strict=True)
    )
    distance = np.sqrt(x**2 + y**2 + z**2).astype(np.float64)
    border = 1.0 + lesion.margin_irregularity * _undulation(x, y, z, distance, rng)
    outside_mm = (distance - border) * min(lesion.radii_mm)
    variation = correlated_field(part, lesion.texture.scale_mm, rng)
    hu = lesion.mean_hu + lesion.texture.sd_hu * variation
    if lesion.texture.necrotic_core:
        core_edge = 0.5 + 0.18 * correlated_field(part, min(lesion.radii_mm) / 2.5, rng)
        core = inside((distance - core_edge) * min(lesion.radii_mm), 1.2)
        hu = hu + _CORE_HU * core
    weight = inside(outside_mm)
    return PaintedLesion(box, hu.astype(np.float32), weight, weight >= _DRAWN)


def _undulation(
    x: Values, y: Values, z: Values, distance: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """A smooth function of the direction alone, from -1 to 1: the lesion stays in one piece."""
    waves = rng.normal(0.0, 3.0, (_UNDULATIONS, 3))
    phases = rng.uniform(0.0, 2.0 * np.pi, _UNDULATIONS)
    away = np.maximum(distance, 1e-6)
    total = np.zeros_like(distance)
    for (kx, ky, kz), phase in zip(waves, phases, strict=True):
        total += np.cos((kx * x + ky * y + kz * z) / away + phase)
    return np.asarray(np.clip(total * np.sqrt(0.5 / _UNDULATIONS), -1.0, 1.0))
