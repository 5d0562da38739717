"""Whatever the IODs demand of an object is missed when it is gone, and nothing else is."""

import time
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any, Final

import pytest
from highdicom import _standard_utils as standard
from highdicom._standard_utils import AttributeTypeValues, construct_module_tree
from pydicom import Dataset, Sequence, dcmread
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from pipelines.domain.case import Findings
from pipelines.domain.identifiers import SopClassUID
from pipelines.domain.outcome import ResultObject
from pipelines.domain.sop_classes import RT_STRUCTURE_SET
from pipelines.outputs.case_report import case_report
from pipelines.outputs.iod.check import iod_faults
from pipelines.outputs.iod.conditions import GROUPS, VALUE_TYPES
from pipelines.outputs.iod.table import OF_THE_SENDER
from pipelines.outputs.measurement_report import feature_report
from tests.pipelines.outputs import synthetic

KINDS: Final = (
    "sr-features", "sr-case", "sr-diameters", "key-objects", "page-pdf", "page-image", "map", "seg",
)  # fmt: skip
# two elements that come after the rest of the object, which the data set read by pydicom has as any other
_GROUPS: Final = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
Place = tuple[Dataset, str, str]
"""What holds an attribute, its keyword and its type."""


@pytest.fixture(scope="module")
def datasets(objects: dict[str, ResultObject], small: Findings) -> dict[str, Dataset]:
    """An object of each kind as pydicom reads it; the features are a dozen."""
    few = {made.kind: made for made in feature_report(small, synthetic.PRODUCER)}
    return {kind: dcmread(BytesIO((few | objects | few)[kind].data)) for kind in KINDS}


def faults(dataset: Dataset) -> list[str]:
    # pydicom makes no file of an object without its UIDs, so the bytes are put together here
    encoded = DicomBytesIO()
    encoded.is_little_endian, encoded.is_implicit_VR = True, False
    write_dataset(encoded, dataset)
    return list(iod_faults(bytes(132) + encoded.getvalue(), sop_class_of(dataset)))


def sop_class_of(dataset: Dataset) -> SopClassUID:
    return SopClassUID(dataset.file_meta.MediaStorageSOPClassUID)


def modules(dataset: Dataset) -> Iterator[dict[str, Any]]:
    """The trees of the mandatory modules, as highdicom has them."""
    name = standard.get_sop_class_iod_map()[sop_class_of(dataset)]
    for module in standard.get_iod_module_map()[name]:
        if module["usage"] == "M":
            yield construct_module_tree(module["key"])["attributes"]


def demanded(holder: Dataset, tree: dict[str, Any], *, in_groups: bool = False) -> Iterator[Place]:
    """Every attribute of type 1 or 2 that `holder` has, down to the items of its sequences."""
    content_item = tree.get("ValueType", {}).get("type") == AttributeTypeValues.REQUIRED
    for keyword, entry in tree.items():
        if keyword not in holder:
            continue
        kind = entry["type"].value
        by_value_type = content_item and keyword in VALUE_TYPES
        if kind in ("1", "2") and not in_groups and (not by_value_type or holder.ValueType in VALUE_TYPES[keyword]):
            yield holder, keyword, kind
        if "attributes" in entry and keyword not in OF_THE_SENDER:
            items = holder[keyword].value or ()
            for item in {id(one): one for one in (*items[:1], *items[-1:])}.values():
                yield from demanded(item, entry["attributes"], in_groups=keyword in _GROUPS)


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_node_writes_has_all_that_its_iod_demands(kind: str, datasets: dict[str, Dataset]) -> None:
    assert faults(datasets[kind]) == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_attribute_of_type_1_or_2_is_missed_wherever_it_stands(kind: str, datasets: dict[str, Dataset]) -> None:
    dataset = datasets[kind]
    places = {
        (id(holder), keyword): (holder, keyword, min(known))
        for holder, keyword, known in _by_place(p for tree in modules(dataset) for p in demanded(dataset, tree))
    }
    if kind != "page-pdf":
        assert any(holder is not dataset for holder, _, _ in places.values())
    for holder, keyword, demand in places.values():
        kept = holder[keyword]
        del holder[keyword]
        assert any(fault.endswith(f"{keyword} is missing") for fault in faults(dataset)), keyword
        holder.add_new(kept.tag, kept.VR, Sequence() if kept.VR == "SQ" else b"" if kept.VR[0] == "O" else None)
        found = faults(dataset)
        if demand == "1":
            assert any(fault.endswith(f"{keyword} is empty") for fault in found), keyword
        else:
            assert not any(fault.endswith(f"{keyword} is empty") for fault in found), keyword
        holder[keyword] = kept
    assert faults(dataset) == []


