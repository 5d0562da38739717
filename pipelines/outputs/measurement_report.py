"""The features of all lesions as a Structured Report."""

from collections.abc import Iterator, Sequence
from typing import Final

from pipelines.domain.case import Findings, Lesion, Method
from pipelines.domain.coding import EQUIVALENT_MEANING, MM, REFERENCED_SEGMENT, SOURCE_SERIES
from pipelines.domain.feature_codes import LOG_SIGMA, FeatureDescription, describe
from pipelines.domain.features import FeatureVector
from pipelines.domain.outcome import Producer, ResultObject
from pipelines.domain.verification import Verification
from pipelines.outputs.content import CodeItem, Container, ContentItem, ImageRef, Num, Text, UidRef
from pipelines.outputs.document import (
    CONTAINS,
    HAS_CONCEPT_MODIFIER,
    INFERRED_FROM,
    Report,
    algorithm,
    measurement_group,
    report_object,
)
from pipelines.outputs.segmentation import segment_reference

KIND: Final = "sr-features"
DESCRIPTION: Final = "AI: radiomics features"
_SERIES_NUMBER: Final = 9001


def feature_report(findings: Findings, producer: Producer) -> Iterator[ResultObject]:
    """All features of each measured lesion, one group for each (PS3.16 TID 1411).

    Every group lists the same features in the same order, because readers fill their tables by position. A lesion
    without features is left to the case report.
    """
    measured = measured_lesions(findings)
    names = measured[0][1].names
    features = [describe(name, hounsfield=findings.method.hounsfield) for name in names]
    modifiers = [feature_modifiers(feature) for feature in features]
    verified = {m.lesion.number: m.verification for m in findings.lesions}
    groups = []
    for lesion, vector in measured:
        method = _method(findings.method, verified[lesion.number])
        numbers = tuple(
            Num(CONTAINS, feature.concept, float(value), feature.unit, items)
            for feature, value, items in zip(features, vector.select(names), modifiers, strict=True)
        )
        groups.append(_group(findings, lesion, method, numbers))
    report = Report(KIND, _SERIES_NUMBER, DESCRIPTION, tuple(groups))
    yield report_object(findings, producer, report)


def measured_lesions(findings: Findings) -> list[tuple[Lesion, FeatureVector]]:
    """The lesions that have features, in their order."""
    return [(m.lesion, m.features) for m in findings.lesions if isinstance(m.features, FeatureVector)]


def feature_modifiers(feature: FeatureDescription) -> tuple[ContentItem, ...]:
    """What tells a feature from others with the same concept: filter, sub-band, sigma, and its full name (TID 1419)."""
    sigma = feature.log_sigma_mm
    return (
        *(CodeItem(HAS_CONCEPT_MODIFIER, name, value) for name, value in feature.modifiers),
        Text(HAS_CONCEPT_MODIFIER, EQUIVALENT_MEANING, feature.name),
        *(() if sigma is None else (Num(INFERRED_FROM, LOG_SIGMA, sigma, MM),)),
    )


def _method(method: Method, verification: Verification | None) -> tuple[ContentItem, ...]:
    parameters = [
        *(f"{name} = {value}" for name, value in method.settings),
        *(f"{name} {version}" for name, version in method.software),
        f"settings SHA-256 = {method.settings_digest}",
        *(() if verification is None else (f"verification = {verification}",)),
    ]
    name = f"{method.pipeline}: radiomics features, profile {method.profile}"
    return algorithm(name, method.pipeline_version, parameters)


def _group(
    findings: Findings, lesion: Lesion, method: Sequence[ContentItem], numbers: Sequence[ContentItem]
) -> Container:
    segment = segment_reference(findings, lesion)
    drawn_on = (
        ImageRef(
            CONTAINS,
            REFERENCED_SEGMENT,
            segment.sop_class,
            segment.sop_instance,
            segment=segment.segment_number,
        ),
        UidRef(CONTAINS, SOURCE_SERIES, findings.case.ct_key.series),
    )
    return measurement_group("1411", lesion.tracking_id, lesion.tracking_uid, (*method, *drawn_on, *numbers))
