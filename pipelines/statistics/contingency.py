"""Tests and measures of tables of counts, and the rule that chooses between them."""

from dataclasses import dataclass
from math import exp, log, sqrt
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from pipelines.statistics.exact import Counts, TooLargeError, freeman_halton, freeman_halton_sampled
from pipelines.statistics.intervals import normal_quantile
from pipelines.statistics.values import Floats, Interval, TestResult

Choice = Literal["chi-square", "exact"]

CHI_SQUARE: Final = "Pearson chi-square"
FISHER: Final = "Fisher exact"
FREEMAN_HALTON: Final = "Freeman-Halton exact"
SAMPLED: Final = "Freeman-Halton, sampled"


@dataclass(frozen=True, slots=True)
class Ratio:
    """An odds ratio with its interval; zero or infinite where a cell is empty."""

    estimate: float
    interval: Interval


def counts(table: ArrayLike) -> Counts:
    """The table as whole numbers, shape (rows, columns).

    Raises
    ------
    ValueError
        If it is no table, is empty, or a cell is negative or no whole number.
    """
    values = np.asarray(table, dtype=np.float64)
    if values.ndim != 2 or not values.sum() > 0 or (values < 0).any() or (values != np.round(values)).any():
        raise ValueError("a table of counts has rows and columns of whole numbers, not all zero")
    return values.astype(np.int64)


def expected(table: ArrayLike) -> Floats:
    """Counts that the margins alone would give; same shape as the table."""
    observed = counts(table)
    return np.asarray(observed.sum(axis=1)[:, None] * observed.sum(axis=0)[None, :] / observed.sum(), dtype=np.float64)


def chi_square(table: ArrayLike) -> TestResult:
    """Pearson's chi-square without continuity correction; rows and columns without a case are left out.

    References
    ----------
    R's `chisq.test(correct = FALSE)`.
    """
    observed = counts(table)
    observed = observed[observed.sum(axis=1) > 0][:, observed.sum(axis=0) > 0]
    margins = expected(observed)
    statistic = float(((observed - margins) ** 2 / margins).sum())
    df = (observed.shape[0] - 1) * (observed.shape[1] - 1)
    return TestResult(CHI_SQUARE, statistic, (df,), float(stats.chi2.sf(statistic, df)) if df else 1.0)


def exact_test(table: ArrayLike, *, seed: int = 0) -> TestResult:
    """Fisher's exact test, for more than two rows or columns in the form of Freeman and Halton.

    A table with too many fellows to count is sampled 100,000 times instead, and the name of the test says so.

    References
    ----------
    R's `fisher.test`.
    """
    observed = counts(table)
    name = FISHER if observed.shape == (2, 2) else FREEMAN_HALTON
    try:
        return TestResult(name, None, None, freeman_halton(observed))
    except TooLargeError:
        return TestResult(SAMPLED, None, None, freeman_halton_sampled(observed, seed=seed))


def cochran_choice(table: ArrayLike) -> Choice:
    """`exact` where more than a fifth of the cells expect fewer than 5 cases, or one expects fewer than 1.

    References
    ----------
    Cochran 1954, Biometrics 10:417.
    """
    margins = expected(table)
    return "exact" if (margins < 5).mean() > 0.2 or (margins < 1).any() else "chi-square"


def compare(table: ArrayLike, *, test: Choice | None = None, seed: int = 0) -> TestResult:
    """Test rows against columns, by `test` or by what `cochran_choice` says."""
    return chi_square(table) if (test or cochran_choice(table)) == "chi-square" else exact_test(table, seed=seed)


def odds_ratio(table: ArrayLike, *, level: float = 0.95) -> Ratio:
    """Odds ratio of a fourfold table [[a, b], [c, d]], ad / bc, with Woolf's interval.

    Raises
    ------
    ValueError
        If the table is not 2 by 2.

    References
    ----------
    Woolf 1955. Equal to the crude odds ratio of a logistic regression with its Wald interval.
    """
    observed = _fourfold(table)
    (a, b), (c, d) = observed.tolist()
    if not observed.all():
        estimate = float("nan") if (a * d, b * c) == (0, 0) else (a * d / (b * c) if b * c else float("inf"))
        return Ratio(estimate, Interval(0.0, float("inf"), level, "woolf"))
    middle, half = log(a * d / (b * c)), normal_quantile(level) * sqrt(1 / a + 1 / b + 1 / c + 1 / d)
    return Ratio(exp(middle), Interval(exp(middle - half), exp(middle + half), level, "woolf"))


def conditional_odds_ratio(table: ArrayLike, *, level: float = 0.95) -> Ratio:
    """Conditional maximum-likelihood odds ratio with its exact interval, as R's `fisher.test` prints it.

    Raises
    ------
    ValueError
        If the table is not 2 by 2.
    """
    result = stats.contingency.odds_ratio(_fourfold(table), kind="conditional")
    interval = result.confidence_interval(level)
    return Ratio(float(result.statistic), Interval(float(interval.low), float(interval.high), level, "conditional"))


def trend(events: ArrayLike, totals: ArrayLike, *, scores: ArrayLike | None = None) -> TestResult:
    """Cochran-Armitage test of a trend of proportions over ordered groups.

    Parameters
    ----------
    events, totals
        Events and cases of each group, shape (k,).
    scores
        Place of each group; 1 .. k by default.

    Raises
    ------
    ValueError
        If a group has more events than cases, or all cases or none are events.

    References
    ----------
    Armitage 1955; R's `prop.trend.test`.
    """
    hits, cases = np.asarray(events, dtype=np.float64), np.asarray(totals, dtype=np.float64)
    places = np.arange(1, hits.size + 1) if scores is None else np.asarray(scores, dtype=np.float64)
    if hits.shape != cases.shape or places.shape != hits.shape or (hits > cases).any() or (hits < 0).any():
        raise ValueError("each group has a score, a number of cases and no more events than cases")
    overall = hits.sum() / cases.sum()
    middle = (cases * places).sum() / cases.sum()
    variance = overall * (1 - overall) * (cases * (places - middle) ** 2).sum()
    if not variance > 0:
        raise ValueError("a trend needs events and others, in groups of different scores")
    statistic = float((hits * (places - middle)).sum() ** 2 / variance)
    return TestResult("Cochran-Armitage trend", statistic, (1.0,), float(stats.chi2.sf(statistic, 1)))


def _fourfold(table: ArrayLike) -> Counts:
    observed = counts(table)
    if observed.shape != (2, 2):
        raise ValueError("an odds ratio needs a table of two rows and two columns")
    return observed
