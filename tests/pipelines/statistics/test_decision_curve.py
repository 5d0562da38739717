"""Net benefit against dcurves, and what the radiomics paper says of its own decision curve."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

from pipelines.statistics.decision_curve import decision_curve
from pipelines.statistics.logistic import fit
from pipelines.statistics.values import numeric, outcome


@pytest.fixture(scope="module")
def model(table: Callable[[str], dict[str, list[str]]]) -> Any:
    data = table("aSAH")
    terms = [numeric(name, [float(value) for value in data[name]]) for name in ("s100b", "age", "female")]
    return fit(outcome(data["outcome"], positive_class="Poor"), terms)


def test_net_benefit_is_that_of_dcurves(model: Any, table: Callable[[str], dict[str, list[str]]]) -> None:
    expected = {name: [float(value) for value in column] for name, column in table("dca_aSAH").items()}
    found = decision_curve(model.probabilities, model.outcome, thresholds=expected["threshold"])
    for values, name in ((found.model, "model"), (found.treat_all, "all")):
        assert values == pytest.approx(np.array(expected[f"nb_{name}"]), abs=1e-14)
        assert values == pytest.approx(np.array(expected[f"dcurves_{name}"]), abs=1e-14)
    assert found.gain == pytest.approx(found.model - np.maximum(found.treat_all, 0), abs=1e-14)


def test_the_rule_is_at_least_the_threshold() -> None:
    found = decision_curve([0.2, 0.5, 0.5, 0.9], outcome([0, 0, 1, 1], positive_class=1), thresholds=[0.5])
    # two of four are true positives, one a false one, at odds of 1
    assert (found.model[0], found.treat_all[0], found.gain[0], found.avoided[0]) == (0.25, 0.0, 0.25, 0.25)


def test_useful_thresholds_are_told_as_ranges(model: Any) -> None:
    found = decision_curve(model.probabilities, model.outcome, replicates=200, seed=1)
    assert found.useful
    for first, last in found.useful:
        inside = (found.thresholds >= first) & (found.thresholds <= last)
        assert (found.gain[inside] > 0).all()
    assert sum(round((last - first) * 100) + 1 for first, last in found.useful) == int((found.gain > 0).sum())
    assert found.lower is not None
    assert found.upper is not None
    assert (found.lower <= found.upper).all()
    # the surely useful ones are fewer
    assert 0 < sum(last - first for first, last in found.surely_useful) < sum(b - a for a, b in found.useful)
    again = decision_curve(model.probabilities, model.outcome, replicates=200, seed=1)
    assert again.lower is not None
    assert np.array_equal(again.lower, found.lower)


def test_the_claim_of_the_radiomics_paper_does_not_follow_from_its_scores() -> None:
    # Dong & Chen 2025: scores of .58 +- .19 and .20 +- .19 in 49 each; it says "below 0.4, best at 0.25"
    grid = (np.arange(2000) + 0.5) / 2000
    scores = np.concatenate([stats.norm.ppf(grid, 0.58, 0.19), stats.norm.ppf(grid, 0.20, 0.19)])
    happened = outcome([1] * 2000 + [0] * 2000, positive_class=1)
    posterior = 1 / (1 + np.exp(-(scores - 0.39) * 0.38 / 0.19**2))
    found = decision_curve(posterior, happened, thresholds=np.arange(1, 20) / 20)
    assert found.useful == ((0.05, 0.95),)
    assert found.best == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("chances", "thresholds"), [([1.2, 0.1], None), ([0.2, 0.1], [1.0]), ([0.2, 0.1], [0.5, 0.2]), ([0.2], None)]
)
def test_what_is_no_probability_or_threshold_is_refused(chances: list[float], thresholds: Any) -> None:
    with pytest.raises(ValueError, match=r"probability|thresholds"):
        decision_curve(chances, outcome([0, 1], positive_class=1), thresholds=thresholds)
