"""Two hundred random CT with lesions, of all kinds and types of values, for the fast engine beside PyRadiomics."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from pipelines.domain.case import Lesion
from pipelines.domain.volume import CtVolume
from tests.lesions import KINDS, Drawn, Rng, blob, lesion_of, tissue, volume

NUMBER: Final = 200


@dataclass(frozen=True, slots=True, eq=False)
class RandomCase:
    """A CT with one or more lesions drawn on it."""

    number: int
    kind: str
    ct: CtVolume
    lesions: tuple[Lesion, ...]


def _single(kind: str) -> Callable[[Rng], tuple[CtVolume, tuple[Lesion, ...]]]:
    def drawn(rng: Rng) -> tuple[CtVolume, tuple[Lesion, ...]]:
        one = KINDS[kind](rng)
        return one.ct, (one.lesion,)

    return drawn


def _typed(dtype: type[np.generic]) -> Callable[[Rng], tuple[CtVolume, tuple[Lesion, ...]]]:
    def drawn(rng: Rng) -> tuple[CtVolume, tuple[Lesion, ...]]:
        kind = str(
            rng.choice(["plain", "border", "anisotropic", "half way between slices", "already 1 mm", "sagittal"])
        )
        one = KINDS[kind](rng)
        return _as_type(one, dtype, rng), (one.lesion,)

    return drawn


def _as_type(one: Drawn, dtype: type[np.generic], rng: Rng) -> CtVolume:
    hu = one.ct.hu.astype(np.float64)
    if np.issubdtype(dtype, np.floating):
        # a rescale slope that is no whole number
        hu = hu * 1.37 + rng.normal(size=hu.shape)
    elif dtype == np.uint16:
        # without the rescale intercept
        hu = np.clip(hu + 1024, 0, 65535)
    return replace(one.ct, hu=hu.astype(dtype))


def _many(rng: Rng) -> tuple[CtVolume, tuple[Lesion, ...]]:
    """Several lesions that share voxels."""
    one = KINDS["plain"](rng)
    shape = one.ct.grid.shape
    shifted: NDArray[np.bool_] = np.roll(one.lesion.mask.on(one.ct.grid), (1, 3, -2), axis=(0, 1, 2))
    part = blob(rng, shape) | (shifted & one.lesion.mask.on(one.ct.grid))
    return one.ct, (one.lesion, lesion_of(shifted), lesion_of(part))


def _drawn_on_another_grid(rng: Rng) -> tuple[CtVolume, tuple[Lesion, ...]]:
    """A mask of other spacing and direction, brought onto the CT with the nearest neighbour as read_case does."""
    shape = int(rng.integers(16, 30)), int(rng.integers(40, 60)), int(rng.integers(40, 60))
    ct = volume(tissue(rng, shape), (float(rng.uniform(0.6, 1.1)), 0.8, float(rng.choice([1.0, 1.25, 2.5]))))
    own = sitk.GetImageFromArray(blob(rng, (24, 50, 50)).astype(np.uint8))
    own.SetSpacing((0.9, 0.9, 1.7))
    angle = float(rng.uniform(-0.3, 0.3))
    own.SetDirection((np.cos(angle), -np.sin(angle), 0.0, np.sin(angle), np.cos(angle), 0.0, 0.0, 0.0, 1.0))
    own.SetOrigin([at + float(rng.uniform(-4, 4)) for at in ct.grid.origin_mm])
    target = sitk.Image(shape[::-1], sitk.sitkUInt8)
    target.SetSpacing(ct.grid.spacing_mm)
    target.SetOrigin(ct.grid.origin_mm)
    target.SetDirection(ct.grid.direction)
    moved = sitk.GetArrayFromImage(sitk.Resample(own, target, sitk.Transform(), sitk.sitkNearestNeighbor, 0))
    return ct, (lesion_of(moved.astype(np.bool_)),)


BUILDERS: Final[dict[str, Callable[[Rng], tuple[CtVolume, tuple[Lesion, ...]]]]] = {
    **{
        kind: _single(kind)
        for kind in (
            "border",
            "tiny",
            "one slice",
            "oblique",
            "flipped",
            "sagittal",
            "coronal",
            "disconnected",
            "already 1 mm",
            "half way between slices",
        )
    },
    "drawn on another grid": _drawn_on_another_grid,
    "lesions that share voxels": _many,
    "uint16": _typed(np.uint16),
    "int32": _typed(np.int32),
    "float32": _typed(np.float32),
    "float64": _typed(np.float64),
}
"""Makers of CT and lesions by kind."""


def random_case(number: int) -> RandomCase:
    """Case `number`, the same in every run; kinds take turns."""
    kind = list(BUILDERS)[number % len(BUILDERS)]
    ct, lesions = BUILDERS[kind](np.random.default_rng([7, number]))
    return RandomCase(number, kind, ct, lesions)
