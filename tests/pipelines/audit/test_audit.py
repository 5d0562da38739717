"""Each check of the audit on both sides of its border."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.audit.audit import audit
from pipelines.audit.entries import Entry
from pipelines.audit.printed import read_printed
from pipelines.audit.reading import read_entry
from pipelines.statistics.contingency import chi_square, odds_ratio
from pipelines.statistics.smd import smd_levels


def entry(**cells: str) -> Entry:
    found = read_entry({"table": "T", "row": "r", **cells})
    assert not isinstance(found, tuple), found
    return found


def codes(**cells: str) -> list[str]:
    return [finding.code for finding in audit([entry(**cells)])]


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("0.040", 0.0395, 0.0405),
        ("12", 11.5, 12.5),
        ("<0.001", float("-inf"), 0.001),
        ("<0.0001", float("-inf"), 0.0001),
        (">0.05", 0.05, float("inf")),
        ("1e-5", 0.5e-5, 1.5e-5),
        (".05", 0.045, 0.055),
        ("\N{MINUS SIGN}1.5", -1.55, -1.45),
    ],
)
def test_a_printed_number_stands_for_all_that_round_to_it(text: str, low: float, high: float) -> None:
    found = read_printed(text)
    assert found is not None
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))


@pytest.mark.parametrize("text", ["", "n.s.", "0.1.2", "1,5", "nan", "inf"])
def test_what_is_no_number_is_none(text: str) -> None:
    assert read_printed(text) is None


@settings(deadline=None)
@given(st.integers(1, 2000), st.data(), st.integers(0, 2))
def test_a_true_percentage_is_never_blamed(total: int, data: st.DataObject, digits: int) -> None:
    n = data.draw(st.integers(0, total))
    percent = f"{100 * n / total:.{digits}f}"
    assert codes(kind="percentage", percent=percent, total=str(total)) == []
    assert codes(kind="percentage", percent=percent, total=str(total), n=str(n)) == []


def test_a_percentage_that_no_count_gives_is_found() -> None:
    # of 28: 5.2 needs 145/28 for means; for shares 1/28 = 3.57 and 2/28 = 7.14
    assert codes(kind="percentage", percent="5.2", total="28") == ["AUD-001"]
    assert codes(kind="percentage", percent="7.1", total="28") == []
    assert codes(kind="percentage", percent="7.1 %", total="28", n="3") == ["AUD-002"]
    # a half may be rounded either way
    assert codes(kind="percentage", percent="12", total="8", n="1") == []
    assert codes(kind="percentage", percent="13", total="8", n="1") == []


def test_sums_and_repeated_values() -> None:
    assert codes(kind="total", parts="31/19/24", total="74") == []
    assert codes(kind="total", parts="31+19+24", total="75") == ["AUD-003"]
    assert codes(kind="same", values="10/9") == ["AUD-004"]
    assert codes(kind="same", values="0.91/0.912/0.9") == []
    assert codes(kind="same", values="0.91/0.905/0.92") == ["AUD-004"]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(3, 60), min_size=4, max_size=4))
def test_true_p_statistic_and_difference_are_never_blamed(cells: list[int]) -> None:
    a, b, c, d = cells
    table = [[a, b], [c, d]]
    found = chi_square(table)
    assert codes(
        kind="counts",
        counts=f"{a}/{b}; {c}/{d}",
        sizes=f"{a + c}/{b + d}",
        totals=f"{a + b}/{c + d}",
        p=f"{found.p:.3f}",
        statistic=f"{found.statistic:.3f}",
        smd=f"{smd_levels(table):.3f}",
    ) in ([], ["AUD-007"])
    estimate = odds_ratio(table)
    limits = estimate.interval
    assert (
        codes(
            kind="ratio",
            counts=f"{a}/{b}; {c}/{d}",
            estimate=f"{estimate.estimate:.4f}",
            lower=f"{limits.lower:.4f}",
            upper=f"{limits.upper:.4f}",
        )
        == []
    )


def test_a_p_value_is_held_against_the_test_that_is_named() -> None:
    table = "20/30; 40/25"
    p = chi_square([[20, 30], [40, 25]]).p
    assert codes(kind="counts", counts=table, p=f"{p:.4f}", test="chi-square") == []
    assert codes(kind="counts", counts=table, p=f"{p:.4f}", test="exact") == ["AUD-006"]
    assert codes(kind="counts", counts=table, p="0.5") == ["AUD-005"]
    assert codes(kind="counts", counts=table, p="<0.05") == []
    assert codes(kind="counts", counts=table, statistic="9.99") == ["AUD-009"]
    assert codes(kind="counts", counts=table, smd="<0.1") == ["AUD-010"]


def test_small_expected_counts_ask_for_an_exact_test_where_chi_square_was_used() -> None:
    small = {"kind": "counts", "counts": "5/4; 11/1; 4/3; 23/33; 6/8"}
    assert codes(**small, p="0.031", test="chi-square") == ["AUD-007"]
    assert codes(**small, p="0.022", test="exact") == []
    # by the p value alone it is known as well
    assert codes(**small, p="0.0307") == ["AUD-007"]


def test_sums_of_levels_and_groups_are_checked() -> None:
    assert codes(kind="counts", counts="20/30; 40/25", sizes="60/56") == ["AUD-003"]
    assert codes(kind="counts", counts="20/30; 40/25", totals="50/64") == ["AUD-003"]
    assert codes(kind="counts", counts="20/30; 40/25", percents="33.3/54.5; 66.7/45.5") == []
    assert codes(kind="counts", counts="20/30; 40/25", percents="33.3/54.5; 66.7/45.9") == ["AUD-002"]


def test_means_are_held_against_a_t_test_within_their_rounding() -> None:
    means = {"kind": "means", "n": "49/49", "means": "64.84/65.90", "sds": "9.58/8.07"}
    assert codes(**means, p="0.554") == []
    assert codes(**means, p="0.54") == ["AUD-005"]
    equal = {"kind": "means", "n": "20/20", "means": "5.0/5.0", "sds": "1.0/1.0"}
    assert codes(**equal, p="0.99") == []
    assert codes(**equal, p="0.20") == ["AUD-005"]


@pytest.mark.parametrize(
    ("estimate", "lower", "upper", "p", "expected"),
    [
        ("2.13", "1.67", "2.72", "<0.0001", []),
        ("2.13", "1.77", "2.72", "<0.0001", ["AUD-011"]),
        ("2.13", "2.20", "2.72", "<0.0001", ["AUD-011"]),
        ("0.68", "0.46", "1.01", "0.055", []),
        ("0.68", "0.46", "1.01", "0.040", ["AUD-012"]),
        ("0.60", "0.39", "0.92", "0.20", ["AUD-012"]),
        ("0.60", "0.39", "0.92", "0.005", ["AUD-013"]),
        # a limit that rounds to 1.00 decides nothing
        ("0.70", "0.49", "1.00", "0.040", ["AUD-013"]),
    ],
)
def test_a_ratio_its_interval_and_its_p_value_belong_together(
    estimate: str, lower: str, upper: str, p: str, expected: list[str]
) -> None:
    assert codes(kind="ratio", estimate=estimate, lower=lower, upper=upper, p=p) == expected


def test_the_level_of_an_interval_counts() -> None:
    ratio = {"kind": "ratio", "estimate": "2.00", "lower": "1.20", "upper": "3.33", "p": "0.0255"}
    assert codes(**ratio, level="0.90") == []
    assert codes(**ratio) == ["AUD-013"]


def test_words_and_ratio_point_the_same_way() -> None:
    ratio = {"kind": "ratio", "estimate": "0.53", "lower": "0.34", "upper": "0.84"}
    assert codes(**ratio, claim="lower") == []
    assert codes(**ratio, claim="higher") == ["AUD-015"]


def test_a_ratio_is_held_against_its_counts() -> None:
    ratio = {"kind": "ratio", "lower": "0.34", "upper": "0.84", "counts": "232/255; 58/34"}
    assert codes(**ratio, estimate="0.53") == []
    assert codes(**ratio, estimate="0.54") == ["AUD-014"]


def test_sensitivity_and_specificity_are_shares_of_their_classes() -> None:
    test = {"kind": "diagnostic", "sensitivity": "0.720", "specificity": "0.944"}
    (finding,) = audit([entry(**test, positive_class="responder", positives="18", negatives="25")])
    assert (finding.code, "the positive class is the other one" in finding.possible) == ("AUD-016", True)
    assert codes(**test, positive_class="non-responder", positives="25", negatives="18") == []
    (finding,) = audit([entry(**test, positive_class="x", positives="20", negatives="20")])
    assert finding.possible.startswith("14/20 = 0.700 or 15/20 = 0.750")
    percent = {"kind": "diagnostic", "sensitivity": "72.0%", "specificity": "94.4"}
    assert codes(**percent, positive_class="non-responder", positives="25", negatives="18") == []


def test_the_interval_of_an_area_tells_how_it_was_made() -> None:
    (exact,) = audit([entry(kind="auc", auc="0.912", lower="0.837", upper="0.960", n="98")])
    assert (exact.code, exact.severity, "exact binomial" in exact.possible) == ("AUD-018", "note", True)
    (other,) = audit([entry(kind="auc", auc="0.912", lower="0.850", upper="0.960", n="500")])
    assert "open" in other.possible
    assert codes(kind="auc", auc="0.731", lower="0.630", upper="0.833", n="113") == []
    assert codes(kind="auc", auc="0.981", lower="0.930", upper="1.000", n="50") == []
    assert codes(kind="auc", auc="0.82", lower="0.84", upper="0.90", n="50") == ["AUD-017"]
    assert codes(kind="auc", auc="0.97", lower="0.90", upper="1.04", n="50") == ["AUD-017"]


@pytest.mark.parametrize(
    ("cells", "problem"),
    [
        ({"kind": "percent"}, "`kind` is percent; it can be percentage, total"),
        ({"kind": "percentage", "total": "12"}, "`percent` is missing"),
        ({"kind": "percentage", "percent": "x", "total": "1.5"}, "`total` is no count: 1.5"),
        ({"kind": "percentage", "percent": "1", "total": "0"}, "total above 0"),
        ({"kind": "percentage", "percent": "1", "total": "9", "p": "0.1"}, "`p` is not known"),
        ({"kind": "counts"}, "`counts` is missing"),
        ({"kind": "counts", "counts": "1/2"}, "two levels and two groups"),
        ({"kind": "counts", "counts": "1/2; 3"}, "two levels and two groups"),
        ({"kind": "counts", "counts": "0/2; 0/3"}, "every group needs cases"),
        ({"kind": "counts", "counts": "1/2; 3/4; 5/6", "p": "0.1", "test": "wald"}, "two levels in two groups"),
        ({"kind": "counts", "counts": "1/2; 3/4", "test": "t"}, "`test` is t; it can be chi-square"),
        ({"kind": "counts", "counts": "1/2; 3/4", "percents": "1/2"}, "another shape"),
        ({"kind": "counts", "counts": "1/2; 3/4", "sizes": "4"}, "another number of groups"),
        ({"kind": "counts", "counts": "1/2; 3/4", "totals": "4"}, "another number of levels"),
        ({"kind": "counts", "counts": "1/2/3; 3/4/5", "smd": "0.1"}, "two groups"),
        ({"kind": "means", "n": "1/9", "means": "1/2", "sds": "1/1", "p": "0.1"}, "need two groups"),
        ({"kind": "ratio", "estimate": "0", "lower": "1", "upper": "2"}, "above 0"),
        ({"kind": "ratio", "estimate": "1", "lower": "1", "upper": "2", "level": "95"}, "between 0 and 1"),
        ({"kind": "ratio", "estimate": "1", "lower": "1", "upper": "2", "counts": "1/2; 3/4; 5/6"}, "two rows"),
        ({"kind": "diagnostic", "sensitivity": "1", "specificity": "1", "positives": "0", "negatives": "1"}, "class"),
        ({"kind": "same", "values": "1"}, "two numbers"),
        ({"kind": "total", "total": "1"}, "`parts` is missing"),
    ],
)
def test_what_is_wrong_with_an_entry_is_told(cells: dict[str, str], problem: str) -> None:
    found = read_entry({"row": "r", **cells})
    assert isinstance(found, tuple)
    assert any(problem in one for one in found), found


def test_all_problems_of_an_entry_are_told_at_once() -> None:
    found = read_entry({"kind": "ratio", "estimate": "x", "colour": "red"})
    assert isinstance(found, tuple)
    assert len(found) == 5
