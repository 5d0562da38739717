"""Who takes part, and how many are left at each step."""

from typing import Any

import pytest

from pipelines.cohort.huang.eligibility import screen
from tests.pipelines.cohort.huang.paper import patient


@pytest.mark.parametrize(
    ("known", "why"),
    [
        ({"age": 17.9}, "Younger than 18 or older than 80 years"),
        ({"age": 80.5}, "Younger than 18 or older than 80 years"),
        ({"stage": "IIIB"}, "Stage I to IIIB"),
        ({"histology": "other"}, "Neither squamous nor adenocarcinoma"),
        ({"first_line": "other"}, "First line without chemo-immunotherapy"),
        ({"driver": "positive"}, "Driver gene positive"),
        ({"measurable": "no"}, "No measurable lesion"),
        ({"ecog": 2}, "ECOG 2 or more"),
        ({"progression": None, "pattern": None}, "No progression"),
        ({"pattern": None}, "Pattern of progression not known"),
    ],
)
def test_each_criterion_counts_out_whom_it_should(known: dict[str, Any], why: str) -> None:
    flow = screen([patient(2), patient(3, **known)])
    assert {step.why_not: step.excluded for step in flow.steps if step.excluded} == {why: 1}
    assert [one.row for one in flow.included] == [2]


def test_the_boundaries_of_age_stage_and_ecog_are_inside() -> None:
    people = [patient(2, age=18.0), patient(3, age=80.0), patient(4, stage="IIIC"), patient(5, ecog=0)]
    assert len(screen(people).included) == 4


def test_who_is_not_told_of_stays_and_is_counted() -> None:
    flow = screen([patient(2, driver=None, ecog=None)])
    assert len(flow.included) == 1
    assert [step.why_not for step in flow.steps if step.unknown] == ["Driver gene positive", "ECOG 2 or more"]


def test_the_steps_add_up() -> None:
    people = [patient(2), patient(3, age=90.0, stage="I"), patient(4, stage="I")]
    flow = screen(people)
    assert flow.screened - sum(step.excluded for step in flow.steps) == len(flow.included) == 1
    assert [step.left for step in flow.steps][:2] == [2, 1]
