"""The self-check: no result leaves before it has been read back and found to say what was found."""

import math
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Final, assert_never

import numpy as np
from numpy.typing import NDArray
from pydicom import DataElement, Dataset, dcmread
from pydicom.dataelem import RawDataElement
from pydicom.errors import BytesLengthException, InvalidDicomError

from pipelines.domain.case import Findings, Lesion, MeasuredLesion
from pipelines.domain.coding import (
    APPLICABILITY,
    COMMENT,
    CONTRIBUTION,
    CUT_OFF,
    FEATURE_COUNT,
    IMAGING_MEASUREMENTS,
    LONG_AXIS,
    NEGATIVE_INFINITY,
    NEGATIVE_PERCENTILE,
    NO_PREDICTION,
    NOT_A_NUMBER,
    NOT_MEASURED,
    POSITIVE_INFINITY,
    POSITIVE_PERCENTILE,
    PREDICTED_CLASS,
    PROBABILITY,
    RAD_SIGNATURE,
    SCALED_SCORE,
    SHORT_AXIS,
    TRACKING_UID,
    Code,
)
from pipelines.domain.feature_codes import describe
from pipelines.domain.features import FeatureVector
from pipelines.domain.inherited import INHERITED
from pipelines.domain.outcome import ResultObject, family
from pipelines.domain.reasons import Rejected
from pipelines.domain.score import Score
from pipelines.domain.volume import Grid
from pipelines.outputs import (
    case_report,
    diameter_report,
    key_objects,
    measurement_report,
    parametric_map,
    segmentation,
)
from pipelines.outputs.inherited import inherited
from pipelines.outputs.iod.check import iod_faults
from pipelines.outputs.page.check import page_faults
from pipelines.outputs.page.objects import KIND as PAGE
from pipelines.outputs.provenance import DEMONSTRATION_NOTICE, result_uid
from pipelines.outputs.readback import ReadGroup, ReadNumber, read_groups

_CONTENT_SEQUENCE: Final = 0x0040A730
# what pydicom, the reader of the content and a look at a part that is not there raise for damaged bytes
_UNREADABLE: Final = (
    AttributeError,
    BytesLengthException,
    EOFError,
    InvalidDicomError,
    LookupError,
    NotImplementedError,
    OSError,
    TypeError,
    ValueError,
    struct.error,
)

# beyond what the IODs demand: who made the object and when, by which a site traces it
_PROMISED: Final = (
    "InstanceNumber",
    "ContentDate",
    "ContentTime",
    "Manufacturer",
    "ManufacturerModelName",
    "DeviceSerialNumber",
    "SoftwareVersions",
)


def check(made: ResultObject, findings: Findings) -> Rejected | None:
    """Read `made` back and compare it with what was found.

    Returns
    -------
    Rejected
        `OUT-001` with the first difference, told by attribute, lesion and feature but never by value. None when there
        is no difference.
    """
    return check_with(made, findings, _COMPARISONS[family(made.kind)])


def check_with(made: ResultObject, findings: Findings, compare: "Comparison") -> Rejected | None:
    """As `check`, where `compare` yields what differs in the content."""
    fault = next(_faults(made, findings, compare), None)
    if fault is None:
        return None
    return Rejected(
        "OUT-001",
        f"Result {made.kind} {made.sop_instance}: {fault}. It was not sent.",
        "Run the case again; if it fails the same way, report it as a bug.",
    )


@dataclass(frozen=True, slots=True)
class Read:
    """A result as it was read back.

    Attributes
    ----------
    content
        Value of the Content Sequence, undecoded; empty when there is none.
    pixels
        Value of the last element, where that holds pixels.
    """

    dataset: Dataset
    content: bytes
    pixels: memoryview


Comparison = Callable[[Read, ResultObject, Findings], Iterator[str]]
"""Yields what differs between the content of a result and the findings."""


def _faults(made: ResultObject, findings: Findings, compare: "Comparison") -> Iterator[str]:
    try:
        read = _read_back(made.data)
        yield from _identity_faults(made, read.dataset)
        yield from _patient_faults(read.dataset, findings)
        yield from iod_faults(made.data, made.sop_class)
        yield from _broken_promises(read.dataset)
        yield from compare(read, made, findings)
    except _UNREADABLE:
        # the bytes may hold anything; what cannot be found where it belongs is a fault like any other
        yield "it cannot be read back, or a part is missing that every object of its kind has"


