"""Tests of a number between groups, chosen as a table of patients needs them."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from pipelines.statistics.values import Floats, TestResult

Spread = Literal["equal", "unequal"]

T_TEST: Final = "t test"
WELCH: Final = "Welch t test"
MANN_WHITNEY: Final = "Mann-Whitney U"
# beyond this many, R's approximation of the test of normality is not defined
_MOST: Final = 5000
# below this, and without ties, wilcox.test counts instead of approximating
_FEW: Final = 50


@dataclass(frozen=True, slots=True)
class Mean:
    """A number that is told as mean and standard deviation."""

    n: int
    mean: float
    sd: float

    def text(self, digits: int) -> str:
        return f"{self.mean:.{digits}f} ± {self.sd:.{digits}f}"


@dataclass(frozen=True, slots=True)
class Median:
    """A number that is told as median and quartiles (R's type 7)."""

    n: int
    median: float
    p25: float
    p75: float

    def text(self, digits: int) -> str:
        return f"{self.median:.{digits}f} [{self.p25:.{digits}f}, {self.p75:.{digits}f}]"


def mean_of(values: ArrayLike) -> Mean:
    """Mean and standard deviation with n - 1; NaN where there are too few."""
    numbers = np.asarray(values, dtype=np.float64)
    n = numbers.size
    return Mean(n, float(numbers.mean()) if n else float("nan"), float(numbers.std(ddof=1)) if n > 1 else float("nan"))


def median_of(values: ArrayLike) -> Median:
    """Median and quartiles; NaN where there is nothing."""
    numbers = np.asarray(values, dtype=np.float64)
    low, middle, high = np.quantile(numbers, [0.25, 0.5, 0.75]) if numbers.size else [float("nan")] * 3
    return Median(numbers.size, float(middle), float(low), float(high))


def shapiro_wilk(values: ArrayLike) -> TestResult:
    """Test of normality.

    Raises
    ------
    ValueError
        If there are fewer than 3 values or more than 5,000, or all are equal.

    References
    ----------
    Shapiro & Wilk 1965, Royston 1995; R's `shapiro.test`.
    """
    numbers = np.asarray(values, dtype=np.float64)
    if not 3 <= numbers.size <= _MOST or np.ptp(numbers) == 0:
        raise ValueError("the test of normality needs 3 to 5,000 values that are not all equal")
    found = stats.shapiro(numbers)
    return TestResult("Shapiro-Wilk", float(found.statistic), None, float(found.pvalue))


def looks_normal(groups: Sequence[Floats], *, alpha: float = 0.05) -> bool:
    """Whether no group fails the test of normality; one that cannot be tested fails."""
    try:
        return all(shapiro_wilk(group).p > alpha for group in groups)
    except ValueError:
        return False


def t_test(first: ArrayLike, second: ArrayLike, *, spread: Spread = "equal") -> TestResult:
    """Student's test of two means, or Welch's where the spread may differ."""
    return t_test_of(mean_of(first), mean_of(second), spread=spread)


def t_test_of(first: Mean, second: Mean, *, spread: Spread = "equal") -> TestResult:
    """The same from means, standard deviations and numbers, as a paper prints them.

    References
    ----------
    R's `t.test`.
    """
    parts = first.sd**2 / first.n, second.sd**2 / second.n
    if spread == "equal":
        df = float(first.n + second.n - 2)
        pooled = ((first.n - 1) * first.sd**2 + (second.n - 1) * second.sd**2) / df
        error = sqrt(pooled * (1 / first.n + 1 / second.n))
    else:
        error = sqrt(sum(parts))
        df = sum(parts) ** 2 / (parts[0] ** 2 / (first.n - 1) + parts[1] ** 2 / (second.n - 1))
    statistic = (first.mean - second.mean) / error
    return TestResult(
        T_TEST if spread == "equal" else WELCH, statistic, (df,), float(2 * stats.t.sf(abs(statistic), df))
    )


def mann_whitney(first: ArrayLike, second: ArrayLike, *, correct: bool = True) -> TestResult:
    """Rank-sum test: counted for fewer than 50 values in each group without ties, else approximated.

    References
    ----------
    R's `wilcox.test`, whose rule for counting this is; `correct` is its continuity correction.
    """
    groups = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    together = np.concatenate(groups)
    countable = max(group.size for group in groups) < _FEW and np.unique(together).size == together.size
    found = stats.mannwhitneyu(
        *groups, method="exact" if countable else "asymptotic", use_continuity=correct, alternative="two-sided"
    )
    return TestResult(MANN_WHITNEY, float(found.statistic), None, float(found.pvalue))


def paired(first: ArrayLike, second: ArrayLike) -> TestResult:
    """Compare two measurements of the same cases: paired t where the differences look normal, else signed ranks.

    References
    ----------
    R's `t.test(paired = TRUE)` and `wilcox.test(paired = TRUE)`, with its rule for counting.
    """
    one, other = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if looks_normal([one - other]):
        found = stats.ttest_rel(one, other)
        return TestResult("paired t test", float(found.statistic), (float(found.df),), float(found.pvalue))
    apart = np.abs(one - other)
    countable = apart.size < _FEW and apart.min() > 0 and np.unique(apart).size == apart.size
    found = stats.wilcoxon(one, other, correction=True, method="exact" if countable else "asymptotic")
    return TestResult("Wilcoxon signed rank", float(found.statistic), None, float(found.pvalue))


def compare_numbers(groups: Sequence[Floats], *, spread: Spread = "equal", normal: bool | None = None) -> TestResult:
    """The test that fits: means where every group looks normal, ranks elsewhere; of more than two groups, all at once.

    Parameters
    ----------
    normal
        What is already known about the groups; asked of `looks_normal` by default.

    Raises
    ------
    ValueError
        If there are fewer than two groups, or one has fewer than two values.
    """
    if len(groups) < 2 or min(group.size for group in groups) < 2:
        raise ValueError("a comparison needs two groups of two values at least")
    by_means = looks_normal(groups) if normal is None else normal
    if len(groups) == 2:
        return t_test(*groups, spread=spread) if by_means else mann_whitney(*groups)
    if by_means:
        found = stats.f_oneway(*groups)
        df = (len(groups) - 1.0, float(sum(group.size for group in groups) - len(groups)))
        return TestResult("analysis of variance", float(found.statistic), df, float(found.pvalue))
    if np.ptp(np.concatenate(groups)) == 0:
        return TestResult("Kruskal-Wallis", 0.0, (len(groups) - 1.0,), 1.0)
    found = stats.kruskal(*groups)
    return TestResult("Kruskal-Wallis", float(found.statistic), (len(groups) - 1.0,), float(found.pvalue))
