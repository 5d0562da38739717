"""The score test of proportional hazards."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2, rankdata

from pipelines.statistics.cox import CoxModel
from pipelines.statistics.survival import Durations, kaplan_meier
from pipelines.statistics.values import Floats

TimeScale = Literal["km", "identity", "log", "rank"]
"""Function of time along which a coefficient may change."""


@dataclass(frozen=True, slots=True)
class ProportionalityTest:
    """Whether one term's hazard ratio stays the same over time."""

    term: str
    chi_square: float
    degrees_of_freedom: int
    p: float


def _scaled(durations: Durations, scale: TimeScale) -> Floats:
    time = durations.time
    match scale:
        case "identity":
            return time.astype(np.float64)
        case "log":
            if (time <= 0).any():
                raise ValueError("the logarithm of a time of 0 does not exist; choose another scale")
            return np.asarray(np.log(time), dtype=np.float64)
        case "rank":
            return np.asarray(rankdata(time), dtype=np.float64)
        case "km":
            curve = kaplan_meier(durations)
            before = np.concatenate([[1.0], curve.survival])
            return np.asarray(1 - before[np.searchsorted(curve.time, time, side="left")], dtype=np.float64)


def proportional_hazards(
    durations: Durations,
    covariates: Floats,
    model: CoxModel,
    *,
    scale: TimeScale = "km",
    together: Mapping[str, Sequence[int]] | None = None,
    strata: NDArray[np.int64] | None = None,
) -> tuple[ProportionalityTest, ...]:
    """Test each term, then all of them (`GLOBAL`).

    Parameters
    ----------
    durations, covariates, strata
        What `model` was fitted to.
    scale
        Time scale g(t) of the alternative beta(t) = beta + gamma g(t).
    together
        Columns that form one term, such as the levels of a category; each column is one by default.

    Returns
    -------
    tuple of ProportionalityTest
        One for each term and one for all.

    References
    ----------
    Grambsch & Therneau 1994, as a score test of gamma = 0; equal to R's cox.zph since survival 3.0.
    """
    x = covariates - covariates.mean(axis=0)
    risk = np.exp(x @ model.coefficient)
    g = _scaled(durations, scale)
    # gamma's test does not depend on where g has its zero, and rounding is least with it in the middle
    g = g - g[durations.event].mean()
    k = x.shape[1]
    score, information = np.zeros(2 * k), np.zeros((2 * k, 2 * k))
    layers = np.zeros(durations.time.size, dtype=np.int64) if strata is None else strata
    for layer in np.unique(layers):
        rows = layers == layer
        _add_layer(durations.take(rows), x[rows], risk[rows], g[rows], model.ties == "efron", score, information)
    terms = together or {name: [column] for column, name in enumerate(model.terms)}
    base = list(range(k))
    tests = [_test(name, [*base, *(k + c for c in columns)], k, score, information) for name, columns in terms.items()]
    return (*tests, _test("GLOBAL", list(range(2 * k)), k, score, information))


def _test(name: str, rows: list[int], k: int, score: Floats, information: Floats) -> ProportionalityTest:
    u = score[rows].copy()
    # at the estimate the score of the coefficients themselves is 0
    u[:k] = 0
    statistic = float(u @ np.linalg.solve(information[np.ix_(rows, rows)], u))
    return ProportionalityTest(name, statistic, len(rows) - k, float(chi2.sf(statistic, len(rows) - k)))


def _add_layer(
    durations: Durations, x: Floats, risk: Floats, g: Floats, efron: bool, score: Floats, information: Floats
) -> None:
    k = x.shape[1]
    for time in np.unique(durations.time[durations.event]):
        at_risk = durations.time >= time
        dying = durations.event & (durations.time == time)
        deaths = int(dying.sum())
        here = g[np.flatnonzero(dying)[0]]
        all_sums = _sums(x[at_risk], risk[at_risk])
        dying_sums = _sums(x[dying], risk[dying])
        for step in range(deaths):
            share = step / deaths if efron else 0.0
            s0, s1, s2 = (whole - share * part for whole, part in zip(all_sums, dying_sums, strict=True))
            mean = s1 / s0
            variance = s2 / s0 - np.outer(mean, mean)
            residual = x[dying].sum(axis=0) / deaths - mean
            score[:k] += residual
            score[k:] += here * residual
            information[:k, :k] += variance
            information[:k, k:] += here * variance
            information[k:, :k] += here * variance
            information[k:, k:] += here**2 * variance


def _sums(x: Floats, risk: Floats) -> tuple[Floats, Floats, Floats]:
    weighted = x * risk[:, None]
    return np.asarray(risk.sum()), weighted.sum(axis=0), x.T @ weighted
