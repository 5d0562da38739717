"""Predict the response of non-small cell lung cancer to immunotherapy from one CT: 1,218 features, score, maps.

Dong & Chen 2025: a CT radiomics signature that predicts the response to PD-1/PD-L1 inhibitors.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib import metadata
from typing import Final

from pipelines.base import Accepts, OutputBuilder, Pipeline
from pipelines.domain.case import Case, Findings, Lesion, MeasuredLesion, Method
from pipelines.domain.features import FeatureMap
from pipelines.domain.outcome import OUTPUT_KINDS, OutputKind
from pipelines.domain.reasons import Rejected
from pipelines.domain.sop_classes import CT_IMAGES, SEGMENTATIONS
from pipelines.domain.volume import CtVolume
from pipelines.extraction.engine import Engine, extract, feature_maps
from pipelines.extraction.names import feature_names
from pipelines.extraction.oracle import software
from pipelines.extraction.settings import ExtractionSettings
from pipelines.imaging.diameter import diameters
from pipelines.outputs.case_report import case_report
from pipelines.outputs.diameter_report import diameter_report
from pipelines.outputs.key_objects import key_objects
from pipelines.outputs.measurement_report import feature_report
from pipelines.outputs.page.objects import page_objects
from pipelines.outputs.page.settings import DEFAULT_PAGE, PageSettings
from pipelines.outputs.parametric_map import map_objects
from pipelines.outputs.segmentation import segmentation_objects
from pipelines.scoring.map_choice import MapChoice, choose_maps
from pipelines.scoring.model import Model, load_model
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
    model_package: str | None,
    maps: MapSettings,
    engine: Engine = "fast",
    kinds: Collection[OutputKind] = OUTPUT_KINDS,
    page: PageSettings = DEFAULT_PAGE,
) -> Pipeline | Rejected:
    """Set the pipeline up.

    Parameters
    ----------
    model_package
        Text of the model package that scores the patient; None to measure without scoring.
    maps
        Which features to map voxel by voxel in every lesion.
    engine
        What computes them; the fast engine hands over to PyRadiomics what it does not support.
    kinds
        What to make of a case.
    page
        Form and language of the page.

    Returns
    -------
    Pipeline
        Ready to measure.
    Rejected
        `MODEL-001` to `MODEL-004` when the package does not fit.
    """
    model = None
    if model_package is not None:
        loaded = load_model(model_package, settings_sha256=extraction.digest, available=feature_names(extraction))
        if isinstance(loaded, Rejected):
            return loaded
        model = loaded

    # the pipeline changes with the distribution, and so do the UIDs of what it makes
    version = metadata.version("pulmonode")

    mapped = maps.features if "map" in kinds else ()
    choice = choose_maps(mapped, model, model_features=maps.model_features)
    method = Method(
        pipeline=NAME,
        pipeline_version=version,
        profile=extraction.profile,
        settings_digest=extraction.digest,
        settings=(*extraction.described(), ("engine", engine)),
        software=software(),
        maps=_described(choice, maps),
    )

    def measure(case: Case) -> Findings | Rejected:
        return _measure(case, extraction, engine, model, choice.features, maps, method)

    return Pipeline(
        NAME,
        version,
        Accepts(CT_IMAGES, SEGMENTATIONS),
        measure,
        tuple(build for kind, build in _builders(page).items() if kind in kinds),
        method.maps,
    )


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
    extraction: ExtractionSettings,
    engine: Engine,
    model: Model | None,
    map_features: Sequence[str],
    map_settings: MapSettings,
    method: Method,
) -> Findings | Rejected:
    notes = list(case.notes)
    lesions = []
    for lesion in case.lesions:
        extracted = extract(case.ct, lesion, extraction, engine=engine)
        lesions.append(MeasuredLesion(lesion, extracted.outcome, diameters(lesion.mask, case.ct.grid)))
        if extracted.reason:
            notes.append(
                Rejected("ROI-004", f"PyRadiomics measured segment {lesion.number}: {extracted.reason}.", "Nothing.")
            )
    refused = [measured.features for measured in lesions if isinstance(measured.features, Rejected)]
    if len(refused) == len(lesions):
        return refused[0]
    fitting = _fitting(case.ct, map_features, map_settings.max_mb)
    if len(fitting) < len(map_features):
        notes.append(_left_out(map_features[len(fitting) :], map_settings.max_mb))
    maps: list[FeatureMap] = []
    for measured in lesions:
        if isinstance(measured.features, Rejected) or not fitting:
            continue
        made, remarks = _maps(case.ct, measured.lesion, fitting, extraction, engine, map_settings.kernel_radius_voxels)
        maps += made
        notes += remarks
    return Findings(
        case=replace(case, notes=tuple(notes)),
        lesions=tuple(lesions),
        score=None if model is None else score(model, lesions),
        maps=tuple(maps),
        method=method,
    )


def _maps(
    ct: CtVolume, lesion: Lesion, features: Sequence[str], extraction: ExtractionSettings, engine: Engine, radius: int
) -> tuple[list[FeatureMap], list[Rejected]]:
    """The maps of one lesion, and what a reader should know of them."""
    mapping = feature_maps(ct, lesion, features, extraction, kernel_radius_voxels=radius, engine=engine)
    remarks = [outcome for outcome in mapping.outcomes if isinstance(outcome, Rejected)]
    remarks += [
        Rejected("ROI-004", f"PyRadiomics mapped {', '.join(named)} of segment {lesion.number}: {reason}.", "Nothing.")
        for named, reason in mapping.reasons
    ]
    return [outcome for outcome in mapping.outcomes if isinstance(outcome, FeatureMap)], remarks


def _fitting(ct: CtVolume, features: Sequence[str], max_mb: int) -> Sequence[str]:
    """The first of `features`, as many as have room: each takes a whole volume in single precision."""
    return features[: max_mb * 2**20 // (4 * ct.hu.size)]


def _left_out(features: Sequence[str], max_mb: int) -> Rejected:
    return Rejected(
        "MAP-001",
        f"No map of {', '.join(features)}: the maps of this CT would take more than {max_mb} MB.",
        "Raise maps.max_mb, or name fewer features in maps.features.",
    )
