"""The lesions that the benchmarks measure: synthetic ones of a given volume, and those of real cases."""

from pathlib import Path
from typing import Final

import numpy as np
import SimpleITK as sitk
from pydicom import dcmread

from pipelines.domain.case import Case, Lesion
from pipelines.domain.volume import CtVolume
from pipelines.imaging.case import read_case
from tests.lesions import lesion_of, volume

_SHAPE: Final = (200, 512, 512)
_SPACING: Final = (0.75, 0.75, 1.25)


def source(name: str) -> tuple[CtVolume, Lesion]:
    """The lesion of a folder with `ct/` and `seg.dcm`, or a synthetic one of so many cm3."""
    return golden(Path(name)) if Path(name).is_dir() else synthetic(float(name))


def synthetic(volume_cm3: float, seed: int = 1) -> tuple[CtVolume, Lesion]:
    """A chest-like CT of 512 x 512 x 200 voxels with one textured, irregular tumour of `volume_cm3` in it."""
    rng = np.random.default_rng(seed)
    hu = rng.normal(-840.0, 25.0, _SHAPE).astype(np.float32)
    spacing = np.array(_SPACING[::-1])
    radius = (volume_cm3 * 1000 * 3 / 4 / np.pi) ** (1 / 3)
    centre = [size // 2 for size in _SHAPE]
    half = np.minimum(np.ceil((radius * 1.5 + 6) / spacing).astype(int), [size - 1 for size in centre])
    box = tuple(slice(c - h, c + h) for c, h in zip(centre, half, strict=True))
    shape = tuple(int(2 * h) for h in half)
    axes = np.meshgrid(*((np.arange(n) - n / 2) * step for n, step in zip(shape, spacing, strict=True)), indexing="ij")

    def field(sigma_mm: float) -> np.ndarray:
        noise = sitk.GetImageFromArray(rng.normal(size=shape).astype(np.float32))
        noise.SetSpacing(_SPACING)
        smooth = sitk.GetArrayFromImage(sitk.SmoothingRecursiveGaussian(noise, sigma_mm))
        return np.asarray((smooth - smooth.mean()) / smooth.std())

    height = radius * (1 + 0.10 * field(radius / 4) + 0.04 * field(radius / 12)) - np.sqrt(sum(a**2 for a in axes))
    wanted = round(volume_cm3 * 1000 / float(np.prod(spacing)))
    threshold = np.partition(height.ravel(), -wanted)[-wanted]
    tumour = height >= threshold
    texture = 35 + 28 * field(4) + 18 * field(1.5) + 15 * field(0.7) - 35 * (field(radius / 3) > 1.2)
    share = 1 / (1 + np.exp(-np.clip((height - threshold) / 0.8, -50, 50)))
    hu[box] = hu[box] * (1 - share) + texture * share
    mask = np.zeros(_SHAPE, dtype=np.bool_)
    mask[box] = tumour
    ct = volume(np.clip(np.rint(hu), -1024, 3071).astype(np.int16), _SPACING, origin_mm=(-190.0, -190.0, -120.0))
    return ct, lesion_of(mask)


def golden(folder: Path) -> tuple[CtVolume, Lesion]:
    """CT and first lesion of a real case."""
    case = read_case(
        [dcmread(file) for file in sorted((folder / "ct").glob("*.dcm"))],
        dcmread(folder / "seg.dcm"),
        inputs_digest="benchmark",
    )
    assert isinstance(case, Case)
    return case.ct, case.lesions[0]
