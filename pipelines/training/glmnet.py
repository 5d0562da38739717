"""The logistic lasso by coordinate descent, which ends where R's glmnet ends.

The solutions of `pipelines.training.lasso` are the optimum. Those of glmnet are as near to it as its convergence
threshold asks for: with its default, and features that almost repeat each other, coefficients may differ in the first
digit. Whoever repeats an analysis that was done in R needs its very numbers, hence the same order of the same steps.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

DEFAULT_THRESHOLD: Final = 1e-7
"""Of glmnet's argument `thresh`."""

_PASSES: Final = 10_000_000
# glmnet.control()$pmin
_LEAST_PROBABILITY: Final = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """A solution: intercept and coefficients on the standardised values, and the linear predictor of each case."""

    intercept: float
    beta: Floats
    predictor: Floats


class Descent:
    """The solutions along a path: what one penalty has seen, the next begins with.

    Parameters
    ----------
    standardised
        Feature values with mean 0 and, dividing by N, variance 1; shape (cases, features).
    outcome
        0 and 1, shape (cases,).
    threshold
        A pass over the coefficients that lowers the mean log-likelihood's approximation by less than this fraction of
        the null model's is the last.

    References
    ----------
    Friedman, Hastie & Tibshirani 2010, J Stat Softw 33(1), sections 2 and 3; the strong rule of Tibshirani et al. 2012,
    J R Stat Soc B 74:245; the routine `lognet` of glmnet 4.1 with its defaults (exact Hessian).
    """

    def __init__(self, standardised: Floats, outcome: Floats, threshold: float) -> None:
        self._x = np.asfortranarray(standardised)
        self._y = outcome
        self._n, features = standardised.shape
        share = float(outcome.mean())
        self._least = -threshold * (share * np.log(share) + (1.0 - share) * np.log(1.0 - share))
        # features that may enter, and those that ever did, in that order
        self._eligible = np.zeros(features, dtype=np.bool_)
        self._entered: list[int] = []
        self._pull = np.abs((outcome - share) @ self._x) / self._n
        self._penalty = 0.0
        self._passes = 0

    def solve(self, start: State, penalty: float) -> State:
        """Go on from the solution at the penalty before this one."""
        self._eligible |= self._pull > 2.0 * penalty - self._penalty
        self._penalty = penalty
        beta, intercept, predictor = start.beta.copy(), start.intercept, start.predictor
        while True:
            fitted = _fitted(predictor)
            weights = fitted * (1.0 - fitted) / self._n
            total = float(weights.sum())
            if total <= (1.0 + _LEAST_PROBABILITY) * _LEAST_PROBABILITY * (1.0 - _LEAST_PROBABILITY):
                return State(intercept, beta, predictor)
            before, intercept_before = beta.copy(), intercept
            curvature, intercept = self._descend(beta, intercept, weights, (self._y - fitted) / self._n, penalty)
            predictor = intercept + self._x[:, self._entered] @ beta[self._entered]
            residual = (self._y - _fitted(predictor)) / self._n
            after = _fitted(predictor)
            moved = float((after * (1.0 - after)).sum()) / self._n * (intercept - intercept_before) ** 2
            if max(moved, float(np.max(curvature * (beta - before) ** 2, initial=0.0))) >= self._least:
                continue
            outside = ~self._eligible
            self._pull[outside] = np.abs(residual @ self._x[:, outside])
            missed = outside & (self._pull > penalty)
            if not missed.any():
                return State(intercept, beta, predictor)
            self._eligible |= missed

    def _descend(
        self, beta: Floats, intercept: float, weights: Floats, residual: Floats, penalty: float
    ) -> tuple[Floats, float]:
        """Minimise the quadratic approximation; changes `beta`. Gives the curvature of each feature and the intercept.

        glmnet updates the residual of each case after every step. Here the gradients of the eligible features are
        updated instead, which is the same number with fewer operations.
        """
        columns = np.flatnonzero(self._eligible)
        x = self._x[:, columns]
        weighted = x * weights[:, None]
        gram, sums, total = x.T @ weighted, weighted.sum(axis=0), float(weights.sum())
        curvatures = np.diag(gram).tolist()
        now, gradient, rest = beta[columns].tolist(), residual @ x, float(residual.sum())
        place = {int(column): at for at, column in enumerate(columns)}
        everyone = range(len(columns))
        whole = True
        while True:
            self._passes += 1
            if self._passes > _PASSES:
                raise ArithmeticError("the lasso did not converge")
            largest = 0.0
            for at in everyone if whole else [place[column] for column in self._entered]:
                curve, old = curvatures[at], now[at]
                u = float(gradient[at]) + curve * old
                new = (u - penalty if u > 0.0 else u + penalty) / curve if abs(u) > penalty else 0.0
                step = new - old
                if step == 0.0:
                    continue
                now[at] = new
                largest = max(largest, curve * step * step)
                gradient -= step * gram[at]
                rest -= step * float(sums[at])
                if int(columns[at]) not in self._entered:
                    self._entered.append(int(columns[at]))
            step = rest / total
            intercept += step
            largest = max(largest, total * step * step)
            gradient -= step * sums
            rest = 0.0
            if largest < self._least:
                if whole:
                    break
                whole = True
            else:
                whole = False
        beta[columns] = now
        curvature = np.zeros(len(beta))
        curvature[columns] = curvatures
        return curvature, intercept


def _fitted(predictor: Floats) -> Floats:
    limit = np.log(1.0 / _LEAST_PROBABILITY - 1.0)
    inside = 1.0 / (1.0 + np.exp(-np.clip(predictor, -limit, limit)))
    return np.asarray(np.where(predictor > limit, 1.0, np.where(predictor < -limit, 0.0, inside)))
