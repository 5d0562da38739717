"""What all Structured Reports have in common: a Comprehensive 3D SR after TID 1500 around groups of measurements."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from pydicom import Dataset

from pipelines.domain.case import Findings, Method, SeriesKey
from pipelines.domain.coding import (
    ALGORITHM_FAMILY,
    ALGORITHM_NAME,
    ALGORITHM_PARAMETERS,
    ALGORITHM_VERSION,
    CT_PROCEDURE,
    DEVICE,
    DEVICE_MANUFACTURER,
    DEVICE_MODEL,
    DEVICE_NAME,
    DEVICE_UID,
    ENGLISH,
    FINDING,
    IMAGING_MEASUREMENTS,
    LANGUAGE,
    MEASUREMENT_GROUP,
    NEOPLASM,
    OBSERVER_TYPE,
    ONCOLOGY_MEASUREMENT_REPORT,
    PROCEDURE_REPORTED,
    TRACKING_IDENTIFIER,
    TRACKING_UID,
    Code,
)
from pipelines.domain.identifiers import SeriesUID, SopClassUID, SopInstanceUID
from pipelines.domain.outcome import Producer, ResultObject
from pipelines.domain.sop_classes import COMPREHENSIVE_3D_SR
from pipelines.domain.volume import CtVolume
from pipelines.outputs.content import (
    CodeItem,
    Container,
    ContentItem,
    Encoder,
    Relationship,
    Text,
    UidRef,
)
from pipelines.outputs.part10 import result_object
from pipelines.outputs.provenance import (
    MANUFACTURER,
    MODEL_NAME,
    Identity,
    coded,
    result_header,
    result_uid,
)
from pipelines.outputs.segmentation import segment_reference

CONTAINS: Final = Relationship.CONTAINS
HAS_CONCEPT_MODIFIER: Final = Relationship.HAS_CONCEPT_MODIFIER
HAS_OBSERVATION_CONTEXT: Final = Relationship.HAS_OBSERVATION_CONTEXT
INFERRED_FROM: Final = Relationship.INFERRED_FROM

Referenced = Mapping[SeriesKey, Sequence[tuple[SopClassUID, SopInstanceUID]]]
"""Instances by the series that they stand in."""


@dataclass(frozen=True, slots=True)
class Report:
    """What one report has of its own.

    Attributes
    ----------
    groups
        Measurement Groups, all after the same template.
    title
        Of CID 7021. Viewers show Imaging Measurement Reports as marks on the images if they can draw each group, and
        as nothing if they cannot; an Oncology Measurement Report they show as text.
    """

    kind: str
    series_number: int
    description: str
    groups: tuple[Container, ...]
    title: Code = ONCOLOGY_MEASUREMENT_REPORT
    evidence: Referenced | None = None
    earlier: Referenced = field(default_factory=dict)
    predecessors: Referenced = field(default_factory=dict)


def report_object(findings: Findings, producer: Producer, report: Report) -> ResultObject:
    """Write `report` about the whole case (PS3.3 A.35.13, PS3.16 TID 1500).

    There is no Image Library (TID 1600), which the template leaves to the writer: the evidence names the same images,
    and OHIF shows nothing of a report in which an item has no name, as the images of a library have none.
    """
    identity = Identity(
        kind=report.kind,
        lesion_number=None,
        sop_class=COMPREHENSIVE_3D_SR,
        sop_instance=SopInstanceUID(result_uid(findings, report.kind, "instance")),
        series=SeriesUID(result_uid(findings, report.kind, "series")),
        series_number=report.series_number,
        modality="SR",
        description=report.description,
    )
    made = result_header(findings, producer, identity)
    made.ReferencedPerformedProcedureStepSequence = []
    made.PerformedProcedureCodeSequence = []
    referenced = _referenced(findings) if report.evidence is None else report.evidence
    made.CurrentRequestedProcedureEvidenceSequence = evidence(referenced)
    if report.earlier:
        made.PertinentOtherEvidenceSequence = evidence(report.earlier)
    if report.predecessors:
        made.PredecessorDocumentsSequence = evidence(report.predecessors)
    made.CompletionFlag = "COMPLETE"
    # a person may verify the document; a device cannot
    made.VerificationFlag = "UNVERIFIED"
    made.ValueType = "CONTAINER"
    made.ConceptNameCodeSequence = [coded(report.title)]
    # viewers print the names of the items only when they stand separate from each other
    made.ContinuityOfContent = "SEPARATE"
    made.ContentTemplateSequence = [template("1500")]
    items = (
        CodeItem(HAS_CONCEPT_MODIFIER, LANGUAGE, ENGLISH),
        *observer(producer),
        CodeItem(HAS_CONCEPT_MODIFIER, PROCEDURE_REPORTED, CT_PROCEDURE),
        Container(CONTAINS, IMAGING_MEASUREMENTS, report.groups),
    )
    return result_object(identity, made, Encoder().content_sequence(items))


def measurement_group(template: str, tracking_id: str, tracking_uid: str, items: Sequence[ContentItem]) -> Container:
    """A Measurement Group about a neoplasm, after TID 1411 or 1501."""
    start = (
        Text(HAS_OBSERVATION_CONTEXT, TRACKING_IDENTIFIER, tracking_id),
        UidRef(HAS_OBSERVATION_CONTEXT, TRACKING_UID, tracking_uid),
        CodeItem(CONTAINS, FINDING, NEOPLASM),
    )
    return Container(CONTAINS, MEASUREMENT_GROUP, (*start, *items), template)


def algorithm(
    name: str, version: str, parameters: Sequence[str], family: Code | None = None
) -> tuple[ContentItem, ...]:
    """Which algorithm made the measurements (TID 4019)."""
    return (
        Text(HAS_CONCEPT_MODIFIER, ALGORITHM_NAME, name),
        Text(HAS_CONCEPT_MODIFIER, ALGORITHM_VERSION, version),
        *(Text(HAS_CONCEPT_MODIFIER, ALGORITHM_PARAMETERS, parameter) for parameter in parameters),
        *(() if family is None else (CodeItem(HAS_CONCEPT_MODIFIER, ALGORITHM_FAMILY, family),)),
    )


def measured_by(method: Method) -> tuple[ContentItem, ...]:
    """Which pipeline measured a group, and with which settings (TID 4019).

    It has no Algorithm Family: none of CID 7162 is what the measurements do, and readers take a family that stands in a
    group for a finding about the lesion.
    """
    parameters = (f"profile {method.profile}, settings SHA-256 = {method.settings_digest}",)
    return algorithm(method.pipeline, method.pipeline_version, parameters)


def observer(producer: Producer) -> tuple[ContentItem, ...]:
    """The device that made the report (TID 1002, 1004)."""
    return (
        CodeItem(HAS_OBSERVATION_CONTEXT, OBSERVER_TYPE, DEVICE),
        UidRef(HAS_OBSERVATION_CONTEXT, DEVICE_UID, producer.device_uid),
        Text(HAS_OBSERVATION_CONTEXT, DEVICE_NAME, producer.station),
        Text(HAS_OBSERVATION_CONTEXT, DEVICE_MANUFACTURER, MANUFACTURER),
        Text(HAS_OBSERVATION_CONTEXT, DEVICE_MODEL, MODEL_NAME),
    )


def instances_of(ct: CtVolume) -> Iterator[tuple[SopClassUID, SopInstanceUID]]:
    """The instances that a CT was read from, each once."""
    yield from dict.fromkeys((source.sop_class, source.sop_instance) for source in ct.slices)


def _referenced(findings: Findings) -> dict[SeriesKey, list[tuple[SopClassUID, SopInstanceUID]]]:
    case = findings.case
    segment = segment_reference(findings, case.lesions[0])
    return {
        case.ct_key: list(instances_of(case.ct)),
        segment.key: [(segment.sop_class, segment.sop_instance)],
    }


def evidence(referenced: Referenced) -> list[Dataset]:
    """All instances that a document refers to, by study and series (PS3.3 C.17.2.3)."""
    studies = []
    for study in dict.fromkeys(key.study for key in referenced):
        item = Dataset()
        item.StudyInstanceUID = study
        item.ReferencedSeriesSequence = [
            _series(key, instances) for key, instances in referenced.items() if key.study == study
        ]
        studies.append(item)
    return studies


def _series(key: SeriesKey, instances: Iterable[tuple[SopClassUID, SopInstanceUID]]) -> Dataset:
    item = Dataset()
    item.SeriesInstanceUID = key.series
    item.ReferencedSOPSequence = [_instance(*instance) for instance in instances]
    return item


def _instance(sop_class: SopClassUID, sop_instance: SopInstanceUID) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = sop_class
    item.ReferencedSOPInstanceUID = sop_instance
    return item


def template(identifier: str) -> Dataset:
    """A template of the DICOM Content Mapping Resource as the item of a sequence."""
    item = Dataset()
    item.MappingResource = "DCMR"
    item.TemplateIdentifier = identifier
    return item
