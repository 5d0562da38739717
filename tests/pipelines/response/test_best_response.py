"""Best response, its window and its confirmation."""

import pytest

from pipelines.domain.recist import RecistRules
from pipelines.domain.responses import OverallResponse
from pipelines.response.best_response import Visited, best_response
from tests.pipelines.response.patients import day


def best(*visits: tuple[int, str], rules: RecistRules | None = None, **course: int) -> tuple[str, int | None]:
    told = best_response(
        [Visited(day(at), OverallResponse(said)) for at, said in visits],
        rules or RecistRules(),
        start=day(0),
        **{name: day(at) for name, at in course.items()},  # type: ignore[arg-type]
    )
    return told.response.value, None if told.on is None else (told.on.earliest - day(0).earliest).days


@pytest.mark.parametrize(("at", "expected"), [(41, "NE"), (42, "SD")])
def test_stable_disease_counts_from_the_sixth_week(at: int, expected: str) -> None:
    assert best((at, "SD")) == (expected, at)


def test_the_window_of_stable_disease_can_be_set() -> None:
    assert best((28, "SD"), rules=RecistRules(least_sd_days=28)) == ("SD", 28)


def test_the_first_progression_ends_it() -> None:
    assert best((56, "PD"), (112, "CR")) == ("PD", 56)
    assert best((20, "SD"), (56, "PD")) == ("PD", 56)
    assert best((56, "SD"), (112, "PD"), (168, "PR")) == ("SD", 56)


def test_the_next_treatment_ends_it() -> None:
    assert best((56, "SD"), (112, "PR"), new_therapy=100) == ("SD", 56)


def test_the_best_comes_first_not_the_earliest() -> None:
    assert best((56, "PR"), (112, "CR"), (168, "CR")) == ("CR", 112)


def test_a_response_that_is_not_confirmed_is_stable_disease() -> None:
    rules = RecistRules(confirm=True)
    assert best((56, "PR"), (112, "SD"), rules=rules) == ("SD", 56)
    assert best((56, "PR"), (83, "PR"), rules=rules) == ("SD", 56)
    assert best((56, "PR"), (84, "PR"), rules=rules) == ("PR", 56)


def test_one_missing_visit_may_lie_between_a_response_and_its_confirmation() -> None:
    rules = RecistRules(confirm=True)
    assert best((56, "CR"), (70, "NE"), (112, "CR"), rules=rules) == ("CR", 56)
    assert best((56, "CR"), (70, "NE"), (80, "NE"), (112, "CR"), rules=rules) == ("SD", 56)


def test_stable_disease_between_partial_responses_can_be_allowed() -> None:
    visits = ((56, "PR"), (70, "SD"), (112, "PR"))
    assert best(*visits, rules=RecistRules(confirm=True)) == ("SD", 56)
    assert best(*visits, rules=RecistRules(confirm=True, sd_between=True)) == ("PR", 56)


@pytest.mark.parametrize("said", ["PD", "NE"])
def test_an_early_death_counts_as_the_rules_say(said: str) -> None:
    assert best(death=30, rules=RecistRules(early_death=said)) == (said, 30)
    assert best((56, "SD"), death=70, rules=RecistRules(early_death=said)) == ("SD", 56)


def test_nobody_without_a_visit_has_a_response() -> None:
    assert best() == ("NE", None)


def test_an_early_death_has_no_other_name() -> None:
    with pytest.raises(ValueError, match="PD or as NE"):
        RecistRules(early_death="SD")
