"""How many patients a prediction model needs, and how far a cohort falls short of it."""

from dataclasses import dataclass
from math import ceil, exp, log
from typing import Final

import numpy as np
from scipy import stats

from pipelines.statistics.values import Floats

_SHRINKAGE: Final = 0.9
_DIFFERENCE: Final = 0.05
_MARGIN: Final = 0.05
NAGELKERKE: Final = 0.15
"""Share of the largest R2 that Riley et al. advise to expect where no earlier model is known."""


@dataclass(frozen=True, slots=True)
class SampleSize:
    """Riley's three criteria for a binary outcome.

    Attributes
    ----------
    parameters, prevalence, r2
        What it was computed for; `r2` is Cox and Snell's.
    shrinkage
        Patients for an expected shrinkage of at least 0.9.
    difference
        Patients for at most 0.05 between apparent and adjusted R2 of Nagelkerke.
    risk
        Patients to know the overall risk to 0.05.
    """

    parameters: int
    prevalence: float
    r2: float
    shrinkage: int
    difference: int
    risk: int

    @property
    def needed(self) -> int:
        """Patients that meet all three."""
        return max(self.shrinkage, self.difference, self.risk)

    @property
    def events_per_parameter(self) -> float:
        """Events for each candidate parameter at that size."""
        return self.needed * self.prevalence / self.parameters


def sample_size(parameters: int, prevalence: float, r2: float) -> SampleSize:
    """Patients needed to develop a model with `parameters` candidate parameters.

    Parameters
    ----------
    parameters
        All that are looked at, not those that are selected.
    prevalence
        Share of the positive class.
    r2
        Cox and Snell's R2 to expect, adjusted for optimism; below `largest_r2`.

    Raises
    ------
    ValueError
        If the R2 cannot be reached at this prevalence.

    References
    ----------
    Riley et al. 2019, Stat Med 38:1276, and 2020, BMJ 368:m441.
    """
    largest = largest_r2(prevalence)
    if not 0.0 < r2 < min(largest, _SHRINKAGE):
        raise ValueError(f"R2 of Cox and Snell lies between 0 and {min(largest, _SHRINKAGE):.3f} here, not at {r2}")
    allowed = r2 / (r2 + _DIFFERENCE * largest)
    return SampleSize(
        parameters,
        prevalence,
        r2,
        ceil(parameters / ((_SHRINKAGE - 1.0) * log(1.0 - r2 / _SHRINKAGE))),
        ceil(parameters / ((allowed - 1.0) * log(1.0 - r2 / allowed))),
        ceil((1.96 / _MARGIN) ** 2 * prevalence * (1.0 - prevalence)),
    )


def largest_r2(prevalence: float) -> float:
    """Cox and Snell's R2 of a model that is always right.

    Examples
    --------
    >>> round(largest_r2(0.5), 2), round(largest_r2(0.05), 2)
    (0.75, 0.33)
    """
    return 1.0 - exp(2.0 * (prevalence * log(prevalence) + (1.0 - prevalence) * log(1.0 - prevalence)))


def r2_of_auc(area: float, prevalence: float) -> float:
    """Cox and Snell's R2 of a model of this AUC whose linear predictor is normal with equal variance in both classes.

    References
    ----------
    Riley, Van Calster & Collins 2021, Stat Med 40:859, who simulate what is integrated here.
    """
    separation = float(np.sqrt(2.0) * stats.norm.ppf(area))
    prior = log(prevalence / (1.0 - prevalence))
    points, weights = np.polynomial.hermite_e.hermegauss(100)
    weights = weights / weights.sum()

    def predictor(x: Floats) -> Floats:
        return np.asarray(prior + separation * x - separation**2 / 2.0)

    positive = -np.logaddexp(0.0, -predictor(points + separation)) @ weights
    negative = -np.logaddexp(0.0, predictor(points)) @ weights
    likelihood = prevalence * float(positive) + (1.0 - prevalence) * float(negative)
    null = prevalence * log(prevalence) + (1.0 - prevalence) * log(1.0 - prevalence)
    return 1.0 - exp(-2.0 * (likelihood - null))