def _read_back(data: bytes) -> Read:
    file = BytesIO(data)
    dataset = dcmread(file, stop_before_pixels=True)
    content = dataset.get_item(_CONTENT_SEQUENCE) if _CONTENT_SEQUENCE in dataset else None
    encoded = content.value or b"" if isinstance(content, RawDataElement) else b""
    if isinstance(content, RawDataElement) and len(encoded) != content.length:
        # pydicom takes what there is of an element that the end of the file cuts short
        raise EOFError
    # the value follows tag, VR and length, 12 bytes together
    return Read(dataset, encoded, memoryview(data)[file.tell() + 12 :])


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
    expected = inherited(findings.case.header)
    for keyword in INHERITED:
        if not _equal(_element(expected, keyword), _element(dataset, keyword)):
            yield f"{keyword} is not that of the CT"


def _element(dataset: Dataset, keyword: str) -> DataElement | None:
    # `get` with a keyword returns the value, not the element
    return dataset[keyword] if keyword in dataset else None  # noqa: SIM401


def _equal(one: DataElement | None, other: DataElement | None) -> bool:
    if one is None or other is None:
        return one is other
    return (one.is_empty and other.is_empty) or bool(one.value == other.value)


def _broken_promises(dataset: Dataset) -> Iterator[str]:
    for keyword in _PROMISED:
        element = _element(dataset, keyword)
        if element is None or element.is_empty:
            yield f"{keyword} is missing"


def _feature_faults(read: Read, _: ResultObject, findings: Findings) -> Iterator[str]:
    groups = read_groups(read.content)
    measured = measurement_report.measured_lesions(findings)
    if len(groups) != len(measured):
        yield f"it holds {len(groups)} measurement groups for {len(measured)} measured lesions"
        return
    names = measured[0][1].names
    concepts = [(d.concept.value, d.concept.scheme) for d in map(describe, names)]
    for group, (lesion, vector) in zip(groups, measured, strict=True):
        if group.tracking_uid != lesion.tracking_uid:
            yield f"the Tracking Unique Identifier of lesion {lesion.number} differs"
        segment = segmentation.segment_reference(findings, lesion)
        if group.segment != (segment.sop_instance, segment.segment_number):
            yield f"the segment of lesion {lesion.number} differs"
        yield from _number_faults(group, lesion, vector, list(zip(names, concepts, strict=True)))


def _number_faults(
    group: ReadGroup, lesion: Lesion, vector: FeatureVector, named: list[tuple[str, tuple[str, str]]]
) -> Iterator[str]:
    if [(number.full_name, number.concept) for number in group.numbers] != named or len(vector) != len(named):
        yield f"the features of lesion {lesion.number} or their order differ"
        return
    values = vector.select([name for name, _ in named]).astype("<f8")
    doubles = values.tobytes()
    for index, (number, value) in enumerate(zip(group.numbers, values.tolist(), strict=True)):
        if not _is_value(number, value, doubles[8 * index : 8 * index + 8]):
            yield f"{number.full_name} of lesion {lesion.number} differs"


def _is_value(number: ReadNumber, value: float, double: bytes) -> bool:
    if math.isfinite(value):
        return number.value == double
    expected = NOT_A_NUMBER if math.isnan(value) else POSITIVE_INFINITY if value > 0 else NEGATIVE_INFINITY
    return number.value is None and number.qualifier == expected.value


def _case_faults(read: Read, _: ResultObject, findings: Findings) -> Iterator[str]:
    top = named_items(read.dataset.get("ContentSequence", ()), IMAGING_MEASUREMENTS)
    groups = [group for container in top for group in container.get("ContentSequence", ())]
    first, *lesions = groups[: 1 + len(findings.lesions)]
    reasons = groups[1 + len(findings.lesions) :]
    if len(lesions) != len(findings.lesions):
        yield f"it holds {len(lesions)} groups for {len(findings.lesions)} lesions"
        return
    yield from _prediction_faults(first.ContentSequence, read.dataset, findings)
    for group, measured in zip(lesions, findings.lesions, strict=True):
        yield from _lesion_faults(group.ContentSequence, measured)
    terms = [c.term for c in case_report.top_contributions(findings.score)] if isinstance(findings.score, Score) else []
    if [term for group in reasons for term in numbers_named(group.ContentSequence, CONTRIBUTION)] != terms:
        yield f"{CONTRIBUTION.meaning} differs"


