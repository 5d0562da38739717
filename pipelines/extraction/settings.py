"""How features are computed: immutable settings, the packaged profiles and their digest."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Final, Literal

from pipelines.domain.identifiers import digest_of
from pipelines.extraction.customisation import Customisation
from pipelines.extraction.ibsi.settings import PRESET, IbsiSettings
from pipelines.extraction.ibsi_filters.catalogue import FilterName, in_order

Interpolator = Literal["sitkBSpline", "sitkNearestNeighbor", "sitkLinear"]


@dataclass(frozen=True, slots=True)
class ExtractionSettings:
    """Everything that a feature value depends on beside the image and the mask.

    Attributes
    ----------
    profile
        Name under which the settings are printed.
    interpolator
        How the CT is resampled; masks are always resampled with the nearest neighbour.
    resampled_spacing_mm
        Edge of the cubic voxels that features are computed on.
    pad_distance_mm
        CT kept around the lesion when resampling, for the filters' support.
    gaussian_sigma_mm
        Smoothing of the resampled CT before anything is computed; 0 switches it off.
    bin_width_hu
        Width of a grey level.
    voxel_array_shift_hu
        Added to intensities where they are squared.
    log_sigmas_mm
        Sigmas of the Laplacian of Gaussian filter.
    wavelet
        True to compute on the eight coif1 sub-bands also.
    customisation
        What a parameter file of PyRadiomics asks for beyond the above; where it is given, it decides on features, and
        of the above only bin width and shift matter, to maps.
    ibsi
        Measure as IBSI defines it; where it is given, it decides on features, and the above matters to maps alone.

    References
    ----------
    Dong & Chen 2025, section 1.3; PyRadiomics `exampleCT.yaml`, which yields the paper's 1,218 features.
    """

    profile: str
    interpolator: Interpolator
    gaussian_sigma_mm: float
    resampled_spacing_mm: float = 1.0
    pad_distance_mm: int = 10
    bin_width_hu: float = 25.0
    voxel_array_shift_hu: float = 1000.0
    log_sigmas_mm: tuple[float, ...] = (1.0, 2.0, 3.0, 4.0, 5.0)
    wavelet: bool = True
    ibsi: IbsiSettings | None = None
    customisation: Customisation | None = None

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of everything but the profile's name: equal numbers, equal digest."""
        if self.ibsi is not None:
            return self.ibsi.digest
        values = asdict(self)
        del values["profile"], values["ibsi"]
        if self.customisation is None:
            del values["customisation"]
        return digest_of(json.dumps(values, sort_keys=True))

    @property
    def hounsfield(self) -> bool:
        """False when features are computed from intensities that are no longer HU."""
        return self.customisation is None or not self.customisation.setting("normalize", default=False)

    def described(self) -> tuple[tuple[str, str], ...]:
        """The settings under PyRadiomics' names, or under IBSI's, for reports."""
        if self.ibsi is not None:
            return self.ibsi.described()
        if self.customisation is not None:
            return (("profile", self.profile), *self.customisation.described())
        return (
            ("profile", self.profile),
            ("interpolator", self.interpolator),
            ("resampledPixelSpacing", f"{self.resampled_spacing_mm:g} mm"),
            ("padDistance", f"{self.pad_distance_mm} mm"),
            ("preSmoothing", f"Gaussian sigma {self.gaussian_sigma_mm:g} mm" if self.gaussian_sigma_mm else "none"),
            ("binWidth", f"{self.bin_width_hu:g} HU"),
            ("voxelArrayShift", f"{self.voxel_array_shift_hu:g} HU"),
            ("LoG sigma", ", ".join(f"{sigma:g}" for sigma in self.log_sigmas_mm) + " mm"),
            ("wavelet", "coif1, level 1" if self.wavelet else "none"),
        )


PROFILES: Final[dict[str, ExtractionSettings]] = {
    # PyRadiomics' exampleCT.yaml as it is
    "recommended": ExtractionSettings("recommended", "sitkBSpline", gaussian_sigma_mm=0.0),
    # the paper's text: nearest neighbour and a Gaussian filter, whose sigma it does not give; one voxel is assumed
    "seed-a": ExtractionSettings("seed-a", "sitkNearestNeighbor", gaussian_sigma_mm=1.0),
    # as IBSI defines it, without PyRadiomics; maps are those of the first profile
    "ibsi": ExtractionSettings("ibsi", "sitkBSpline", gaussian_sigma_mm=0.0, ibsi=PRESET),
}
"""The packaged settings by profile name."""


def load_profile(
    name: str, *, gaussian_sigma_mm: float | None = None, ibsi_filters: Sequence[FilterName] = ()
) -> ExtractionSettings:
    """Settings of profile `name`, with another smoothing or with filters of IBSI-2 when they are given.

    Raises
    ------
    KeyError
        If there is no such profile.
    ValueError
        If smoothing, or filters of IBSI-2, are asked of a profile that has none.
    """
    settings = PROFILES[name]
    if settings.ibsi is not None and gaussian_sigma_mm:
        raise ValueError(f"the profile {name} knows no smoothing")
    if ibsi_filters:
        if settings.ibsi is None:
            raise ValueError(f"the profile {name} knows no filters of IBSI-2")
        filters = in_order(ibsi_filters)
        profile = f"{name}, filters {' '.join(filters)}"
        return replace(settings, profile=profile, ibsi=replace(settings.ibsi, profile=profile, filters=filters))
    if gaussian_sigma_mm is None or gaussian_sigma_mm == settings.gaussian_sigma_mm:
        return settings
    return replace(settings, profile=f"{name}, sigma {gaussian_sigma_mm:g} mm", gaussian_sigma_mm=gaussian_sigma_mm)
