"""Times to events and how they are censored."""

from dataclasses import replace

import pytest

from pipelines.domain.endpoints import Censoring, Endpoint, TimeToEvent, Undetermined
from pipelines.domain.progression import Course
from pipelines.domain.responses import OverallResponse
from pipelines.domain.scan_date import ScanDate
from pipelines.response.best_response import Visited
from pipelines.response.endpoints import CensoringRules, endpoints
from tests.pipelines.response.patients import START, TREATED, day

VISITS = [Visited(day(at), OverallResponse(said)) for at, said in ((56, "SD"), (112, "PR"), (168, "NE"))]


def told(
    endpoint: Endpoint,
    course: Course = TREATED,
    *,
    visits: list[Visited] | None = None,
    progression: int | None = None,
    response: int | None = None,
    rules: CensoringRules | None = None,
) -> TimeToEvent | Undetermined:
    seen = list(VISITS if visits is None else visits)
    if progression is not None:
        seen.append(Visited(day(progression), OverallResponse.PD))
    all_of_them = endpoints(
        course,
        seen,
        None if progression is None else day(progression),
        None if response is None else day(response),
        rules or CensoringRules(),
    )
    assert [one.endpoint for one in all_of_them] == list(Endpoint)
    return next(one for one in all_of_them if one.endpoint is endpoint)


def days(one: TimeToEvent | Undetermined) -> tuple[int, bool]:
    assert isinstance(one, TimeToEvent), one.why
    return one.days, one.event


def test_progression_ends_pfs_on_the_day_of_the_scan() -> None:
    assert days(told(Endpoint.PFS, progression=224)) == (224, True)


def test_death_before_progression_ends_pfs() -> None:
    assert days(told(Endpoint.PFS, replace(TREATED, death=day(200)))) == (200, True)
    assert days(told(Endpoint.PFS, replace(TREATED, death=day(300)), progression=224)) == (224, True)


def test_pfs_without_event_ends_at_the_last_adequate_assessment() -> None:
    assert days(told(Endpoint.PFS)) == (112, False)
    nothing = told(Endpoint.PFS, visits=[])
    assert (days(nothing), nothing.why) == ((0, False), "no adequate assessment")


def test_an_event_after_the_data_cut_does_not_count() -> None:
    course = replace(TREATED, data_cut=day(200).earliest, death=day(260))
    assert days(told(Endpoint.PFS, course, progression=224)) == (112, False)
    assert days(told(Endpoint.OS, course)) == (200, False)


@pytest.mark.parametrize(
    ("censoring", "expected"),
    [(Censoring.LAST_ASSESSMENT, (224, True)), (Censoring.NEW_THERAPY, (112, False)), (Censoring.FDA, (112, False))],
)
def test_progression_after_the_next_treatment(censoring: Censoring, expected: tuple[int, bool]) -> None:
    course = replace(TREATED, second_line=day(180))
    rules = CensoringRules(censoring, interval_days=56)
    assert days(told(Endpoint.PFS, course, progression=224, rules=rules)) == expected


@pytest.mark.parametrize(("progression", "expected"), [(224, (224, True)), (225, (112, False))])
def test_progression_after_two_missed_visits(progression: int, expected: tuple[int, bool]) -> None:
    rules = CensoringRules(Censoring.FDA, interval_days=56)
    assert days(told(Endpoint.PFS, progression=progression, rules=rules)) == expected


def test_missed_visits_cannot_be_counted_without_their_interval() -> None:
    assert "planned time" in told(Endpoint.PFS, rules=CensoringRules(Censoring.FDA)).why


def test_overall_survival_ends_with_death_or_the_last_contact() -> None:
    assert days(told(Endpoint.OS, replace(TREATED, death=day(400)))) == (400, True)
    assert days(told(Endpoint.OS, replace(TREATED, last_contact=day(300)))) == (300, False)
    assert days(told(Endpoint.OS)) == (168, False)
    assert isinstance(told(Endpoint.OS, visits=[]), Undetermined)


def test_the_second_line_has_two_end_points() -> None:
    course = replace(TREATED, second_line=day(230), second_progression=day(330), last_contact=day(500))
    assert days(told(Endpoint.PFS_2L, course, progression=224)) == (100, True)
    assert days(told(Endpoint.PFS2_EMA, course, progression=224)) == (330, True)
    censored = replace(course, second_progression=None)
    assert days(told(Endpoint.PFS_2L, censored, progression=224)) == (270, False)
    assert "no second line" in told(Endpoint.PFS_2L).why


def test_response_has_its_time_and_duration() -> None:
    assert days(told(Endpoint.TIME_TO_RESPONSE, response=112)) == (112, True)
    assert days(told(Endpoint.DURATION_OF_RESPONSE, response=112, progression=224)) == (112, True)
    assert days(told(Endpoint.DURATION_OF_RESPONSE, response=56)) == (56, False)
    assert told(Endpoint.DURATION_OF_RESPONSE).why == "no response"


def test_what_is_missing_is_said() -> None:
    assert told(Endpoint.PFS, Course()).why == "the first dose is not known"
    partly = Course(start=ScanDate.parse("2024-01"))
    assert "not complete" in told(Endpoint.PFS, partly).why
    assert "not complete" in told(Endpoint.OS, replace(TREATED, death=ScanDate.parse("2024"))).why


def test_a_month_has_30_4375_days() -> None:
    assert TimeToEvent(Endpoint.PFS, 487, True, "").months == 16
    assert ScanDate.on(START).complete
