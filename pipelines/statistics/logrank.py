"""The log-rank test for two or more groups, with or without strata."""

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2
from statsmodels.duration.survfunc import survdiff

from pipelines.statistics.survival import Durations


@dataclass(frozen=True, slots=True)
class LogRank:
    """Test that the groups have one survival curve."""

    chi_square: float
    degrees_of_freedom: int
    p: float


def log_rank(durations: Durations, group: NDArray[np.int64], strata: NDArray[np.int64] | None = None) -> LogRank:
    """Compare the survival of the groups.

    Parameters
    ----------
    durations
        Times and events of all groups together.
    group
        Number of the group of every patient.
    strata
        Number of the stratum of every patient; events are only compared within one.

    Raises
    ------
    ValueError
        With fewer than two groups, or without a single event.

    References
    ----------
    Mantel 1966; equal to R's survdiff with rho = 0.
    """
    groups = np.unique(group).size
    if groups < 2:
        raise ValueError("a log-rank test needs two groups")
    if not durations.event.any():
        raise ValueError("a log-rank test needs events")
    with warnings.catch_warnings():
        # a stratum without events tells nothing and divides by nothing
        warnings.simplefilter("ignore", RuntimeWarning)
        statistic, _ = survdiff(durations.time, durations.event.astype(int), group, strata=strata)
    return LogRank(float(statistic), groups - 1, float(chi2.sf(statistic, groups - 1)))
