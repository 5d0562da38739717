"""Which features to look at: those that vary, tell the classes apart, and do not repeat each other."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from pipelines.training.lasso import Floats

Flags = NDArray[np.bool_]
UnivariateTest = Literal["mann-whitney", "welch", "student"]


def varying(values: Floats) -> Flags:
    """Features that are defined for every case and are not the same for all; `values` has shape (cases, features)."""
    finite = np.isfinite(values).all(axis=0)
    safe = np.where(finite, values, 0.0)
    # equal numbers keep a spread of some last bits
    spread = np.ptp(safe, axis=0) > 1e-12 * np.max(np.abs(safe), axis=0, initial=0.0)
    return np.asarray(finite & spread)


def univariate_p(values: Floats, positive: Flags, test: UnivariateTest) -> Floats:
    """Two-sided p of each feature for a difference between the classes, shape (features,).

    Parameters
    ----------
    values
        Shape (cases, features), finite.
    test
        "mann-whitney" by the normal approximation with corrections for ties and continuity, whatever the number of
        cases; "student" with equal, "welch" with unequal variances.

    References
    ----------
    R's `wilcox.test(exact = FALSE)` and `t.test`.
    """
    first, second = values[positive], values[~positive]
    if test == "mann-whitney":
        p = stats.mannwhitneyu(first, second, axis=0, method="asymptotic").pvalue
    else:
        p = stats.ttest_ind(first, second, axis=0, equal_var=test == "student").pvalue
    # no difference can be tested in a class of one case
    return np.asarray(np.nan_to_num(p, nan=1.0))


def uncorrelated(values: Floats, p: Floats, *, limit: float = 0.85) -> Flags:
    """Of features with an absolute Pearson correlation of `limit` or more, those with the lower p.

    Features are visited in ascending order of p, of equal p in the order of columns, and are kept unless they
    correlate with one that is kept.

    References
    ----------
    Dong & Chen 2025, section 1.3.3, which leaves the sign, the test and the order open.
    """
    correlation = np.abs(np.corrcoef(values, rowvar=False)) if values.shape[1] > 1 else np.ones((1, 1))
    # the last bits of a correlation of exactly 0.85 depend on the machine
    close = correlation >= limit - 1e-12
    open_, kept = np.ones(len(p), dtype=np.bool_), np.zeros(len(p), dtype=np.bool_)
    for i in np.argsort(p, kind="stable"):
        if open_[i]:
            kept[i] = True
            open_ &= ~close[i]
    return kept