def _by_place(places: Iterator[Place]) -> list[tuple[Dataset, str, set[str]]]:
    """Each place once with all types that the modules give it."""
    found: dict[tuple[int, str], tuple[Dataset, str, set[str]]] = {}
    for holder, keyword, kind in places:
        found.setdefault((id(holder), keyword), (holder, keyword, set()))[2].add(kind)
    return list(found.values())


def first(items: Sequence, value_type: str) -> Dataset:
    """The first content item of a Value Type, at any depth."""
    for item in items:
        if item.ValueType == value_type:
            return item
        for below in item.get("ContentSequence", ()):
            found = first([below], value_type)  # type: ignore[arg-type]
            if found is not None:
                return found
    return None  # type: ignore[return-value]


def content(dataset: Dataset, value_type: str) -> Dataset:
    return first(dataset.ContentSequence, value_type)


def code(dataset: Dataset) -> Dataset:
    item: Dataset = content(dataset, "CODE").ConceptCodeSequence[0]
    return item


def emptied(dataset: Dataset) -> Dataset:
    number = content(dataset, "NUM")
    number.MeasuredValueSequence = []
    return number


def frame(dataset: Dataset) -> Dataset:
    groups: Dataset = dataset.PerFrameFunctionalGroupsSequence[-1]
    return groups


def shared(dataset: Dataset) -> Dataset:
    groups: Dataset = dataset.SharedFunctionalGroupsSequence[0]
    return groups


def mapping(dataset: Dataset) -> Dataset:
    item: Dataset = shared(dataset).RealWorldValueMappingSequence[0]
    return item


@pytest.mark.parametrize(
    ("kind", "alter", "said"),
    [
        ("sr-case", lambda d: delattr(d, "SpecificCharacterSet"), "SpecificCharacterSet is missing"),
        ("sr-case", lambda d: delattr(d, "ContentTemplateSequence"), "ContentTemplateSequence is missing"),
        ("sr-case", lambda d: delattr(d, "CurrentRequestedProcedureEvidenceSequence"), "EvidenceSequence is missing"),
        ("sr-case", lambda d: delattr(d, "ContentSequence"), "ContentSequence is missing"),
        ("sr-case", lambda d: delattr(content(d, "TEXT"), "ConceptNameCodeSequence"), "NameCodeSequence is missing"),
        ("sr-case", lambda d: delattr(content(d, "TEXT"), "TextValue"), "TextValue is missing"),
        ("sr-case", lambda d: delattr(content(d, "UIDREF"), "UID"), "UID is missing"),
        ("sr-case", lambda d: delattr(code(d), "CodeValue"), "CodeValue is missing"),
        ("sr-case", lambda d: delattr(code(d), "CodingSchemeDesignator"), "CodingSchemeDesignator is missing"),
        ("sr-case", emptied, "NumericValueQualifierCodeSequence is missing"),
        ("sr-case", lambda d: setattr(d, "PertinentOtherEvidenceSequence", []), "OtherEvidenceSequence is empty"),
        ("sr-diameters", lambda d: delattr(content(d, "SCOORD"), "GraphicData"), "GraphicData is missing"),
        ("key-objects", lambda d: delattr(content(d, "IMAGE"), "ReferencedSOPSequence"), "SOPSequence is missing"),
        ("page-pdf", lambda d: delattr(d, "SourceInstanceSequence"), "SourceInstanceSequence is missing"),
        ("page-image", lambda d: delattr(d, "PlanarConfiguration"), "PlanarConfiguration is missing"),
        ("page-image", lambda d: delattr(d, "PatientOrientation"), "PatientOrientation is missing"),
        ("page-image", lambda d: delattr(d, "PixelData"), "PixelData is missing"),
        ("seg", lambda d: delattr(d.SegmentSequence[1], "TrackingID"), "SegmentSequence 2 > TrackingID is missing"),
        ("seg", lambda d: delattr(d.SegmentSequence[0], "SegmentAlgorithmName"), "SegmentAlgorithmName is missing"),
        ("seg", lambda d: delattr(d, "ReferencedSeriesSequence"), "ReferencedSeriesSequence is missing"),
        ("seg", lambda d: delattr(frame(d), "SegmentIdentificationSequence"), "IdentificationSequence is missing"),
        ("seg", lambda d: delattr(frame(d).FrameContentSequence[0], "DimensionIndexValues"), "IndexValues is missing"),
        ("map", lambda d: delattr(frame(d).PlanePositionSequence[0], "ImagePositionPatient"), "Patient is missing"),
        ("map", lambda d: delattr(shared(d), "FrameVOILUTSequence"), "FrameVOILUTSequence is missing"),
        ("map", lambda d: delattr(shared(d).FrameVOILUTSequence[0], "WindowWidth"), "WindowWidth is missing"),
        ("map", lambda d: delattr(mapping(d), "RealWorldValueSlope"), "RealWorldValueSlope is missing"),
        ("map", lambda d: delattr(shared(d).PixelMeasuresSequence[0], "PixelSpacing"), "PixelSpacing is missing"),
        ("map", lambda d: setattr(d, "NumberOfFrames", 7), "has 24 items for 7 frames"),
        ("map", lambda d: d.PerFrameFunctionalGroupsSequence.pop(), "has 23 items for 24 frames"),
        (
            "map",
            lambda d: setattr(shared(d), "FrameContentSequence", frame(d).FrameContentSequence),
            "FrameContentSequence belongs to the frames",
        ),
    ],
)  # fmt: skip
def test_what_is_demanded_under_a_condition_is_missed_too(
    kind: str, alter: Callable[[Dataset], object], said: str, objects: dict[str, ResultObject]
) -> None:
    dataset = dcmread(BytesIO(objects[kind].data))
    alter(dataset)
    assert said in " | ".join(faults(dataset))