def _prediction_faults(items: Iterable[Dataset], dataset: Dataset, findings: Findings) -> Iterator[str]:
    score = findings.score
    wanted: dict[Code, list[float]] = {PROBABILITY: [], CUT_OFF: [], RAD_SIGNATURE: []}
    classes: list[str] = []
    compared: list[str] = []
    texts: dict[Code, list[str]] = {}
    match score:
        case Score():
            wanted = {PROBABILITY: [score.probability], CUT_OFF: [score.cut_off], RAD_SIGNATURE: [score.signature]}
            wanted |= _placed(score)
            classes = [case_report.CLASS_CODES[score.outcome].value]
            compared = [case_report.applicability(score).value]
            if score.model.demonstration:
                texts[COMMENT] = [DEMONSTRATION_NOTICE]
                if "DEMONSTRATION" not in dataset.SeriesDescription:
                    yield "Series Description does not say that the model is a demonstration"
        case Rejected():
            texts[NO_PREDICTION] = [str(score)]
        case None:
            pass
        case _:
            assert_never(score)
    texts[COMMENT] = [*texts.get(COMMENT, ()), *(str(note) for note in findings.case.notes)]
    for name, values in wanted.items():
        if numbers_named(items, name) != values:
            yield f"{name.meaning} differs"
    for name, codes in ((PREDICTED_CLASS, classes), (APPLICABILITY, compared)):
        if [item.ConceptCodeSequence[0].CodeValue for item in named_items(items, name)] != codes:
            yield f"{name.meaning} differs"
    for name, lines in texts.items():
        if texts_named(items, name) != lines:
            yield f"{name.meaning} differs"


def _placed(score: Score) -> dict[Code, list[float]]:
    place, scaled = score.place, score.scaled
    return {
        POSITIVE_PERCENTILE: [] if place is None else [place.positive_percentile],
        NEGATIVE_PERCENTILE: [] if place is None else [place.negative_percentile],
        SCALED_SCORE: [] if scaled is None else [scaled.value],
    }


def _lesion_faults(items: Iterable[Dataset], measured: MeasuredLesion) -> Iterator[str]:
    number = measured.lesion.number
    if [item.UID for item in named_items(items, TRACKING_UID)] != [measured.lesion.tracking_uid]:
        yield f"the Tracking Unique Identifier of lesion {number} differs"
    rejected = isinstance(measured.features, Rejected)
    if texts_named(items, NOT_MEASURED) != ([str(measured.features)] if rejected else []):
        yield f"the reason why lesion {number} was not measured differs"
    count = [float(len(measured.features))] if isinstance(measured.features, FeatureVector) else []
    if numbers_named(items, FEATURE_COUNT) != count:
        yield f"the number of features of lesion {number} differs"


def named_items(items: Iterable[Dataset], name: Code) -> Iterator[Dataset]:
    """The content items that bear a name."""
    for item in items:
        names = [(code.CodeValue, code.CodingSchemeDesignator) for code in item.get("ConceptNameCodeSequence", ())]
        if names == [(name.value, name.scheme)]:
            yield item


def numbers_named(items: Iterable[Dataset], name: Code) -> list[float]:
    """The values of the numbers that bear a name, exact."""
    return [float(item.MeasuredValueSequence[0].FloatingPointValue) for item in named_items(items, name)]


def texts_named(items: Iterable[Dataset], name: Code) -> list[str]:
    """The texts that bear a name."""
    return [str(item.TextValue) for item in named_items(items, name)]


def _diameter_faults(read: Read, _: ResultObject, findings: Findings) -> Iterator[str]:
    drawn = diameter_report.drawn_lesions(findings)
    groups = [
        group
        for container in named_items(read.dataset.get("ContentSequence", ()), IMAGING_MEASUREMENTS)
        for group in container.get("ContentSequence", ())
    ]
    if len(groups) != len(drawn):
        yield f"it holds {len(groups)} measurement groups for {len(drawn)} lesions with diameters"
        return
    for group, (lesion, diameters) in zip(groups, drawn, strict=True):
        if [item.UID for item in named_items(group.ContentSequence, TRACKING_UID)] != [lesion.tracking_uid]:
            yield f"the Tracking Unique Identifier of lesion {lesion.number} differs"
        source = findings.case.ct.slices[diameters.slice_index]
        for name, caliper in ((LONG_AXIS, diameters.long), (SHORT_AXIS, diameters.short)):
            if numbers_named(group.ContentSequence, name) != [caliper.length_mm]:
                yield f"{name.meaning} of lesion {lesion.number} differs"
            line = next(named_items(group.ContentSequence, name)).ContentSequence[0]
            ends = [caliper.start.column, caliper.start.row, caliper.end.column, caliper.end.row]
            if not np.array_equal(line.GraphicData, np.array(ends, dtype=np.float32)):
                yield f"the line of the {name.meaning} of lesion {lesion.number} differs"
            image = line.ContentSequence[0].ReferencedSOPSequence[0]
            if (image.ReferencedSOPInstanceUID, image.get("ReferencedFrameNumber")) != (
                source.sop_instance,
                source.frame,
            ):
                yield f"the image of lesion {lesion.number} differs"


