"""The features of a lesion: from the fast engine where it can, from PyRadiomics where it must."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from pipelines.domain.case import Lesion
from pipelines.domain.features import FeatureMap, FeatureVector
from pipelines.domain.reasons import Rejected
from pipelines.domain.verification import Verification
from pipelines.domain.volume import Volume
from pipelines.extraction import fast, fast_maps, oracle
from pipelines.extraction.equivalence import plain_settings
from pipelines.extraction.ibsi import measure as ibsi
from pipelines.extraction.jobs import Mapper
from pipelines.extraction.limits import Unsupported
from pipelines.extraction.memory import Memory
from pipelines.extraction.names import feature_names
from pipelines.extraction.settings import ExtractionSettings
from pipelines.extraction.verification import compare

Engine = Literal["fast", "pyradiomics", "verify"]
TOLERANCE: Final = 1e-9
"""Relative deviation from PyRadiomics that the fast engine keeps below."""


@dataclass(frozen=True, slots=True)
class Extraction:
    """An outcome and how it came about.

    Attributes
    ----------
    engine
        What computed it.
    reason
        Why it was not the fast engine; empty when it was, or was not asked for.
    verification
        How the two engines compare, where both computed.
    """

    outcome: FeatureVector | Rejected
    engine: Literal["fast", "pyradiomics", "ibsi"]
    reason: str = ""
    verification: Verification | None = None


def extract(
    ct: Volume,
    lesion: Lesion,
    settings: ExtractionSettings,
    *,
    engine: Engine = "fast",
    tolerance: float = TOLERANCE,
    mapper: Mapper = map,
    room: Memory | None = None,
) -> Extraction:
    """Compute all features of `lesion`; the numbers do not depend on `engine`, but for rounding in the ninth digit.

    Parameters
    ----------
    engine
        `verify` computes with both; the fast engine's numbers count, unless they deviate.
    tolerance
        Relative deviation above which PyRadiomics' numbers take the place of the fast engine's.
    mapper
        Runs the jobs of the fast engine; see `pipelines.extraction.fast.extract`.
    room
        Memory of the fast engine, the same for one lesion after the other of a case.
    """
    if settings.ibsi is not None:
        return Extraction(ibsi.extract(ct, lesion, settings.ibsi), "ibsi")
    if engine == "pyradiomics":
        return Extraction(oracle.extract(ct, lesion, settings), "pyradiomics")
    outcome = _fast(ct, lesion, settings, mapper, room)
    if isinstance(outcome, Unsupported):
        return Extraction(oracle.extract(ct, lesion, settings), "pyradiomics", outcome.reason)
    if engine == "fast":
        return Extraction(outcome, "fast")
    reference = oracle.extract(ct, lesion, settings)
    found = compare(outcome, reference, tolerance=tolerance)
    if found.failed:
        return Extraction(reference, "pyradiomics", verification=found)
    return Extraction(outcome, "fast", verification=found)


def _fast(
    ct: Volume, lesion: Lesion, settings: ExtractionSettings, mapper: Mapper, room: Memory | None
) -> FeatureVector | Rejected | Unsupported:
    plain = plain_settings(settings)
    if isinstance(plain, Unsupported):
        return plain
    outcome = fast.extract(ct, lesion, plain, mapper=mapper, room=room)
    if plain is settings or not isinstance(outcome, FeatureVector):
        return outcome
    names = feature_names(settings)
    return FeatureVector(names, outcome.select(names))


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
    ct: Volume,
    lesion: Lesion,
    features: Sequence[str],
    settings: ExtractionSettings,
    *,
    kernel_radius_voxels: int = 1,
    engine: Engine = "fast",
    mapper: Mapper = map,
) -> Mapping:
    """Compute `features` around every voxel of `lesion`, on the grid of the CT; each class of an image once.

    Parameters
    ----------
    mapper
        Runs the jobs of the fast engine; the maps do not depend on how.
    """
    by_reason: dict[str, list[str]] = {}
    for feature in features:
        reason = fast_maps.supports(ct, feature, settings, kernel_radius_voxels) if engine != "pyradiomics" else None
        by_reason.setdefault(reason or "", []).append(feature)
    outcomes: list[FeatureMap | Rejected] = []
    reasons = []
    for reason, group in by_reason.items():
        made: tuple[FeatureMap, ...] | Rejected | Unsupported = Unsupported(reason)
        if engine != "pyradiomics" and not reason:
            made = fast_maps.feature_maps(
                ct, lesion, group, settings, kernel_radius_voxels=kernel_radius_voxels, mapper=mapper
            )
        if isinstance(made, Unsupported):
            if engine != "pyradiomics":
                reasons.append((tuple(group), made.reason))
            made = oracle.feature_maps(ct, lesion, group, settings, kernel_radius_voxels=kernel_radius_voxels)
        outcomes += [made] if isinstance(made, Rejected) else made
    return Mapping(tuple(outcomes), tuple(reasons))
