"""The table of patients: the two papers' own tables, missing values, and which test is named."""

from typing import Any

import numpy as np
import pytest

from pipelines.statistics.table_one import (
    Rules,
    before_after,
    compare_smd,
    levels,
    number,
    printed,
    table_one,
)
from tests.pipelines.statistics.test_contingency import SEED_A
from tests.pipelines.statistics.test_smd import AFTER, BEFORE


def spread_out(counts: Any, order: list[str]) -> tuple[list[str], list[str]]:
    """Level and group of each case of a table of counts."""
    cells = [(level, group, n) for level, row in enumerate(counts) for group, n in enumerate(row)]
    of_level = [order[level] for level, _, n in cells for _ in range(n)]
    return of_level, [["first", "second"][group] for _, group, n in cells for _ in range(n)]


def p_of(counts: Any, rules: Rules) -> tuple[float, str]:
    order = [f"level {index}" for index in range(len(counts))]
    values, groups = spread_out(counts, order)
    head = table_one([levels("variable", values, order=order)], groups, rules=rules).rows[0]
    assert head.test is not None
    return head.test.p, head.test.test


@pytest.mark.parametrize("row", SEED_A)
def test_every_categorical_row_of_the_radiomics_paper_by_the_test_it_used(row: str) -> None:
    counts, _, p, test = SEED_A[row]
    found, name = p_of(counts, Rules(categorical=test))
    assert round(found, 3) == p
    assert ("exact" in name) == (test == "exact")


def test_by_cochrans_rule_other_tests_are_named_than_the_radiomics_paper_used() -> None:
    chosen = {row: "exact" in p_of(SEED_A[row][0], Rules())[1] for row in SEED_A}
    other = {row for row in SEED_A if chosen[row] != (SEED_A[row][3] == "exact")}
    # its train stage has four of ten cells below 5; in its test set, sex expects 5.02 in the smallest cell
    assert other == {"train stage", "test sex"}


# Huang 2025, table 1, column P
PRINTED_BEFORE = [0.296, 0.007, 0.026, 0.709, 0.201, 0.0, 0.060, 0.107]
PRINTED_AFTER = [0.405, 0.895, 0.740, 0.288, 0.645, 0.924, 0.633, 0.128]


@pytest.mark.parametrize(("index", "name"), list(enumerate(BEFORE)))
def test_the_p_values_of_the_progression_paper_are_walds_before_and_chi_squares_after_matching(
    index: int, name: str
) -> None:
    before, test_before = p_of(BEFORE[name][0], Rules(categorical="wald"))
    after, test_after = p_of(AFTER[name][0], Rules(categorical="chi-square"))
    assert round(before, 3) == PRINTED_BEFORE[index]
    assert round(after, 3) == PRINTED_AFTER[index]
    assert test_before == ("Pearson chi-square" if name == "PD-L1" else "logistic Wald")
    assert test_after == "Pearson chi-square"


def test_before_and_after_matching_stand_side_by_side_with_their_differences() -> None:
    rng = np.random.default_rng(4)
    groups = ["oligo"] * 60 + ["systemic"] * 60
    age = np.concatenate([rng.normal(60, 8, 60), rng.normal(68, 8, 60)])
    sex = ["male" if value else "female" for value in rng.random(120) < 0.6]
    matched = np.concatenate([age[:60] > 60, age[60:] < 68])
    pair = before_after([number("age", age), levels("sex", sex)], groups, matched)
    assert pair.after.sizes == (int((age[:60] > 60).sum()), int((age[60:] < 68).sum()))
    (name, before, after), _ = compare_smd(pair)
    assert (name, before > 0.8, after < before) == ("age", True, True)
    assert "age" in pair.before.unbalanced()
    assert pair.before.largest_smd == before


def test_a_variable_names_its_missing_values_and_is_tested_on_the_others() -> None:
    groups = ["a", "a", "a", "a", "b", "b", "b", "b"]
    table = table_one(
        [
            number("size", [1.0, 2.0, 2.5, float("nan"), 7.0, 8.0, 9.5, 8.2]),
            levels("stage", ["III", None, "IV", "IV", "III", "IV", None, "IV"], order=["III", "IV", "V"]),
        ],
        groups,
    )
    size, stage, third, fourth, empty = table.rows
    assert (size.missing, size.groups[0].n if size.groups[0] else 0, stage.missing) == (1, 3, 2)
    assert size.overall is not None
    assert [cell.text(1) for row in (third, fourth, empty) for cell in row.groups if cell] == [
        "1 (33.3)", "1 (33.3)", "2 (66.7)", "2 (66.7)", "0 (0.0)", "0 (0.0)",
    ]  # fmt: skip
    lines = printed(table)
    assert lines[0] == ("", "all (n=8)", "a (n=4)", "b (n=4)", "missing", "p", "test", "SMD")
    assert lines[1][0] == "size"
    assert lines[1][4:7] == ("1", "<0.001", "t test")
    # by the levels of the order, of which one is empty
    assert lines[2][6] == "Freeman-Halton exact"
    assert lines[3][0] == "  III"


def test_a_variable_that_one_group_lacks_is_shown_and_not_tested() -> None:
    nothing = [float("nan")] * 2
    table = table_one([number("size", [1.0, 2.0, *nothing]), levels("x", ["y", "y", "y", "y"])], ["a", "a", "b", "b"])
    assert [row.test for row in table.rows] == [None, None, None]
    assert table.rows[0].smd is None


def test_wald_falls_back_to_the_rule_where_the_regression_has_no_answer() -> None:
    assert p_of([[9, 0], [3, 8]], Rules(categorical="wald"))[1] == "Fisher exact"


@pytest.mark.parametrize("groups", [["a", "a"], ["a"], ["a", "c"]])
def test_groups_that_cannot_be_compared_are_refused(groups: list[str]) -> None:
    with pytest.raises(ValueError, match=r"group|cases"):
        table_one([number("x", [1.0, 2.0])], groups, order=["a", "b"])
    with pytest.raises(ValueError, match="order"):
        levels("x", ["p", "q"], order=["p"])
