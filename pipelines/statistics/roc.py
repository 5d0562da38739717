"""Receiver operating characteristic: the area with its intervals, the points, Youden's cut-off, two areas compared."""

from dataclasses import dataclass
from math import sqrt
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import special, stats

from pipelines.statistics.intervals import clopper_pearson, normal_quantile
from pipelines.statistics.values import Floats, Interval, Outcome, TestResult, outcome

AucMethod = Literal["delong", "delong-logit", "exact-binomial", "bootstrap"]


@dataclass(frozen=True, slots=True)
class Scored:
    """Scores of cases whose class is known; the higher, the more likely `outcome.event`.

    Attributes
    ----------
    scores
        Shape (n,), finite. Negate scores that fall with the positive class.
    """

    scores: Floats
    outcome: Outcome

    @property
    def positive(self) -> Floats:
        return self.scores[self.outcome.happened]

    @property
    def negative(self) -> Floats:
        return self.scores[~self.outcome.happened]


@dataclass(frozen=True, slots=True)
class Auc:
    """Area under the curve; `variance` is DeLong's whatever the interval is made of."""

    area: float
    variance: float
    interval: Interval
    positive_class: str
    positives: int
    negatives: int


@dataclass(frozen=True, slots=True)
class AucDifference:
    """First area minus second, of two scores of the same cases."""

    difference: float
    interval: Interval
    test: TestResult
    positive_class: str


@dataclass(frozen=True, slots=True)
class RocPoints:
    """The curve for the rule `score >= threshold`, from the strictest to the laxest threshold; shapes (k,)."""

    thresholds: Floats
    sensitivity: Floats
    specificity: Floats
    positive_class: str


@dataclass(frozen=True, slots=True)
class CutOff:
    """One threshold in both conventions.

    Attributes
    ----------
    threshold
        The lowest score that counts as positive, an observed score.
    midpoint
        Half-way to the next lower score, as pROC prints it; minus infinity where there is none.
    """

    threshold: float
    midpoint: float
    sensitivity: float
    specificity: float


@dataclass(frozen=True, slots=True)
class Youden:
    """The cut-off of the largest sensitivity + specificity - 1.

    Attributes
    ----------
    chosen
        Of several that are as good, the one of the highest specificity.
    ties
        All cut-offs of that index, `chosen` first.
    """

    index: float
    chosen: CutOff
    ties: tuple[CutOff, ...]
    positive_class: str


def scored(scores: ArrayLike, labels: ArrayLike, *, positive_class: object) -> Scored:
    """Scores with their labels; a high score speaks for `positive_class`.

    Raises
    ------
    ValueError
        If a score is not finite, numbers differ, or there are not two classes.
    """
    values = np.asarray(scores, dtype=np.float64)
    result = outcome(labels, positive_class=positive_class)
    if values.shape != result.happened.shape or not np.isfinite(values).all():
        raise ValueError("every case needs a finite score and a label")
    return Scored(values, result)


def auc(
    cases: Scored,
    *,
    interval: AucMethod = "delong",
    level: float = 0.95,
    seed: int = 0,
    replicates: int = 2000,
) -> Auc:
    """Area under the curve, ties counted half, with an interval.

    `delong` is cut to [0, 1]; `delong-logit` is made on the scale of the logit; `exact-binomial` treats area x n as a
    count, as MedCalc does; `bootstrap` draws cases within each class, seeded, and takes percentiles.

    References
    ----------
    DeLong, DeLong & Clarke-Pearson 1988; Sun & Xu 2014; Pepe 2003, section 5.2.3 (logit).
    """
    area, from_positive, from_negative = _components(cases)
    variance = _variance(from_positive, from_positive) + _variance(from_negative, from_negative)
    n_positive, n_negative = cases.positive.size, cases.negative.size
    if interval == "exact-binomial":
        limits = exact_binomial(area, n_positive + n_negative, level=level)
    elif interval == "bootstrap":
        limits = _bootstrap(cases, level=level, seed=seed, replicates=replicates)
    elif interval == "delong-logit" and 0 < area < 1:
        half = normal_quantile(level) * sqrt(variance) / (area * (1 - area))
        middle = special.logit(area)
        limits = Interval(float(special.expit(middle - half)), float(special.expit(middle + half)), level, interval)
    else:
        half = normal_quantile(level) * sqrt(variance)
        limits = Interval(max(area - half, 0.0), min(area + half, 1.0), level, interval)
    return Auc(area, variance, limits, cases.outcome.event, n_positive, n_negative)


