"""A small ridge-penalised logistic regression with its feature selection, for the demonstration model."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Quota:
    """How many features to take from which part of the names."""

    count: int
    prefixes: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """A fitted linear predictor: intercept + sum of coefficient * (value - mean) / sd."""

    columns: tuple[int, ...]
    mean: Floats
    sd: Floats
    coefficients: Floats
    intercept: float

    def linear_predictor(self, values: Floats) -> Floats:
        """Of each case; `values` has shape (cases, all features)."""
        standardised = (values[:, list(self.columns)] - self.mean) / self.sd
        return np.asarray(self.intercept + standardised @ self.coefficients)


def fit(
    values: Floats, positive: NDArray[np.bool_], names: Sequence[str], quotas: Sequence[Quota], *, penalty: float
) -> Fit:
    """Select features and fit the coefficients.

    Parameters
    ----------
    values
        Feature values, shape (cases, features), finite.
    penalty
        The log-likelihood loses `penalty` / 2 times the sum of the squared standardised coefficients.
    """
    columns = select(values, positive, names, quotas)
    chosen = values[:, list(columns)]
    mean, sd = chosen.mean(axis=0), chosen.std(axis=0, ddof=1)
    intercept, coefficients = ridge_logistic((chosen - mean) / sd, positive, penalty=penalty)
    return Fit(columns, mean, sd, coefficients, intercept)


def select(
    values: Floats,
    positive: NDArray[np.bool_],
    names: Sequence[str],
    quotas: Sequence[Quota],
    *,
    most_correlation: float = 0.85,
) -> tuple[int, ...]:
    """Columns that tell the classes apart best one by one, leaving out those that say the same.

    For each quota in turn, the features with its prefixes are taken in descending order of |AUC - 0.5| unless their
    correlation with one already taken reaches `most_correlation`.

    Raises
    ------
    ValueError
        If a quota cannot be filled.

    References
    ----------
    Dong & Chen 2025, section 1.3.3, for the limit of the correlation.
    """
    worth = np.array([abs(auc(column, positive) - 0.5) for column in values.T])
    order = sorted(range(len(names)), key=lambda i: (-worth[i], names[i]))
    varying = values.std(axis=0) > 0
    taken: list[int] = []
    for quota in quotas:
        before = len(taken)
        for i in order:
            if len(taken) - before == quota.count:
                break
            if not names[i].startswith(quota.prefixes) or not varying[i]:
                continue
            if all(abs(np.corrcoef(values[:, i], values[:, j])[0, 1]) < most_correlation for j in taken):
                taken.append(i)
        if len(taken) - before < quota.count:
            raise ValueError(f"fewer than {quota.count} unlike features begin with {' or '.join(quota.prefixes)}")
    return tuple(taken)


def ridge_logistic(
    standardised: Floats, positive: NDArray[np.bool_], *, penalty: float, tolerance: float = 1e-10
) -> tuple[float, Floats]:
    """Intercept (not penalised) and coefficients by iteratively reweighted least squares.

    References
    ----------
    le Cessie & van Houwelingen, Ridge estimators in logistic regression, Applied Statistics 41 (1992) 191-201.
    """
    cases, features = standardised.shape
    design = np.column_stack([np.ones(cases), standardised])
    shrink = np.diag([0.0] + [penalty] * features)
    beta = np.zeros(features + 1)
    for _ in range(100):
        p = 1.0 / (1.0 + np.exp(-design @ beta))
        gradient = design.T @ (positive - p) - shrink @ beta
        hessian = (design.T * (p * (1.0 - p))) @ design + shrink
        step = np.linalg.solve(hessian, gradient)
        beta = beta + step
        if np.max(np.abs(step)) < tolerance:
            return float(beta[0]), beta[1:]
    raise ArithmeticError("the ridge regression did not converge")


def auc(scores: Floats, positive: NDArray[np.bool_]) -> float:
    """Area under the ROC curve: how often a positive case scores higher than a negative one, ties half."""
    higher = scores[positive][:, None] - scores[~positive][None, :]
    return float(np.mean((higher > 0) + 0.5 * (higher == 0)))


def youden_cut_off(probability: Floats, positive: NDArray[np.bool_]) -> float:
    """Probability that maximises sensitivity + specificity, midway between two cases; the highest among equals."""
    seen = np.unique(probability)
    if len(seen) < 2:
        raise ValueError("all cases have the same probability")
    between = (seen[1:] + seen[:-1]) / 2.0
    gain = [np.mean(probability[positive] >= cut) + np.mean(probability[~positive] < cut) for cut in between]
    best = np.flatnonzero(np.isclose(gain, max(gain), rtol=0.0, atol=1e-12))
    return float(between[best[-1]])


def cross_validated_auc(
    values: Floats,
    positive: NDArray[np.bool_],
    names: Sequence[str],
    quotas: Sequence[Quota],
    *,
    penalty: float,
    folds: int,
) -> float:
    """AUC of predictions from fits that did not see the case, with the selection repeated in each fold.

    Case i belongs to the fold i // 2 modulo `folds`: cases come in pairs of the two classes.
    """
    fold = np.arange(len(values)) // 2 % folds
    predicted = np.empty(len(values))
    for held_out in range(folds):
        test = fold == held_out
        made = fit(values[~test], positive[~test], names, quotas, penalty=penalty)
        predicted[test] = made.linear_predictor(values[test])
    return auc(predicted, positive)
