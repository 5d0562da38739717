"""Agreement of readers: intraclass correlation in six forms, for one measure or a thousand, and overlap of masks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from pipelines.statistics.values import Flags, Floats

Form = Literal["ICC1", "ICC2", "ICC3", "ICC1k", "ICC2k", "ICC3k"]
"""Shrout & Fleiss: one-way; two-way with random readers (absolute agreement); with fixed readers (consistency); of one
reading, or of the mean of k."""
FORMS: Final[tuple[Form, ...]] = get_args(Form)
Rule = Literal["estimate", "lower"]
_ROUNDING: Final = 1e-26


@dataclass(frozen=True, slots=True)
class Icc:
    """Intraclass correlations of any number of measures; all arrays have the shape of the measures, () for one.

    Attributes
    ----------
    f, df, p
        The F test of no agreement beyond chance.
    """

    form: Form
    estimate: Floats
    lower: Floats
    upper: Floats
    f: Floats
    df: tuple[int, int]
    p: Floats
    level: float
    subjects: int
    readers: int


@dataclass(frozen=True, slots=True)
class FeatureAgreement:
    """The agreement of two readings of many features.

    Attributes
    ----------
    kept
        Whether a feature passes, in the order of `names`.
    threshold, rule
        A feature passes whose estimate, or lower limit, lies above the threshold.
    """

    names: tuple[str, ...]
    icc: Icc
    kept: Flags
    threshold: float
    rule: Rule

    @property
    def kept_names(self) -> tuple[str, ...]:
        return tuple(name for name, keep in zip(self.names, self.kept, strict=True) if keep)


def icc(ratings: ArrayLike, form: Form = "ICC2", *, level: float = 0.95) -> Icc:
    """Intraclass correlation with F test and confidence interval.

    Parameters
    ----------
    ratings
        Shape (subjects, readers, ...); what follows are measures that are treated alike, such as features.

    Returns
    -------
    Icc
        NaN where all ratings of a measure are equal, which tells nothing of agreement.

    Raises
    ------
    ValueError
        If there are fewer than two subjects or readers, or a rating is missing.

    References
    ----------
    Shrout & Fleiss 1979, Psychol Bull 86:420; McGraw & Wong 1996; psych's `ICC`.
    """
    values = np.asarray(ratings, dtype=np.float64)
    if values.ndim < 2 or min(values.shape[:2]) < 2 or not np.isfinite(values).all():
        raise ValueError("agreement needs two subjects and two readers at least, and no rating missing")
    n, k = values.shape[:2]
    between, within, readers, error = _mean_squares(values)
    residual = within if form.startswith("ICC1") else error
    df = (n - 1, n * (k - 1) if form.startswith("ICC1") else (n - 1) * (k - 1))
    tail = (1 - level) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        f = between / residual
        if form.startswith("ICC2"):
            single = (between - error) / (between + (k - 1) * error + k * (readers - error) / n)
            lower, upper = _limits_of_random_readers(between, readers, error, n, k, tail)
        else:
            single = (between - residual) / (between + (k - 1) * residual)
            low, high = f / stats.f.isf(tail, *df), f * stats.f.isf(tail, df[1], df[0])
            lower, upper = (low - 1) / (low + k - 1), (high - 1) / (high + k - 1)
        # without any disagreement but rounding, 0 / 0 would say nothing of the limits
        apart = within if not form.startswith("ICC3") else error
        same = (between > 0) & (apart < _ROUNDING * between)
        found = [np.where(same, 1.0, value) for value in (single, lower, upper)]
        if form.endswith("k"):
            # Spearman-Brown: the reliability of a mean of k from that of one
            found = [one * k / (1 + one * (k - 1)) for one in found]
        p = stats.f.sf(f, *df)
    estimate, *bounds = (np.asarray(one, dtype=np.float64) for one in found)
    return Icc(form, estimate, bounds[0], bounds[1], np.asarray(f), df, np.asarray(p), level, n, k)


def feature_agreement(
    first: ArrayLike,
    second: ArrayLike,
    names: Sequence[str],
    *,
    form: Form = "ICC2",
    threshold: float = 0.8,
    rule: Rule = "estimate",
    level: float = 0.95,
) -> FeatureAgreement:
    """Which features two readers measure alike.

    Parameters
    ----------
    first, second
        The same cases in the same order, shape (cases, features).
    threshold
        A feature at the threshold is dropped (Dong & Chen 2025: ICC of 0.8 or less).

    Raises
    ------
    ValueError
        If the readings or the names differ in number, or a value is missing.
    """
    one, other = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if one.ndim != 2 or one.shape != other.shape or one.shape[1] != len(names):
        raise ValueError("both readers need the same cases and the same features")
    found = icc(np.stack([one, other], axis=1), form, level=level)
    # a feature that never varies has no agreement to show; NaN compares as not above
    kept = np.asarray((found.estimate if rule == "estimate" else found.lower) > threshold)
    return FeatureAgreement(tuple(names), found, kept, threshold, rule)


def dice(first: ArrayLike, second: ArrayLike) -> float:
    """Overlap of two masks of the same grid, 0 to 1; two empty masks agree wholly.

    Raises
    ------
    ValueError
        If the masks differ in shape.

    References
    ----------
    Dice 1945.
    """
    one, other = np.asarray(first, dtype=np.bool_), np.asarray(second, dtype=np.bool_)
    if one.shape != other.shape:
        raise ValueError("masks of different grids do not overlap")
    together = int(one.sum()) + int(other.sum())
    return 2 * int((one & other).sum()) / together if together else 1.0


def _mean_squares(values: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Mean squares between subjects, within them, between readers, and of the residual."""
    n, k = values.shape[:2]
    # far from zero the squares would cost the digits in which readers differ
    values = values - values.mean(axis=(0, 1))
    of_subject, of_reader = values.mean(axis=1, keepdims=True), values.mean(axis=0, keepdims=True)
    between = k * (of_subject**2).sum(axis=(0, 1)) / (n - 1)
    within = ((values - of_subject) ** 2).sum(axis=(0, 1)) / (n * (k - 1))
    readers = n * (of_reader**2).sum(axis=(0, 1)) / (k - 1)
    error = ((values - of_subject - of_reader) ** 2).sum(axis=(0, 1)) / ((n - 1) * (k - 1))
    return between, within, readers, error


def _limits_of_random_readers(
    between: Floats, readers: Floats, error: Floats, n: int, k: int, tail: float
) -> tuple[Floats, Floats]:
    """Limits of ICC2 with Satterthwaite's degrees of freedom."""
    ratio = readers / error
    single = (between - error) / (between + (k - 1) * error + k * (readers - error) / n)
    own = n * (1 + (k - 1) * single) - k * single
    upper_df = (k - 1) * (n - 1) * (k * single * ratio + own) ** 2
    lower_df = (n - 1) * k**2 * single**2 * ratio**2 + own**2
    df = upper_df / lower_df
    low, high = stats.f.isf(tail, n - 1, df), stats.f.isf(tail, df, n - 1)
    rest = k * readers + (k * n - k - n) * error
    return (
        n * (between - low * error) / (low * rest + n * between),
        n * (high * between - error) / (rest + n * high * between),
    )
