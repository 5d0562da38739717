"""Calibration against rms's val.prob."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pipelines.statistics.calibration import Calibration, calibrate
from pipelines.statistics.values import outcome


@pytest.fixture(scope="module")
def expected(oracle: Callable[[str], Any]) -> Any:
    return oracle("calibration_aSAH")


@pytest.fixture(scope="module")
def found(expected: Any, table: Callable[[str], dict[str, list[str]]]) -> Calibration:
    return calibrate(expected["pred"], outcome(table("aSAH")["outcome"], positive_class="Poor"))


def test_slope_and_intercepts_are_those_of_r(found: Calibration, expected: Any) -> None:
    # glm stops at 1e-8
    assert found.slope == pytest.approx(expected["slope"], abs=5e-9)
    assert found.intercept == pytest.approx(expected["intercept_at_slope"], abs=5e-9)
    assert found.in_the_large == pytest.approx(expected["calibration_in_the_large"], abs=1e-8)


@pytest.mark.parametrize(
    ("name", "key", "tolerance"),
    [
        ("brier", "Brier", 1e-12),
        ("c_index", "C (ROC)", 1e-12),
        ("dxy", "Dxy", 1e-12),
        ("r_squared", "R2", 1e-12),
        ("e_max", "Emax", 1e-11),
        ("e_90", "E90", 1e-11),
        ("e_average", "Eavg", 1e-11),
    ],
)
def test_indices_are_those_of_val_prob(
    found: Calibration, expected: Any, name: str, key: str, tolerance: float
) -> None:
    assert getattr(found, name) == pytest.approx(expected["val_prob"][key], abs=tolerance)


def test_predictions_that_come_true_are_calibrated() -> None:
    rng = np.random.default_rng(2)
    chances = rng.uniform(0.05, 0.95, 20_000)
    result = outcome(rng.random(20_000) < chances, positive_class=True)
    right, halved = calibrate(chances, result), calibrate(chances / 2, result)
    assert (right.slope, right.intercept, right.in_the_large) == (
        pytest.approx(1, abs=0.05), pytest.approx(0, abs=0.05), pytest.approx(0, abs=0.05),
    )  # fmt: skip
    assert right.e_max < 0.05
    assert halved.in_the_large > 0.8
    assert halved.e_average > 0.2


def test_the_curve_ascends_along_the_predictions(found: Calibration) -> None:
    assert (np.diff(found.predicted) >= 0).all()
    assert found.observed.shape == found.predicted.shape


@pytest.mark.parametrize("wrong", [[0.5, 1.2, 0.1], [0.5, 0.5, 0.5], [0.1, 0.2]])
def test_what_is_no_prediction_is_refused(wrong: list[float]) -> None:
    with pytest.raises(ValueError, match=r"predic|probability"):
        calibrate(wrong, outcome(["a", "b", "a"], positive_class="a"))
