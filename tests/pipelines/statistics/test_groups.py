"""Tests between groups against R, and against the numbers that the radiomics paper prints."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pipelines.statistics.groups import (
    Mean,
    compare_numbers,
    mann_whitney,
    mean_of,
    median_of,
    paired,
    shapiro_wilk,
    t_test,
    t_test_of,
)

Oracle = Callable[[str], Any]


@pytest.fixture(scope="module")
def ages(table: Callable[[str], dict[str, list[str]]]) -> tuple[np.ndarray, np.ndarray]:
    data = table("lung")
    age, sex = (np.array([float(value) for value in data[name]]) for name in ("age", "sex"))
    return age[sex == 1], age[sex == 2]


def test_normality_is_tested_as_in_r(ages: tuple[np.ndarray, np.ndarray], oracle: Oracle) -> None:
    expected = oracle("basic_tests")["shapiro_age"]
    found = shapiro_wilk(np.concatenate(ages))
    assert found.statistic == pytest.approx(expected["W"], abs=6e-10)
    assert found.p == pytest.approx(expected["p"], abs=6e-10)


@pytest.mark.parametrize(("spread", "key"), [("equal", "t_age_sex_equal"), ("unequal", "t_age_sex_welch")])
def test_means_are_compared_as_in_r(ages: tuple[np.ndarray, np.ndarray], oracle: Oracle, spread: Any, key: str) -> None:
    expected = oracle("basic_tests")[key]
    for found in (t_test(*ages, spread=spread), t_test_of(mean_of(ages[0]), mean_of(ages[1]), spread=spread)):
        assert found.statistic == pytest.approx(expected["statistic"], rel=1e-11)
        assert found.df == (pytest.approx(expected["parameter"], rel=1e-11),)
        assert found.p == pytest.approx(expected["p.value"], rel=1e-10)


@pytest.mark.parametrize(("correct", "key"), [(True, "mwu_age_sex_corr"), (False, "mwu_age_sex_nocorr")])
def test_ranks_are_compared_as_in_r(
    ages: tuple[np.ndarray, np.ndarray], oracle: Oracle, *, correct: bool, key: str
) -> None:
    expected = oracle("basic_tests")[key]
    found = mann_whitney(*ages, correct=correct)
    assert found.statistic == expected["statistic"]
    assert found.p == pytest.approx(expected["p.value"], rel=1e-10)


def test_few_values_without_ties_are_counted() -> None:
    # all three of one group above all four of the other: 2 of the 35 orders are as extreme
    assert mann_whitney([8, 9, 10], [1, 2, 3, 4]).p == pytest.approx(2 / 35, rel=1e-12)


def test_quartiles_are_those_of_r(ages: tuple[np.ndarray, np.ndarray], oracle: Oracle) -> None:
    found = median_of(np.concatenate(ages))
    assert [found.p25, found.median, found.p75] == oracle("basic_tests")["quantile7_age"]
    assert found.text(0) == "63 [56, 69]"


# Dong & Chen 2025, table 2: age and score of responders and non-responders, with P
PRINTED = {
    "train age": (Mean(49, 64.84, 9.58), Mean(49, 65.90, 8.07), 0.554, 0.0015),
    "test age": (Mean(18, 65.78, 9.35), Mean(25, 65.00, 11.22), 0.812, 0.0015),
    "train score": (Mean(49, 0.58, 0.19), Mean(49, 0.20, 0.19), 0.0, 1e-3),
    "test score": (Mean(18, 0.68, 0.18), Mean(25, 0.32, 0.21), 0.0, 1e-3),
}


@pytest.mark.parametrize("row", PRINTED)
def test_the_p_values_of_the_means_of_the_radiomics_paper_are_reproduced(row: str) -> None:
    first, second, printed, rounding = PRINTED[row]
    # the means and deviations are rounded themselves
    assert t_test_of(first, second).p == pytest.approx(printed, abs=rounding)


def test_numbers_that_look_normal_are_compared_by_means_and_others_by_ranks() -> None:
    rng = np.random.default_rng(0)
    normal = [rng.normal(size=40), rng.normal(1, size=40)]
    skewed = [np.exp(3 * group) for group in normal]
    assert compare_numbers(normal).test == "t test"
    assert compare_numbers(normal, spread="unequal").test == "Welch t test"
    assert compare_numbers(skewed).test == "Mann-Whitney U"
    assert compare_numbers([*normal, rng.normal(size=40)]).test == "analysis of variance"
    assert compare_numbers([*skewed, skewed[0]]).test == "Kruskal-Wallis"


def test_pairs_are_compared_by_their_differences() -> None:
    # R's help page of t.test: paired t of the data `sleep` gives t = -4.0621, p = 0.002833
    one = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
    other = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
    found = paired(one, other)
    # their differences fail the test of normality (one of 4.6 among nine up to 2.4)
    assert found.test == "Wilcoxon signed rank"
    assert found.p == pytest.approx(0.009091, abs=1e-6)
    rng = np.random.default_rng(1)
    before = rng.normal(size=30)
    after = before + rng.normal(0.5, 1, size=30)
    assert paired(before, after).test == "paired t test"


def test_a_group_of_one_or_of_equal_values_is_not_tested_for_normality() -> None:
    with pytest.raises(ValueError, match="two groups"):
        compare_numbers([np.array([1.0]), np.array([1.0, 2.0])])
    assert compare_numbers([np.ones(9), np.arange(9.0)]).test == "Mann-Whitney U"
