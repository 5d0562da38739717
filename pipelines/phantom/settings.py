"""What a synthetic chest CT shows: everything that its voxels depend on."""

from dataclasses import dataclass, field
from datetime import date
from typing import Final

Point = tuple[float, float, float]
"""x, y, z in mm (patient coordinates of PS3.3 C.7.6.2.1.1: left, posterior, head); the origin is mid-chest."""


@dataclass(frozen=True, slots=True)
class Texture:
    """How the attenuation varies within a lesion.

    Attributes
    ----------
    sd_hu
        Standard deviation of the variation.
    scale_mm
        Distance over which it stays alike (standard deviation of its Gaussian autocorrelation).
    necrotic_core
        True for a darker, irregular centre.
    """

    sd_hu: float
    scale_mm: float
    necrotic_core: bool = False


HOMOGENEOUS: Final = Texture(sd_hu=8.0, scale_mm=3.0)
HETEROGENEOUS: Final = Texture(sd_hu=30.0, scale_mm=3.0, necrotic_core=True)


@dataclass(frozen=True, slots=True)
class LesionSettings:
    """One lesion.

    Attributes
    ----------
    label
        Names the lesion; the same label in another study of the same patient means the same lesion.
    centre_mm, radii_mm
        Place and half axes along x, y, z. The default lies in the middle of the right lung.
    margin_irregularity
        Depth of the border's undulation as a fraction of the radius: 0 for a smooth ellipsoid, at most 0.3.
    """

    label: str = "Lesion 1"
    centre_mm: Point = (-78.0, 4.0, 2.0)
    radii_mm: Point = (12.0, 10.5, 11.5)
    texture: Texture = Texture(sd_hu=12.0, scale_mm=3.0)
    mean_hu: float = 32.0
    margin_irregularity: float = 0.10

    def __post_init__(self) -> None:
        if min(self.radii_mm) <= 0 or not 0 <= self.margin_irregularity <= 0.3:
            raise ValueError("a lesion needs positive radii and a margin irregularity of 0 to 0.3")


@dataclass(frozen=True, slots=True)
class PhantomSettings:
    """One study of a fictional patient; equal settings give equal bytes.

    Attributes
    ----------
    seed
        Chooses vessels, textures, borders and noise.
    spacing_mm
        Voxel size along (columns, rows, slices), the order of x, y, z.
    field_centre_mm
        Where the middle of the volume lies. A small volume around a lesion shows that lesion as the whole chest does.
    noise_sd_hu
        Image noise in soft tissue.
    """

    seed: int = 1
    slices: int = 40
    rows: int = 256
    columns: int = 256
    spacing_mm: Point = (1.4, 1.4, 2.5)
    field_centre_mm: Point = (0.0, 0.0, 0.0)
    lesions: tuple[LesionSettings, ...] = field(default_factory=lambda: (LesionSettings(),))
    noise_sd_hu: float = 12.0
    patient_name: str = "DEMO^LUNG"
    patient_id: str = "PULMONODE-DEMO"
    study_date: date = date(2026, 1, 15)

    def __post_init__(self) -> None:
        if min(self.slices, self.rows, self.columns) < 2 or min(self.spacing_mm) <= 0:
            raise ValueError("a phantom needs at least two voxels along each axis and a positive spacing")
