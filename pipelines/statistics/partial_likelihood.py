"""The risk sets of Cox's model: what every event contributes to the partial likelihood."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.statistics.survival import Durations
from pipelines.statistics.values import Floats


@dataclass(frozen=True, slots=True)
class Contributions:
    """One row for each of m events.

    Attributes
    ----------
    time
        Of the event, shape (m,).
    log_likelihood
        Sum over the events.
    residual
        Covariates of the one with the event minus their weighted mean among those at risk, shape (m, k).
    variance
        Weighted covariance of the covariates among those at risk, shape (m, k, k).
    """

    time: Floats
    log_likelihood: float
    residual: Floats
    variance: Floats


def contributions(
    durations: Durations, x: Floats, coefficient: Floats, *, efron: bool, strata: NDArray[np.int64] | None = None
) -> Contributions:
    """The contributions at some coefficients, of all strata one after another.

    Parameters
    ----------
    x
        Covariates about their means, shape (n, k).
    efron
        Whether those with an event at one time leave the risk set in equal parts (Efron 1977), or none of them leaves
        before all have (Breslow 1974).
    """
    layers = np.zeros(durations.time.size, dtype=np.int64) if strata is None else strata
    found = [
        _of_one(durations.take(layers == layer), x[layers == layer], coefficient, efron)
        for layer in np.unique(layers)
        if durations.event[layers == layer].any()
    ]
    return Contributions(
        np.concatenate([one.time for one in found]),
        sum(one.log_likelihood for one in found),
        np.concatenate([one.residual for one in found]),
        np.concatenate([one.variance for one in found]),
    )


def _of_one(durations: Durations, x: Floats, coefficient: Floats, efron: bool) -> Contributions:
    order = np.argsort(-durations.time, kind="stable")
    time, event, x = durations.time[order], durations.event[order], x[order]
    linear = x @ coefficient
    weight = np.exp(linear)
    first, second = weight[:, None] * x, weight[:, None, None] * x[:, :, None] * x[:, None, :]
    # the last row of each cumulative sum that still belongs to those at risk
    last = np.searchsorted(-time, -time[event], side="right") - 1
    _, tied, deaths = np.unique(time[event], return_inverse=True, return_counts=True)
    share = _turn(tied, deaths) / deaths[tied] if efron else np.zeros(tied.size)

    def at_risk(values: Floats) -> Floats:
        leaving = np.zeros((deaths.size, *values.shape[1:]))
        np.add.at(leaving, tied, values[event])
        part = share.reshape(-1, *[1] * (values.ndim - 1))
        return np.asarray(values.cumsum(axis=0)[last] - part * leaving[tied])

    s0, s1, s2 = at_risk(weight), at_risk(first), at_risk(second)
    mean = s1 / s0[:, None]
    variance = s2 / s0[:, None, None] - mean[:, :, None] * mean[:, None, :]
    return Contributions(time[event], float(linear[event].sum() - np.log(s0).sum()), x[event] - mean, variance)


def _turn(group: NDArray[np.intp], sizes: NDArray[np.intp]) -> Floats:
    """How many of its group come before each row."""
    order = np.argsort(group, kind="stable")
    turn = np.empty(group.size)
    turn[order] = np.arange(group.size) - np.repeat(sizes.cumsum() - sizes, sizes)
    return turn
