"""Reports of readers: what a person decided in a final report counts, and nothing else."""

from collections.abc import Sequence
from io import BytesIO

import pytest
from pydicom import Dataset, dcmread

from pipelines.clinical.reports import ReadReport, read_report
from pipelines.domain.readings import Decision, Question, TrackingUID
from tests import reader_reports as made
from tests.dicom import as_bytes, centred_ball, ct_series, seg_of
from tests.reader_reports import reader_report

Scan = tuple[Sequence[Dataset], Dataset]


@pytest.fixture(scope="module")
def scan() -> Scan:
    ct = ct_series(slices=4, rows=16, columns=16)
    ball = centred_ball((4, 16, 16))
    return ct, seg_of(ct, {1: ball, 2: ball, 3: ball})


def uid(scan: Scan, number: int) -> TrackingUID:
    return TrackingUID(str(scan[1].SegmentSequence[number - 1].TrackingUID))


def decided(found: ReadReport) -> list[tuple[Question, str | None, str]]:
    return [(one.question, one.lesion, one.answer) for one in found.decisions]


def test_a_readers_evaluations_become_decisions_about_the_lesions_that_they_name(scan: Scan) -> None:
    report = reader_report(
        *scan,
        {
            1: [(made.BASELINE_CATEGORY, made.TARGET)],
            2: [(made.BASELINE_CATEGORY, made.NON_TARGET), (made.LESION_RESPONSE, made.NON_TARGET_PD)],
            3: [(made.NEW_LESION, made.EQUIVOCAL)],
        },
        findings={2: made.EFFUSION},
    )
    found = read_report(dcmread(BytesIO(as_bytes(report))))
    assert set(decided(found)) == {
        (Question.ROLE, uid(scan, 1), "target"),
        (Question.ROLE, uid(scan, 2), "non-target"),
        (Question.NATURE, uid(scan, 2), "pleural or pericardial effusion"),
        (Question.NON_TARGET, uid(scan, 2), "unequivocal progression"),
        (Question.NEW_LESION, uid(scan, 3), "equivocal"),
    }
    assert {one.study for one in found.decisions} == {str(scan[0][0].StudyInstanceUID)}
    assert found.notes == ()


def test_lesions_can_be_ruled_out_and_called_stable(scan: Scan) -> None:
    report = reader_report(
        *scan, {1: [(made.BASELINE_CATEGORY, made.NO_LESION)], 2: [(made.LESION_RESPONSE, made.NON_TARGET_SD)]}
    )
    assert decided(read_report(report)) == [
        (Question.ROLE, uid(scan, 1), "excluded"),
        (Question.NON_TARGET, uid(scan, 2), "stable"),
    ]


def test_the_report_of_a_device_decides_nothing(scan: Scan) -> None:
    report = reader_report(*scan, {1: [(made.BASELINE_CATEGORY, made.TARGET)]}, device=True)
    assert read_report(report) == ReadReport()


@pytest.mark.parametrize("lacking", ["complete", "final"])
def test_a_report_that_is_not_finished_is_told_and_not_used(scan: Scan, lacking: str) -> None:
    report = reader_report(*scan, {1: [(made.BASELINE_CATEGORY, made.TARGET)]}, **{lacking: False})
    found = read_report(report)
    assert found.decisions == ()
    assert [note.code for note in found.notes] == ["RSP-006"]


def test_two_answers_to_one_question_are_no_answer(scan: Scan) -> None:
    twice = [(made.BASELINE_CATEGORY, made.TARGET), (made.BASELINE_CATEGORY, made.NON_TARGET)]
    found = read_report(reader_report(*scan, {1: twice, 2: [(made.BASELINE_CATEGORY, made.TARGET)]}))
    assert decided(found) == [(Question.ROLE, uid(scan, 2), "target")]
    assert ["two ways" in note.detail for note in found.notes] == [True]


def test_what_is_computed_or_names_no_lesion_is_told(scan: Scan) -> None:
    report = reader_report(
        *scan, {1: [(made.LESION_RESPONSE, made.TARGET_PR)], 2: [(made.BASELINE_CATEGORY, made.TARGET)]}
    )
    for item in groups_of(report):
        item.ContentSequence = [
            one
            for one in item.ContentSequence
            if "112040" not in [code.CodeValue for code in one.ConceptNameCodeSequence]
        ]
    found = read_report(report)
    assert found.decisions == ()
    assert ["has 2 evaluations" in note.detail for note in found.notes] == [True]


def groups_of(item: Dataset) -> list[Dataset]:
    found = []
    for below in item.get("ContentSequence", ()):
        if "125007" in [code.CodeValue for code in below.get("ConceptNameCodeSequence", ())]:
            found.append(below)
        found += groups_of(below)
    return found


def test_a_report_without_content_decides_nothing() -> None:
    assert read_report(Dataset()) == ReadReport()


def test_decisions_of_one_report_are_told_once(scan: Scan) -> None:
    twice = [(made.BASELINE_CATEGORY, made.TARGET), (made.LESION_RESPONSE, made.TARGET)]
    (one,) = read_report(reader_report(*scan, {1: twice})).decisions
    assert isinstance(one, Decision)