def _key_object_faults(read: Read, _: ResultObject, findings: Findings) -> Iterator[str]:
    references = [
        (
            item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID,
            item.ReferencedSOPSequence[0].get("ReferencedFrameNumber"),
        )
        for item in read.dataset.ContentSequence
        if item.ValueType in ("IMAGE", "COMPOSITE")
    ]
    images = [(image.sop_instance, image.frame) for image in key_objects.key_slices(findings)]
    if references[:-1] != images:
        yield "its key images are not the slices of the lesions"
    if references[-1:] != [(result_uid(findings, case_report.KIND, "instance"), None)]:
        yield "it does not refer to the report of the case"


def _page_faults(read: Read, _: ResultObject, findings: Findings) -> Iterator[str]:
    yield from page_faults(read.dataset, read.pixels, findings)


def _map_faults(read: Read, made: ResultObject, findings: Findings) -> Iterator[str]:
    grid = findings.case.ct.grid
    by_kind = {case_map.kind: case_map for case_map in parametric_map.case_maps(findings)}
    case_map = by_kind.get(made.kind)
    if case_map is None:
        yield "there is no such map among the findings"
    elif list(_slices(read.dataset, grid)) != list(range(grid.shape[0])):
        yield "its frames are not those of the CT slices in ascending order"
    elif not _same_frames(read, parametric_map.frames_of(findings, case_map)):
        yield "the values of its frames differ"


def _same_frames(read: Read, expected: NDArray[np.float32]) -> bool:
    if len(read.pixels) != expected.nbytes:
        return False
    # as integers, so that NaN equals itself
    found = np.frombuffer(read.pixels, dtype="<u4").reshape(expected.shape)
    return bool(np.array_equal(found, expected.view("<u4")))


def _segmentation_faults(read: Read, _: ResultObject, findings: Findings) -> Iterator[str]:
    lesions = findings.case.lesions
    grid = findings.case.ct.grid
    described = [(s.SegmentNumber, s.get("TrackingUID")) for s in read.dataset.SegmentSequence]
    if described != [(number, lesion.tracking_uid) for number, lesion in enumerate(lesions, start=1)]:
        yield "its segments are not the lesions"
        return
    frames = read.dataset.PerFrameFunctionalGroupsSequence
    size = grid.shape[1] * grid.shape[2]
    if len(read.pixels) < math.ceil(len(frames) * size / 8):
        yield "its pixel data is too short"
        return
    bits = np.unpackbits(np.frombuffer(read.pixels, dtype=np.uint8), bitorder="little", count=len(frames) * size)
    pixels = bits.reshape(len(frames), *grid.shape[1:]).astype(np.bool_)
    numbers = [frame.SegmentIdentificationSequence[0].ReferencedSegmentNumber for frame in frames]
    slices = list(_slices(read.dataset, grid))
    for number, lesion in enumerate(lesions, start=1):
        drawn = np.zeros(grid.shape, dtype=np.bool_)
        for frame, index, of_segment in zip(pixels, slices, numbers, strict=True):
            if of_segment == number and index is not None:
                drawn[index] |= frame
        if not np.array_equal(drawn, lesion.mask.on(grid)):
            yield f"the mask of lesion {lesion.number} differs"


def _slices(dataset: Dataset, grid: Grid) -> Iterator[int | None]:
    """The CT slice on which each frame lies; None for a frame beside all of them."""
    positions = [
        frame.PlanePositionSequence[0].ImagePositionPatient for frame in dataset.PerFrameFunctionalGroupsSequence
    ]
    for position in np.array(positions, dtype=np.float64):
        steps = float((position - grid.origin_mm) @ np.array(grid.normal)) / grid.spacing_mm[2]
        index = round(steps)
        on_plane = 0 <= index < grid.shape[0] and np.allclose(position, grid.slice_position_mm(index), atol=1e-3)
        yield index if on_plane else None


_COMPARISONS: Final[dict[str, Comparison]] = {
    measurement_report.KIND: _feature_faults,
    case_report.KIND: _case_faults,
    parametric_map.KIND: _map_faults,
    segmentation.KIND: _segmentation_faults,
    diameter_report.KIND: _diameter_faults,
    key_objects.KIND: _key_object_faults,
    PAGE: _page_faults,
}
