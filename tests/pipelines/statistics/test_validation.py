"""Optimism by bootstrap against rms's validate."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from pipelines.statistics.logistic import LogisticModel
from pipelines.statistics.stepwise import select
from pipelines.statistics.validation import validate
from pipelines.statistics.values import Outcome, Term, numeric, outcome


def test_apparent_and_corrected_performance_are_those_of_r(
    oracle: Callable[[str], Any], table: Callable[[str], dict[str, list[str]]]
) -> None:
    expected = oracle("validate_boot1000_aSAH")
    data = table("aSAH")
    terms = [numeric(name, [float(value) for value in data[name]]) for name in ("s100b", "age", "female")]
    found = validate(outcome(data["outcome"], positive_class="Poor"), terms, replicates=2000, seed=0)
    assert found.failed == 0
    for name, row in {
        "dxy": "Dxy",
        "r_squared": "R2",
        "slope": "Slope",
        "intercept": "Intercept",
        "brier": "B",
    }.items():
        place = expected["rows"].index(row)
        assert getattr(found.apparent, name) == pytest.approx(expected["index_orig"][place], abs=1e-9), name
        # both draw at random: the slope of 1,000 draws varies by 0.006
        assert getattr(found.corrected, name) == pytest.approx(expected["corrected"][place], abs=0.01), name
    assert found.corrected.c_index == pytest.approx((expected["corrected"][0] + 1) / 2, abs=0.002)


def noise(n: int, columns: int, seed: int) -> tuple[Outcome, list[Term]]:
    rng = np.random.default_rng(seed)
    return (
        outcome(rng.permutation([True, False] * (n // 2)), positive_class=True),
        [numeric(f"noise {index}", rng.normal(size=n)) for index in range(columns)],
    )


def test_what_is_fitted_to_noise_comes_down_to_chance() -> None:
    found = validate(*noise(80, 8, 1), replicates=100)
    assert found.corrected.c_index < found.apparent.c_index - 0.08
    assert found.corrected.slope < 0.65


def test_the_choice_of_terms_belongs_into_the_draw() -> None:
    result, terms = noise(80, 6, 3)

    def chosen(drawn: Outcome, columns: Sequence[Term]) -> LogisticModel:
        return select(drawn, columns, direction="backward", forced=["noise 0"]).model

    model = select(result, terms, direction="backward", forced=["noise 0"]).model
    kept = [term for term in terms if term.name in {one.name for one in model.terms}]
    blind, honest = validate(result, kept, replicates=60), validate(result, terms, replicates=60, refit=chosen)
    assert blind.apparent.c_index == pytest.approx(honest.apparent.c_index, abs=1e-12)
    assert honest.corrected.c_index < blind.corrected.c_index


def test_the_same_seed_gives_the_same_numbers() -> None:
    cases = noise(40, 2, 5)
    assert validate(*cases, replicates=20, seed=1) == validate(*cases, replicates=20, seed=1)
    assert validate(*cases, replicates=20, seed=1) != validate(*cases, replicates=20, seed=2)
