"""The score test of proportional hazards."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2, rankdata

from pipelines.statistics.cox import CoxModel
from pipelines.statistics.partial_likelihood import contributions
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
    k = x.shape[1]
    found = contributions(durations, x, model.coefficient, efron=model.ties == "efron", strata=strata)
    by_time = dict(zip(durations.time.tolist(), _scaled(durations, scale).tolist(), strict=True))
    g = np.array([by_time[time] for time in found.time.tolist()])
    # the test does not depend on where g has its zero, and rounding is least with it in the middle
    g = g - g.mean()
    score = np.concatenate([found.residual.sum(axis=0), (g[:, None] * found.residual).sum(axis=0)])
    plain, once, twice = (np.tensordot(weight, found.variance, axes=1) for weight in (np.ones_like(g), g, g**2))
    information = np.block([[plain, once], [once, twice]])
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
