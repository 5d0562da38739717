"""Tables of counts against R, and against the p values of the two papers."""

from collections.abc import Callable
from itertools import product
from math import comb
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pipelines.statistics.contingency import (
    FISHER,
    FREEMAN_HALTON,
    SAMPLED,
    chi_square,
    cochran_choice,
    compare,
    conditional_odds_ratio,
    exact_test,
    odds_ratio,
    trend,
)
from pipelines.statistics.exact import TooLargeError, freeman_halton, freeman_halton_sampled

Oracle = Callable[[str], Any]
RXC = ["seedA_test_loc", "seedA_test_stage", "seedA_train_stage", "seedB_pdl1_post"]


@pytest.mark.parametrize("name", RXC)
def test_the_exact_test_of_a_large_table_is_that_of_r(oracle: Oracle, name: str) -> None:
    # R prints 13 digits, and its own sum is good to about 1e-12
    expected = oracle("basic_tests")[name]
    assert exact_test(expected["table"]).p == pytest.approx(expected["fisher_p"], abs=1e-12, rel=0)
    assert exact_test(np.transpose(expected["table"])).p == pytest.approx(expected["fisher_p"], abs=1e-12, rel=0)


@pytest.mark.parametrize("name", RXC)
def test_chi_square_is_that_of_r(oracle: Oracle, name: str) -> None:
    expected = oracle("basic_tests")[name]
    found = chi_square(expected["table"])
    assert found.statistic == pytest.approx(expected["chisq"], rel=1e-12)
    assert found.p == pytest.approx(expected["chisq_p"], rel=1e-11)


def enumerated(table: np.ndarray) -> float:
    """The same probability from its definition: every table of these margins, in whole numbers."""
    rows, columns = table.sum(axis=1), table.sum(axis=0)

    def fill(left: list[int], index: int) -> list[list[list[int]]]:
        if index == len(rows):
            return [[]]
        return [
            [list(cells), *rest]
            for cells in product(*(range(limit + 1) for limit in left))
            if sum(cells) == rows[index]
            for rest in fill([limit - cell for limit, cell in zip(left, cells, strict=True)], index + 1)
        ]

    def ways(filled: list[list[int]]) -> int:
        number = 1
        for cells in filled:
            rest = sum(cells)
            for cell in cells:
                number *= comb(rest, cell)
                rest -= cell
        return number

    likelihoods = [ways(filled) for filled in fill(columns.tolist(), 0)]
    own = ways(table.tolist())
    return sum(one for one in likelihoods if one <= own) / sum(likelihoods)


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 3), st.integers(2, 3), st.data())
def test_the_exact_test_counts_every_table_of_the_same_margins(rows: int, columns: int, data: st.DataObject) -> None:
    cells = data.draw(st.lists(st.integers(0, 4), min_size=rows * columns, max_size=rows * columns).filter(any))
    table = np.array(cells).reshape(rows, columns)
    assert freeman_halton(table) == pytest.approx(enumerated(table), rel=1e-10)


def test_the_exact_test_of_a_fourfold_table_is_fishers(oracle: Oracle) -> None:
    rng = np.random.default_rng(1)
    for _ in range(50):
        table = rng.integers(1, 30, (2, 2))
        assert exact_test(table).p == pytest.approx(stats.fisher_exact(table).pvalue, rel=1e-9)
    assert (exact_test([[1, 2], [3, 4]]).test, exact_test([[1, 2, 3], [3, 4, 5]]).test) == (FISHER, FREEMAN_HALTON)


def test_a_table_that_is_too_large_to_count_is_sampled_and_says_so() -> None:
    rng = np.random.default_rng(3)
    table = rng.integers(20, 60, (6, 6))
    with pytest.raises(TooLargeError):
        freeman_halton(table)
    found = exact_test(table)
    assert found.test == SAMPLED
    # so many cases in each cell: the exact test comes close to chi-square
    assert found.p == pytest.approx(chi_square(table).p, abs=0.02)


def test_sampling_agrees_with_counting(oracle: Oracle) -> None:
    expected = oracle("basic_tests")["seedA_test_loc"]
    sampled = freeman_halton_sampled(np.array(expected["table"]), seed=7)
    assert sampled == pytest.approx(expected["fisher_p"], abs=0.006)
    assert sampled == freeman_halton_sampled(np.array(expected["table"]), seed=7)


# Dong & Chen 2025, table 2: responders and non-responders by row, the printed statistic, P, and the test it is
SEED_A = {
    "train sex": ([[39, 36], [10, 13]], 0.511, 0.475, "chi-square"),
    "train site": ([[18, 16], [4, 10], [8, 8], [13, 11], [6, 4]], 3.256, 0.516, "chi-square"),
    "train stage": ([[5, 4], [11, 1], [4, 3], [23, 33], [6, 8]], 10.659, 0.031, "chi-square"),
    "train histology": ([[23, 28], [26, 21]], 1.022, 0.312, "chi-square"),
    "train driver": ([[44, 40], [5, 9]], 1.333, 0.248, "chi-square"),
    "test sex": ([[15, 16], [3, 9]], 1.944, 0.191, "exact"),
    "test site": ([[8, 17], [5, 6], [1, 0], [2, 1], [2, 1]], 3.963, 0.366, "exact"),
    "test stage": ([[2, 3], [1, 3], [0, 1], [10, 12], [5, 6]], 1.369, 0.956, "exact"),
    "test histology": ([[11, 21], [7, 4]], 2.880, 0.156, "exact"),
    "test driver": ([[16, 17], [2, 8]], 2.559, 0.153, "exact"),
}


