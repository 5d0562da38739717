"""The area under the curve and its cut-offs against pROC, and the intervals that the radiomics paper prints."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.statistics.operating_point import operating_point
from pipelines.statistics.roc import Scored, auc, compare_paired, exact_binomial, roc_points, scored, youden

Oracle = Callable[[str], Any]
MARKERS = ["s100b", "ndka", "wfns_n"]


@pytest.fixture(scope="module")
def markers(table: Callable[[str], dict[str, list[str]]]) -> dict[str, Scored]:
    data = table("aSAH")
    return {name: scored(list(map(float, data[name])), data["outcome"], positive_class="Poor") for name in MARKERS}


@pytest.mark.parametrize("name", MARKERS)
def test_the_area_and_its_intervals_are_those_of_proc(markers: dict[str, Scored], oracle: Oracle, name: str) -> None:
    expected = oracle("roc_aSAH")[name]
    found = auc(markers[name])
    assert found.positive_class == "Poor"
    assert (found.positives, found.negatives) == (expected["npos"], expected["n"] - expected["npos"])
    assert found.area == pytest.approx(expected["auc"], abs=1e-13)
    assert found.variance == pytest.approx(expected["delong_var"], abs=1e-14)
    assert found.interval.lower == pytest.approx(expected["delong_lower"], abs=1e-13)
    assert found.interval.upper == pytest.approx(expected["delong_upper"], abs=1e-13)
    exact = auc(markers[name], interval="exact-binomial").interval
    assert exact.lower == pytest.approx(expected["exact_binomial_lower"], abs=1e-12)
    assert exact.upper == pytest.approx(expected["exact_binomial_upper"], abs=1e-12)


@pytest.mark.parametrize("name", MARKERS)
def test_the_bootstrap_comes_close_to_procs_and_repeats_itself(
    markers: dict[str, Scored], oracle: Oracle, name: str
) -> None:
    expected = oracle("roc_aSAH")[name]
    found = auc(markers[name], interval="bootstrap", seed=1, replicates=4000).interval
    assert found.lower == pytest.approx(expected["bootstrap10000_lower"], abs=0.006)
    assert found.upper == pytest.approx(expected["bootstrap10000_upper"], abs=0.006)
    assert found == auc(markers[name], interval="bootstrap", seed=1, replicates=4000).interval
    assert found != auc(markers[name], interval="bootstrap", seed=2, replicates=4000).interval


def test_the_logit_interval_is_symmetric_on_the_scale_of_the_logit(markers: dict[str, Scored], oracle: Oracle) -> None:
    expected = oracle("roc_aSAH")["wfns_n"]
    found = auc(markers["wfns_n"], interval="delong-logit")
    area, limits = expected["auc"], np.array([found.interval.lower, found.interval.upper])
    logits = np.log(limits / (1 - limits))
    assert logits.mean() == pytest.approx(np.log(area / (1 - area)), abs=1e-11)
    error = np.sqrt(expected["delong_var"]) / (area * (1 - area))
    assert np.ptp(logits) == pytest.approx(2 * 1.959963984540054 * error, abs=1e-11)


@pytest.mark.parametrize(("area", "n", "printed"), [(0.9117, 98, (0.837, 0.960)), (0.878, 43, (0.742, 0.958))])
def test_both_intervals_of_the_radiomics_paper_are_exact_binomial(
    area: float, n: int, printed: tuple[float, float]
) -> None:
    # Dong & Chen 2025, section 2.3: 0.912 (0.837-0.960) of 98 and 0.878 (0.742-0.958) of 43
    found = exact_binomial(area, n)
    assert (round(found.lower, 3), round(found.upper, 3)) == printed


@pytest.mark.parametrize(("other", "key"), [("ndka", "delong_s100b_vs_ndka"), ("wfns_n", "delong_s100b_vs_wfns")])
def test_two_areas_of_the_same_cases_are_compared_as_proc_does(
    markers: dict[str, Scored], oracle: Oracle, other: str, key: str
) -> None:
    expected = oracle("roc_aSAH")[key]
    found = compare_paired(markers["s100b"], markers[other])
    assert found.test.statistic == pytest.approx(expected["z"], abs=1e-11)
    assert found.test.p == pytest.approx(expected["p"], abs=1e-12)
    assert (found.interval.lower, found.interval.upper) == pytest.approx(expected["ci"], abs=1e-12)


def test_a_score_is_not_compared_with_one_of_another_class(markers: dict[str, Scored]) -> None:
    turned = scored(-markers["ndka"].scores, np.where(markers["ndka"].outcome.happened, 1, 0), positive_class=0)
    with pytest.raises(ValueError, match="positive class"):
        compare_paired(markers["s100b"], turned)


@pytest.mark.parametrize("name", MARKERS)
def test_youdens_cut_off_is_that_of_proc(markers: dict[str, Scored], oracle: Oracle, name: str) -> None:
    expected = oracle("roc_aSAH")[name]
    found = youden(markers[name])
    assert found.chosen.midpoint == pytest.approx(expected["youden"]["threshold"][0], abs=1e-12)
    assert found.chosen.sensitivity == pytest.approx(expected["youden"]["sensitivity"][0], abs=1e-12)
    assert found.chosen.specificity == pytest.approx(expected["youden"]["specificity"][0], abs=1e-12)
    at = operating_point(markers[name], found.chosen.threshold)
    # both conventions of the threshold part the cases alike
    assert replace(operating_point(markers[name], found.chosen.midpoint), threshold=at.threshold) == at
    assert [at.true_positives, at.false_positives, at.true_negatives, at.false_negatives] == [
        expected["youden"][key][0] for key in ("tp", "fp", "tn", "fn")
    ]
    assert (at.sensitivity.interval.lower, at.sensitivity.interval.upper) == pytest.approx(
        expected["sens_cp"], abs=1e-12
    )
    assert (at.specificity.interval.lower, at.specificity.interval.upper) == pytest.approx(
        expected["spec_cp"], abs=1e-12
    )


def test_of_equal_cut_offs_the_most_specific_is_chosen_and_all_are_listed() -> None:
    # thresholds 4 and 2 both give an index of 1/2
    cases = scored([4, 3, 2, 1], ["sick", "well", "sick", "well"], positive_class="sick")
    found = youden(cases)
    assert found.index == 0.5
    assert [(cut.threshold, cut.midpoint, cut.sensitivity, cut.specificity) for cut in found.ties] == [
        (4.0, 3.5, 0.5, 1.0),
        (2.0, 1.5, 1.0, 0.5),
    ]
    assert found.chosen == found.ties[0]


def test_what_counts_as_positive_decides_which_rate_is_which() -> None:
    # Dong & Chen 2025, test set: 18 of 25 non-responders and 17 of 18 responders on the right side of the cut-off
    score = [0.2] * 18 + [0.6] * 7 + [0.2] + [0.6] * 17
    labels = ["non-responder"] * 25 + ["responder"] * 18
    as_printed = operating_point(scored(-np.array(score), labels, positive_class="non-responder"), -0.4)
    assert (as_printed.positive_class, as_printed.sensitivity.estimate, as_printed.specificity.estimate) == (
        "non-responder",
        pytest.approx(0.720),
        pytest.approx(0.944, abs=5e-4),
    )
    turned = operating_point(scored(score, labels, positive_class="responder"), 0.4)
    assert (turned.sensitivity.estimate, turned.specificity.estimate) == (
        as_printed.specificity.estimate,
        as_printed.sensitivity.estimate,
    )
    # 18 true of 19 called non-responders; 17 of 24 called responders
    assert (as_printed.positive_predictive_value.numerator, as_printed.positive_predictive_value.denominator) == (
        18,
        19,
    )
    assert (as_printed.negative_predictive_value.numerator, as_printed.negative_predictive_value.denominator) == (
        17,
        24,
    )
    assert (as_printed.accuracy.numerator, as_printed.accuracy.denominator) == (35, 43)


def test_a_cut_off_that_calls_nobody_positive_has_no_predictive_value() -> None:
    cases = scored([1, 2], ["a", "b"], positive_class="b")
    nobody = operating_point(cases, 9).positive_predictive_value
    assert np.isnan(nobody.estimate)
    assert (nobody.interval.lower, nobody.interval.upper) == (0, 1)


labelled = st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=2, max_size=30).filter(
    lambda cases: len({label for _, label in cases}) == 2
)


@settings(max_examples=60, deadline=None)
@given(labelled)
def test_the_area_is_the_share_of_pairs_in_the_right_order(cases: list[tuple[int, bool]]) -> None:
    scores, labels = zip(*cases, strict=True)
    found = auc(scored(scores, labels, positive_class=True))
    pairs = [(a > b) + (a == b) / 2 for a, one in cases if one for b, other in cases if not other]
    assert found.area == pytest.approx(sum(pairs) / len(pairs), abs=1e-12)
    assert 0 <= found.interval.lower <= found.area <= found.interval.upper <= 1
    # the area turned round, and the trapezium under the points
    assert auc(scored(-np.array(scores), labels, positive_class=True)).area == pytest.approx(1 - found.area, abs=1e-12)
    points = roc_points(scored(scores, labels, positive_class=True))
    assert np.trapezoid(points.sensitivity, 1 - points.specificity) == pytest.approx(found.area, abs=1e-12)
    assert (points.sensitivity[0], points.specificity[0]) == (0, 1)
    assert (points.sensitivity[-1], points.specificity[-1]) == (1, 0)


@pytest.mark.parametrize(
    ("scores", "labels", "positive"),
    [([1, 2], ["a", "a"], "a"), ([1, 2], ["a", "b"], "c"), ([1, np.nan], ["a", "b"], "a"), ([1], ["a", "b"], "a")],
)
def test_scores_without_two_classes_or_with_gaps_are_refused(scores: Any, labels: Any, positive: str) -> None:
    with pytest.raises(ValueError, match=r"class|score"):
        scored(scores, labels, positive_class=positive)
