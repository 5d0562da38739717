"""What goes with systemic progression: crude and adjusted odds ratios."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from pipelines.cohort.huang.balance import is_oligo
from pipelines.cohort.huang.patients import Patient
from pipelines.cohort.huang.variables import VARIABLES, complete, terms
from pipelines.statistics.logistic import OddsRatio, fit, odds_ratios, univariable
from pipelines.statistics.values import Outcome

EVENT: Final = "systemic progression"


@dataclass(frozen=True, slots=True)
class Factors:
    """Odds ratios of systemic progression; those of oligoprogression are their inverses.

    Attributes
    ----------
    crude
        From one model for each variable, over all who have that variable.
    adjusted
        From one model of all variables, over those who have all of them; empty where it could not be fitted.
    crude_n, adjusted_n
        Patients of each crude ratio, and of the one model.
    events_per_variable
        Of the adjusted model.
    """

    crude: tuple[OddsRatio, ...]
    crude_n: tuple[int, ...]
    adjusted: tuple[OddsRatio, ...]
    adjusted_n: int
    events_per_variable: float


def factors(everyone: Sequence[Patient], level: float = 0.95) -> Factors:
    """Crude and adjusted odds ratios of every variable of table 1."""
    crude: list[OddsRatio] = []
    sizes: list[int] = []
    for variable in VARIABLES:
        rows = complete(everyone, [variable])
        known = [one for one, there in zip(everyone, rows, strict=True) if there]
        found = terms(known, [variable]) if known else ()
        if found and _two_patterns(known):
            ratios = univariable(_outcome(known), found, level=level)
            crude += ratios
            sizes += [len(known)] * len(ratios)
    rows = complete(everyone, VARIABLES)
    known = [one for one, there in zip(everyone, rows, strict=True) if there]
    found = terms(known, VARIABLES) if known else ()
    if not found or not _two_patterns(known):
        return Factors(tuple(crude), tuple(sizes), (), len(known), float("nan"))
    model = fit(_outcome(known), found, penalty="when-separated")
    return Factors(tuple(crude), tuple(sizes), odds_ratios(model, level=level), len(known), model.events_per_variable)


def _outcome(everyone: Sequence[Patient]) -> Outcome:
    return Outcome(EVENT, np.asarray(~is_oligo(everyone)))


def _two_patterns(everyone: Sequence[Patient]) -> bool:
    return len({one.pattern for one in everyone}) == 2
