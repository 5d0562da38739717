"""The Kaplan-Meier estimate with what is read off it: quantiles, numbers at risk and restricted mean."""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from pipelines.statistics.values import Floats

IntervalKind = Literal["log-log", "log", "plain"]
"""Scale on which the interval of a survival probability is symmetric."""

# survival probabilities are products of up to thousands of factors; R compares them with this tolerance too
_SAME: Final = 1e-8


@dataclass(frozen=True, slots=True)
class Durations:
    """Times to an event or to the end of observation.

    Attributes
    ----------
    time
        Not negative, shape (n,), one unit throughout.
    event
        Whether the event was seen at that time, or only that it had not come until then (censored), shape (n,).

    Raises
    ------
    ValueError
        When the shapes differ, a time is negative or not finite, or there is none.
    """

    time: Floats
    event: NDArray[np.bool_]

    def __post_init__(self) -> None:
        if self.time.ndim != 1 or self.time.shape != self.event.shape:
            raise ValueError("times and events must be vectors of one length")
        if not self.time.size:
            raise ValueError("there is no time to analyse")
        if not np.isfinite(self.time).all() or (self.time < 0).any():
            raise ValueError("a time is negative or not a number")

    def take(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> "Durations":
        """Those of some patients."""
        return Durations(self.time[rows], self.event[rows])

    def reversed(self) -> "Durations":
        """Censoring taken for the event: what the reverse Kaplan-Meier estimate of the follow-up needs."""
        return Durations(self.time, ~self.event)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its confidence interval; NaN where it is not reached."""

    value: float
    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class SurvivalCurve:
    """Kaplan-Meier estimate at every distinct time, events and censorings alike.

    Attributes
    ----------
    time
        Distinct times, ascending, shape (k,).
    at_risk, events, censored
        Patients still observed just before each time, and what happens at it.
    survival, standard_error
        S(t) and Greenwood's standard error of S(t).
    lower, upper
        Pointwise limits; NaN where the survival is 0, as R says it.
    """

    time: Floats
    at_risk: NDArray[np.int64]
    events: NDArray[np.int64]
    censored: NDArray[np.int64]
    survival: Floats
    standard_error: Floats
    lower: Floats
    upper: Floats
    kind: IntervalKind
    level: float

    def at(self, times: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """Survival, its standard error and its limits at any times."""
        place = np.searchsorted(self.time, times, side="right")

        def step(values: Floats, before: float) -> Floats:
            return np.concatenate([[before], values])[place]

        return (
            step(self.survival, 1.0),
            step(self.standard_error, 0.0),
            step(self.lower, 1.0),
            step(self.upper, 1.0),
        )

    def number_at_risk(self, times: Floats) -> NDArray[np.int64]:
        """Patients whose observation reaches each of `times`."""
        place = np.searchsorted(self.time, times, side="left")
        return np.concatenate([self.at_risk, [0]])[place]

    def quantile(self, share: float) -> Estimate:
        """Time by which `share` of the patients have had the event, by inversion of the curve and of its limits.

        Where the curve is level at exactly `1 - share`, the middle of that stretch, as R's survfit answers.
        """
        return Estimate(
            _crossing(self.time, self.survival, 1 - share),
            _crossing(self.time, self.lower, 1 - share),
            _crossing(self.time, self.upper, 1 - share),
        )

    def median(self) -> Estimate:
        """Time by which half of the patients have had the event."""
        return self.quantile(0.5)

    def restricted_mean(self, horizon: float) -> tuple[float, float]:
        """Mean time without the event up to `horizon`, and its standard error.

        References
        ----------
        Klein & Moeschberger, Survival Analysis (2003), eq. 4.5.1 and 4.5.2; equal to R's print(survfit, rmean=).
        """
        inside = self.time < horizon
        edges = np.concatenate([[0.0], self.time[inside], [horizon]])
        heights = np.concatenate([[1.0], self.survival[inside]])
        areas = np.diff(edges) * heights
        # area to the right of every event time
        rest = areas[::-1].cumsum()[::-1][1:]
        n, d = self.at_risk[inside].astype(float), self.events[inside].astype(float)
        with np.errstate(divide="ignore", invalid="ignore"):
            hazard_variance = np.where(n > d, d / (n * (n - d)), 0.0)
        return float(areas.sum()), float(np.sqrt((rest**2 * hazard_variance).sum()))


def _crossing(time: Floats, level: Floats, goal: float) -> float:
    if np.isnan(level).all():
        return float("nan")
    # a limit that is undefined where survival has reached 0 goes on as it was
    below = np.flatnonzero(level <= goal + _SAME)
    if not below.size:
        return float("nan")
    first = below[0]
    if abs(level[first] - goal) > _SAME:
        return float(time[first])
    lower = np.flatnonzero(level < goal - _SAME)
    return float((time[first] + time[lower[0]]) / 2) if lower.size else float(time[first])


def kaplan_meier(durations: Durations, kind: IntervalKind = "log-log", level: float = 0.95) -> SurvivalCurve:
    """Estimate the share that has not had the event yet.

    Parameters
    ----------
    durations
        At least one patient.
    kind
        Scale of the interval. `log-log` keeps it inside 0 to 1 and is right for small groups; `log` is R's default and
        `plain` that of SPSS.
    level
        Confidence level.

    References
    ----------
    Kaplan & Meier 1958; Greenwood 1926; Kalbfleisch & Prentice 2002, section 1.4.2.
    """
    time, place = np.unique(durations.time, return_inverse=True)
    events = np.bincount(place, weights=durations.event, minlength=time.size).astype(np.int64)
    leaving = np.bincount(place, minlength=time.size).astype(np.int64)
    at_risk = (leaving[::-1].cumsum()[::-1]).astype(np.int64)
    survival = np.cumprod(1 - events / at_risk).astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = np.cumsum(events / (at_risk * (at_risk - events)))
        relative = np.sqrt(variance)
        error = np.where(survival > 0, survival * relative, 0.0).astype(np.float64)
        z = norm.ppf((1 + level) / 2)
        match kind:
            case "plain":
                lower, upper = survival - z * error, survival + z * error
            case "log":
                lower, upper = survival * np.exp(-z * relative), survival * np.exp(z * relative)
            case "log-log":
                width = z * relative / np.log(survival)
                inner = np.log(-np.log(survival))
                lower, upper = np.exp(-np.exp(inner - width)), np.exp(-np.exp(inner + width))
    lower = np.clip(lower, 0, 1).astype(np.float64)
    upper = np.clip(upper, 0, 1).astype(np.float64)
    untouched = survival >= 1
    lower[untouched] = upper[untouched] = 1.0
    lower[survival <= 0] = upper[survival <= 0] = np.nan
    return SurvivalCurve(time, at_risk, events, leaving - events, survival, error, lower, upper, kind, level)


def median_follow_up(durations: Durations, kind: IntervalKind = "log-log") -> Estimate:
    """Median of the potential follow-up by the reverse Kaplan-Meier estimate (Schemper & Smith 1996)."""
    return kaplan_meier(durations.reversed(), kind).median()


def nelson_aalen(durations: Durations) -> Floats:
    """Cumulative hazard at each patient's own time, shape (n,)."""
    curve = kaplan_meier(durations)
    hazard = np.cumsum(curve.events / curve.at_risk)
    return np.asarray(hazard[np.searchsorted(curve.time, durations.time)], dtype=np.float64)


def landmark(durations: Durations, at: float) -> tuple[NDArray[np.bool_], Durations]:
    """Patients who are still without the event and observed at a landmark, with times counted from it.

    References
    ----------
    Anderson, Cain & Gelber 1983: the way around comparing survival between groups that survival itself has made.
    """
    rows = durations.time >= at
    if not rows.any():
        raise ValueError("no patient is observed until the landmark")
    return rows, Durations(durations.time[rows] - at, durations.event[rows])
