"""The proportional-odds model against statsmodels' general optimiser."""

import numpy as np
import pytest
from scipy.special import expit
from statsmodels.miscmodels.ordinal_model import OrderedModel

from pipelines.statistics.ordinal import fit_ordinal


def sample(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 2))
    below = expit(np.array([-0.5, 1.0])[None, :] - (x @ [0.8, -0.4])[:, None])
    return (rng.random(n)[:, None] > below).sum(axis=1), x


def test_the_estimate_is_that_of_statsmodels() -> None:
    level, x = sample(600, 1)
    found = fit_ordinal(level, x, 3)
    other = OrderedModel(level, x, distr="logit").fit(method="bfgs", disp=0, gtol=1e-9)
    # the weak prior moves the estimate by less than a hundredth of its error
    assert found.coefficient == pytest.approx(other.params[:2], abs=1e-3)
    assert np.sqrt(np.diag(found.covariance))[2:] == pytest.approx(other.bse[:2], rel=1e-3)
    cuts = other.model.transform_threshold_params(other.params)[1:-1]
    assert found.cuts == pytest.approx(cuts, abs=1e-3)


def test_the_probabilities_of_a_patient_add_up_to_one() -> None:
    level, x = sample(200, 2)
    probabilities = fit_ordinal(level, x, 3).probabilities(x)
    assert (probabilities > 0).all()
    assert probabilities.sum(axis=1) == pytest.approx(1)
    # at the estimate the mean probability of a level is its share
    assert probabilities.mean(axis=0) == pytest.approx(np.bincount(level) / level.size, abs=5e-3)


def test_draws_spread_as_the_covariance_says() -> None:
    level, x = sample(300, 3)
    model = fit_ordinal(level, x, 3)
    rng = np.random.default_rng(0)
    draws = np.array([model.draw(rng).coefficient for _ in range(2000)])
    assert np.cov(draws.T) == pytest.approx(model.covariance[2:, 2:], rel=0.15, abs=1e-3)


def test_a_covariate_that_tells_a_level_perfectly_does_not_run_away() -> None:
    x = np.concatenate([np.zeros(30), np.zeros(30), np.ones(30)])[:, None]
    found = fit_ordinal(np.repeat([0, 1, 2], 30), x, 3)
    assert np.isfinite(found.coefficient).all() and np.isfinite(found.covariance).all()


def test_a_level_that_never_occurs_is_refused() -> None:
    with pytest.raises(ValueError, match="does not occur"):
        fit_ordinal(np.array([0, 0, 2]), np.zeros((3, 1)), 3)
