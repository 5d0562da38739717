"""A Key Object Selection: the case report and, for each lesion, the slice that shows it best."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from pipelines.domain.case import Findings, Lesion, SeriesKey
from pipelines.domain.coding import KEY_OBJECT_DESCRIPTION, OF_INTEREST
from pipelines.domain.identifiers import SeriesUID, SopInstanceUID
from pipelines.domain.outcome import Producer, ResultObject
from pipelines.domain.sop_classes import COMPREHENSIVE_3D_SR, KEY_OBJECT_SELECTION
from pipelines.domain.volume import SliceRef
from pipelines.outputs.case_report import KIND as CASE_REPORT
from pipelines.outputs.content import Encoder, ImageRef, ObjectRef, Text
from pipelines.outputs.document import CONTAINS, evidence, observer, template
from pipelines.outputs.part10 import result_object
from pipelines.outputs.provenance import Identity, coded, result_header, result_uid

KIND: Final = "key-objects"
DESCRIPTION: Final = "AI: key images"
_SERIES_NUMBER: Final = 9005


def key_objects(findings: Findings, producer: Producer) -> Iterator[ResultObject]:
    """Mark the case report and the key slices as of interest (PS3.3 A.35.4, PS3.16 TID 2010)."""
    identity = Identity(
        kind=KIND,
        lesion_number=None,
        sop_class=KEY_OBJECT_SELECTION,
        sop_instance=SopInstanceUID(result_uid(findings, KIND, "instance")),
        series=SeriesUID(result_uid(findings, KIND, "series")),
        series_number=_SERIES_NUMBER,
        modality="KO",
        description=DESCRIPTION,
    )
    case = findings.case
    images = key_slices(findings)
    report = result_uid(findings, CASE_REPORT, "instance"), result_uid(findings, CASE_REPORT, "series")
    report_key = SeriesKey(case.ct_key.study, SeriesUID(report[1]))
    made = result_header(findings, producer, identity)
    made.ReferencedPerformedProcedureStepSequence = []
    made.CurrentRequestedProcedureEvidenceSequence = evidence(
        {
            case.ct_key: list(dict.fromkeys((image.sop_class, image.sop_instance) for image in images)),
            report_key: [(COMPREHENSIVE_3D_SR, SopInstanceUID(report[0]))],
        }
    )
    made.ValueType = "CONTAINER"
    made.ConceptNameCodeSequence = [coded(OF_INTEREST)]
    made.ContinuityOfContent = "SEPARATE"
    made.ContentTemplateSequence = [template("2010")]
    items = (
        *observer(producer),
        Text(CONTAINS, KEY_OBJECT_DESCRIPTION, _description(findings)),
        *(ImageRef(CONTAINS, None, image.sop_class, image.sop_instance, image.frame) for image in images),
        ObjectRef(CONTAINS, None, COMPREHENSIVE_3D_SR, SopInstanceUID(report[0])),
    )
    yield result_object(identity, made, Encoder().content_sequence(items))


def key_slices(findings: Findings) -> list[SliceRef]:
    """For each lesion the CT slice with most of its voxels, each slice once, from the lowest up.

    Where the CT was resampled it is the image nearest to that slice.
    """
    indices = sorted(_largest_slice(lesion) for lesion in findings.case.lesions)
    return list(dict.fromkeys(findings.case.ct.slices[index] for index in indices))


def _largest_slice(lesion: Lesion) -> int:
    return lesion.mask.offset[0] + int(np.argmax(lesion.mask.voxels.sum(axis=(1, 2))))


def _description(findings: Findings) -> str:
    lesions = ", ".join(f"{lesion.number} ({lesion.label or lesion.tracking_id})" for lesion in findings.case.lesions)
    return f"The result of {findings.method.pipeline}, and the slices with the largest section of lesion {lesions}."