@pytest.mark.parametrize("row", SEED_A)
def test_every_categorical_p_of_the_radiomics_paper_is_reproduced(row: str) -> None:
    table, statistic, p, test = SEED_A[row]
    found = chi_square(table) if test == "chi-square" else exact_test(table)
    assert round(found.p, 3) == p
    # 1.3695 is printed 1.369
    assert chi_square(table).statistic == pytest.approx(statistic, abs=6e-4)


def test_by_the_rule_the_stage_of_the_training_set_needs_the_exact_test() -> None:
    table = SEED_A["train stage"][0]
    assert (cochran_choice(table), round(compare(table).p, 4)) == ("exact", 0.0217)
    assert compare(table, test="chi-square").p == pytest.approx(0.0307, abs=5e-5)


@pytest.mark.parametrize(
    ("table", "choice"),
    [
        # expected counts of [[5, 5], [5, 5]] are 5 each: none is below
        ([[5, 5], [5, 5]], "chi-square"),
        # one of four cells expects 4.95: a quarter
        ([[4, 5], [6, 5]], "exact"),
        # one of ten cells expects 3.3: a tenth
        ([[30, 30], [30, 30], [30, 30], [30, 30], [3, 4]], "chi-square"),
        # one of twelve cells expects 0.5
        ([[30, 30], [30, 30], [30, 30], [30, 30], [30, 30], [1, 0]], "exact"),
    ],
)
def test_cochrans_rule_chooses_between_the_tests(table: list[list[int]], choice: str) -> None:
    assert cochran_choice(table) == choice


def test_the_odds_ratios_of_the_progression_paper_are_reproduced() -> None:
    # Huang 2025, figure 2A: systemic progression; male, ever-smoker, adenocarcinoma and stage IV counts of table 1
    printed = {
        "male": ([[232, 255], [58, 34]], (0.53, 0.34, 0.84)),
        "smoker": ([[211, 233], [79, 56]], (0.64, 0.43, 0.95)),
        "squamous": ([[148, 200], [142, 89]], (0.46, 0.33, 0.65)),
        "stage IV": ([[241, 222], [49, 67]], (1.48, 0.98, 2.24)),
        "objective response of oligoprogression": ([[184, 105], [119, 171]], (2.52, 1.80, 3.52)),
    }
    for table, expected in printed.values():
        found = odds_ratio(table)
        limits = found.interval
        assert tuple(round(value, 2) for value in (found.estimate, limits.lower, limits.upper)) == expected


def test_the_conditional_odds_ratio_is_that_of_fishers_test_in_r(oracle: Oracle) -> None:
    expected = oracle("basic_tests")["fisher2x2"]
    table = SEED_A["train sex"][0]
    found = conditional_odds_ratio(table)
    # R seeks these roots, or their inverse, to 1.2e-4 alone
    assert found.estimate == pytest.approx(expected["estimate"], abs=1.2e-4)
    assert (found.interval.lower, found.interval.upper) == pytest.approx(expected["conf.int"], rel=1e-4)
    assert exact_test(table).p == pytest.approx(expected["p.value"], rel=1e-10)


def test_an_empty_cell_leaves_the_odds_ratio_without_limits() -> None:
    found = odds_ratio([[3, 0], [2, 4]])
    assert (found.estimate, found.interval.lower, found.interval.upper) == (float("inf"), 0, float("inf"))
    assert odds_ratio([[0, 3], [2, 4]]).estimate == 0
    assert np.isnan(odds_ratio([[0, 3], [0, 4]]).estimate)


def test_the_trend_is_that_of_r() -> None:
    # R's help page of prop.trend.test: chi-square 8.2249, p 0.004132 for smokers among patients
    smokers, patients = [83, 90, 129, 70], [86, 93, 136, 82]
    found = trend(smokers, patients)
    assert (round(found.statistic or 0, 4), round(found.p, 6)) == (8.2249, 0.004132)
    assert trend(smokers, patients, scores=[0, 10, 20, 30]).p == pytest.approx(found.p, rel=1e-12)


@pytest.mark.parametrize("wrong", [[[1, -1], [1, 1]], [[0, 0], [0, 0]], [1, 2], [[0.5, 1], [1, 1]]])
def test_what_is_no_table_of_counts_is_refused(wrong: list[Any]) -> None:
    with pytest.raises(ValueError, match="counts"):
        chi_square(wrong)
