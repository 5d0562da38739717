"""The page of response from files to bytes: both languages, both forms, and what it is made from."""

from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread

from pipelines.domain.case import Case
from pipelines.domain.identifiers import SopInstanceUID
from pipelines.domain.outcome import ResultObject
from pipelines.domain.reasons import Rejected
from pipelines.domain.recist import LesionRole
from pipelines.nsclc_progression import Written, shown_visits, write_report
from pipelines.outputs.page.pdf import pictures_of, text_of
from pipelines.outputs.page.settings import PageLanguage, PageSettings
from pipelines.outputs.response_page.check import check_page
from pipelines.outputs.response_page.pictures import picture_rows
from pipelines.outputs.response_page.render import PIXELS
from pipelines.outputs.response_page.words import RESPONSE_WORDS
from pipelines.outputs.response_report import ResponseFindings
from tests.pipelines.outputs.tools import dciodvfy_errors
from tests.pipelines.test_nsclc_progression import PIPELINE, PRODUCER, Followed, followed

__all__ = ["followed"]


def cases_of(followed: Followed) -> dict[SopInstanceUID, Case]:
    return {scan.segmentation: case for scan, case in zip(followed.scans, followed.cases, strict=True)}


def pages(followed: Followed, language: PageLanguage, *, pictures: bool = True) -> tuple[ResultObject, ...]:
    cases = cases_of(followed) if pictures else {}
    page = PageSettings("both", language)
    made = write_report(followed.cases[-1], followed.told(), PIPELINE, PRODUCER, page=page, cases=cases)
    assert isinstance(made, Written), made
    return made.pages


def text(made: ResultObject) -> str:
    return "".join(text_of(bytes(read(made).EncapsulatedDocument))[0].split())


def read(made: ResultObject) -> Dataset:
    return dcmread(BytesIO(made.data))


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", ["Bestoverallresponse", "systemicprogression", "primary", "Forresearchanddecisionsupportonly"]),
        ("zh", ["最佳总体反应", "系统性进展", "原发性耐药", "仅供科研与辅助决策", "新病灶"]),
    ],
)
def test_the_page_tells_the_assessment_in_both_languages_and_others_find_no_error(
    followed: Followed, tmp_path: Path, language: PageLanguage, said: list[str]
) -> None:
    document, image = pages(followed, language)
    shown = text(document)
    assert [one for one in said if one not in shown] == []
    # sums of the table are those that were assessed, not those of the truth
    (visit,) = followed.told().assessment.visits
    assert f"{visit.sum.measured / 10:.1f}" in shown
    assert followed.told().label in shown
    for made in (document, image):
        path = tmp_path / f"{made.kind}.dcm"
        path.write_bytes(made.data)
        assert dciodvfy_errors(path) == []
    assert read(image).Rows > read(image).Columns


def test_pictures_show_each_lesion_at_each_visit_and_are_named_as_sources(followed: Followed) -> None:
    document, _ = pages(followed, "en")
    dataset = read(document)
    # four target lesions at both visits, and one of the three new ones, for which there is room
    assert len(pictures_of(bytes(dataset.EncapsulatedDocument))) == 2 * 4 + 1
    images = {source.sop_instance for case in followed.cases for source in case.ct.slices}
    report, *sources = [item.ReferencedSOPInstanceUID for item in dataset.SourceInstanceSequence]
    assert report == read_report(followed).SOPInstanceUID
    assert set(sources) <= images
    assert len(sources) > 4


def read_report(followed: Followed) -> Dataset:
    return read(followed.written(followed.told()).report)


def test_a_page_without_the_images_of_earlier_visits_is_another_page(followed: Followed) -> None:
    with_pictures, without = pages(followed, "en")[0], pages(followed, "en", pictures=False)[0]
    assert with_pictures.sop_instance != without.sop_instance
    assert pictures_of(bytes(read(without).EncapsulatedDocument)) == []
    assert "nopicture" in text(without)


def test_the_same_assessment_gives_the_same_bytes(followed: Followed) -> None:
    assert [one.data for one in pages(followed, "zh")] == [one.data for one in pages(followed, "zh")]


def findings(followed: Followed) -> ResponseFindings:
    told = followed.told()
    return ResponseFindings(
        followed.cases[-1], told.label, told.assessment, told.followed, told.names, "", PIPELINE.method, told.digest
    )


def test_all_pictures_of_a_lesion_have_one_scale(followed: Followed) -> None:
    columns, rows = PIXELS
    shown = picture_rows(findings(followed), followed.told().visits, cases_of(followed), columns=columns, rows=rows)
    for row in shown:
        assert len({cell.view.pixel_mm for cell in row.cells if cell.view is not None}) == 1
    assert [row.role for row in shown] == [LesionRole.TARGET] * 4 + [LesionRole.NEW]


def test_the_self_check_finds_a_page_of_another_assessment(followed: Followed) -> None:
    told, words = findings(followed), RESPONSE_WORDS["en"]
    columns, rows = PIXELS
    shown = picture_rows(told, followed.told().visits, cases_of(followed), columns=columns, rows=rows)
    document, _ = pages(followed, "en")

    def faults() -> Iterator[Rejected | None]:
        better = replace(told.assessment.visits[0], sum=replace(told.assessment.visits[0].sum, sizes={}))
        yield check_page(document, replace(told, assessment=replace(told.assessment, visits=(better,))), shown, words)
        yield check_page(document, told, shown[:-1], words)

    assert all(isinstance(fault, Rejected) and fault.code == "OUT-001" for fault in faults())


def test_of_many_visits_the_baseline_the_nadir_and_the_last_are_shown(followed: Followed) -> None:
    told = followed.told()
    base = told.followed.time_points[0]
    labels = [f"2024-0{month}-01" for month in range(1, 9)]
    visits = tuple(replace(told.assessment.visits[0], label=label) for label in labels)
    smallest = replace(visits[2], sum=replace(visits[2].sum, sizes={}))
    assessment = replace(told.assessment, visits=(*visits[:2], smallest, *visits[3:]))
    points = (base, *(replace(base, label=label) for label in labels))
    shown = shown_visits(replace(told, assessment=assessment, followed=replace(told.followed, time_points=points)))
    assert shown == (base.label, labels[2], labels[5], labels[6], labels[7])
