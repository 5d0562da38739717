"""The features of a lesion: from the fast engine where it can, from PyRadiomics where it must."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pipelines.domain.case import Lesion
from pipelines.domain.features import FeatureMap, FeatureVector
from pipelines.domain.reasons import Rejected
from pipelines.domain.volume import CtVolume
from pipelines.extraction import fast, fast_maps, oracle
from pipelines.extraction.limits import Unsupported
from pipelines.extraction.settings import ExtractionSettings

Engine = Literal["fast", "pyradiomics"]


@dataclass(frozen=True, slots=True)
class Extraction:
    """An outcome and how it came about.

    Attributes
    ----------
    engine
        What computed it.
    reason
        Why it was not the fast engine; empty when it was, or was not asked for.
    """

    outcome: FeatureVector | Rejected
    engine: Engine
    reason: str = ""


def extract(ct: CtVolume, lesion: Lesion, settings: ExtractionSettings, *, engine: Engine = "fast") -> Extraction:
    """Compute all features of `lesion`; the numbers do not depend on `engine`, but for rounding in the ninth digit."""
    if engine == "fast":
        outcome = fast.extract(ct, lesion, settings)
        if not isinstance(outcome, Unsupported):
            return Extraction(outcome, "fast")
        return Extraction(oracle.extract(ct, lesion, settings), "pyradiomics", outcome.reason)
    return Extraction(oracle.extract(ct, lesion, settings), "pyradiomics")


@dataclass(frozen=True, slots=True)
class Mapping:
    """The maps of a lesion and how they came about.

    Attributes
    ----------
    outcomes
        Maps, and why there are no others.
    reasons
        What PyRadiomics computed in place of the fast engine, and why: (features, reason).
    """

    outcomes: tuple[FeatureMap | Rejected, ...]
    reasons: tuple[tuple[tuple[str, ...], str], ...] = ()


def feature_maps(
    ct: CtVolume,
    lesion: Lesion,
    features: Sequence[str],
    settings: ExtractionSettings,
    *,
    kernel_radius_voxels: int = 1,
    engine: Engine = "fast",
) -> Mapping:
    """Compute `features` around every voxel of `lesion`, on the grid of the CT; each class of an image once."""
    by_reason: dict[str, list[str]] = {}
    for feature in features:
        reason = fast_maps.supports(ct, feature, settings, kernel_radius_voxels) if engine == "fast" else None
        by_reason.setdefault(reason or "", []).append(feature)
    outcomes: list[FeatureMap | Rejected] = []
    reasons = []
    for reason, group in by_reason.items():
        made: tuple[FeatureMap, ...] | Rejected | Unsupported = Unsupported(reason)
        if engine == "fast" and not reason:
            made = fast_maps.feature_maps(ct, lesion, group, settings, kernel_radius_voxels=kernel_radius_voxels)
        if isinstance(made, Unsupported):
            if engine == "fast":
                reasons.append((tuple(group), made.reason))
            made = oracle.feature_maps(ct, lesion, group, settings, kernel_radius_voxels=kernel_radius_voxels)
        outcomes += [made] if isinstance(made, Rejected) else made
    return Mapping(tuple(outcomes), tuple(reasons))
