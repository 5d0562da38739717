"""The features of a lesion: from the fast engine where it can, from PyRadiomics where it must."""

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


def extract(
    ct: CtVolume,
    lesion: Lesion,
    settings: ExtractionSettings,
    *,
    engine: Engine = "fast",
    mapper: fast.Mapper = map,
) -> Extraction:
    """Compute all features of `lesion`; the numbers do not depend on `engine`, but for rounding in the ninth digit.

    Parameters
    ----------
    mapper
        Runs the jobs of the fast engine; see `pipelines.extraction.fast.extract`.
    """
    if engine == "fast":
        outcome = fast.extract(ct, lesion, settings, mapper=mapper)
        if not isinstance(outcome, Unsupported):
            return Extraction(outcome, "fast")
        return Extraction(oracle.extract(ct, lesion, settings), "pyradiomics", outcome.reason)
    return Extraction(oracle.extract(ct, lesion, settings), "pyradiomics")


def feature_map(
    ct: CtVolume,
    lesion: Lesion,
    feature: str,
    settings: ExtractionSettings,
    *,
    kernel_radius_voxels: int = 1,
    engine: Engine = "fast",
) -> FeatureMap | Rejected:
    """Compute `feature` around every voxel of `lesion`, on the grid of the CT."""
    if engine == "fast":
        made = fast_maps.feature_map(ct, lesion, feature, settings, kernel_radius_voxels=kernel_radius_voxels)
        if not isinstance(made, Unsupported):
            return made
    return oracle.feature_map(ct, lesion, feature, settings, kernel_radius_voxels=kernel_radius_voxels)
