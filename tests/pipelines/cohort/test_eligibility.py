"""Who is eligible, on the boundaries of every rule."""

from datetime import date, timedelta
from itertools import pairwise

import pytest

from pipelines.cohort.eligibility import Candidate, Ct, Rules, screen
from pipelines.cohort.members import Member

START = date(2024, 3, 29)
FACTS = {"therapy_start": START, "response": "PR", "stage": "IV"}


def ct(day: int | None = -1, *, case: int = 1, thickness: float | None = 1.0, notes: tuple[str, ...] = ()) -> Ct:
    studied = None if day is None else START + timedelta(days=day)
    return Ct(case, f"1.2.{case}", studied, thickness, measured=True, notes=notes)


def why_not(*cts: Ct, rules: Rules | None = None, **facts: object) -> str | None:
    """Why one patient is left out; None when not."""
    known = {name: value for name, value in {**FACTS, **facts}.items() if value is not None}
    found = screen([Candidate(Member("k", known), cts)], rules or Rules())  # type: ignore[arg-type]
    return found.reasons[0][1] if found.reasons else None


@pytest.mark.parametrize(("day", "eligible"), [(-29, False), (-28, True), (0, True), (1, False)])
def test_the_ct_counts_from_28_days_before_to_the_day_of_the_first_dose(day: int, eligible: bool) -> None:
    assert (why_not(ct(day)) is None) is eligible


@pytest.mark.parametrize(("thickness", "eligible"), [(0.39, False), (0.4, True), (5.0, True), (5.01, False)])
def test_limits_of_the_slice_thickness_count(thickness: float, eligible: bool) -> None:
    assert (why_not(ct(thickness=thickness)) is None) is eligible
    assert "or not known" in (why_not(ct(thickness=None)) or "")


def test_one_dose_is_enough_and_none_or_no_day_of_it_is_not() -> None:
    assert why_not(ct(), doses=1) is None
    assert why_not(ct(), doses=0) == why_not(ct(), therapy_start=None)
    assert "Fewer than 1 dose" in (why_not(ct(), doses=0) or "")
    assert "Fewer than 2 doses" in (why_not(ct(), doses=1, rules=Rules(least_doses=2)) or "")


def test_stage_response_and_quality() -> None:
    assert "stage" in (why_not(ct(), stage="II") or "")
    assert "response" in (why_not(ct(), response="NE") or "")
    assert why_not(ct(), response="NE", response_class="responder") is None
    assert "CT-006" in (why_not(ct(notes=("CT-006",))) or "")
    assert why_not(ct(notes=("CT-006",)), rules=Rules(refused_notes=())) is None
    assert why_not(ct(notes=("CT-010",))) is None
    assert "Day of the CT not known" in (why_not(ct(None)) or "")


def test_the_last_ct_before_the_dose_and_the_first_reader_are_chosen() -> None:
    cts = (ct(-20, case=1), ct(-3, case=4), ct(-3, case=2), ct(2, case=3))
    (found,) = screen([Candidate(Member("k", FACTS), cts)], Rules()).chosen
    assert found[1].case == 2


def test_every_patient_is_counted_out_once_and_the_numbers_of_the_flow_add_up() -> None:
    people = [
        Candidate(Member(str(n), {**FACTS, "stage": "II" if n % 3 == 0 else "IV"}), (ct(-40 if n % 2 else -1),))
        for n in range(12)
    ]
    found = screen(people, Rules())
    assert sum(step.excluded for step in found.steps) == len(found.reasons) == 8
    steps = found.flow()
    assert (steps[0].n, steps[-1].n) == (12, 4)
    for one, following in pairwise(steps):
        assert one.n - sum(n for _, n in one.excluded) == following.n


def test_limits_the_wrong_way_round_are_refused() -> None:
    with pytest.raises(ValueError, match="above"):
        Rules(earliest_day=1, latest_day=0)
