"""Multiple imputation of one ordered category whose values are missing at random."""

import numpy as np
from numpy.typing import NDArray

from pipelines.statistics.ordinal import fit_ordinal
from pipelines.statistics.survival import Durations, nelson_aalen
from pipelines.statistics.values import Floats


def impute_ordinal(
    level: NDArray[np.int64], predictors: Floats, outcomes: tuple[Durations, ...], *, levels: int, sets: int, seed: int
) -> tuple[NDArray[np.int64], ...]:
    """Complete the category several times over.

    Every set draws the coefficients of a proportional-odds model from their posterior and then each missing level from
    the drawn model, so that the sets differ by all that is not known. The outcomes are part of the model: without them
    the imputed values would know nothing of survival and pull the association towards none.

    Parameters
    ----------
    level
        From 0, or -1 where missing, shape (n,).
    predictors
        Complete covariates, shape (n, k).
    outcomes
        Survival times; each enters as its cumulative hazard and its event indicator.
    levels, sets, seed
        How many levels there are, how many sets to make, and where the random numbers start.

    Returns
    -------
    tuple of arrays
        `sets` completed copies of `level`; the known values are untouched.

    References
    ----------
    Rubin 1987, chapter 5; White & Royston 2009 (Nelson-Aalen estimate and event in the model); McCullagh 1980.
    """
    missing = level < 0
    if not missing.any():
        return tuple(level.copy() for _ in range(sets))
    columns = [predictors, *(_of(outcome) for outcome in outcomes)]
    x = np.column_stack(columns).astype(np.float64)
    x = x[:, x.std(axis=0) > 0]
    x = np.asarray((x - x.mean(axis=0)) / np.std(x, axis=0), dtype=np.float64)
    model = fit_ordinal(level[~missing], x[~missing], levels)
    completed = []
    for stream in np.random.SeedSequence(seed).spawn(sets):
        rng = np.random.default_rng(stream)
        edges = model.draw(rng).probabilities(x[missing]).cumsum(axis=1)
        drawn = (rng.random((int(missing.sum()), 1)) > edges[:, :-1]).sum(axis=1)
        copy = level.copy()
        copy[missing] = drawn
        completed.append(copy)
    return tuple(completed)


def _of(outcome: Durations) -> Floats:
    return np.column_stack([nelson_aalen(outcome), outcome.event.astype(np.float64)])
