"""A cohort of synthetic lesions in two groups whose texture differs on average."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from pipelines.phantom.settings import LesionSettings, PhantomSettings, Texture

# in voxels of the default phantom: a lesion of 30 mm, the padding of the resampling and the widest filter
_FIELD: Final = (28, 50, 50)


@dataclass(frozen=True, slots=True)
class Group:
    """How the lesions of a group are drawn: mean and standard deviation of what differs between the groups."""

    sd_hu: tuple[float, float]
    margin_irregularity: tuple[float, float]
    necrosis: float
    """Fraction of lesions with a necrotic core."""


# the groups overlap, as patients do: a cut through the middle of the texture is right in about five cases of six
EVEN: Final = Group(sd_hu=(14.0, 5.0), margin_irregularity=(0.09, 0.03), necrosis=0.15)
UNEVEN: Final = Group(sd_hu=(23.0, 6.0), margin_irregularity=(0.13, 0.04), necrosis=0.40)


@dataclass(frozen=True, slots=True)
class PlantedCase:
    """A small CT around one lesion, and the group it was drawn from."""

    settings: PhantomSettings
    even: bool


def planted_cases(count: int, *, seed: int) -> Iterator[PlantedCase]:
    """Draw `count` cases, the two groups in turn."""
    rng = np.random.default_rng(seed)
    for index in range(count):
        even = index % 2 == 0
        lesion = _lesion(EVEN if even else UNEVEN, rng)
        slices, rows, columns = _FIELD
        yield PlantedCase(
            PhantomSettings(
                # apart from the seeds that demonstrations use
                seed=1_000_000 + 1_000 * seed + index,
                slices=slices,
                rows=rows,
                columns=columns,
                field_centre_mm=lesion.centre_mm,
                lesions=(lesion,),
                patient_id=f"PULMONODE-TRAIN-{index + 1:03}",
            ),
            even,
        )


def _lesion(group: Group, rng: np.random.Generator) -> LesionSettings:
    size = float(np.clip(rng.normal(11.0, 1.7), 7.5, 15.0))
    rx, ry, rz = (size * float(rng.uniform(0.88, 1.12)) for _ in range(3))
    return LesionSettings(
        radii_mm=(rx, ry, rz),
        texture=Texture(
            sd_hu=float(max(4.0, rng.normal(*group.sd_hu))),
            scale_mm=float(rng.uniform(2.4, 3.6)),
            necrotic_core=bool(rng.uniform() < group.necrosis),
        ),
        mean_hu=float(rng.normal(32.0, 4.0)),
        margin_irregularity=float(np.clip(rng.normal(*group.margin_irregularity), 0.02, 0.25)),
    )
