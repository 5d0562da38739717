"""Points for every value of every term of a model, whose sum is read as a probability."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from pipelines.statistics.pretty import pretty
from pipelines.statistics.values import Floats

TICKS: Final = 10
MOST_POINTS: Final = 100.0


@dataclass(frozen=True, slots=True)
class Effect:
    """What values of one term add to the linear predictor.

    Attributes
    ----------
    values
        Numbers or levels as they are printed along the axis.
    contributions
        Coefficient times value, shape (len(values),).
    """

    name: str
    values: tuple[str, ...]
    contributions: Floats


@dataclass(frozen=True, slots=True)
class Axis:
    """The axis of one term; `points` has one value for each of `values`."""

    name: str
    values: tuple[str, ...]
    points: Floats


@dataclass(frozen=True, slots=True)
class Scale:
    """An axis below the total points: `values` and the total at which each stands."""

    name: str
    values: Floats
    totals: Floats


@dataclass(frozen=True, slots=True)
class Nomogram:
    """Axes of points.

    Attributes
    ----------
    unit
        Points for one unit of the linear predictor.
    at_zero
        Linear predictor at a total of zero points.
    total
        Ticks of the total points.
    linear_predictor
        Its round values and their totals.
    """

    axes: tuple[Axis, ...]
    unit: float
    at_zero: float
    total: Floats
    linear_predictor: Scale

    def totals(self, linear_predictor: ArrayLike) -> Floats:
        """Total points of linear predictors, any shape."""
        return np.asarray((np.asarray(linear_predictor, dtype=np.float64) - self.at_zero) * self.unit)

    def probabilities(self, totals: ArrayLike) -> Floats:
        """Probability of the event at total points, of a logistic model."""
        return np.asarray(special.expit(self.at_zero + np.asarray(totals, dtype=np.float64) / self.unit))

    def survival(self, totals: ArrayLike, *, baseline: float) -> Floats:
        """Survival at total points, of a Cox model whose survival at linear predictor 0 is `baseline`."""
        relative = np.exp(self.at_zero + np.asarray(totals, dtype=np.float64) / self.unit)
        return np.asarray(baseline**relative)

    def probability_scale(self, name: str, at: ArrayLike) -> Scale:
        """The axis of the event's probability, for those of `at` that the linear predictor's axis reaches."""
        values = np.asarray(at, dtype=np.float64)
        return self._scale(name, values, np.asarray(special.logit(values)))

    def survival_scale(self, name: str, at: ArrayLike, *, baseline: float) -> Scale:
        """The axis of the survival at one time, for those of `at` that the linear predictor's axis reaches."""
        values = np.asarray(at, dtype=np.float64)
        return self._scale(name, values, np.log(np.log(values) / np.log(baseline)))

    def _scale(self, name: str, values: Floats, predictors: Floats) -> Scale:
        reach = self.linear_predictor.values
        inside = (predictors >= reach[0]) & (predictors <= reach[-1])
        return Scale(name, values[inside], self.totals(predictors[inside]))


def number_effect(name: str, coefficient: float, low: float, high: float) -> Effect:
    """The effect of a number over round values that cover `low` to `high`."""
    values = pretty(low, high, TICKS)
    return Effect(name, tuple(f"{value:.10g}" for value in values), coefficient * values)


def level_effect(name: str, levels: Sequence[str], contributions: ArrayLike) -> Effect:
    """The effect of each level; that of the reference is 0."""
    return Effect(name, tuple(levels), np.asarray(contributions, dtype=np.float64))


def nomogram(effects: Sequence[Effect], *, intercept: float, predictors: ArrayLike) -> Nomogram:
    """Points of each effect: 100 for the widest axis, in proportion for the others, 0 at the lowest of each.

    Parameters
    ----------
    intercept
        Of the logistic model; minus the centre of a Cox model.
    predictors
        Linear predictors of the cases, whose range gives the axis of the linear predictor; shape (n,).

    Raises
    ------
    ValueError
        If no term has an effect.

    References
    ----------
    Kattan; Harrell 2015, section 11.6; rms's `nomogram`, equal but for the probability axis, which rms interpolates.
    """
    ranges = [float(np.ptp(effect.contributions)) for effect in effects]
    if not effects or max(ranges) == 0:
        raise ValueError("a nomogram needs a term with an effect")
    unit = MOST_POINTS / max(ranges)
    axes = tuple(
        Axis(effect.name, effect.values, (effect.contributions - effect.contributions.min()) * unit)
        for effect in effects
    )
    at_zero = intercept + sum(float(effect.contributions.min()) for effect in effects)
    cases = np.asarray(predictors, dtype=np.float64)
    ticks = pretty(float(cases.min()), float(cases.max()), TICKS)
    most = MOST_POINTS if len(effects) == 1 else max(MOST_POINTS, float(unit * (ticks[-1] - at_zero)))
    scale = Scale("linear predictor", ticks, (ticks - at_zero) * unit)
    return Nomogram(axes, unit, at_zero, pretty(0, most, TICKS), scale)