def exact_binomial(area: float, n: int, *, level: float = 0.95) -> Interval:
    """Clopper-Pearson interval for area x n of n, which needs no scores: it can be made from a printed AUC."""
    made = clopper_pearson(area * n, n, level=level)
    return Interval(made.lower, made.upper, level, "exact-binomial")


def compare_paired(first: Scored, second: Scored, *, level: float = 0.95) -> AucDifference:
    """Compare two areas of the same cases.

    Raises
    ------
    ValueError
        If the two do not score the same cases for the same class.

    References
    ----------
    DeLong, DeLong & Clarke-Pearson 1988; pROC's `roc.test(paired = TRUE)`.
    """
    if first.outcome.event != second.outcome.event or not np.array_equal(
        first.outcome.happened, second.outcome.happened
    ):
        raise ValueError("a paired comparison needs the same cases and the same positive class")
    area_1, positive_1, negative_1 = _components(first)
    area_2, positive_2, negative_2 = _components(second)
    deviations = positive_1 - positive_2, negative_1 - negative_2
    variance = sum(_variance(values, values) for values in deviations)
    difference = area_1 - area_2
    half = normal_quantile(level) * sqrt(variance)
    z = difference / sqrt(variance) if variance > 0 else 0.0
    p = float(2 * stats.norm.sf(abs(z)))
    return AucDifference(
        difference,
        Interval(difference - half, difference + half, level, "delong"),
        TestResult("DeLong paired", z, None, p),
        first.outcome.event,
    )


def roc_points(cases: Scored) -> RocPoints:
    """Sensitivity and specificity at every observed score, and of the rule that calls nobody positive."""
    thresholds = np.concatenate([[np.inf], np.unique(cases.scores)[::-1]])
    above = np.sort(cases.positive), np.sort(cases.negative)
    missed, spared = (np.searchsorted(values, thresholds, side="left") / values.size for values in above)
    return RocPoints(thresholds, 1 - missed, spared, cases.outcome.event)


def youden(cases: Scored) -> Youden:
    """The cut-off that maximises sensitivity + specificity - 1.

    References
    ----------
    Youden 1950. pROC's `coords(x = "best")` prints the midpoint.
    """
    points = roc_points(cases)
    # whole numbers: a tie must not be decided by the last bit of a quotient
    positives, negatives = cases.positive.size, cases.negative.size
    gains = np.rint(points.sensitivity * positives) * negatives + np.rint(points.specificity * negatives) * positives
    best = np.flatnonzero(gains == gains.max())
    lower = np.append(points.thresholds[1:], -np.inf)
    # the midpoint lies below the threshold: everything from the threshold upwards is positive
    middles = np.where(np.isfinite(points.thresholds), (points.thresholds + lower) / 2, np.inf)
    found = tuple(
        CutOff(
            float(points.thresholds[index]),
            float(middles[index]),
            float(points.sensitivity[index]),
            float(points.specificity[index]),
        )
        for index in sorted(best, key=lambda index: -points.specificity[index])
    )
    index = float(gains.max() / (positives * negatives) - 1)
    return Youden(index, found[0], found, cases.outcome.event)


def _components(cases: Scored) -> tuple[float, Floats, Floats]:
    """The area, and the placements of positive and negative cases by mid-ranks (V10 and V01)."""
    positive, negative = cases.positive, cases.negative
    m, n = positive.size, negative.size
    together = stats.rankdata(np.concatenate([positive, negative]))
    from_positive = (together[:m] - stats.rankdata(positive)) / n
    from_negative = 1 - (together[m:] - stats.rankdata(negative)) / m
    return float(from_positive.mean()), from_positive, from_negative


def _variance(first: Floats, second: Floats) -> float:
    """Covariance of two means of placements; a class of one case tells nothing of its spread."""
    if first.size < 2:
        return 0.0
    return float(((first - first.mean()) * (second - second.mean())).sum() / (first.size - 1) / first.size)


def _bootstrap(cases: Scored, *, level: float, seed: int, replicates: int) -> Interval:
    generator = np.random.default_rng(seed)
    positive, negative = cases.positive, cases.negative
    areas = np.empty(replicates)
    for index in range(replicates):
        drawn = generator.choice(positive, positive.size), np.sort(generator.choice(negative, negative.size))
        below = np.searchsorted(drawn[1], drawn[0], side="left") + np.searchsorted(drawn[1], drawn[0], side="right")
        areas[index] = below.sum() / (2 * positive.size * negative.size)
    tail = (1 - level) / 2
    lower, upper = np.quantile(areas, [tail, 1 - tail])
    return Interval(float(lower), float(upper), level, "bootstrap")
