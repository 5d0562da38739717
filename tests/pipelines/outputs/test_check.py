import time
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import Dataset, dcmread

from pipelines.domain.case import Findings
from pipelines.domain.features import FeatureVector
from pipelines.domain.identifiers import SopInstanceUID
from pipelines.domain.outcome import ResultObject
from pipelines.domain.reasons import Rejected
from pipelines.domain.score import Score
from pipelines.outputs.case_report import case_report
from pipelines.outputs.check import check
from pipelines.outputs.measurement_report import feature_report
from pipelines.outputs.parametric_map import map_objects
from tests.pipelines.outputs import synthetic

KINDS = ["sr-features", "sr-case", "map", "seg"]


def altered(made: ResultObject, alter: Callable[[Dataset], None]) -> ResultObject:
    """`made` after somebody changed its data set and wrote it again."""
    dataset = dcmread(BytesIO(made.data))
    alter(dataset)
    return replace(made, data=synthetic.part10(dataset))


def findings_for(kind: str, findings: Findings, drawn_as_contours: Findings) -> Findings:
    return drawn_as_contours if kind == "seg" else findings


def measurements(dataset: Dataset) -> Dataset:
    container: Dataset = dataset.ContentSequence[-1]
    return container


def first_number(dataset: Dataset) -> Dataset:
    items: list[Dataset] = list(measurements(dataset).ContentSequence[0].ContentSequence)
    return next(item for item in items if item.ValueType == "NUM")


def assert_rejected(made: ResultObject, findings: Findings, detail: str) -> None:
    fault = check(made, findings)
    assert isinstance(fault, Rejected)
    assert fault.code == "OUT-001"
    assert made.kind in fault.detail
    assert detail in fault.detail


@pytest.mark.parametrize("kind", KINDS)
def test_a_result_that_says_what_was_found_passes(
    kind: str, findings: Findings, drawn_as_contours: Findings, objects: dict[str, ResultObject]
) -> None:
    assert check(objects[kind], findings_for(kind, findings, drawn_as_contours)) is None


@pytest.mark.parametrize("kind", KINDS)
def test_a_result_passes_in_other_hands_that_keep_its_content(
    kind: str, findings: Findings, drawn_as_contours: Findings, objects: dict[str, ResultObject]
) -> None:
    rewritten = altered(objects[kind], lambda dataset: None)
    assert check(rewritten, findings_for(kind, findings, drawn_as_contours)) is None


@pytest.mark.parametrize("score", [None, Rejected("MODEL-005", "No value.", "Check the contour.")])
def test_reports_without_a_prediction_pass(findings: Findings, score: Rejected | None) -> None:
    unscored = replace(findings, score=score)
    for build in (feature_report, case_report):
        (made,) = build(unscored, synthetic.PRODUCER)
        assert check(made, unscored) is None


def test_reports_with_a_lesion_that_was_not_measured_pass(findings: Findings) -> None:
    rejected = replace(findings.lesions[0], features=Rejected("ROI-001", "Too small.", "Draw it larger."))
    partly = replace(findings, lesions=(rejected, findings.lesions[1]))
    for build in (feature_report, case_report):
        (made,) = build(partly, synthetic.PRODUCER)
        assert check(made, partly) is None


def test_several_maps_of_one_lesion_pass_each_for_itself(findings: Findings) -> None:
    first = findings.maps[0]
    both = replace(findings, maps=(first, replace(first, feature="original_glcm_Id", values=first.values * 2)))
    made = list(map_objects(both, synthetic.PRODUCER))
    assert [check(one, both) for one in made] == [None, None]
    assert_rejected(replace(made[0], kind="map-2"), both, "values of its frames")


def test_a_chinese_patient_passes() -> None:
    ct = synthetic.ct_series((4, 16, 16), charset="GB18030", name="Wang^XiaoDong=王^小东")
    case = synthetic.case_of(ct, synthetic.balls((4, 16, 16), 1))
    findings = synthetic.findings_of(case, synthetic.feature_names()[:3])
    (made,) = feature_report(findings, synthetic.PRODUCER)
    assert check(made, findings) is None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("keyword", ["PatientID", "PatientName", "IssuerOfPatientID", "StudyInstanceUID", "StudyDate"])
