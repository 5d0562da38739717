"""Standardised differences against MatchIt, and against the counts of the progression paper."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pipelines.statistics.smd import smd_levels, smd_numbers, smd_shares


def test_differences_over_the_treated_deviation_are_those_of_matchit(
    oracle: Callable[[str], Any], table: Callable[[str], dict[str, list[str]]]
) -> None:
    expected = oracle("matchit_lalonde")["nn_nocal"]
    data = table("lalonde")
    treated = np.array([value == "1" for value in data["treat"]])
    for name, before in zip(expected["rows"][1:], expected["smd_before"][1:], strict=True):
        if name in data and len(set(data[name])) > 2:
            values = np.array([float(value) for value in data[name]])
            found = smd_numbers(values[treated], values[~treated], divisor="treated")
        else:
            level = np.array(data["race"]) == name.removeprefix("race") if name.startswith("race") else None
            values = np.array([value == "1" for value in data[name]]) if level is None else level
            found = smd_shares(values[treated].mean(), values[~treated].mean(), divisor="treated")
        assert found == pytest.approx(before, abs=1e-12), name


# Huang 2025, table 1: counts of oligoprogression and systemic progression before and after matching
BEFORE = {
    "age": ([[163, 151], [126, 139]], 0.087),
    "sex": ([[255, 232], [34, 58]], 0.227),
    "smoking": ([[233, 211], [56, 79]], 0.187),
    "ECOG": ([[43, 40], [246, 250]], 0.031),
    "brain": ([[22, 31], [267, 259]], 0.107),
    "histology": ([[200, 148], [89, 142]], 0.378),
    "stage": ([[67, 49], [222, 241]], 0.158),
    "PD-L1": ([[97, 122], [119, 103], [73, 65]], 0.176),
}
AFTER = {
    "age": ([[128, 119], [106, 115]], 0.077),
    "sex": ([[200, 201], [34, 33]], 0.012),
    "smoking": ([[183, 180], [51, 54]], 0.031),
    "ECOG": ([[29, 37], [205, 197]], 0.098),
    "brain": ([[22, 25], [212, 209]], 0.043),
    "histology": ([[146, 147], [88, 87]], 0.009),
    "stage": ([[41, 45], [193, 189]], 0.044),
    # in the paper the groups of the last two levels are exchanged; these add up to the printed totals
    "PD-L1": ([[89, 109], [96, 77], [49, 48]], 0.188),
}


@pytest.mark.parametrize("rows", [BEFORE, AFTER], ids=["before", "after"])
def test_differences_of_the_progression_paper_follow_from_its_counts(rows: dict[str, Any]) -> None:
    for name, (counts, expected) in rows.items():
        assert round(smd_levels(counts), 3) == expected, name


def test_two_levels_are_measured_as_one_share() -> None:
    counts = np.array([[30, 12], [20, 38]])
    assert smd_levels(counts) == pytest.approx(abs(smd_shares(0.6, 0.24)), rel=1e-12)
    assert smd_levels(counts[::-1]) == pytest.approx(smd_levels(counts), rel=1e-12)


def test_the_order_and_the_leading_level_of_more_levels_do_not_matter() -> None:
    counts = np.array([[89, 109], [96, 77], [49, 48]])
    assert smd_levels(counts[[2, 0, 1]]) == pytest.approx(smd_levels(counts), rel=1e-12)


def test_a_difference_without_any_spread_is_infinite() -> None:
    assert smd_shares(1.0, 0.0) == float("inf")
    assert smd_shares(0.0, 1.0, divisor="treated") == float("-inf")
    assert smd_levels([[5, 0], [0, 5]]) == float("inf")
    assert (smd_shares(1.0, 1.0), smd_levels([[5, 5], [0, 0]])) == (0, 0)