def test_a_functional_group_may_stand_in_each_frame_instead_of_the_shared_ones(
    objects: dict[str, ResultObject],
) -> None:
    dataset = dcmread(BytesIO(objects["map"].data))
    orientation = shared(dataset).PlaneOrientationSequence
    del shared(dataset).PlaneOrientationSequence
    for one in dataset.PerFrameFunctionalGroupsSequence:
        one.PlaneOrientationSequence = orientation
    assert faults(dataset) == []
    del frame(dataset).PlaneOrientationSequence
    assert faults(dataset) == ["PerFrameFunctionalGroupsSequence > PlaneOrientationSequence is missing"]


def test_a_code_may_be_long_or_a_urn(objects: dict[str, ResultObject]) -> None:
    dataset = dcmread(BytesIO(objects["sr-case"].data))
    entry = code(dataset)
    del entry.CodeValue
    entry.LongCodeValue = "a code of more than sixteen characters"
    assert faults(dataset) == []
    del entry.LongCodeValue, entry.CodingSchemeDesignator
    entry.URNCodeValue = "urn:oid:1.2.3"
    assert faults(dataset) == []


def test_what_the_sender_got_wrong_about_its_patient_stops_nothing(objects: dict[str, ResultObject]) -> None:
    dataset = dcmread(BytesIO(objects["sr-case"].data))
    other = Dataset()
    other.PatientID = "X"
    dataset.OtherPatientIDsSequence = [other]
    dataset.ReferencedStudySequence = []
    dataset.ResponsiblePersonRole = None
    assert faults(dataset) == []


def test_sequences_without_lengths_are_read_as_well(objects: dict[str, ResultObject]) -> None:
    dataset = dcmread(BytesIO(objects["seg"].data))
    for element in dataset.iterall():
        if element.VR == "SQ":
            element.is_undefined_length = True
            for item in element.value:
                item.is_undefined_length_sequence_item = True
    assert faults(dataset) == []
    del dataset.SegmentSequence[1].SegmentLabel
    assert faults(dataset) == ["SegmentSequence 2 > SegmentLabel is missing"]


def test_every_group_that_a_frame_must_have_is_missed(objects: dict[str, ResultObject]) -> None:
    for kind in ("map", "seg"):
        groups = GROUPS[objects[kind].sop_class]
        for keyword in groups:
            dataset = dcmread(BytesIO(objects[kind].data))
            for holder in (shared(dataset), *dataset.PerFrameFunctionalGroupsSequence):
                if keyword in holder:
                    delattr(holder, keyword)
            assert faults(dataset) == [f"PerFrameFunctionalGroupsSequence > {keyword} is missing"]


def test_a_class_that_the_node_does_not_write_is_no_business_of_the_check(objects: dict[str, ResultObject]) -> None:
    with pytest.raises(KeyError):
        list(iod_faults(objects["sr-case"].data, SopClassUID(RT_STRUCTURE_SET)))


def test_the_report_of_a_case_is_checked_within_ten_milliseconds(findings: Findings) -> None:
    (made,) = case_report(findings, synthetic.PRODUCER)
    seconds = []
    for _ in range(5):
        start = time.thread_time()
        assert list(iod_faults(made.data, made.sop_class)) == []
        seconds.append(time.thread_time() - start)
    assert min(seconds) < 0.01
