"""The lasso path of a linear or logistic regression, to the same solutions as glmnet.

At each penalty the few features that are in the model are known with their signs, so their coefficients solve a smooth
problem: Newton's method needs some tiny linear systems, and every solution meets the Karush-Kuhn-Tucker conditions to
about 1e-10. Coordinate descent in a compiled loop has no advantage at the sizes of a radiomics cohort.
"""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from pipelines.training.glmnet import Descent, State

Family = Literal["gaussian", "binomial"]
Floats = NDArray[np.float64]

_TOLERANCE: Final = 1e-9
_ROUNDS: Final = 500
# keeps a weight of the logistic model from vanishing, as in glmnet
_LEAST_PROBABILITY: Final = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class LassoPath:
    """Solutions along a grid of penalties.

    Attributes
    ----------
    lambdas
        Penalties, descending, shape (penalties,).
    intercepts, coefficients
        For the values as they came, shapes (penalties,) and (penalties, features).
    mean, sd
        Of each feature in the data fitted; the SD divides by N. A feature without spread has sd 1 and coefficient 0.
    deviance_ratio
        Fraction of the null deviance that each solution explains.
    """

    family: Family
    lambdas: Floats
    intercepts: Floats
    coefficients: Floats
    mean: Floats
    sd: Floats
    deviance_ratio: Floats

    @property
    def standardised(self) -> Floats:
        """Coefficients per standard deviation, shape (penalties, features)."""
        return self.coefficients * self.sd

    @property
    def nonzero(self) -> NDArray[np.int_]:
        """Number of features in the model at each penalty."""
        return np.asarray(np.count_nonzero(self.coefficients, axis=1))

    def linear_predictors(self, values: Floats) -> Floats:
        """Of each case at each penalty, shape (cases, penalties); `values` has shape (cases, features)."""
        return np.asarray(values @ self.coefficients.T + self.intercepts)


def lambda_grid(values: Floats, outcome: Floats, *, count: int = 100, ratio: float | None = None) -> Floats:
    """The penalties that glmnet chooses by itself, from the smallest that keeps every feature out.

    Parameters
    ----------
    values
        Feature values, shape (cases, features).
    outcome
        One number a case; 0 and 1 in a logistic model.
    ratio
        Smallest penalty over the largest. Default: 1e-4, or 1e-2 when there are fewer cases than features.

    References
    ----------
    Friedman, Hastie & Tibshirani 2010, J Stat Softw 33(1), section 2.5.
    """
    cases, features = values.shape
    standardised, _, _ = _standardise(values)
    largest = float(np.max(np.abs(standardised.T @ (outcome - outcome.mean())))) / cases
    least = ratio if ratio is not None else (1e-4 if cases >= features else 1e-2)
    return np.asarray(largest * least ** (np.arange(count) / (count - 1)))


def lasso_path(
    values: Floats,
    outcome: Floats,
    lambdas: Floats,
    *,
    family: Family,
    most_deviance: float | None = None,
    threshold: float | None = None,
) -> LassoPath:
    """Fit the model at each penalty.

    The objective is the mean negative log-likelihood (half the mean squared error for "gaussian") plus the penalty
    times the sum of the absolute standardised coefficients; the intercept is not penalised.

    Parameters
    ----------
    values
        Feature values, shape (cases, features), finite.
    outcome
        One number a case; 0 and 1 for "binomial", where both must occur.
    lambdas
        Penalties in descending order.
    most_deviance
        End the path where the model explains this fraction of the null deviance; glmnet's own value is 0.999.
    threshold
        Stop on the way to each solution where glmnet with this `thresh` stops ("binomial" only); None for the optimum.

    References
    ----------
    Friedman, Hastie & Tibshirani 2010, J Stat Softw 33(1).
    """
    walk = LassoWalk(values, outcome, family=family, threshold=threshold)
    for penalty in lambdas:
        walk.go_to(float(penalty))
        if most_deviance is not None and walk.deviance_ratio >= most_deviance:
            break
    return walk.path()


class LassoWalk:
    """A lasso path that is fitted penalty by penalty, so that the caller can end it when enough is known."""

    def __init__(self, values: Floats, outcome: Floats, *, family: Family, threshold: float | None = None) -> None:
        if threshold is not None and family != "binomial":
            raise ValueError("only a binomial path can end where glmnet's does")
        standardised, self._mean, self._sd = _standardise(values)
        self._family: Family = family
        self._problem = _Problem(standardised, outcome, family)
        self._solver = self._problem if threshold is None else Descent(standardised, outcome, threshold)
        self._state = self._problem.null()
        self._null_deviance = self._problem.deviance(self._state.predictor)
        self._penalties: list[float] = []
        self._states: list[State] = []
        self._explained: list[float] = []

    def go_to(self, penalty: float) -> None:
        """Fit at a penalty, smaller than those before."""
        self._state = self._solver.solve(self._state, penalty)
        self._penalties.append(penalty)
        self._states.append(self._state)
        self._explained.append(1.0 - self._problem.deviance(self._state.predictor) / self._null_deviance)

    @property
    def deviance_ratio(self) -> float:
        """Fraction of the null deviance that the last solution explains."""
        return self._explained[-1]

    def predictor(self, values: Floats) -> Floats:
        """Linear predictors of the last solution, shape (cases,); `values` has shape (cases, features)."""
        scaled = self._state.beta / self._sd
        return np.asarray(values @ scaled + (self._state.intercept - float(scaled @ self._mean)))

    def path(self) -> LassoPath:
        """All solutions so far."""
        scaled = np.array([state.beta for state in self._states]) / self._sd
        return LassoPath(
            self._family,
            np.array(self._penalties),
            np.array([state.intercept for state in self._states]) - scaled @ self._mean,
            scaled,
            self._mean,
            self._sd,
            np.array(self._explained),
        )


