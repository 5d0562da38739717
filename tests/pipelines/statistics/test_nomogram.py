"""Points against rms's nomogram, for a logistic and a Cox model."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pipelines.statistics.nomogram import Nomogram, level_effect, nomogram, number_effect
from pipelines.statistics.pretty import pretty

Oracle = Callable[[str], Any]
Columns = Callable[[str], dict[str, list[str]]]


@pytest.fixture(scope="module")
def logistic(oracle: Oracle, table: Columns) -> Nomogram:
    coefficients = oracle("nomogram_aSAH")["coef"]
    data = {name: np.array([float(v) for v in table("aSAH")[name]]) for name in ("s100b", "age", "female")}
    effects = [
        number_effect("s100b", coefficients["s100b"], data["s100b"].min(), data["s100b"].max()),
        number_effect("age", coefficients["age"], data["age"].min(), data["age"].max()),
        level_effect("female", ["0", "1"], [0.0, coefficients["female"]]),
    ]
    predictors = coefficients["Intercept"] + sum(coefficients[name] * data[name] for name in data)
    return nomogram(effects, intercept=coefficients["Intercept"], predictors=predictors)


@pytest.fixture(scope="module")
def cox(oracle: Oracle, table: Columns) -> Nomogram:
    expected = oracle("nomogram_cox_lung")
    coefficients = expected["coef"]
    rows = [row for row in zip(*(table("lung")[name] for name in coefficients), strict=True) if "NA" not in row]
    data = np.array(rows, dtype=np.float64)
    effects = [
        level_effect("sex", ["1", "2"], np.array([1, 2]) * coefficients["sex"]),
        number_effect("age", coefficients["age"], data[:, 1].min(), data[:, 1].max()),
        level_effect("ph.ecog", ["0", "1", "2", "3"], np.arange(4) * coefficients["ph.ecog"]),
    ]
    predictors = data @ np.array(list(coefficients.values())) - expected["center"]
    return nomogram(effects, intercept=-expected["center"], predictors=predictors)


@pytest.mark.parametrize("name", ["logistic", "cox"])
def test_points_of_every_value_are_those_of_rms(name: str, oracle: Oracle, request: pytest.FixtureRequest) -> None:
    made: Nomogram = request.getfixturevalue(name)
    axes = oracle({"logistic": "nomogram_aSAH", "cox": "nomogram_cox_lung"}[name])["axes"]
    for axis in made.axes:
        expected = axes[axis.name]
        assert [float(value) for value in axis.values] == pytest.approx(expected[axis.name], abs=1e-9)
        assert axis.points == pytest.approx(expected["points"], abs=1e-10)
    assert made.total == pytest.approx(axes["total.points"]["x"], abs=1e-9)
    assert made.linear_predictor.values == pytest.approx(axes["lp"]["x.real"], abs=1e-9)
    assert made.linear_predictor.totals == pytest.approx(axes["lp"]["x"], abs=1e-10)


def test_the_axis_of_the_probability_is_that_of_rms_without_its_interpolation(
    logistic: Nomogram, oracle: Oracle
) -> None:
    expected = oracle("nomogram_aSAH")["axes"]["P(poor)"]
    scale = logistic.probability_scale("P(poor)", [0.01, *expected["x.real"]])
    # 0.01 lies beyond the axis of the linear predictor
    assert scale.values.tolist() == expected["x.real"]
    # rms interpolates between 1,000 points
    assert scale.totals == pytest.approx(expected["x"], abs=2e-4)
    assert logistic.probabilities(scale.totals) == pytest.approx(expected["x.real"], abs=1e-12)


def test_the_axis_of_the_survival_is_that_of_rms_without_its_interpolation(cox: Nomogram, oracle: Oracle) -> None:
    expected = oracle("nomogram_cox_lung")["axes"]["1y OS"]
    # the survival at linear predictor 0 follows from any one tick
    at_half = dict(zip(expected["x.real"], expected["x"], strict=True))[0.5]
    baseline = 0.5 ** float(np.exp(-(cox.at_zero + at_half / cox.unit)))
    assert 0.3 < baseline < 0.5
    scale = cox.survival_scale("1y OS", [*expected["x.real"], 0.99], baseline=baseline)
    assert scale.values.tolist() == expected["x.real"]
    assert scale.totals == pytest.approx(expected["x"], abs=5e-3)
    assert cox.survival(scale.totals, baseline=baseline) == pytest.approx(expected["x.real"], abs=1e-12)


def test_total_points_lead_back_to_the_linear_predictor(logistic: Nomogram) -> None:
    values = np.array([-3.0, 0.0, 4.5])
    totals = logistic.totals(values)
    assert logistic.at_zero + totals / logistic.unit == pytest.approx(values, abs=1e-12)


def test_a_single_term_spans_a_hundred_points() -> None:
    # Dong & Chen 2025: the Rad-signature is the only term of their nomogram
    made = nomogram([number_effect("Rad-signature", 6.0, 0.0, 1.0)], intercept=-3.0, predictors=[-3.0, 3.0])
    assert (made.axes[0].points[0], made.axes[0].points[-1], made.total[-1]) == (0, 100, 100)


def test_a_model_without_effect_has_no_nomogram() -> None:
    with pytest.raises(ValueError, match="effect"):
        nomogram([level_effect("sex", ["m", "f"], [0.0, 0.0])], intercept=0.0, predictors=[0.0, 1.0])


# R 4.2: pretty(c(0, 1)), pretty(c(0, 97)), pretty(c(-1, 1)), pretty(c(0, 0.023)), pretty(c(0, 134), 10)
@pytest.mark.parametrize(
    ("low", "high", "n", "ticks"),
    [
        (0, 1, 5, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0, 97, 5, [0, 20, 40, 60, 80, 100]),
        (-1, 1, 5, [-1, -0.5, 0, 0.5, 1]),
        (0, 0.023, 5, [0, 0.005, 0.01, 0.015, 0.02, 0.025]),
    ],
)
def test_ticks_are_round(low: float, high: float, n: int, ticks: list[float]) -> None:
    assert pretty(low, high, n) == pytest.approx(ticks, abs=1e-12)


def test_an_axis_needs_a_range() -> None:
    with pytest.raises(ValueError, match="axis"):
        pretty(1, 1)
