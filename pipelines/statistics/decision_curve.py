"""Decision curve analysis: what a model is worth at each threshold, and what it gains over treating all or none."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from pipelines.statistics.values import Flags, Floats, Outcome


@dataclass(frozen=True, slots=True)
class DecisionCurve:
    """Net benefit per patient; all arrays have the shape of `thresholds`.

    Attributes
    ----------
    gain
        Net benefit of the model beyond the better of treating all and treating none.
    avoided
        Net interventions avoided per patient in comparison with treating all; NaN at threshold 0.
    lower, upper
        Limits of `gain` by bootstrap; None where none was asked for.
    """

    event: str
    thresholds: Floats
    model: Floats
    treat_all: Floats
    gain: Floats
    avoided: Floats
    lower: Floats | None
    upper: Floats | None

    @property
    def useful(self) -> tuple[tuple[float, float], ...]:
        """First and last threshold of each run of thresholds at which the model gains."""
        return _runs(self.thresholds, self.gain > 0)

    @property
    def surely_useful(self) -> tuple[tuple[float, float], ...]:
        """The same for thresholds at which the lower limit of the gain is above zero; none without limits."""
        return () if self.lower is None else _runs(self.thresholds, self.lower > 0)

    @property
    def best(self) -> float:
        """The threshold of the largest gain, the lowest of several."""
        return float(self.thresholds[int(self.gain.argmax())])


def decision_curve(
    probabilities: ArrayLike,
    outcome: Outcome,
    *,
    thresholds: ArrayLike | None = None,
    replicates: int = 0,
    seed: int = 0,
    level: float = 0.95,
) -> DecisionCurve:
    """Net benefit of treating those whose probability is at least the threshold.

    Parameters
    ----------
    probabilities
        Of the event, shape (n,), within 0 and 1.
    thresholds
        From 0 inclusive to 1 exclusive, ascending; 0.01 to 0.99 in steps of 0.01 by default.
    replicates
        Draws of the bootstrap that makes the limits of the gain; 0 makes none.

    Raises
    ------
    ValueError
        If a probability or threshold is out of range.

    References
    ----------
    Vickers & Elkin 2006, Med Decis Making 26:565; dcurves 1.1.7.
    """
    chances = np.asarray(probabilities, dtype=np.float64)
    at = np.arange(1, 100) / 100 if thresholds is None else np.asarray(thresholds, dtype=np.float64)
    if chances.shape != outcome.happened.shape or not ((chances >= 0) & (chances <= 1)).all():
        raise ValueError("every case needs a probability between 0 and 1")
    if at.size == 0 or not ((at >= 0) & (at < 1)).all() or (np.diff(at) <= 0).any():
        raise ValueError("thresholds ascend from 0 to below 1")
    model, treat_all = _net_benefit(chances, outcome.happened, at)
    lower = upper = None
    if replicates:
        generator = np.random.default_rng(seed)
        gains = np.empty((replicates, at.size))
        for index in range(replicates):
            rows = generator.integers(0, outcome.n, outcome.n)
            drawn, everyone = _net_benefit(chances[rows], outcome.happened[rows], at)
            gains[index] = drawn - np.maximum(everyone, 0)
        lower, upper = np.quantile(gains, [(1 - level) / 2, (1 + level) / 2], axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        avoided = np.where(at > 0, (model - treat_all) * (1 - at) / at, np.nan)
    return DecisionCurve(outcome.event, at, model, treat_all, model - np.maximum(treat_all, 0), avoided, lower, upper)


def _net_benefit(chances: Floats, happened: Flags, at: Floats) -> tuple[Floats, Floats]:
    """Net benefit of the model and of treating all."""
    n, odds = chances.size, at / (1 - at)
    true, false = (
        values.size - np.searchsorted(np.sort(values), at, side="left")
        for values in (chances[happened], chances[~happened])
    )
    prevalence = happened.mean()
    return true / n - false / n * odds, np.asarray(prevalence - (1 - prevalence) * odds)


def _runs(thresholds: Floats, good: Flags) -> tuple[tuple[float, float], ...]:
    edges = np.diff(np.concatenate([[0], good.astype(np.int8), [0]]))
    pairs = zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1) - 1, strict=True)
    return tuple((float(thresholds[first]), float(thresholds[last])) for first, last in pairs)
