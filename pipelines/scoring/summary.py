"""Sums up the training data of a model, so that the node can compare cases with it without holding any patient's."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipelines.scoring.reference import QUANTILES, Acquisition, ClassScores, Distance, Quantiles, Reference

_ECDF_POINTS: Final = 41
"""Steps of 2.5 %: enough to place a case, too few to give back the cases of a class of usual size."""
_LEAST_CASES_PER_FEATURE: Final = 3
_LEAST_EIGENVALUE: Final = 0.05
_CONSISTENT: Final = 1.4826
"""Makes the median absolute deviation estimate the SD of a normal distribution."""


def summarise(
    values: NDArray[np.float64], predictors: NDArray[np.float64], positive: NDArray[np.bool_], acquisition: Acquisition
) -> Reference:
    """Sum up training data.

    Parameters
    ----------
    values
        The model's features, unscaled, shape (cases, features), in the model's order.
    predictors
        Linear predictor of each case, shape (cases,).
    positive
        True for the cases of the positive class, shape (cases,).

    Returns
    -------
    Reference
        Without a distance when there are fewer than three cases for each feature.

    Raises
    ------
    ValueError
        If the shapes differ, a value is not finite, or a class has no case.
    """
    cases, features = values.shape
    if predictors.shape != (cases,) or positive.shape != (cases,):
        raise ValueError("values, predictors and classes are of different numbers of cases")
    if not np.isfinite(values).all() or not np.isfinite(predictors).all():
        raise ValueError("a value of the training data is not finite")
    if positive.all() or not positive.any():
        raise ValueError("the training data has one class only")
    return Reference(
        features=tuple(quantiles(values[:, column]) for column in range(features)),
        distance=_distance(values) if cases >= _LEAST_CASES_PER_FEATURE * features else None,
        acquisition=acquisition,
        positive=_class_scores(predictors[positive]),
        negative=_class_scores(predictors[~positive]),
    )


def quantiles(values: Sequence[float] | NDArray[np.float64]) -> Quantiles:
    """The quantiles of `values` by linear interpolation (R's type 7), to six digits.

    Six digits are more than the data knows; the smallest is rounded down and the largest up, so that no training case
    lies outside the range that it belongs to.

    Raises
    ------
    ValueError
        If there are none.
    """
    if len(values) == 0:
        raise ValueError("quantiles of no values")
    found = np.quantile(np.asarray(values, dtype=np.float64), list(QUANTILES.values()))
    rounded = [_six_digits(float(value)) for value in found]
    rounded[0], rounded[-1] = _outwards(float(found[0]), -1.0), _outwards(float(found[-1]), 1.0)
    return Quantiles(**dict(zip(QUANTILES, rounded, strict=True)))


def mahalanobis(distance: Distance, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Robust Mahalanobis distance of each row of `values`, shape (cases, features), from the training data."""
    deviation = (values - np.array(distance.centre)) / np.array(distance.scale)
    squared = np.einsum("ij,jk,ik->i", deviation, np.array(distance.precision), deviation)
    root: NDArray[np.float64] = np.sqrt(np.maximum(squared, 0.0))
    return root


def _distance(values: NDArray[np.float64]) -> Distance:
    """Median, median absolute deviation and rank correlation: a few odd cases move none of them much.

    References
    ----------
    Kruskal 1958: the correlation of a normal distribution is 2 sin(pi/6 rho) of Spearman's rho. Eigenvalues below 0.05
    are raised to it, without which a pair of nearly equal features would make every new case look odd.
    """
    features = values.shape[1]
    centre = np.median(values, axis=0)
    scale = _CONSISTENT * np.median(np.abs(values - centre), axis=0)
    scale = np.where(scale > 0, scale, values.std(axis=0))
    scale = np.where(scale > 0, scale, 1.0)
    ranks = np.column_stack([_ranks(values[:, column]) for column in range(features)])
    spread = ranks.std(axis=0)
    ranks = (ranks - ranks.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    correlation = 2.0 * np.sin(np.pi / 6.0 * (ranks.T @ ranks) / len(values))
    np.fill_diagonal(correlation, 1.0)
    eigenvalues, vectors = np.linalg.eigh(correlation)
    precision = (vectors / np.maximum(eigenvalues, _LEAST_EIGENVALUE)) @ vectors.T
    made = Distance(
        method="Mahalanobis distance from medians, scaled by median absolute deviations, with Spearman's rank "
        "correlation",
        centre=tuple(_six_digits(float(value)) for value in centre),
        scale=tuple(_six_digits(float(value)) for value in scale),
        precision=tuple(tuple(_six_digits(float(value)) for value in row) for row in precision),
        training=Quantiles(**dict.fromkeys(QUANTILES, 0.0)),
    )
    return made.model_copy(update={"training": quantiles(mahalanobis(made, values))})


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks from 1, the mean rank for equal values."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    mean: NDArray[np.float64] = (last - (counts - 1) / 2.0)[inverse]
    return mean


def _class_scores(predictors: NDArray[np.float64]) -> ClassScores:
    at = np.linspace(0.0, 1.0, _ECDF_POINTS)
    return ClassScores(n=len(predictors), ecdf=tuple(_six_digits(float(v)) for v in np.quantile(predictors, at)))


def _six_digits(value: float) -> float:
    return float(f"{value:.6g}")


def _outwards(value: float, direction: float) -> float:
    rounded = _six_digits(value)
    if (value - rounded) * direction <= 0:
        return rounded
    # one unit of the sixth digit further
    digits = f"{abs(value):.5e}"
    return _six_digits(rounded + direction * 10.0 ** (int(digits.partition("e")[2]) - 5))
