"""Predict the response of non-small cell lung cancer to immunotherapy from one CT: 1,218 features, score, maps.

Dong & Chen 2025: a CT radiomics signature that predicts the response to PD-1/PD-L1 inhibitors.
"""

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib import metadata
from typing import Final

from pipelines.base import Accepts, OutputBuilder, Pipeline, Verifiable
from pipelines.domain.case import Case, Findings, Lesion, MeasuredLesion, Method
from pipelines.domain.features import FeatureMap
from pipelines.domain.lesion_rule import DEFAULT_RULE, LesionRule
from pipelines.domain.outcome import OUTPUT_KINDS, OutputKind
from pipelines.domain.reasons import Rejected
from pipelines.domain.score import Score
from pipelines.domain.sop_classes import CT_IMAGES, SEGMENTATIONS
from pipelines.domain.verification import Verification
from pipelines.domain.volume import CtVolume
from pipelines.extraction.engine import TOLERANCE, Engine, extract, feature_maps
from pipelines.extraction.equivalence import plain_settings
from pipelines.extraction.ibsi import measure as ibsi
from pipelines.extraction.jobs import Mapper
from pipelines.extraction.limits import Unsupported
from pipelines.extraction.memory import Memory
from pipelines.extraction.names import feature_names
from pipelines.extraction.oracle import software
from pipelines.extraction.settings import ExtractionSettings
from pipelines.extraction.verification import software_identity
from pipelines.imaging.diameter import diameters
from pipelines.outputs.case_report import case_report
from pipelines.outputs.diameter_report import diameter_report
from pipelines.outputs.key_objects import key_objects
from pipelines.outputs.measurement_report import feature_report
from pipelines.outputs.page.objects import page_objects
from pipelines.outputs.page.settings import DEFAULT_PAGE, PageSettings
from pipelines.outputs.parametric_map import map_objects
from pipelines.outputs.segmentation import segmentation_objects
from pipelines.scoring.acquired import acquired
from pipelines.scoring.map_choice import MapChoice, choose_maps
from pipelines.scoring.model import Model, fitting
from pipelines.scoring.signature import score

NAME: Final = "nsclc-immunotherapy"


@dataclass(frozen=True, slots=True)
class MapSettings:
    """Which features are mapped, how, and how much room the maps may take.

    Attributes
    ----------
    features
        By name, the most wanted first; "model" stands for the model's own.
    model_features
        How many of the model's own.
    kernel_radius_voxels
        How far a voxel's neighbourhood reaches.
    max_mb
        Megabytes that the maps of a case may take together.
    """

    features: tuple[str, ...]
    model_features: int
    kernel_radius_voxels: int
    max_mb: int


def pipeline(
    extraction: ExtractionSettings,
    *,
    model: Model | Rejected | None,
    maps: MapSettings,
    engine: Engine = "fast",
    kinds: Collection[OutputKind] = OUTPUT_KINDS,
    verify_every: int = 0,
    tolerance: float = TOLERANCE,
    mapper: Mapper = map,
    lesions: LesionRule = DEFAULT_RULE,
    page: PageSettings = DEFAULT_PAGE,
    strict: bool = False,
) -> Pipeline | Rejected:
    """Set the pipeline up.

    Parameters
    ----------
    model
        Scores the patient; None to measure without scoring. A reason in its place is told for every case, which is
        measured all the same.
    maps
        Which features to map voxel by voxel in every lesion.
    engine
        What computes them; the fast engine hands over to PyRadiomics what it does not support, and `verify` compares
        the two in every case.
    verify_every
        With the fast engine, one case in so many is to be verified; 0 for none.
    tolerance
        Largest relative deviation from PyRadiomics.
    kinds
        What to make of a case.
    mapper
        Runs the fast engine's jobs for one lesion, perhaps in threads.
    lesions
        Which segments are lesions.
    page
        Form and language of the page.
    strict
        True to refuse a score for a case that is unlike the training data, in place of a warning.

    Returns
    -------
    Pipeline
        Ready to measure.
    Rejected
        `MODEL-002` or `MODEL-003` when the model does not fit the extraction settings.
    """
    if isinstance(model, Model):
        fit = fitting(model, settings_sha256=extraction.digest, available=feature_names(extraction))
        if isinstance(fit, Rejected):
            return fit

    # the pipeline changes with the distribution, and so do the UIDs of what it makes
    version = metadata.version("pulmonode")

    mapped = maps.features if "map" in kinds else ()
    choice = choose_maps(mapped, model if isinstance(model, Model) else None, model_features=maps.model_features)

    def measure_with(engine: Engine) -> Callable[[Case], Findings | Rejected]:
        method = Method(
            pipeline=NAME,
            pipeline_version=version,
            profile=extraction.profile,
            settings_digest=extraction.digest,
            settings=(*extraction.described(), ("engine", engine if extraction.ibsi is None else "ibsi")),
            software=software() if extraction.ibsi is None else ibsi.software(extraction.ibsi),
            maps=_described(choice, maps),
            hounsfield=extraction.hounsfield,
        )
        engines = Engines(extraction, engine, tolerance, mapper)
        scoring = Scoring(model, strict)
        return lambda case: _measure(case, engines, scoring, choice.features, maps, method)

    verifiable = None
    by_both = extraction.ibsi is None and not isinstance(plain_settings(extraction), Unsupported)
    if engine != "pyradiomics" and by_both:
        # a case that is verified says that its engine is `verify`, so that its objects have UIDs of their own:
        # they hold the result of the comparison, which those of a case that is not verified lack
        every = 1 if engine == "verify" else verify_every
        verifiable = Verifiable(measure_with("verify"), every, software_identity())
    return Pipeline(
        NAME,
        version,
        Accepts(CT_IMAGES, SEGMENTATIONS),
        measure_with(engine),
        tuple(build for kind, build in _builders(page).items() if kind in kinds),
        _described(choice, maps),
        verifiable,
        lesions,
    )


