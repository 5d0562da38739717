"""Standardised differences between two groups, by the deviation that divides them."""

from math import sqrt
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from pipelines.statistics.contingency import counts

Divisor = Literal["pooled", "treated"]
"""`pooled` is the root of the mean variance of both groups; `treated` that of the treated alone, as MatchIt does."""


def smd_numbers(treated: ArrayLike, control: ArrayLike, *, divisor: Divisor = "pooled") -> float:
    """Mean of the treated minus that of the controls, over a standard deviation with n - 1.

    References
    ----------
    Austin 2009, Stat Med 28:3083; MatchIt's `summary` for `treated`.
    """
    one, other = np.asarray(treated, dtype=np.float64), np.asarray(control, dtype=np.float64)
    return _over(float(one.mean() - other.mean()), float(one.var(ddof=1)), float(other.var(ddof=1)), divisor)


def smd_shares(treated: float, control: float, *, divisor: Divisor = "pooled") -> float:
    """Difference of two shares over the deviation of a share, p (1 - p)."""
    return _over(treated - control, treated * (1 - treated), control * (1 - control), divisor)


def smd_levels(table: ArrayLike) -> float:
    """Distance of two groups over all levels of a variable at once, never negative.

    Parameters
    ----------
    table
        Counts, one row a level, treated and controls as columns.

    Returns
    -------
    float
        Mahalanobis distance of the shares of all levels but one; that of two levels is `abs(smd_shares)`.

    References
    ----------
    Yang & Dalton 2012, SAS Global Forum 335-2012.
    """
    observed = counts(table)
    observed = observed[observed.sum(axis=1) > 0]
    if observed.shape[1] != 2 or (observed.sum(axis=0) == 0).any():
        raise ValueError("levels are compared between two groups with cases in both")
    shares = (observed / observed.sum(axis=0))[1:]
    spread = sum((np.diag(share) - np.outer(share, share) for share in shares.T), np.zeros((len(shares),) * 2)) / 2
    difference = shares[:, 0] - shares[:, 1]
    squared = float(difference @ np.linalg.pinv(spread, hermitian=True) @ difference)
    if squared < 1e-15 and np.abs(difference).max(initial=0.0) > 1e-9:
        return float("inf")
    return sqrt(max(squared, 0.0))


def _over(difference: float, treated: float, control: float, divisor: Divisor) -> float:
    deviation = sqrt((treated + control) / 2 if divisor == "pooled" else treated)
    if deviation > 0:
        return difference / deviation
    return 0.0 if difference == 0 else float("inf") if difference > 0 else float("-inf")
