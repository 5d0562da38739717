"""Primary or acquired resistance on the boundaries of the definitions."""

import pytest

from pipelines.domain.progression import Course, Resistance, ResistanceRules, Stop
from pipelines.domain.responses import OverallResponse
from pipelines.domain.scan_date import ScanDate
from pipelines.response.resistance import RULE_SETS, SEED_B, SITC_2020, SITC_COMBO_2023, resistance_of
from tests.pipelines.response.patients import day

PRIMARY, ACQUIRED, OPEN = Resistance.PRIMARY, Resistance.ACQUIRED, Resistance.INDETERMINATE
ON_TREATMENT = Course(start=day(0), ongoing=True)


def said(
    progression: int | None,
    best: str,
    rules: ResistanceRules,
    course: Course = ON_TREATMENT,
    *,
    before: tuple[str, ...] = ("SD",),
    confirmed: bool | None = True,
) -> Resistance:
    on = None if progression is None else day(progression)
    responses = [OverallResponse(one) for one in before]
    return resistance_of(course, on, OverallResponse(best), responses, rules, confirmed=confirmed).resistance


@pytest.mark.parametrize(
    ("progression", "best", "expected"),
    [
        (49, "PD", PRIMARY),
        (182, "SD", PRIMARY),
        (183, "SD", OPEN),
        (184, "SD", ACQUIRED),
        (120, "PR", ACQUIRED),
        (183, "CR", ACQUIRED),
        (None, "SD", Resistance.NONE),
    ],
)
def test_the_definition_of_the_paper(progression: int | None, best: str, expected: Resistance) -> None:
    assert said(progression, best, SEED_B) is expected


def test_a_first_scan_after_six_months_leaves_it_open() -> None:
    assert said(200, "PD", SEED_B, before=()) is OPEN
    assert said(200, "PD", SEED_B, before=("NE",)) is OPEN


def test_progression_by_death_only_leaves_it_open() -> None:
    assert said(None, "SD", SEED_B, Course(start=day(0), death=day(150))) is OPEN


@pytest.mark.parametrize(("since", "expected"), [(83, ACQUIRED), (84, OPEN)])
def test_treatment_that_ended_12_weeks_before_leaves_it_open(since: int, expected: Resistance) -> None:
    assert said(300, "SD", SEED_B, Course(start=day(0), last_dose=day(300 - since), ongoing=False)) is expected


def test_an_unknown_first_dose_leaves_it_open() -> None:
    assert all(said(100, "SD", rules, Course()) is OPEN for rules in RULE_SETS.values())


@pytest.mark.parametrize(
    ("progression", "best", "course", "expected"),
    [
        (179, "SD", ON_TREATMENT, PRIMARY),
        (179, "PR", ON_TREATMENT, PRIMARY),
        (180, "SD", ON_TREATMENT, ACQUIRED),
        (60, "PD", Course(start=day(0), last_dose=day(41), ongoing=False), Resistance.NOT_EVALUABLE),
        (60, "PD", Course(start=day(0), last_dose=day(42), ongoing=False), PRIMARY),
        (300, "SD", Course(start=day(0), last_dose=day(216), ongoing=False), ACQUIRED),
        (300, "SD", Course(start=day(0), last_dose=day(215), ongoing=False), Resistance.OFF_TREATMENT),
        (200, "SD", Course(start=day(0), last_dose=day(150), ongoing=False), OPEN),
        (100, "SD", Course(start=day(0)), OPEN),
    ],
)
def test_the_definition_of_sitc_for_single_agents(
    progression: int, best: str, course: Course, expected: Resistance
) -> None:
    assert said(progression, best, SITC_2020, course) is expected


def test_sitc_asks_for_a_scan_that_confirms_unless_the_patient_deteriorates() -> None:
    assert said(100, "SD", SITC_2020, confirmed=None) is OPEN
    assert said(100, "SD", SITC_2020, confirmed=False) is OPEN
    rapid = Course(start=day(0), ongoing=True, rapid=True)
    assert said(100, "SD", SITC_2020, rapid, confirmed=None) is PRIMARY


@pytest.mark.parametrize(
    ("progression", "best", "course", "expected"),
    [
        (183, "PR", ON_TREATMENT, PRIMARY),
        (184, "PD", ON_TREATMENT, ACQUIRED),
        (30, "PD", ON_TREATMENT, Resistance.NOT_EVALUABLE),
        (30, "PD", Course(start=day(0), ongoing=True, rapid=True), PRIMARY),
        (100, "SD", Course(start=day(0)), OPEN),
        (300, "SD", Course(start=day(0), last_dose=day(100), stopped_for=Stop.COMPLETED), Resistance.OFF_TREATMENT),
        (300, "SD", Course(start=day(0), last_dose=day(100), stopped_for=Stop.TOXICITY), OPEN),
    ],
)
def test_the_definition_of_sitc_for_combinations_with_chemotherapy(
    progression: int, best: str, course: Course, expected: Resistance
) -> None:
    assert said(progression, best, SITC_COMBO_2023, course, before=(), confirmed=None) is expected


def test_a_date_that_may_lie_on_either_side_leaves_it_open() -> None:
    july = resistance_of(ON_TREATMENT, ScanDate.parse("2024-07"), OverallResponse.SD, [OverallResponse.SD], SEED_B)
    assert july.resistance is OPEN
    assert "182 to 212" in july.why


def test_each_finding_names_its_definition() -> None:
    finding = resistance_of(ON_TREATMENT, day(60), OverallResponse.PD, [], SEED_B)
    assert finding.rules == "seed-b 1"
    assert all(rules.source for rules in RULE_SETS.values())
