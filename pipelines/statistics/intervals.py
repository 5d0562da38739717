"""Confidence intervals of a proportion."""

from dataclasses import dataclass
from math import sqrt

from scipy import special, stats

from pipelines.statistics.values import Interval


@dataclass(frozen=True, slots=True)
class Proportion:
    """A share with the counts it comes from; `estimate` is NaN where nothing was counted."""

    numerator: int
    denominator: int
    estimate: float
    interval: Interval


def normal_quantile(level: float) -> float:
    """The two-sided quantile of the normal distribution: 1.96 for 0.95.

    Raises
    ------
    ValueError
        If `level` is not between 0 and 1.
    """
    if not 0 < level < 1:
        raise ValueError(f"a confidence level lies between 0 and 1, not at {level}")
    return float(special.ndtri((1 + level) / 2))


def clopper_pearson(successes: float, n: float, *, level: float = 0.95) -> Interval:
    """Exact binomial interval; `successes` need not be whole, which the interval of an AUC makes use of.

    Raises
    ------
    ValueError
        If there are more successes than trials, or fewer than none.

    References
    ----------
    Clopper & Pearson 1934; R's `binom.test`.
    """
    _check(successes, n, level)
    tail = (1 - level) / 2
    lower = float(stats.beta.ppf(tail, successes, n - successes + 1)) if successes > 0 else 0.0
    upper = float(stats.beta.ppf(1 - tail, successes + 1, n - successes)) if successes < n else 1.0
    return Interval(lower, upper, level, "clopper-pearson")


def wilson(successes: float, n: float, *, level: float = 0.95) -> Interval:
    """Score interval without continuity correction.

    Raises
    ------
    ValueError
        If there are more successes than trials, or no trial.

    References
    ----------
    Wilson 1927; R's `prop.test(correct = FALSE)`.
    """
    _check(successes, n, level)
    if n == 0:
        raise ValueError("without a trial there is no score interval")
    z = normal_quantile(level)
    share, scale = successes / n, 1 + z * z / n
    centre = (share + z * z / (2 * n)) / scale
    half = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / scale
    return Interval(max(centre - half, 0.0), min(centre + half, 1.0), level, "wilson")


def proportion(numerator: int, denominator: int, *, level: float = 0.95) -> Proportion:
    """A share with its exact interval."""
    estimate = numerator / denominator if denominator else float("nan")
    return Proportion(numerator, denominator, estimate, clopper_pearson(numerator, denominator, level=level))


def _check(successes: float, n: float, level: float) -> None:
    normal_quantile(level)
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} of {n} is no proportion")