def _standardise(values: Floats) -> tuple[Floats, Floats, Floats]:
    mean, sd = values.mean(axis=0), values.std(axis=0)
    # a column of equal numbers keeps a spread of some last bits
    flat = sd <= 1e-12 * np.maximum(np.abs(mean), np.finfo(np.float64).tiny)
    sd = np.where(flat, 1.0, sd)
    return np.where(flat, 0.0, (values - mean) / sd), mean, sd


class _Problem:
    def __init__(self, standardised: Floats, outcome: Floats, family: Family) -> None:
        self._x = standardised
        # the gradient of all features needs the matrix by rows, the choice of columns by columns
        self._columns = np.asfortranarray(standardised)
        self._y = outcome
        self._binomial = family == "binomial"
        self._n = len(outcome)

    def null(self) -> State:
        share = float(self._y.mean())
        intercept = float(np.log(share / (1.0 - share))) if self._binomial else share
        return State(intercept, np.zeros(self._x.shape[1]), np.full(self._n, intercept))

    def deviance(self, predictor: Floats) -> float:
        """Twice the negative log-likelihood of the best model less that of this one; a sum of squares for gaussian."""
        return 2.0 * self._n * self._loss(predictor)

    def solve(self, start: State, penalty: float) -> State:
        active = [int(i) for i in np.flatnonzero(start.beta)]
        signs = [float(s) for s in np.sign(start.beta[active])]
        beta, intercept, predictor = start.beta.copy(), start.intercept, start.predictor
        for _ in range(_ROUNDS):
            intercept, predictor = self._descend(beta, intercept, predictor, active, signs, penalty)
            gradient = self._residual(predictor) @ self._x / self._n
            excess = np.abs(gradient) - penalty
            excess[active] = 0.0
            entering = np.flatnonzero(excess > _TOLERANCE)
            if not len(entering):
                return State(intercept, beta, predictor)
            active.extend(int(i) for i in entering)
            signs.extend(float(s) for s in np.sign(gradient[entering]))
        raise ArithmeticError("the lasso did not converge")

    def _descend(
        self, beta: Floats, intercept: float, predictor: Floats, active: list[int], signs: list[float], penalty: float
    ) -> tuple[float, Floats]:
        """Minimise over `active`, whose coefficients keep their signs or leave; changes `beta`, `active`, `signs`."""
        for _ in range(_ROUNDS):
            design = np.column_stack([np.ones(self._n), self._columns[:, active]])
            residual, weights = self._residual(predictor), self._weights(predictor)
            sign = np.array([0.0, *signs])
            slope = penalty * sign - residual @ design / self._n
            if np.max(np.abs(slope)) < _TOLERANCE * 0.1:
                return intercept, predictor
            hessian = (design.T * weights) @ design / self._n
            step = _solved(hessian, -slope)
            now = beta[active]
            # a feature that has just entered must move the way it was pulled
            wrong = (now == 0.0) & (step[1:] * sign[1:] <= 0.0)
            if wrong.any():
                _leave(active, signs, wrong)
                continue
            moves = design @ step
            crossing = now * (now + step[1:]) < 0.0
            reach = np.where(crossing, -now / np.where(crossing, step[1:], 1.0), 1.0)
            share = float(reach.min()) if len(reach) else 1.0
            if self._binomial:
                share = self._shorter(predictor, moves, float(step @ sign) * penalty, float(slope @ step), share)
            beta[active] = now + share * step[1:]
            intercept += share * float(step[0])
            predictor = predictor + share * moves
            gone = crossing & (reach <= share)
            if gone.any():
                beta[np.array(active)[gone]] = 0.0
                _leave(active, signs, gone)
            elif np.max(np.abs(moves)) < 1e-10:
                return intercept, predictor
        raise ArithmeticError("the lasso did not converge")

    def _shorter(self, predictor: Floats, moves: Floats, penalty_change: float, slope: float, share: float) -> float:
        """Halve the step until it pays: far from the solution Newton's step of a logistic model may be too long."""
        here = self._loss(predictor)
        allowance = 1e-14 * (1.0 + abs(here))
        for _ in range(60):
            gain = self._loss(predictor + share * moves) - here + share * penalty_change
            if gain <= 1e-4 * share * slope + allowance:
                return share
            share *= 0.5
        return share

    def _residual(self, predictor: Floats) -> Floats:
        if not self._binomial:
            return self._y - predictor
        return np.asarray(self._y - _expit(predictor))

    def _weights(self, predictor: Floats) -> Floats:
        if not self._binomial:
            return np.ones(self._n)
        p = np.clip(_expit(predictor), _LEAST_PROBABILITY, 1.0 - _LEAST_PROBABILITY)
        return np.asarray(p * (1.0 - p))

    def _loss(self, predictor: Floats) -> float:
        if not self._binomial:
            left = self._y - predictor
            return float(left @ left) / (2.0 * self._n)
        return float(np.sum(np.logaddexp(0.0, predictor) - self._y * predictor)) / self._n


def _leave(active: list[int], signs: list[float], gone: NDArray[np.bool_]) -> None:
    keep = np.flatnonzero(~gone)
    active[:] = [active[i] for i in keep]
    signs[:] = [signs[i] for i in keep]


def _solved(hessian: Floats, right: Floats) -> Floats:
    # features that are equal in these cases share the step; where the search ends, the slope decides alone
    hessian[np.diag_indices_from(hessian)] += 1e-11 * float(np.trace(hessian)) / len(hessian)
    return np.asarray(np.linalg.solve(hessian, right))


def _expit(predictor: Floats) -> Floats:
    small = np.exp(-np.abs(predictor))
    return np.asarray(np.where(predictor >= 0, 1.0, small) / (1.0 + small))
