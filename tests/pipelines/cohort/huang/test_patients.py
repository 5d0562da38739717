"""Patients of the study: dates that contradict each other are found."""

from datetime import timedelta
from typing import Any

import pytest

from pipelines.cohort.dictionary import Record, check_table
from pipelines.cohort.huang.columns import PATIENTS
from pipelines.cohort.huang.patients import patients
from tests.pipelines.cohort.huang.paper import START

REQUIRED = {
    "patient": "A",
    "age": "60",
    "sex": "男",
    "histology": "鳞癌",
    "stage": "ⅣB",
    "treatment_start": "2020-01-01",
}


def record(**cells: Any) -> Record:
    values = REQUIRED | {"death": "2021-01-01"} | cells
    checked = check_table(PATIENTS, list(values), [list(values.values())])
    assert not checked.problems
    return checked.records[0]


def test_a_row_in_chinese_becomes_a_patient() -> None:
    found, problems = patients([record(进展模式="寡进展", 进展日期="2020年6月1日", 进展部位="肺；脑")])
    assert problems == ()
    assert (found[0].sex, found[0].histology, found[0].stage, found[0].pattern) == ("male", "squamous", "IV", "oligo")
    assert found[0].progression_sites == ("lung", "brain")
    assert found[0].treatment_start == START


@pytest.mark.parametrize(
    ("cells", "what"),
    [
        ({"progression": "2019-12-31"}, "`progression` lies before `treatment_start`"),
        ({"progression": "2020-06-01", "death": "2020-05-01"}, "`death` lies before `progression`"),
        ({"death": ""}, "neither `death` nor `last_contact`"),
        ({"last_contact": "2021-01-02"}, "`last_contact` lies after `death`"),
        ({"pattern": "oligo"}, "`pattern` without the day of `progression`"),
        ({"second_progression": "2020-09-01"}, "`second_progression` without `second_line_start`"),
    ],
)
def test_dates_that_contradict_each_other_are_named(cells: dict[str, str], what: str) -> None:
    found, problems = patients([record(**cells)])
    assert found == ()
    assert len(problems) == 1 and what in problems[0].detail and problems[0].detail.startswith("Row 2")


def test_a_patient_is_known_to_live_until_the_last_thing_that_is_told() -> None:
    ((one,), _) = patients([record(death="", last_contact="2020-03-01", progression="2020-04-01")])
    assert one.alive_until == START + timedelta(days=91)
