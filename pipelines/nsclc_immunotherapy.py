"""Predict the response of non-small cell lung cancer to immunotherapy from one CT: 1,218 features, score, maps.

Dong & Chen 2025: a CT radiomics signature that predicts the response to PD-1/PD-L1 inhibitors.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from typing import Final

from pipelines.base import Accepts, Pipeline
from pipelines.domain.case import Case, Findings, MeasuredLesion, Method
from pipelines.domain.features import FeatureMap
from pipelines.domain.lesion_rule import DEFAULT_RULE, LesionRule
from pipelines.domain.reasons import Rejected
from pipelines.domain.sop_classes import CT_IMAGES, SEGMENTATIONS
from pipelines.extraction.engine import Engine, extract, feature_map
from pipelines.extraction.names import feature_names
from pipelines.extraction.oracle import software
from pipelines.extraction.settings import ExtractionSettings
from pipelines.outputs.case_report import case_report
from pipelines.outputs.measurement_report import feature_report
from pipelines.outputs.parametric_map import map_objects
from pipelines.outputs.segmentation import segmentation_objects
from pipelines.scoring.model import Model, load_model
from pipelines.scoring.signature import score

NAME: Final = "nsclc-immunotherapy"


def pipeline(
    extraction: ExtractionSettings,
    *,
    model_package: str | None,
    map_features: Sequence[str],
    kernel_radius_voxels: int,
    engine: Engine = "fast",
    lesions: LesionRule = DEFAULT_RULE,
) -> Pipeline | Rejected:
    """Set the pipeline up.

    Parameters
    ----------
    model_package
        Text of the model package that scores the patient; None to measure without scoring.
    map_features
        Features of the original image to map voxel by voxel in every lesion.
    engine
        What computes them; the fast engine hands over to PyRadiomics what it does not support.
    lesions
        Which segments are lesions.

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

    method = Method(
        pipeline=NAME,
        pipeline_version=version,
        profile=extraction.profile,
        settings_digest=extraction.digest,
        settings=(*extraction.described(), ("engine", engine)),
        software=software(),
    )
    mapping = Mapping(tuple(map_features), kernel_radius_voxels)

    def measure(case: Case) -> Findings | Rejected:
        return _measure(case, extraction, engine, model, mapping, method)

    return Pipeline(
        NAME,
        version,
        Accepts(CT_IMAGES, SEGMENTATIONS),
        measure,
        (segmentation_objects, feature_report, case_report, map_objects),
        lesions,
    )


@dataclass(frozen=True, slots=True)
class Mapping:
    """Which features are mapped, and how far a voxel's neighbourhood reaches."""

    features: tuple[str, ...]
    kernel_radius_voxels: int


def _measure(
    case: Case, extraction: ExtractionSettings, engine: Engine, model: Model | None, mapping: Mapping, method: Method
) -> Findings | Rejected:
    notes = list(case.notes)
    lesions = []
    for lesion in case.lesions:
        extracted = extract(case.ct, lesion, extraction, engine=engine)
        lesions.append(MeasuredLesion(lesion, extracted.outcome))
        if extracted.reason:
            notes.append(
                Rejected("ROI-004", f"PyRadiomics measured segment {lesion.number}: {extracted.reason}.", "Nothing.")
            )
    refused = [measured.features for measured in lesions if isinstance(measured.features, Rejected)]
    if len(refused) == len(lesions):
        return refused[0]
    maps: list[FeatureMap] = []
    for measured in lesions:
        if isinstance(measured.features, Rejected):
            continue
        for feature in mapping.features:
            made = feature_map(
                case.ct,
                measured.lesion,
                feature,
                extraction,
                kernel_radius_voxels=mapping.kernel_radius_voxels,
                engine=engine,
            )
            if isinstance(made, Rejected):
                notes.append(made)
            else:
                maps.append(made)
    return Findings(
        case=replace(case, notes=tuple(notes)),
        lesions=tuple(lesions),
        score=None if model is None else score(model, lesions),
        maps=tuple(maps),
        method=method,
    )
