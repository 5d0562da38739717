"""Stepwise selection against MASS::stepAIC."""

from collections.abc import Callable
from typing import Any

import pytest

from pipelines.statistics.stepwise import Direction, select
from pipelines.statistics.values import Outcome, Term, categorical, numeric, outcome


@pytest.fixture(scope="module")
def birth_weights(table: Callable[[str], dict[str, list[str]]]) -> tuple[Outcome, list[Term]]:
    data = table("birthwt")
    names = ["age", "lwt", "race", "smoke", "ht", "ui", "ftv", "ptd"]
    terms = [
        categorical(name, data[name], reference="white")
        if name == "race"
        else numeric(name, [float(value) for value in data[name]])
        for name in names
    ]
    return outcome(data["low"], positive_class="1"), terms


@pytest.mark.parametrize("direction", ["backward", "both", "forward"])
def test_terms_order_and_criterion_are_those_of_r(
    birth_weights: tuple[Outcome, list[Term]], oracle: Callable[[str], Any], direction: Direction
) -> None:
    expected = oracle("stepAIC_birthwt")[direction]
    found = select(*birth_weights, direction=direction)
    assert [term.name for term in found.model.terms] == expected["final"]
    assert [step.change for step in found.steps] == expected["steps"]
    assert [step.aic for step in found.steps] == pytest.approx(expected["step_aic"], abs=1e-11)
    assert found.model.aic == pytest.approx(expected["aic"], abs=1e-11)


def test_a_forced_term_is_never_dropped(birth_weights: tuple[Outcome, list[Term]]) -> None:
    for direction in ("backward", "both", "forward"):
        found = select(*birth_weights, direction=direction, forced=["ftv"])
        assert "ftv" in [term.name for term in found.model.terms]
