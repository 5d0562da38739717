"""What the cohort leaves open comes from the node's records, and what contradicts them is told."""

from datetime import date
from typing import Any

import pytest

from pipelines.cohort.joined import disagreement, joined
from pipelines.cohort.members import Member
from pipelines.domain.clinical import ClinicalData, TherapyLine
from pipelines.domain.responses import OverallResponse
from pipelines.domain.scan_date import ScanDate

ENTERED = ClinicalData(
    lines=(
        TherapyLine(1, agents=("cisplatin", "pemetrexed"), start=ScanDate.parse("2023-01-02")),
        TherapyLine(2, agents=("信迪利单抗", "docetaxel"), start=ScanDate.parse("2024-03-01")),
    )
)
PR = OverallResponse.PR


def test_an_empty_row_is_filled_with_agent_first_dose_and_response() -> None:
    found = joined(Member("k", {"age": 60.0}), ENTERED, PR)
    assert found.member.values == {
        "age": 60.0,
        "agent": "sintilimab",
        "therapy_start": date(2024, 3, 1),
        "response": "PR",
    }
    assert (set(found.filled), found.disagreed) == ({"agent", "therapy_start", "response"}, ())


def test_a_row_that_says_the_same_is_left_as_it_is() -> None:
    member = Member("k", {"agent": "sintilimab", "therapy_start": date(2024, 3, 1), "response": "PR"})
    found = joined(member, ENTERED, PR)
    assert (found.member, found.filled, found.disagreed) == (member, (), ())


@pytest.mark.parametrize(
    ("values", "column"),
    [
        ({"agent": "pembrolizumab"}, "agent"),
        ({"agent": "other"}, "agent"),
        ({"therapy_start": date(2024, 3, 2)}, "therapy_start"),
        ({"response": "SD"}, "response"),
        ({"response": "CR", "response_class": "responder"}, "response"),
        ({"response_class": "non-responder"}, "response_class"),
        ({"response": "NE", "response_class": "non-responder"}, "response_class"),
    ],
)
def test_a_contradiction_is_told_by_its_column_and_the_cohort_holds(values: dict[str, Any], column: str) -> None:
    found = joined(Member("k", values), ENTERED, PR)
    assert found.disagreed == (column,)
    assert all(found.member.values[name] == value for name, value in values.items())
    told = str(disagreement("Row 7", column))
    assert told.startswith(f"COH-010 Row 7, column `{column}`")


def test_a_month_fills_in_nothing_and_contradicts_only_days_outside() -> None:
    vague = ClinicalData(ici_start=ScanDate.parse("2024-02"))
    assert joined(Member("k", {}), vague, None).filled == ()
    for day, wrong in ((date(2024, 2, 29), ()), (date(2024, 3, 1), ("therapy_start",))):
        assert joined(Member("k", {"therapy_start": day}), vague, None).disagreed == wrong


@pytest.mark.parametrize("best", [None, OverallResponse.NE, OverallResponse.NON_CR_NON_PD])
def test_an_assessment_that_tells_no_response_neither_fills_nor_contradicts(best: OverallResponse | None) -> None:
    for values in ({}, {"response": "NE"}, {"response": "PD"}, {"response_class": "responder"}):
        found = joined(Member("k", dict(values)), ClinicalData(), best)
        assert (found.filled, found.disagreed) == ((), ())


def test_a_class_of_response_that_fits_needs_no_better_one() -> None:
    found = joined(Member("k", {"response_class": "responder"}), ClinicalData(), PR)
    assert (found.member.values, found.disagreed) == ({"response_class": "responder"}, ())


def test_an_inhibitor_that_the_cohort_has_no_word_for_is_another() -> None:
    entered = ClinicalData(lines=(TherapyLine(1, agents=("dostarlimab",)),))
    assert joined(Member("k", {}), entered, None).member.word("agent") == "other"
    assert joined(Member("k", {"agent": "other"}), entered, None).disagreed == ()
