"""How IBSI features are computed: the choices that the IBSI manual leaves open, and the packaged preset."""

import json
from dataclasses import asdict, dataclass
from typing import Final, Literal

from pipelines.domain.identifiers import digest_of
from pipelines.extraction.ibsi_filters.catalogue import CATALOGUE, FilterName
from pipelines.extraction.ibsi_filters.words import described

Dimensions = Literal["2D", "2_5D", "3D"]
"""Texture by slice and averaged, by slice and merged over slices, or in the volume."""


@dataclass(frozen=True, slots=True)
class FixedBinSize:
    """Grey levels of `width_hu`, counted from the lower bound of the re-segmentation range (IBSI 2.7)."""

    width_hu: float

    def __str__(self) -> str:
        return f"fixed bin size {self.width_hu:g} HU"


@dataclass(frozen=True, slots=True)
class FixedBinNumber:
    """`count` grey levels between the lowest and the highest intensity of the lesion (IBSI 2.7)."""

    count: int

    def __str__(self) -> str:
        return f"fixed bin number {self.count}"


Discretisation = FixedBinSize | FixedBinNumber

FILTERED_SPACING_MM: Final = 1.0
"""Edge of the voxels that are filtered, as in the configurations B of IBSI-2's second phase."""


@dataclass(frozen=True, slots=True)
class IbsiSettings:
    """Everything that a feature value depends on beside the image and the mask.

    Attributes
    ----------
    profile
        Name under which the settings are printed.
    pixel_spacing_mm, slice_spacing_mm
        Of the voxels that features are computed on; None leaves that direction as it is.
    interpolation
        Of the CT; masks are always interpolated linearly and cut at `mask_threshold`.
    range_hu
        Lowest and highest intensity of the intensity mask; None for no limits.
    outlier_sigmas
        Intensities farther than this many standard deviations from the mean leave the intensity mask; None for none.
    discretisation
        Grey levels of the texture and histogram features.
    ivh_discretisation
        Grey levels of the intensity-volume histogram; None for whole HU.
    dimensions
        How texture features are aggregated.
    filters
        Filters of IBSI-2 whose response maps are measured too, in the order of the catalogue.

    References
    ----------
    IBSI reference manual (arXiv:1612.07003), chapters 2 and 5.
    """

    profile: str
    pixel_spacing_mm: float | None
    slice_spacing_mm: float | None
    discretisation: Discretisation
    range_hu: tuple[float, float] | None = None
    outlier_sigmas: float | None = None
    interpolation: Literal["linear", "cubic"] = "linear"
    ivh_discretisation: Discretisation | None = None
    dimensions: tuple[Dimensions, ...] = ("3D",)
    mask_threshold: float = 0.5
    filters: tuple[FilterName, ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of everything but the profile's name: equal numbers, equal digest."""
        values = {"standard": "IBSI", **asdict(self)}
        del values["profile"], values["filters"]
        if self.filters:
            values["filters"] = self._filtered()
        return digest_of(json.dumps(values, sort_keys=True))

    def described(self) -> tuple[tuple[str, str], ...]:
        """The settings in the words of the IBSI manual, for reports."""
        bounds = self.range_hu
        outliers = self.outlier_sigmas
        return (
            ("profile", self.profile),
            ("interpolated pixel spacing", _spacing(self.pixel_spacing_mm)),
            ("interpolated slice spacing", _spacing(self.slice_spacing_mm)),
            ("interpolation grid", "aligned by centre"),
            ("image interpolation", f"{self.interpolation}, rounded to whole HU"),
            ("mask interpolation", f"linear, threshold {self.mask_threshold:g}"),
            ("re-segmentation range", "none" if bounds is None else f"{bounds[0]:g} to {bounds[1]:g} HU"),
            ("re-segmentation outliers", "none" if outliers is None else f"{outliers:g} standard deviations"),
            ("discretisation", str(self.discretisation)),
            ("IVH discretisation", "whole HU" if self.ivh_discretisation is None else str(self.ivh_discretisation)),
            ("texture", ", ".join(self.dimensions).replace("_", ".")),
            *self._filtered(),
        )

    def _filtered(self) -> tuple[tuple[str, str], ...]:
        if not self.filters:
            return ()
        return (
            ("filtered image", f"{FILTERED_SPACING_MM:g} mm, cubic, rounded to whole HU"),
            *((f"filter {name}", described(CATALOGUE[name])) for name in self.filters),
        )


def _spacing(millimetres: float | None) -> str:
    return "as it is" if millimetres is None else f"{millimetres:g} mm"


PRESET: Final = IbsiSettings(
    "ibsi",
    pixel_spacing_mm=2.0,
    slice_spacing_mm=2.0,
    range_hu=(-1000.0, 400.0),
    discretisation=FixedBinSize(25.0),
    ivh_discretisation=FixedBinSize(2.5),
)
"""IBSI's own chest configuration C: the one of its volumetric configurations that keeps the meaning of HU."""