def test_another_patient_or_study_is_noticed_and_not_named(
    kind: str, keyword: str, findings: Findings, drawn_as_contours: Findings, objects: dict[str, ResultObject]
) -> None:
    value = "20200101" if keyword == "StudyDate" else "1.2.3"
    other = altered(objects[kind], lambda dataset: setattr(dataset, keyword, value))
    case = findings_for(kind, findings, drawn_as_contours)
    fault = check(other, case)
    assert fault is not None
    assert keyword in fault.detail.replace("Study Instance UID", "StudyInstanceUID")
    assert "Doe" not in fault.detail
    assert "P-1" not in fault.detail


def test_an_identity_that_the_ct_does_not_have_is_noticed(findings: Findings, objects: dict[str, ResultObject]) -> None:
    other = altered(objects["sr-case"], lambda dataset: setattr(dataset, "OtherPatientNames", "Else^Someone"))
    assert_rejected(other, findings, "OtherPatientNames")


@pytest.mark.parametrize("kind", KINDS)
def test_a_uid_that_is_not_the_same_everywhere_is_noticed(
    kind: str, findings: Findings, drawn_as_contours: Findings, objects: dict[str, ResultObject]
) -> None:
    other = replace(objects[kind], sop_instance=SopInstanceUID("1.2.3"))
    assert_rejected(other, findings_for(kind, findings, drawn_as_contours), "SOP Instance UID")


@pytest.mark.parametrize(
    ("kind", "keyword"),
    [
        ("sr-features", "CompletionFlag"),
        ("sr-case", "CurrentRequestedProcedureEvidenceSequence"),
        ("map", "ContentQualification"),
        ("seg", "SegmentSequence"),
        ("map", "DeviceSerialNumber"),
    ],
)
def test_a_missing_attribute_of_type_1_is_noticed(
    kind: str, keyword: str, findings: Findings, drawn_as_contours: Findings, objects: dict[str, ResultObject]
) -> None:
    other = altered(objects[kind], lambda dataset: delattr(dataset, keyword))
    assert_rejected(other, findings_for(kind, findings, drawn_as_contours), f"{keyword} is missing")


