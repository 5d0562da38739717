"""What may be entered, how it is written down, and what follows from it for an assessment."""

import re
from datetime import date

import pytest

from pipelines.domain.clinical import Key, LocalTherapyKind, PatientKey, patient_key
from pipelines.domain.clinical_fields import (
    BY_NAME,
    FIELDS,
    MOST_REPEATED,
    Kind,
    clinical_data,
    column_of,
    contradictions,
    key_of,
    parse_value,
)
from pipelines.domain.identifiers import digest_of
from pipelines.domain.organs import Organ
from pipelines.domain.progression import Course, Stop
from pipelines.domain.scan_date import ScanDate


def entries(**values: str) -> dict[Key, str]:
    made = {}
    for column, text in values.items():
        key = key_of(column)
        assert key is not None
        made[key] = parse_value(BY_NAME[key.name], text)
    return made


@pytest.mark.parametrize(
    ("name", "text", "written"),
    [
        ("ici_start", " 20240115 ", "2024-01-15"),
        ("ici_start", "2024-01", "2024-01"),
        ("ici_start", "2024", "2024"),
        ("data_cut", "2025-04-08", "2025-04-08"),
        ("ici_ongoing", "TRUE", "yes"),
        ("ici_ongoing", "0", "no"),
        ("ici_stopped_for", "Toxicity", "toxicity"),
        ("baseline_sites", "Bone; liver;bone", "bone;liver"),
        ("baseline_sites", "none", "none"),
        ("line_agents", "卡铂；信迪利单抗 ", "卡铂;信迪利单抗"),
        ("line_regimen", "  ", ""),
    ],
)
def test_what_is_allowed_is_written_in_one_way(name: str, text: str, written: str) -> None:
    assert parse_value(BY_NAME[name], text) == written
    if written:
        assert parse_value(BY_NAME[name], written) == written


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ici_start", "15.01.2024"),
        ("ici_start", "2024-13"),
        ("ici_start", "2024-02-30"),
        ("data_cut", "2025-04"),
        ("ici_ongoing", "perhaps"),
        ("ici_stopped_for", "money"),
        ("baseline_sites", "bone;left"),
        ("baseline_sites", ";"),
        ("local_site", "unknown"),
        ("line_regimen", "x" * 201),
        ("line_regimen", "a\x07b"),
    ],
)
def test_what_is_not_allowed_is_refused_without_quoting_it(name: str, text: str) -> None:
    with pytest.raises(ValueError, match=r"^allowed is ") as refused:
        parse_value(BY_NAME[name], text)
    if len(text) > 1:
        assert text not in str(refused.value)


def test_every_column_names_its_entry_and_back() -> None:
    for field in FIELDS:
        numbers = [0] if field.group is None else [1, MOST_REPEATED]
        for number in numbers:
            assert key_of(column_of(field.key(number))) == field.key(number)
    for wrong in ("line_start", "line0_start", "line10_start", "line1_death", "ici", "patient_id", "line1_"):
        assert key_of(wrong) is None


def test_what_nobody_entered_is_not_known() -> None:
    assert clinical_data({}).course == Course()
    assert clinical_data({}).baseline_sites is None
    assert clinical_data(entries(baseline_sites="none")).baseline_sites == frozenset()


def test_entries_become_the_course_that_an_assessment_reads() -> None:
    data = clinical_data(
        entries(
            ici_start="2024-01-15",
            ici_last_dose="2024-08",
            ici_stopped_for="progression",
            rapid_progression="yes",
            line1_start="2024-01-15",
            line1_agents="pemetrexed; sintilimab",
            line2_start="2024-09",
            second_progression="2025-01-02",
            death="2025-03",
            last_contact="2025-02-01",
            data_cut="2025-04-08",
            baseline_sites="brain;bone",
            local1_date="2024-05-01",
            local1_kind="radiotherapy",
            local1_site="brain",
        )
    )
    assert data.course == Course(
        start=ScanDate.on(date(2024, 1, 15)),
        last_dose=ScanDate.parse("2024-08"),
        ongoing=False,
        stopped_for=Stop.PROGRESSION,
        rapid=True,
        second_line=ScanDate.parse("2024-09"),
        second_progression=ScanDate.on(date(2025, 1, 2)),
        death=ScanDate.parse("2025-03"),
        last_contact=ScanDate.on(date(2025, 2, 1)),
        data_cut=date(2025, 4, 8),
    )
    assert data.baseline_sites == {Organ.BRAIN, Organ.BONE}
    (local,) = data.local_therapies
    assert (local.kind, local.site) == (LocalTherapyKind.RADIOTHERAPY, Organ.BRAIN)


def test_the_first_dose_follows_from_the_line_that_has_an_inhibitor_and_from_no_other() -> None:
    chemotherapy = entries(line1_start="2023-01", line1_agents="cisplatin", line2_start="2024-01-15")
    assert clinical_data(chemotherapy).course.start is None
    known = chemotherapy | entries(line2_agents="Tislelizumab 200 mg; paclitaxel", line3_start="2024-10")
    course = clinical_data(known).course
    assert (course.start, course.second_line) == (ScanDate.parse("2024-01-15"), ScanDate.parse("2024-10"))


def test_a_line_that_may_have_begun_with_the_inhibitor_is_not_the_next_one() -> None:
    assert clinical_data(entries(ici_start="2024-01-15", line2_start="2024-01")).course.second_line is None
    assert clinical_data(entries(ici_start="2024-01-15", line2_start="2024")).course.second_line is None


def test_entries_that_contradict_each_other_are_told_and_partial_dates_get_the_benefit_of_the_doubt() -> None:
    wrong = entries(ici_start="2024-03", death="2024-01-02", line1_start="2024-05", line1_end="2024-04-30")
    assert {(column_of(key), why) for key, why in contradictions(wrong)} == {
        ("death", "it is before ici_start"),
        ("death", "it is before line1_start"),
        ("death", "it is before line1_end"),
        ("line1_end", "it is before line1_start"),
    }
    assert contradictions(entries(ici_start="2024-03-31", ici_last_dose="2024-03", death="2024")) == []
    ongoing = entries(ici_ongoing="yes", ici_last_dose="2024-03")
    assert contradictions(ongoing) == [(Key("ici_last_dose"), "ici_ongoing says that it is still given")]


def test_a_patient_has_the_key_that_the_headers_of_images_give() -> None:
    assert patient_key(" 4711 ", "SITE ") == PatientKey(digest_of("4711", "SITE"))
    assert patient_key("4711") != patient_key("4711", "SITE")


def test_the_dictionary_says_of_every_field_what_is_allowed() -> None:
    assert {field.kind for field in FIELDS} == set(Kind)
    for field in FIELDS:
        assert re.search(r"\w", field.allowed)
        assert field.meaning.endswith(".")
