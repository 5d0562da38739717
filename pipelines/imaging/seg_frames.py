"""What the header of a segmentation says: its segments, and where each frame lies."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from pipelines.domain.coding import Code
from pipelines.domain.lesion_rule import SegmentDescription
from pipelines.domain.reasons import Rejected
from pipelines.domain.sop_classes import LABEL_MAP_SEGMENTATION
from pipelines.imaging.charsets import UnreadableText, declared_in, text_of
from pipelines.imaging.seg_pixels import Undecodable

_BACKGROUND: Final = ("DCM", "125040")


@dataclass(frozen=True, slots=True)
class Segment:
    """One item of the Segment Sequence.

    Attributes
    ----------
    tracking_id, tracking_uid
        Empty when the item has none.
    region
        Anatomic Region, where the item tells it.
    """

    description: SegmentDescription
    tracking_id: str
    tracking_uid: str
    region: Code | None = None

    @property
    def number(self) -> int:
        return self.description.number


@dataclass(frozen=True, slots=True, eq=False)
class Frames:
    """Where the frames lie, one row of each array for each frame.

    Attributes
    ----------
    segments
        Referenced Segment Number; None for a label map, whose pixels hold it.
    positions_mm, orientations, spacings_mm
        Shapes (n, 3), (n, 6) and (n, 2): Image Position, Image Orientation, Pixel Spacing (row, column).
    steps_mm
        Spacing Between Slices, else Slice Thickness, else 0.
    """

    segments: NDArray[np.int64] | None
    positions_mm: NDArray[np.float64]
    orientations: NDArray[np.float64]
    spacings_mm: NDArray[np.float64]
    steps_mm: NDArray[np.float64]


def is_label_map(segmentation: Dataset) -> bool:
    """True when the pixels hold segment numbers."""
    said = str(segmentation.SOPClassUID), str(segmentation.get("SegmentationType"))
    return said[0] == LABEL_MAP_SEGMENTATION or said[1] == "LABELMAP"


def read_segments(segmentation: Dataset, assume: str = "") -> tuple[list[Segment], list[Rejected]]:
    """The segments that are described, without a background, and a note for each item that cannot be used.

    Parameters
    ----------
    assume
        Character set of text that is not in the declared one.

    Raises
    ------
    Undecodable
        If no segment is described.
    """
    segments: dict[int, Segment] = {}
    notes: list[Rejected] = []
    items = segmentation.get("SegmentSequence") or ()
    for place, item in enumerate(items, start=1):
        number = _segment_number(item)
        if number is None or number in segments:
            why = "has no number" if number is None else f"has the number {number} of another one"
            notes.append(
                Rejected(
                    "SEG-010",
                    f"Item {place} of the Segment Sequence {why} and was left out.",
                    "Correct the segmentation in the system that wrote it, if that item is a lesion.",
                )
            )
            continue
        segment, unreadable = _segment(item, number, declared_in(segmentation), assume)
        notes.extend(unreadable)
        if number == 0 or _is_background(segment.description):
            continue
        segments[number] = segment
    if not segments:
        raise Undecodable("the Segment Sequence describes no segment")
    return list(segments.values()), notes


def _segment_number(item: Dataset) -> int | None:
    try:
        number = int(item.get("SegmentNumber"))
    except (TypeError, ValueError):
        return None
    return number if 0 <= number <= 65535 else None


def _is_background(description: SegmentDescription) -> bool:
    return any(
        code is not None and (code.scheme, code.value) == _BACKGROUND
        for code in (description.category, description.kind)
    )


def _segment(item: Dataset, number: int, declared: Sequence[str], assume: str) -> tuple[Segment, list[Rejected]]:
    texts = {}
    notes = []
    for keyword in ("SegmentLabel", "TrackingID"):
        try:
            texts[keyword] = text_of(item, keyword, within=declared, assume=assume)
        except UnreadableText:
            notes.append(unreadable_label(f"{keyword} of segment {number}"))
    segment = Segment(
        SegmentDescription(
            number=number,
            label=texts.get("SegmentLabel") or f"Segment {number}",
            category=first_code(item, "SegmentedPropertyCategoryCodeSequence"),
            kind=first_code(item, "SegmentedPropertyTypeCodeSequence"),
            algorithm=str(item.get("SegmentAlgorithmType") or ""),
        ),
        tracking_id=texts.get("TrackingID", ""),
        tracking_uid=str(item.get("TrackingUID") or ""),
        region=first_code(item, "AnatomicRegionSequence"),
    )
    return segment, notes


def unreadable_label(what: str) -> Rejected:
    """The note about a label that is in no character set that is known."""
    return Rejected(
        "TXT-002",
        f"{what} cannot be decoded and was left out.",
        "Set receive.assume_charset to the character set of the sending system and retry the case.",
    )


def first_code(item: Dataset, keyword: str) -> Code | None:
    """The first code of a sequence as a value; None when it is absent or does not fit (PS3.3 section 8)."""
    sequence = item.get(keyword)
    if not sequence:
        return None
    try:
        code = sequence[0]
        return Code(str(code.CodeValue), str(code.CodingSchemeDesignator), str(code.CodeMeaning))
    except (AttributeError, IndexError, TypeError, ValueError):
        return None


def without_frames(segmentation: Dataset) -> bool:
    """True for a segmentation that was written without any frame, as some writers do where nothing was drawn."""
    return (
        not segmentation.get("PerFrameFunctionalGroupsSequence")
        and int(segmentation.get("NumberOfFrames") or 0) == 0
        and not segmentation.get("PixelData")
    )


def read_frames(segmentation: Dataset) -> Frames:
    """Where each frame lies.

    Raises
    ------
    Undecodable
        If a frame lacks a functional group that says it.

    References
    ----------
    PS3.3 C.7.6.16 (functional groups, per frame or shared by all), C.8.20.3.
    """
    groups = segmentation.get("PerFrameFunctionalGroupsSequence") or ()
    frames = int(segmentation.get("NumberOfFrames") or 1)
    if len(groups) != frames:
        raise Undecodable(f"{frames} frames, {len(groups)} functional groups")
    shared = next(iter(segmentation.get("SharedFunctionalGroupsSequence") or ()), Dataset())

    def macro(keyword: str, group: Dataset) -> Dataset:
        for outer in (group, shared):
            if keyword in outer:
                sequence = outer[keyword].value
                if sequence:
                    item: Dataset = sequence[0]
                    return item
        raise Undecodable(f"{keyword} is missing")

    def each(sequence: str, keyword: str, count: int) -> NDArray[np.float64]:
        rows = [getattr(macro(sequence, group), keyword) for group in groups]
        values = np.array(rows, dtype=np.float64)
        if values.shape != (frames, count) or not np.isfinite(values).all():
            raise Undecodable(f"{keyword} is no list of {count} numbers")
        return values

    spacings = each("PixelMeasuresSequence", "PixelSpacing", 2)
    orientations = each("PlaneOrientationSequence", "ImageOrientationPatient", 6)
    if (spacings <= 0).any():
        raise Undecodable("PixelSpacing is not positive")
    if not np.allclose(np.linalg.norm(orientations.reshape(-1, 3), axis=1), 1, atol=1e-2, rtol=0):
        raise Undecodable("ImageOrientationPatient is no pair of directions")
    return Frames(
        segments=None
        if is_label_map(segmentation)
        else _numbers([macro("SegmentIdentificationSequence", g) for g in groups]),
        positions_mm=each("PlanePositionSequence", "ImagePositionPatient", 3),
        orientations=orientations,
        spacings_mm=spacings,
        steps_mm=np.array([_step(macro("PixelMeasuresSequence", group)) for group in groups], dtype=np.float64),
    )


def _numbers(identifications: Sequence[Dataset]) -> NDArray[np.int64]:
    return np.array([int(item.ReferencedSegmentNumber) for item in identifications], dtype=np.int64)


def _step(measures: Dataset) -> float:
    for keyword in ("SpacingBetweenSlices", "SliceThickness"):
        value = measures.get(keyword)
        if value is not None and 0 < float(value) < 1000:
            return float(value)
    return 0.0