def test_an_attribute_that_is_missing_in_the_depth_of_an_object_is_noticed(
    findings: Findings, objects: dict[str, ResultObject]
) -> None:
    def alter(dataset: Dataset) -> None:
        del dataset.PerFrameFunctionalGroupsSequence[3].DerivationImageSequence[0].SourceImageSequence

    assert_rejected(
        altered(objects["map"], alter),
        findings,
        "PerFrameFunctionalGroupsSequence 4 > DerivationImageSequence 1 > SourceImageSequence is missing",
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_was_cut_short_is_noticed(
    kind: str, findings: Findings, drawn_as_contours: Findings, objects: dict[str, ResultObject]
) -> None:
    made = objects[kind]
    case = findings_for(kind, findings, drawn_as_contours)
    for length in (0, 100, 1000, len(made.data) // 2, len(made.data) - 2):
        assert check(replace(made, data=made.data[:length]), case) is not None


# features


def test_a_number_that_differs_in_its_last_bit_is_noticed(findings: Findings, objects: dict[str, ResultObject]) -> None:
    def alter(dataset: Dataset) -> None:
        measured = first_number(dataset).MeasuredValueSequence[0]
        measured.FloatingPointValue = float(np.nextafter(measured.FloatingPointValue, np.inf))

    name = synthetic.feature_names()[0]
    assert_rejected(altered(objects["sr-features"], alter), findings, f"{name} of lesion 1 differs")


def test_a_missing_group_is_noticed(findings: Findings, objects: dict[str, ResultObject]) -> None:
    other = altered(objects["sr-features"], lambda dataset: measurements(dataset).ContentSequence.pop())
    assert_rejected(other, findings, "1 measurement groups for 2 measured lesions")


def test_a_missing_feature_is_noticed(findings: Findings, objects: dict[str, ResultObject]) -> None:
    other = altered(objects["sr-features"], lambda d: measurements(d).ContentSequence[1].ContentSequence.pop())
    assert_rejected(other, findings, "features of lesion 2 or their order")


def test_exchanged_groups_are_noticed(findings: Findings, objects: dict[str, ResultObject]) -> None:
    other = altered(objects["sr-features"], lambda d: measurements(d).ContentSequence.reverse())
    assert_rejected(other, findings, "Tracking Unique Identifier of lesion 1")


def test_another_segment_is_noticed(findings: Findings, objects: dict[str, ResultObject]) -> None:
    def alter(dataset: Dataset) -> None:
        for item in measurements(dataset).ContentSequence[0].ContentSequence:
            if item.ValueType == "IMAGE":
                item.ReferencedSOPSequence[0].ReferencedSegmentNumber = 2

    assert_rejected(altered(objects["sr-features"], alter), findings, "segment of lesion 1")


def test_another_code_for_a_feature_is_noticed(findings: Findings, objects: dict[str, ResultObject]) -> None:
    def alter(dataset: Dataset) -> None:
        first_number(dataset).ConceptNameCodeSequence[0].CodeValue = "XXXX"

    assert_rejected(altered(objects["sr-features"], alter), findings, "features of lesion 1")


def test_a_number_in_place_of_nan_is_noticed(findings: Findings) -> None:
    first = findings.lesions[0]
    assert isinstance(first.features, FeatureVector)
    (made,) = feature_report(findings, synthetic.PRODUCER)
    defined = FeatureVector(first.features.names, np.nan_to_num(first.features.values))
    other = replace(findings, lesions=(replace(first, features=defined), findings.lesions[1]))
    assert_rejected(made, other, "of lesion 1 differs")


# the case


@pytest.mark.parametrize(
    ("concept", "detail"),
    [("PROBABILITY", "Predicted probability"), ("CUTOFF", "Cut-off"), ("RADSIGNATURE", "Radiomics signature")],
)
def test_another_prediction_is_noticed(
    concept: str, detail: str, findings: Findings, objects: dict[str, ResultObject]
) -> None:
    def alter(dataset: Dataset) -> None:
        for item in measurements(dataset).ContentSequence[0].ContentSequence:
            if item.ConceptNameCodeSequence[0].CodeValue == concept:
                item.MeasuredValueSequence[0].FloatingPointValue = 0.5

    assert_rejected(altered(objects["sr-case"], alter), findings, detail)


def test_another_class_is_noticed(findings: Findings, objects: dict[str, ResultObject]) -> None:
    def alter(dataset: Dataset) -> None:
        for item in measurements(dataset).ContentSequence[0].ContentSequence:
            if item.ConceptNameCodeSequence[0].CodeValue == "CLASS":
                item.ConceptCodeSequence[0].CodeValue = "NEGATIVE"

    assert_rejected(altered(objects["sr-case"], alter), findings, "Predicted class")


def test_a_demonstration_model_without_its_warning_is_noticed(
    findings: Findings, objects: dict[str, ResultObject]
) -> None:
    def drop_comment(dataset: Dataset) -> None:
        group = measurements(dataset).ContentSequence[0]
        kept = [i for i in group.ContentSequence if i.ConceptNameCodeSequence[0].CodeValue != "121106"]
        group.ContentSequence = kept

    assert_rejected(altered(objects["sr-case"], drop_comment), findings, "Comment")
    renamed = altered(objects["sr-case"], lambda dataset: setattr(dataset, "SeriesDescription", "AI: case result"))
    assert_rejected(renamed, findings, "Series Description")


def test_a_prediction_where_there_is_none_is_noticed(findings: Findings, objects: dict[str, ResultObject]) -> None:
    assert isinstance(findings.score, Score)
    assert check(objects["sr-case"], replace(findings, score=None)) is not None


def test_a_missing_lesion_is_noticed(findings: Findings, objects: dict[str, ResultObject]) -> None:
    def alter(dataset: Dataset) -> None:
        groups = measurements(dataset).ContentSequence
        del groups[1:]

    assert_rejected(altered(objects["sr-case"], alter), findings, "0 groups for 2 lesions")


def test_exchanged_lesions_are_noticed(findings: Findings, objects: dict[str, ResultObject]) -> None:
    def alter(dataset: Dataset) -> None:
        groups = measurements(dataset).ContentSequence
        groups[1], groups[2] = groups[2], groups[1]

    assert_rejected(altered(objects["sr-case"], alter), findings, "Tracking Unique Identifier of lesion 1")


def test_missing_contributions_are_noticed(findings: Findings, objects: dict[str, ResultObject]) -> None:
    other = altered(objects["sr-case"], lambda dataset: measurements(dataset).ContentSequence.pop())
    assert_rejected(other, findings, "Contribution to the radiomics signature")


# frames


def test_exchanged_pixels_of_two_frames_are_noticed(findings: Findings, objects: dict[str, ResultObject]) -> None:
    def alter(dataset: Dataset) -> None:
        frames = np.frombuffer(dataset.FloatPixelData, "<f4").reshape(findings.case.ct.grid.shape).copy()
        frames[[10, 12]] = frames[[12, 10]]
        dataset.FloatPixelData = frames.tobytes()

    assert_rejected(altered(objects["map"], alter), findings, "values of its frames")


def test_exchanged_positions_of_two_frames_are_noticed(findings: Findings, objects: dict[str, ResultObject]) -> None:
    def alter(dataset: Dataset) -> None:
        frames = dataset.PerFrameFunctionalGroupsSequence
        one, other = frames[0].PlanePositionSequence[0], frames[1].PlanePositionSequence[0]
        one.ImagePositionPatient, other.ImagePositionPatient = other.ImagePositionPatient, one.ImagePositionPatient

    assert_rejected(altered(objects["map"], alter), findings, "ascending order")


def test_frames_that_lie_beside_the_ct_are_noticed(findings: Findings, objects: dict[str, ResultObject]) -> None:
    def alter(dataset: Dataset) -> None:
        for frame in dataset.PerFrameFunctionalGroupsSequence:
            position = frame.PlanePositionSequence[0]
            position.ImagePositionPatient = [position.ImagePositionPatient[0] + 5, *position.ImagePositionPatient[1:]]

    assert_rejected(altered(objects["map"], alter), findings, "ascending order")


def test_another_mask_is_noticed(drawn_as_contours: Findings, objects: dict[str, ResultObject]) -> None:
    def alter(dataset: Dataset) -> None:
        dataset.PixelData = bytes([dataset.PixelData[0] ^ 1]) + dataset.PixelData[1:]

    assert_rejected(altered(objects["seg"], alter), drawn_as_contours, "mask of lesion 1")


def test_five_lesions_of_1218_features_are_checked_within_half_a_second() -> None:
    shape = (100, 64, 64)
    findings = synthetic.findings_of(synthetic.case_of(synthetic.ct_series(shape), synthetic.balls(shape, 5)))
    (made,) = feature_report(findings, synthetic.PRODUCER)
    seconds = []
    # the best of three, as a collection of garbage may fall into any one
    for _ in range(3):
        start = time.thread_time()
        assert check(made, findings) is None
        seconds.append(time.thread_time() - start)
    assert min(seconds) < 0.5


@pytest.mark.filterwarnings("ignore::UserWarning")
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kind=st.sampled_from(KINDS), places=st.lists(st.integers(0), min_size=1, max_size=3), value=st.integers(0, 255))
def test_no_damage_to_the_bytes_stops_the_check(
    kind: str,
    places: list[int],
    value: int,
    findings: Findings,
    drawn_as_contours: Findings,
    objects: dict[str, ResultObject],
) -> None:
    damaged = bytearray(objects[kind].data)
    for place in places:
        damaged[place % min(len(damaged), 30_000)] = value
    fault = check(replace(objects[kind], data=bytes(damaged)), findings_for(kind, findings, drawn_as_contours))
    assert fault is None or fault.code == "OUT-001"
