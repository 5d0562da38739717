"""Awkward synthetic lesions: what the fast engine has to compute exactly as PyRadiomics does."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from pipelines.domain.case import Lesion
from pipelines.domain.identifiers import FrameOfReferenceUID, SopClassUID, SopInstanceUID
from pipelines.domain.volume import CtVolume, Grid, Mask, SliceRef

Rng = np.random.Generator
UPRIGHT: Final = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
FLIPPED: Final = (-1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 1.0)
SAGITTAL: Final = (0.0, 0.0, -1.0, 1.0, 0.0, 0.0, 0.0, -1.0, 0.0)
CORONAL: Final = (1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, -1.0, 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """A CT and a lesion drawn on it."""

    ct: CtVolume
    lesion: Lesion


def volume(
    hu: NDArray[np.generic],
    spacing_mm: tuple[float, float, float],
    *,
    origin_mm: tuple[float, float, float] = (-120.3, -95.7, 33.1),
    direction: tuple[float, ...] = UPRIGHT,
) -> CtVolume:
    """A CT volume of `hu`; spacing along (columns, rows, slices)."""
    shape = hu.shape[0], hu.shape[1], hu.shape[2]
    refs = tuple(SliceRef(SopClassUID("1.2"), SopInstanceUID(f"1.2.{index}")) for index in range(shape[0]))
    return CtVolume(hu, Grid(shape, origin_mm, spacing_mm, direction), FrameOfReferenceUID("1.2.3"), refs)


def lesion_of(mask: NDArray[np.bool_]) -> Lesion:
    cropped = Mask.of(mask)
    assert cropped is not None
    return Lesion(1, "Lesion 1", "1", "1.2.4", None, cropped)


def field(rng: Rng, shape: tuple[int, ...], sigma: float) -> NDArray[np.float64]:
    """Smooth noise of mean 0 and standard deviation 1."""
    noise = sitk.GetImageFromArray(rng.normal(size=shape))
    smooth = np.asarray(sitk.GetArrayFromImage(sitk.DiscreteGaussian(noise, [sigma**2] * 3, 16)), dtype=np.float64)
    return np.asarray((smooth - smooth.mean()) / smooth.std())


def tissue(rng: Rng, shape: tuple[int, ...]) -> NDArray[np.int16]:
    """HU of textured soft tissue or lung."""
    return np.rint(field(rng, shape, 1.2) * 120 + rng.uniform(-300, 60)).astype(np.int16)


def blob(rng: Rng, shape: tuple[int, ...], *, margin: int = 4) -> NDArray[np.bool_]:
    """A few irregular pieces that cover some percent of the volume."""
    values = field(rng, shape, 3.0)
    mask = values > np.quantile(values, 0.93)
    if margin:
        inner = np.zeros(shape, dtype=np.bool_)
        inner[2:-2, margin:-margin, margin:-margin] = True
        mask &= inner
    if mask.sum() < 30:
        mask[shape[0] // 2, 10:20, 10:20] = True
    return mask


def _shape(rng: Rng) -> tuple[int, int, int]:
    return int(rng.integers(14, 36)), int(rng.integers(36, 70)), int(rng.integers(36, 70))


def _spacing(rng: Rng) -> tuple[float, float, float]:
    in_plane = float(rng.uniform(0.5, 1.2))
    return in_plane, in_plane, float(rng.choice([1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 5.0]))


def _plain(rng: Rng) -> Drawn:
    shape = _shape(rng)
    return Drawn(volume(tissue(rng, shape), _spacing(rng)), lesion_of(blob(rng, shape)))


def _border(rng: Rng) -> Drawn:
    shape = _shape(rng)
    mask = blob(rng, shape, margin=0)
    mask[0, :6, :6] = True
    mask[-1, -6:, -6:] = True
    return Drawn(volume(tissue(rng, shape), _spacing(rng)), lesion_of(mask))


def _tiny(rng: Rng) -> Drawn:
    shape = _shape(rng)
    mask = np.zeros(shape, dtype=np.bool_)
    z, y, x = (size // 2 for size in shape)
    mask[z : z + 2, y : y + 3, x : x + 3] = True
    mask[z, y, x] = False
    return Drawn(volume(tissue(rng, shape), _spacing(rng)), lesion_of(mask))


def _one_slice(rng: Rng) -> Drawn:
    shape = _shape(rng)
    mask = np.zeros(shape, dtype=np.bool_)
    mask[shape[0] // 2] = blob(rng, shape)[shape[0] // 2]
    mask[shape[0] // 2, 10:20, 10:25] = True
    return Drawn(volume(tissue(rng, shape), _spacing(rng)), lesion_of(mask))


def _oblique(rng: Rng) -> Drawn:
    shape = _shape(rng)
    angle = 0.2
    c, s = float(np.cos(angle)), float(np.sin(angle))
    direction = (c, -s, 0.0, s, c, 0.0, 0.0, 0.0, 1.0)
    return Drawn(volume(tissue(rng, shape), _spacing(rng), direction=direction), lesion_of(blob(rng, shape)))


def _turned(direction: tuple[float, ...]) -> Callable[[Rng], Drawn]:
    def drawn(rng: Rng) -> Drawn:
        shape = _shape(rng)
        return Drawn(volume(tissue(rng, shape), _spacing(rng), direction=direction), lesion_of(blob(rng, shape)))

    return drawn


def _spaced(*spacing_mm: float) -> Callable[[Rng], Drawn]:
    def drawn(rng: Rng) -> Drawn:
        shape = _shape(rng)
        x, y, z = spacing_mm
        return Drawn(volume(tissue(rng, shape), (x, y, z)), lesion_of(blob(rng, shape)))

    return drawn


def _anisotropic(rng: Rng) -> Drawn:
    shape = _shape(rng)
    x, y, z = (float(step) for step in rng.uniform(0.4, 3.0, 3))
    return Drawn(volume(tissue(rng, shape), (x, y, z)), lesion_of(blob(rng, shape)))


def _disconnected(rng: Rng) -> Drawn:
    """Single voxels that hardly touch: whole directions without a pair, lines with two voxels apart."""
    shape = _shape(rng)
    mask = np.zeros(shape, dtype=np.bool_)
    for _ in range(6):
        z, y, x = (int(rng.integers(6, size - 6)) for size in shape)
        mask[z, y, x] = True
    mask[6, 6, 6:8] = True
    return Drawn(volume(tissue(rng, shape), (1.0, 1.0, 1.0)), lesion_of(mask))


def _flat(rng: Rng) -> Drawn:
    """Constant inside and around the lesion: high-pass bands are noise, samples are whole HU give or take 1e-13."""
    shape = _shape(rng)
    hu = np.full(shape, -70, dtype=np.int16)
    hu[:, :6] = tissue(rng, shape)[:, :6]
    return Drawn(volume(hu, _spacing(rng)), lesion_of(blob(rng, shape, margin=10)))


def _two_levels(rng: Rng) -> Drawn:
    shape = _shape(rng)
    hu = np.where(tissue(rng, shape) > -120, 40, -40).astype(np.int16)
    return Drawn(volume(hu, (1.0, 1.0, 1.0)), _tiny(rng).lesion if rng.random() < 0.5 else lesion_of(blob(rng, shape)))


KINDS: Final[dict[str, Callable[[Rng], Drawn]]] = {
    "plain": _plain,
    "border": _border,
    "tiny": _tiny,
    "one slice": _one_slice,
    "oblique": _oblique,
    "flipped": _turned(FLIPPED),
    "sagittal": _turned(SAGITTAL),
    "coronal": _turned(CORONAL),
    "already 1 mm": _spaced(1.0, 1.0, 1.0),
    "every third slice on the grid": _spaced(1.0, 1.0, 3.0),
    "slices of 5 mm on the grid": _spaced(1.0, 1.0, 5.0),
    "half way between slices": _spaced(0.75, 0.75, 1.25),
    "anisotropic": _anisotropic,
    "disconnected": _disconnected,
    "flat": _flat,
    "two levels": _two_levels,
}
"""Builders of lesions by kind."""
