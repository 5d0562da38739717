"""The proportional-odds model of an ordered category."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from pipelines.statistics.values import Floats

_STEPS: Final = 100
# a weak normal prior on the coefficients (SD 10 per SD of a covariate) keeps the estimate finite when a covariate
# happens to tell a level perfectly
_PRIOR_PRECISION: Final = 0.01


@dataclass(frozen=True, slots=True)
class OrdinalModel:
    """P(level <= k) = expit(cut_k - x beta).

    Attributes
    ----------
    cuts, coefficient
        Shape (levels - 1,), ascending, and (k,).
    covariance
        Of cuts and coefficients together.
    """

    cuts: Floats
    coefficient: Floats
    covariance: Floats

    def probabilities(self, x: Floats) -> Floats:
        """Probability of every level, shape (n, levels)."""
        below = expit(self.cuts[None, :] - (x @ self.coefficient)[:, None])
        return np.diff(below, axis=1, prepend=0.0, append=1.0)

    def draw(self, rng: np.random.Generator) -> "OrdinalModel":
        """A model from the approximate posterior: normal around the estimate, with cuts in order."""
        mean = np.concatenate([self.cuts, self.coefficient])
        while True:
            drawn = rng.multivariate_normal(mean, self.covariance, method="cholesky")
            cuts = drawn[: self.cuts.size]
            if (np.diff(cuts) > 0).all():
                return OrdinalModel(cuts, drawn[self.cuts.size :], self.covariance)


def fit_ordinal(level: NDArray[np.int64], x: Floats, levels: int) -> OrdinalModel:
    """Fit by maximum likelihood, with Newton's steps.

    Parameters
    ----------
    level
        From 0, shape (n,); every one of the `levels` must occur.
    x
        Covariates, about standardised, shape (n, k).

    Raises
    ------
    ValueError
        When a level does not occur or the steps do not settle.

    References
    ----------
    McCullagh 1980. Coefficients have the sign of R's MASS::polr.
    """
    counts = np.bincount(level, minlength=levels)
    if (counts == 0).any():
        raise ValueError("a level does not occur among the known values")
    shares = counts.cumsum()[:-1] / level.size
    theta = np.concatenate([np.log(shares / (1 - shares)), np.zeros(x.shape[1])])
    value, gradient, hessian = _likelihood(theta, level, x, levels)
    for _ in range(_STEPS):
        step = np.linalg.solve(hessian, gradient)
        scale = 1.0
        while True:
            candidate = theta - scale * step
            next_value, next_gradient, next_hessian = _likelihood(candidate, level, x, levels)
            if next_value >= value - 1e-12 or scale < 1e-6:
                break
            scale /= 2
        theta, value, gradient, hessian = candidate, next_value, next_gradient, next_hessian
        if abs(scale * step).max() < 1e-10:
            covariance = np.linalg.inv(-hessian).astype(np.float64)
            return OrdinalModel(theta[: levels - 1], theta[levels - 1 :], covariance)
    raise ValueError("the proportional-odds model does not settle")


def _likelihood(theta: Floats, level: NDArray[np.int64], x: Floats, levels: int) -> tuple[float, Floats, Floats]:
    cuts, beta = theta[: levels - 1], theta[levels - 1 :]
    size = theta.size
    if (np.diff(cuts) <= 0).any():
        return -np.inf, np.zeros(size), -np.eye(size)
    eta = x @ beta
    upper_edge = np.concatenate([cuts, [np.inf]])[level] - eta
    lower_edge = np.concatenate([[-np.inf], cuts])[level] - eta
    upper, lower = expit(upper_edge), expit(lower_edge)
    p = np.maximum(upper - lower, 1e-300)
    # derivatives of both ends of the interval by the parameters; at infinity they vanish with the density
    du, dl = np.zeros((level.size, size)), np.zeros((level.size, size))
    rows = np.arange(level.size)
    has_upper, has_lower = level < levels - 1, level > 0
    du[rows[has_upper], level[has_upper]] = 1
    dl[rows[has_lower], level[has_lower] - 1] = 1
    du[:, levels - 1 :] = dl[:, levels - 1 :] = -x
    fu, fl = upper * (1 - upper), lower * (1 - lower)
    slope = (fu[:, None] * du - fl[:, None] * dl) / p[:, None]
    gradient = slope.sum(axis=0)
    hessian = (
        du.T @ (du * (fu * (1 - 2 * upper) / p)[:, None])
        - dl.T @ (dl * (fl * (1 - 2 * lower) / p)[:, None])
        - slope.T @ slope
    )
    value = float(np.log(p).sum()) - _PRIOR_PRECISION * float(beta @ beta) / 2
    gradient[levels - 1 :] -= _PRIOR_PRECISION * beta
    hessian[range(levels - 1, size), range(levels - 1, size)] -= _PRIOR_PRECISION
    return value, gradient, hessian
