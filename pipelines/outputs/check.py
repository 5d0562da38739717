"""The self-check: no result leaves before it has been read back and found to say what was found."""

import math
from collections.abc import Callable, Iterator
from io import BytesIO
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom import DataElement, Dataset, dcmread
from pydicom.errors import InvalidDicomError

from pipelines.domain.case import Findings, Lesion
from pipelines.domain.coding import (
    COMMENT,
    CUT_OFF,
    IMAGING_MEASUREMENTS,
    NEGATIVE_INFINITY,
    NO_PREDICTION,
    NOT_A_NUMBER,
    NOT_MEASURED,
    POSITIVE_INFINITY,
    PREDICTED_CLASS,
    PROBABILITY,
    RAD_SIGNATURE,
    TRACKING_UID,
    Code,
)
from pipelines.domain.feature_codes import describe
from pipelines.domain.features import FeatureVector
from pipelines.domain.identifiers import SopClassUID
from pipelines.domain.outcome import ResultObject
from pipelines.domain.reasons import Rejected
from pipelines.domain.score import Score
from pipelines.domain.sop_classes import COMPREHENSIVE_3D_SR, PARAMETRIC_MAP, SEGMENTATION
from pipelines.outputs import case_report, measurement_report, segmentation
from pipelines.outputs.parametric_map import frames_of, named_maps
from pipelines.outputs.provenance import COPIED, DEMONSTRATION_NOTICE, copied
from pipelines.outputs.readback import ReadGroup, ReadNumber, read_groups

_CONTENT_SEQUENCE: Final = 0x0040A730

# type 1 attributes, and those of type 1C whose condition a result always meets
_EVERY_OBJECT: Final = (
    "SpecificCharacterSet SOPClassUID SOPInstanceUID StudyInstanceUID SeriesInstanceUID Modality SeriesNumber "
    "InstanceNumber ContentDate ContentTime Manufacturer ManufacturerModelName DeviceSerialNumber SoftwareVersions"
)
_EVERY_IMAGE: Final = (
    "ImageType SamplesPerPixel PhotometricInterpretation Rows Columns BitsAllocated NumberOfFrames FrameOfReferenceUID "
    "LossyImageCompression ContentLabel SharedFunctionalGroupsSequence PerFrameFunctionalGroupsSequence "
    "DimensionOrganizationSequence DimensionIndexSequence ReferencedSeriesSequence"
)
_TYPE_1: Final[dict[SopClassUID, tuple[str, ...]]] = {
    sop_class: tuple(f"{_EVERY_OBJECT} {own}".split())
    for sop_class, own in {
        COMPREHENSIVE_3D_SR: "CompletionFlag VerificationFlag ValueType ConceptNameCodeSequence ContinuityOfContent "
        "ContentTemplateSequence CurrentRequestedProcedureEvidenceSequence ContentSequence",
        SEGMENTATION: f"{_EVERY_IMAGE} BitsStored HighBit SegmentationType SegmentSequence",
        PARAMETRIC_MAP: f"{_EVERY_IMAGE} ContentQualification BurnedInAnnotation RecognizableVisualFeatures "
        "PresentationLUTShape",
    }.items()
}


def check(made: ResultObject, findings: Findings) -> Rejected | None:
    """Read `made` back and compare it with what was found.

    Returns
    -------
    Rejected
        `OUT-001` with the first difference, told by attribute, lesion and feature but never by value; None when there is
        none.
    """
    fault = next(_faults(made, findings), None)
    if fault is None:
        return None
    return Rejected(
        "OUT-001",
        f"Result {made.kind} {made.sop_instance}: {fault}. It was not sent.",
        "Run the case again; if it fails the same way, report it as a bug.",
    )


def _faults(made: ResultObject, findings: Findings) -> Iterator[str]:
    file = BytesIO(made.data)
    try:
        dataset = dcmread(file, stop_before_pixels=True)
    except (InvalidDicomError, EOFError, ValueError, NotImplementedError):
        yield "it cannot be read back"
        return
    yield from _identity_faults(made, dataset)
    yield from _patient_faults(dataset, findings)
    yield from _missing(dataset, made.sop_class)
    compare = _comparison(made.kind)
    if compare is not None:
        # what follows the pixel data element's 12 bytes of tag, VR and length
        yield from compare(dataset, memoryview(made.data)[file.tell() + 12 :], made, findings)


def _identity_faults(made: ResultObject, dataset: Dataset) -> Iterator[str]:
    meta = dataset.file_meta
    said = {
        "SOP Class UID": (made.sop_class, dataset.get("SOPClassUID"), meta.get("MediaStorageSOPClassUID")),
        "SOP Instance UID": (made.sop_instance, dataset.get("SOPInstanceUID"), meta.get("MediaStorageSOPInstanceUID")),
        "Series Instance UID": (made.series, dataset.get("SeriesInstanceUID")),
        "Transfer Syntax UID": (made.transfer_syntax, meta.get("TransferSyntaxUID")),
    }
    for name, uids in said.items():
        if len(set(uids)) > 1:
            yield f"its {name} is not the same everywhere"


def _patient_faults(dataset: Dataset, findings: Findings) -> Iterator[str]:
    if dataset.get("StudyInstanceUID") != findings.case.ct_key.study:
        yield "Study Instance UID is not that of the CT"
    expected = copied(findings.case.header)
    for keyword in COPIED:
        wanted, found = _element(expected, keyword), _element(dataset, keyword)
        if (wanted is None) != (found is None) or (
            wanted is not None
            and found is not None
            and wanted.value != found.value
            and not (wanted.is_empty and found.is_empty)
        ):
            yield f"{keyword} is not that of the CT"


def _element(dataset: Dataset, keyword: str) -> DataElement | None:
    return dataset[keyword] if keyword in dataset else None


def _missing(dataset: Dataset, sop_class: SopClassUID) -> Iterator[str]:
    for keyword in _TYPE_1.get(sop_class, ()):
        element = _element(dataset, keyword)
        if element is None or element.is_empty:
            yield f"{keyword} is missing"


def _comparison(kind: str) -> Callable[[Dataset, memoryview, ResultObject, Findings], Iterator[str]] | None:
    known = {
        measurement_report.KIND: _feature_faults,
        case_report.KIND: _case_faults,
        segmentation.KIND: _segmentation_faults,
    }
    return _map_faults if kind.partition("-")[0] == "map" else known.get(kind)


# the features


def _feature_faults(dataset: Dataset, _: memoryview, made: ResultObject, findings: Findings) -> Iterator[str]:
    content = dcmread(BytesIO(made.data)).get_item(_CONTENT_SEQUENCE)
    ...
