"""Frames on the planes of the CT, for the objects that have many of them."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pydicom import Dataset
from pydicom.valuerep import format_number_as_ds

from pipelines.domain.case import Case
from pipelines.domain.coding import SEGMENTATION_SOURCE, Code
from pipelines.outputs.provenance import coded

_PLANE_POSITION_SEQUENCE: Final = 0x00209113
_IMAGE_POSITION: Final = 0x00200032
_SEGMENT_IDENTIFICATION_SEQUENCE: Final = 0x0062000A
_REFERENCED_SEGMENT_NUMBER: Final = 0x0062000B


@dataclass(frozen=True, slots=True)
class FrameSource:
    """What one frame shows.

    Attributes
    ----------
    slice_index
        Slice of the CT, from 0.
    segment_number
        For a segmentation only.
    """

    slice_index: int
    segment_number: int | None = None


def add_frames(made: Dataset, case: Case, frames: Sequence[FrameSource], derivation: Code, dimensions_uid: str) -> None:
    """Describe where `frames` lie and which CT images they come from (PS3.3 C.7.6.16, C.7.6.17, C.12.2).

    Parameters
    ----------
    made
        Gets the attributes of the frame of reference, the functional groups and the references. Items of the shared
        functional groups that the kind of object needs beyond these are for the caller to add.
    frames
        All of them with a segment number, or none.
    """
    grid = case.ct.grid
    made.Rows, made.Columns = grid.shape[1], grid.shape[2]
    made.NumberOfFrames = len(frames)
    made.FrameOfReferenceUID = case.ct.frame_of_reference
    made.PositionReferenceIndicator = case.header.get("PositionReferenceIndicator") or None
    made.BodyPartExamined = case.header.get("BodyPartExamined") or "CHEST"
    _copy_lossy_compression(made, case)
    made.SharedFunctionalGroupsSequence = [_shared(case)]
    shown = sorted({frame.slice_index for frame in frames})
    place = {index: number for number, index in enumerate(shown, start=1)}
    made.PerFrameFunctionalGroupsSequence = [_frame(case, f, place[f.slice_index], derivation) for f in frames]
    _add_dimensions(made, dimensions_uid, segmented=frames[0].segment_number is not None)
    made.ReferencedSeriesSequence = [_referenced_series(case)]


def pixel_element(tag: int, vr: str, value: bytes | memoryview) -> tuple[bytes, bytes | memoryview, bytes]:
    """Header, value and padding of an element; apart, so that a long value is not copied to join them."""
    padding = b"\0" * (len(value) % 2)
    header = struct.pack("<HH2sHI", tag >> 16, tag & 0xFFFF, vr.encode(), 0, len(value) + len(padding))
    return header, value, padding


def _copy_lossy_compression(made: Dataset, case: Case) -> None:
    header = case.header
    made.LossyImageCompression = "01" if header.get("LossyImageCompression") == "01" else "00"
    if made.LossyImageCompression == "01":
        for keyword in ("LossyImageCompressionRatio", "LossyImageCompressionMethod"):
            if header.get(keyword):
                made.add(header[keyword])


def _shared(case: Case) -> Dataset:
    grid = case.ct.grid
    measures = Dataset()
    measures.PixelSpacing = [_decimal(grid.spacing_mm[1]), _decimal(grid.spacing_mm[0])]
    # readers take the thickness for the step where they find no spacing, so both are the step
    measures.SliceThickness = measures.SpacingBetweenSlices = _decimal(grid.spacing_mm[2])
    orientation = Dataset()
    orientation.ImageOrientationPatient = [_decimal(c) for c in (*grid.row_cosines, *grid.column_cosines)]
    shared = Dataset()
    shared.PixelMeasuresSequence = [measures]
    shared.PlaneOrientationSequence = [orientation]
    return shared


def _frame(case: Case, source: FrameSource, place: int, derivation: Code) -> Dataset:
    content = Dataset()
    content.DimensionIndexValues = [place]
    frame = Dataset()
    if source.segment_number is not None:
        content.DimensionIndexValues = [source.segment_number, place]
        segment = Dataset()
        segment.ReferencedSegmentNumber = source.segment_number
        frame.SegmentIdentificationSequence = [segment]
    frame.FrameContentSequence = [content]
    frame.PlanePositionSequence = [_position(case, source.slice_index)]
    frame.DerivationImageSequence = [_derivation(case, source.slice_index, derivation)]
    return frame


def _position(case: Case, index: int) -> Dataset:
    item = Dataset()
    item.ImagePositionPatient = [_decimal(value) for value in case.ct.grid.slice_position_mm(index)]
    return item


def _derivation(case: Case, index: int, derivation: Code) -> Dataset:
    source = case.ct.slices[index]
    image = Dataset()
    image.ReferencedSOPClassUID = source.sop_class
    image.ReferencedSOPInstanceUID = source.sop_instance
    if source.frame is not None:
        image.ReferencedFrameNumber = source.frame
    image.SpatialLocationsPreserved = "NO" if case.ct.resampled else "YES"
    image.PurposeOfReferenceCodeSequence = [coded(SEGMENTATION_SOURCE)]
    item = Dataset()
    item.SourceImageSequence = [image]
    item.DerivationCodeSequence = [coded(derivation)]
    return item


def _add_dimensions(made: Dataset, uid: str, *, segmented: bool) -> None:
    organisation = Dataset()
    organisation.DimensionOrganizationUID = uid
    made.DimensionOrganizationSequence = [organisation]
    pointers = [(_IMAGE_POSITION, _PLANE_POSITION_SEQUENCE, "Image Position (Patient)")]
    if segmented:
        pointers.insert(0, (_REFERENCED_SEGMENT_NUMBER, _SEGMENT_IDENTIFICATION_SEQUENCE, "Segment Number"))
    indices = []
    for pointer, group, label in pointers:
        index = Dataset()
        index.DimensionOrganizationUID = uid
        index.DimensionIndexPointer = pointer
        index.FunctionalGroupPointer = group
        index.DimensionDescriptionLabel = label
        indices.append(index)
    made.DimensionIndexSequence = indices


def _referenced_series(case: Case) -> Dataset:
    series = Dataset()
    series.SeriesInstanceUID = case.ct_key.series
    instances = []
    for sop_class, sop_instance in dict.fromkeys((s.sop_class, s.sop_instance) for s in case.ct.slices):
        instance = Dataset()
        instance.ReferencedSOPClassUID = sop_class
        instance.ReferencedSOPInstanceUID = sop_instance
        instances.append(instance)
    series.ReferencedInstanceSequence = instances
    return series


def _decimal(value: float) -> str:
    return format_number_as_ds(float(value))
