"""The risk sets of Cox's model against statsmodels."""

import numpy as np
import pytest
from statsmodels.duration.hazard_regression import PHReg

from pipelines.statistics.partial_likelihood import contributions
from pipelines.statistics.survival import Durations


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("layered", [False, True])
def test_likelihood_score_and_information_are_those_of_statsmodels(ties: str, layered: bool) -> None:
    rng = np.random.default_rng(2)
    time, event = rng.integers(1, 25, 150).astype(float), rng.random(150) < 0.7
    x, beta = rng.normal(size=(150, 3)), np.array([0.4, -0.2, 0.1])
    strata = rng.integers(0, 3, 150) if layered else None
    found = contributions(Durations(time, event), x, beta, efron=ties == "efron", strata=strata)
    other = PHReg(time, x, status=event.astype(int), ties=ties, strata=strata)
    assert found.log_likelihood == pytest.approx(other.loglike(beta), abs=1e-9)
    np.testing.assert_allclose(found.residual.sum(axis=0), other.score(beta), atol=1e-9)
    np.testing.assert_allclose(found.variance.sum(axis=0), -other.hessian(beta), atol=1e-9)
    assert found.time.size == event.sum()
