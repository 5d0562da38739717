"""The segmentation that reports refer to: the received one, or one of the node's own where nothing can refer to that.

The frames are packed here and not by highdicom, which needs the CT instances themselves, cannot refer to selected
frames of multi-frame CT instances, and stamps every object with random UIDs and the time of the call.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from pydicom import Dataset

from pipelines.domain.case import Case, Findings, Lesion, SeriesKey
from pipelines.domain.coding import (
    MORPHOLOGICALLY_ABNORMAL,
    NEOPLASM,
    SEGMENTATION_DERIVATION,
)
from pipelines.domain.identifiers import SeriesUID, SopClassUID, SopInstanceUID
from pipelines.domain.outcome import Producer, ResultObject
from pipelines.domain.sop_classes import RT_STRUCTURE_SET, SEGMENTATION
from pipelines.outputs.multiframe import FrameSource, add_frames, pixel_element
from pipelines.outputs.part10 import result_object
from pipelines.outputs.provenance import (
    MODEL_NAME,
    Identity,
    clipped,
    coded,
    result_header,
    result_uid,
)

KIND: Final = "seg"
_SERIES_NUMBER: Final = 9003
_PIXEL_DATA: Final = 0x7FE00010


@dataclass(frozen=True, slots=True)
class SegmentReference:
    """Where the segment of a lesion is found."""

    key: SeriesKey
    sop_class: SopClassUID
    sop_instance: SopInstanceUID
    segment_number: int


def segment_reference(findings: Findings, lesion: Lesion) -> SegmentReference:
    """The segment that a report names for `lesion`: as received, or in the segmentation that the node writes itself."""
    received = findings.case.segmentation
    if received.referable:
        return SegmentReference(received.key, received.sop_class, received.sop_instance, lesion.number)
    own = _identity(findings)
    numbers = [other.number for other in findings.case.lesions]
    key = SeriesKey(findings.case.ct_key.study, own.series)
    return SegmentReference(key, own.sop_class, own.sop_instance, numbers.index(lesion.number) + 1)


def segmentation_objects(findings: Findings, producer: Producer) -> Iterator[ResultObject]:
    """A BINARY segmentation on the grid of the CT, when no report can refer to the received one (PS3.3 A.51).

    The lesions are its segments 1 to n in their order, with their tracking identifiers; frames without a voxel are left
    out.
    """
    case = findings.case
    if case.segmentation.referable:
        return
    identity = _identity(findings)
    made = result_header(findings, producer, identity)
    made.ImageType = ["DERIVED", "PRIMARY"]
    made.SamplesPerPixel = 1
    made.PhotometricInterpretation = "MONOCHROME2"
    made.BitsAllocated = made.BitsStored = 1
    made.HighBit = 0
    made.PixelRepresentation = 0
    made.SegmentationType = "BINARY"
    made.ContentLabel = "LESIONS"
    made.ContentDescription = "Lesions as measured, on the grid of the CT"
    made.ContentCreatorName = ""
    made.SegmentSequence = [_segment(case, number, lesion) for number, lesion in enumerate(case.lesions, start=1)]
    sources = [
        FrameSource(index, segment_number)
        for segment_number, lesion in enumerate(case.lesions, start=1)
        for index in _slices_of(lesion)
    ]
    add_frames(made, case, sources, SEGMENTATION_DERIVATION, result_uid(findings, KIND, "dimensions"))
    frames = np.zeros((len(sources), *case.ct.grid.shape[1:]), dtype=np.bool_)
    start = 0
    for lesion in case.lesions:
        slices = np.array(_slices_of(lesion))
        _, rows, columns = lesion.mask.box
        frames[start : start + len(slices), rows, columns] = lesion.mask.voxels[slices - lesion.mask.offset[0]]
        start += len(slices)
    # frames follow each other without padding bits between them (PS3.5 section 8.1.1)
    packed = np.packbits(frames.reshape(-1), bitorder="little").tobytes()
    yield result_object(identity, made, *pixel_element(_PIXEL_DATA, "OB", packed))


def _identity(findings: Findings) -> Identity:
    return Identity(
        kind=KIND,
        lesion_number=None,
        sop_class=SEGMENTATION,
        sop_instance=SopInstanceUID(result_uid(findings, KIND, "instance")),
        series=SeriesUID(result_uid(findings, KIND, "series")),
        series_number=_SERIES_NUMBER,
        modality="SEG",
        description="AI: lesions as measured",
    )


def _slices_of(lesion: Lesion) -> list[int]:
    first = lesion.mask.offset[0]
    return [first + int(index) for index in np.flatnonzero(lesion.mask.voxels.any(axis=(1, 2)))]


def _segment(case: Case, number: int, lesion: Lesion) -> Dataset:
    item = Dataset()
    item.SegmentNumber = number
    item.SegmentLabel = clipped(lesion.label) or f"Lesion {lesion.number}"
    # contours or labels of unknown origin that a program brought onto the grid
    item.SegmentAlgorithmType = "SEMIAUTOMATIC"
    item.SegmentAlgorithmName = MODEL_NAME
    item.SegmentedPropertyCategoryCodeSequence = [coded(MORPHOLOGICALLY_ABNORMAL)]
    item.SegmentedPropertyTypeCodeSequence = [coded(lesion.kind or NEOPLASM)]
    item.TrackingID = lesion.tracking_id
    item.TrackingUID = lesion.tracking_uid
    item.DefinitionSourceSequence = [_definition(case, lesion)]
    return item


def _definition(case: Case, lesion: Lesion) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = case.segmentation.sop_class
    item.ReferencedSOPInstanceUID = case.segmentation.sop_instance
    if case.segmentation.sop_class == RT_STRUCTURE_SET:
        item.ReferencedROINumber = lesion.number
    return item
