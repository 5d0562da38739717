"""Rubin's rules: one answer from several imputed data sets."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student


@dataclass(frozen=True, slots=True)
class Pooled:
    """A quantity pooled over imputations.

    Attributes
    ----------
    within, between, total
        Mean of the variances, variance of the means, and T = within + (1 + 1/m) between.
    relative_increase
        By how much the variance grew for what was missing (riv).
    share_missing, fraction_missing
        lambda = (1 + 1/m) between / total, and the fraction of missing information (fmi).
    degrees_of_freedom
        Of Student's t, after Barnard & Rubin; infinite when nothing varies between imputations of a large sample.
    """

    estimate: float
    standard_error: float
    lower: float
    upper: float
    statistic: float
    p: float
    imputations: int
    within: float
    between: float
    total: float
    relative_increase: float
    share_missing: float
    fraction_missing: float
    degrees_of_freedom: float


def pool(
    estimates: Sequence[float], variances: Sequence[float], complete_df: float = np.inf, level: float = 0.95
) -> Pooled:
    """Pool one quantity, on a scale where it is about normal (a log hazard ratio, not the ratio).

    Parameters
    ----------
    estimates, variances
        One of each for every imputed data set, at least two.
    complete_df
        Degrees of freedom that the analysis would have had with complete data: n - k for a linear model.

    Raises
    ------
    ValueError
        With fewer than two imputations, or a variance that is not positive.

    References
    ----------
    Rubin 1987; Barnard & Rubin 1999, eq. 3 and 5. Equal to R's mice::pool to 1e-10.
    """
    q, u = np.asarray(estimates, dtype=np.float64), np.asarray(variances, dtype=np.float64)
    m = q.size
    if m < 2 or q.shape != u.shape:
        raise ValueError("pooling needs two imputations, each with an estimate and a variance")
    if not (u > 0).all():
        raise ValueError("a variance is not positive")
    within, between = float(u.mean()), float(q.var(ddof=1))
    total = within + (1 + 1 / m) * between
    riv = (1 + 1 / m) * between / within
    share = (1 + 1 / m) * between / total
    df = _barnard_rubin(share, m, complete_df)
    fmi = (riv + 2 / (df + 3)) / (riv + 1)
    estimate, error = float(q.mean()), float(np.sqrt(total))
    reach = float(student.ppf((1 + level) / 2, df))
    statistic = estimate / error
    return Pooled(
        estimate=estimate,
        standard_error=error,
        lower=estimate - reach * error,
        upper=estimate + reach * error,
        statistic=statistic,
        p=float(2 * student.sf(abs(statistic), df)),
        imputations=m,
        within=within,
        between=between,
        total=total,
        relative_increase=riv,
        share_missing=share,
        fraction_missing=fmi,
        degrees_of_freedom=df,
    )


def _barnard_rubin(share: float, m: int, complete_df: float) -> float:
    old = (m - 1) / share**2 if share > 0 else np.inf
    if np.isinf(complete_df):
        return float(old)
    observed = (complete_df + 1) / (complete_df + 3) * complete_df * (1 - share)
    return float(observed if np.isinf(old) else old * observed / (old + observed))
