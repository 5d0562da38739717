import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.scoring.reference import QUANTILES, Acquisition
from pipelines.scoring.summary import mahalanobis, quantiles, summarise

RNG = np.random.default_rng(3)
VALUES = RNG.normal(size=(120, 3)) * [1.0, 20.0, 0.01] + [5.0, -100.0, 0.2]
PREDICTORS = VALUES[:, 0] - 5.0
POSITIVE = PREDICTORS > 0


def test_the_quantiles_are_those_of_numpy_to_six_digits() -> None:
    found = quantiles(VALUES[:, 1])
    expected = np.quantile(VALUES[:, 1], list(QUANTILES.values()))
    assert found.values == pytest.approx(expected, rel=2e-5)


@given(st.lists(st.floats(-1e9, 1e9, allow_subnormal=False), min_size=1, max_size=30))
def test_no_value_lies_outside_the_range_that_it_belongs_to(values: list[float]) -> None:
    found = quantiles(values)
    assert found.min <= min(values)
    assert max(values) <= found.max
    span = max(abs(value) for value in values) or 1.0
    assert found.max - max(values) <= 2e-5 * span


def test_the_distance_is_that_of_the_covariance_for_a_normal_cohort() -> None:
    # with 20,000 cases medians, deviations and rank correlation estimate what mean and covariance do
    covariance = np.array([[1.0, 0.6], [0.6, 1.0]])
    values = np.random.default_rng(5).multivariate_normal([0.0, 0.0], covariance, size=20_000)
    made = summarise(values, values[:, 0], values[:, 0] > 0, Acquisition()).distance
    assert made is not None
    at = np.array([[2.0, -1.0], [1.0, 1.0], [0.0, 3.0]])
    exact = np.sqrt(np.einsum("ij,jk,ik->i", at, np.linalg.inv(covariance), at))
    assert mahalanobis(made, at) == pytest.approx(exact, rel=0.04)


def test_a_few_odd_cases_do_not_move_the_distance_much() -> None:
    spoiled = VALUES.copy()
    spoiled[:5] = [500.0, 5000.0, 9.0]
    clean, odd = (summarise(values, PREDICTORS, POSITIVE, Acquisition()).distance for values in (VALUES, spoiled))
    assert clean is not None
    assert odd is not None
    far = VALUES[:1] + np.array([4.0, 0.0, 0.0])
    assert mahalanobis(odd, far)[0] == pytest.approx(mahalanobis(clean, far)[0], rel=0.25)


def test_too_few_cases_have_no_distance() -> None:
    assert summarise(VALUES[:8], PREDICTORS[:8], POSITIVE[:8], Acquisition()).distance is None
    assert summarise(VALUES[:9], PREDICTORS[:9], POSITIVE[:9], Acquisition()).distance is not None


def test_a_feature_that_never_varies_does_no_harm() -> None:
    values = VALUES.copy()
    values[:, 2] = 1.0
    made = summarise(values, PREDICTORS, POSITIVE, Acquisition()).distance
    assert made is not None
    assert np.isfinite(mahalanobis(made, values)).all()


def test_the_scores_of_each_class_are_kept_apart() -> None:
    made = summarise(VALUES, PREDICTORS, POSITIVE, Acquisition())
    assert made.positive.n + made.negative.n == 120
    assert made.negative.ecdf[-1] <= 0 < made.positive.ecdf[0]
    assert len(made.positive.ecdf) < made.positive.n


@pytest.mark.parametrize(
    ("values", "predictors", "positive", "says"),
    [
        (VALUES, PREDICTORS[:-1], POSITIVE, "different numbers"),
        (VALUES * np.nan, PREDICTORS, POSITIVE, "not finite"),
        (VALUES, PREDICTORS, np.ones(120, bool), "one class only"),
    ],
)
def test_data_that_cannot_be_summed_up_is_refused(
    values: np.ndarray, predictors: np.ndarray, positive: np.ndarray, says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        summarise(values, predictors, positive, Acquisition())