@dataclass(frozen=True, slots=True)
class Scoring:
    """What scores the patient, and whether a case that is unlike the training data gets no score."""

    model: Model | Rejected | None
    strict: bool


@dataclass(frozen=True, slots=True)
class Engines:
    """What computes the features, from which settings, and how far two engines may lie apart."""

    settings: ExtractionSettings
    engine: Engine
    tolerance: float
    mapper: Mapper


def _builders(page: PageSettings) -> dict[OutputKind, OutputBuilder]:
    """All builders in the order in which their objects are sent: what others refer to goes first."""
    return {
        "seg": segmentation_objects,
        "sr-features": feature_report,
        "sr-case": case_report,
        "sr-diameters": diameter_report,
        "key-objects": key_objects,
        "page": partial(page_objects, settings=page),
        "map": map_objects,
    }


def _described(choice: MapChoice, maps: MapSettings) -> str:
    if not choice.features:
        return ""
    return f"{choice}; cubes of {2 * maps.kernel_radius_voxels + 1} voxels, {maps.max_mb} MB at most"


def _measure(
    case: Case,
    engines: Engines,
    scoring: Scoring,
    map_features: Sequence[str],
    map_settings: MapSettings,
    method: Method,
) -> Findings | Rejected:
    extraction, engine = engines.settings, engines.engine
    notes = list(case.notes)
    lesions = []
    room = Memory()
    for lesion in case.lesions:
        extracted = extract(
            case.ct, lesion, extraction, engine=engine, tolerance=engines.tolerance, mapper=engines.mapper, room=room
        )
        lesions.append(
            MeasuredLesion(lesion, extracted.outcome, diameters(lesion.mask, case.ct.grid), extracted.verification)
        )
        if extracted.verification is not None and extracted.verification.failed:
            notes.append(_deviation(lesion, extracted.verification))
        if extracted.reason:
            notes.append(
                Rejected("ROI-004", f"PyRadiomics measured segment {lesion.number}: {extracted.reason}.", "Nothing.")
            )
    refused = [measured.features for measured in lesions if isinstance(measured.features, Rejected)]
    if len(refused) == len(lesions):
        return refused[0]
    # a map lies on the slices of the CT, and what was measured on a resampled one does not
    wanted = () if case.ct.resampled else map_features
    fitting = _fitting(case.ct, wanted, map_settings.max_mb)
    if len(fitting) < len(wanted):
        notes.append(_left_out(wanted[len(fitting) :], map_settings.max_mb))
    maps: list[FeatureMap] = []
    for measured in lesions:
        if isinstance(measured.features, Rejected) or not fitting:
            continue
        made, remarks = _maps(case.ct, measured.lesion, fitting, engines, map_settings.kernel_radius_voxels)
        maps += made
        notes += remarks
    scored = _scored(scoring, case, lesions)
    if isinstance(scored, Score):
        notes += scored.warnings
    return Findings(
        case=replace(case, notes=tuple(notes)),
        lesions=tuple(lesions),
        score=scored,
        maps=tuple(maps),
        method=method,
    )


def _scored(scoring: Scoring, case: Case, lesions: Sequence[MeasuredLesion]) -> Score | Rejected | None:
    if not isinstance(scoring.model, Model):
        return scoring.model
    return score(scoring.model, lesions, acquired(case.header), strict=scoring.strict)


def _maps(
    ct: CtVolume, lesion: Lesion, features: Sequence[str], engines: Engines, radius: int
) -> tuple[list[FeatureMap], list[Rejected]]:
    """The maps of one lesion, and what a reader should know of them."""
    mapping = feature_maps(
        ct,
        lesion,
        features,
        engines.settings,
        kernel_radius_voxels=radius,
        engine=engines.engine,
        mapper=engines.mapper,
    )
    remarks = [outcome for outcome in mapping.outcomes if isinstance(outcome, Rejected)]
    remarks += [
        Rejected("ROI-004", f"PyRadiomics mapped {', '.join(named)} of segment {lesion.number}: {reason}.", "Nothing.")
        for named, reason in mapping.reasons
    ]
    return [outcome for outcome in mapping.outcomes if isinstance(outcome, FeatureMap)], remarks


def _fitting(ct: CtVolume, features: Sequence[str], max_mb: int) -> Sequence[str]:
    """The first of `features`, as many as have room: each takes a whole volume in single precision."""
    return features[: max_mb * 2**20 // (4 * math.prod(ct.grid.shape))]


def _left_out(features: Sequence[str], max_mb: int) -> Rejected:
    return Rejected(
        "MAP-001",
        f"No map of {', '.join(features)}: the maps of this CT would take more than {max_mb} MB.",
        "Raise maps.max_mb, or name fewer features in maps.features.",
    )


def _deviation(lesion: Lesion, found: Verification) -> Rejected:
    return Rejected(
        "ROI-010",
        f"Segment {lesion.number}: {found}.",
        "The results are those of PyRadiomics. Report it, and set extraction.engine to pyradiomics until it is mended.",
    )
