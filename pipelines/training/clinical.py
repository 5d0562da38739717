"""The Rad-score beside what is known of the patients: each alone, then together, then as a nomogram."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from pipelines.domain.training_table import ClassCovariate, Covariate, NumberCovariate, TrainingTable
from pipelines.statistics.likelihood import NotConvergedError
from pipelines.statistics.logistic import LogisticModel, OddsRatio, Penalty, fit, odds_ratios
from pipelines.statistics.nomogram import Effect, Nomogram, level_effect, nomogram, number_effect
from pipelines.statistics.stepwise import Selection, select
from pipelines.statistics.table_one import Levels, Number, TableOne, Variable, levels, number, table_one
from pipelines.statistics.values import Outcome, Term, categorical, numeric
from pipelines.training.lasso import Floats
from pipelines.training.selection import Flags

RAD_SCORE: Final = "Rad-score"
ENTRY_P: Final = 0.1
"""A variable whose likelihood-ratio p alone is below this goes into the multivariable model."""

_MOST_LEVELS: Final = 12
_PENALTIES: Final[tuple[Penalty, ...]] = ("none", "firth")


@dataclass(frozen=True, slots=True)
class Alone:
    """One variable without the others.

    Attributes
    ----------
    n
        Patients whose value is known.
    p
        Of the likelihood ratio, over all levels.
    """

    name: str
    n: int
    p: float
    ratios: tuple[OddsRatio, ...]


@dataclass(frozen=True, slots=True)
class ClinicalModel:
    """Logistic models of the positive class.

    Attributes
    ----------
    left_out
        Variables that could not be looked at, with the reason.
    n, events
        Patients of the multivariable model, who have a value of every variable in it.
    entered
        Variables that the backward selection began with.
    selection
        None when no variable entered, or no model could be fitted.
    ratios
        Of the variables that were kept, adjusted for each other.
    nomogram
        None without a selected variable.
    """

    alone: tuple[Alone, ...]
    left_out: tuple[tuple[str, str], ...]
    n: int
    events: int
    entered: tuple[str, ...]
    selection: Selection | None
    ratios: tuple[OddsRatio, ...]
    nomogram: Nomogram | None


def clinical_model(table: TrainingTable, rad_score: Floats) -> ClinicalModel:
    """Univariable models, then backward selection by AIC among the variables that tell something alone.

    Parameters
    ----------
    rad_score
        Linear predictor of each patient. From fits that saw the patient it looks better than it is, and the models
        built on it with it.

    References
    ----------
    Dong & Chen 2025, section 1.4, which leaves the criterion and the direction open.
    """
    covariates: tuple[Covariate, ...] = (NumberCovariate(RAD_SCORE, rad_score), *table.covariates)
    alone, left_out = [], []
    for covariate in covariates:
        rows = np.flatnonzero(known(covariate))
        made = _alone(covariate, rows, table)
        if isinstance(made, Alone):
            alone.append(made)
        else:
            left_out.append((covariate.name, made))
    entered = [one.name for one in alone if one.p < ENTRY_P]
    chosen = [covariate for covariate in covariates if covariate.name in entered]
    complete = np.flatnonzero(np.logical_and.reduce([known(c) for c in chosen])) if chosen else np.arange(table.n)
    outcome = _outcome(table, complete)
    selection = _select(chosen, complete, outcome)
    ratios = odds_ratios(selection.model) if selection is not None and selection.model.terms else ()
    return ClinicalModel(
        tuple(alone),
        tuple(left_out),
        outcome.n,
        outcome.events,
        tuple(entered),
        selection,
        ratios,
        _nomogram(selection.model) if selection is not None and selection.model.terms else None,
    )


def patients_table(table: TrainingTable, groups: Sequence[str], order: Sequence[str]) -> TableOne:
    """Table 1 or 2: every covariate by group."""
    return table_one([_variable(covariate) for covariate in table.covariates], groups, order=order)


def known(covariate: Covariate) -> Flags:
    """Which patients have a value, shape (patients,)."""
    if isinstance(covariate, NumberCovariate):
        return np.asarray(np.isfinite(covariate.values))
    return np.array([bool(value) for value in covariate.values])


def _variable(covariate: Covariate) -> Variable:
    if isinstance(covariate, NumberCovariate):
        made: Number = number(covariate.name, covariate.values)
        return made
    found: Levels = levels(covariate.name, [value or None for value in covariate.values])
    return found


def _outcome(table: TrainingTable, rows: NDArray[np.intp]) -> Outcome:
    return Outcome(table.positive_class, table.positive[rows])


def _alone(covariate: Covariate, rows: NDArray[np.intp], table: TrainingTable) -> Alone | str:
    outcome = _outcome(table, rows)
    if outcome.n == 0 or outcome.events in (0, outcome.n):
        return "known in one class only"
    if isinstance(covariate, ClassCovariate) and not 2 <= len({covariate.values[row] for row in rows}) <= _MOST_LEVELS:
        return f"not between 2 and {_MOST_LEVELS} different values"
    if isinstance(covariate, NumberCovariate) and np.ptp(covariate.values[rows]) == 0:
        return "the same for all"
    term = _term(covariate, rows)
    try:
        model = fit(outcome, [term], penalty="when-separated")
        null = fit(outcome, [], penalty="firth" if model.penalised else "none")
        ratios = odds_ratios(model)
    except NotConvergedError:
        return "no model could be fitted"
    ratio = max(0.0, 2.0 * (model.log_likelihood - null.log_likelihood))
    return Alone(covariate.name, outcome.n, float(stats.chi2.sf(ratio, len(term.levels))), ratios)


def _term(covariate: Covariate, rows: NDArray[np.intp]) -> Term:
    if isinstance(covariate, NumberCovariate):
        return numeric(covariate.name, covariate.values[rows])
    values = [covariate.values[row] for row in rows]
    counts = Counter(values)
    # the most frequent level, the first in the alphabet of several
    return categorical(covariate.name, values, reference=min(counts, key=lambda level: (-counts[level], level)))


def _select(chosen: Sequence[Covariate], rows: NDArray[np.intp], outcome: Outcome) -> Selection | None:
    if not chosen or outcome.events in (0, outcome.n):
        return None
    try:
        terms = [_term(covariate, rows) for covariate in chosen]
    except ValueError:
        # a variable that is the same for all patients with a value of every variable
        return None
    # the criterion compares models that were fitted in one way
    for penalty in _PENALTIES:
        try:
            return select(outcome, terms, penalty=penalty)
        except NotConvergedError:
            continue
    return None


def _nomogram(model: LogisticModel) -> Nomogram:
    effects: list[Effect] = []
    place = 1
    for term in model.terms:
        coefficients = model.coefficients[place : place + len(term.levels)]
        place += len(term.levels)
        if term.reference is None:
            column = term.columns[:, 0]
            effects.append(number_effect(term.name, float(coefficients[0]), float(column.min()), float(column.max())))
        else:
            effects.append(level_effect(term.name, (term.reference, *term.levels), [0.0, *coefficients.tolist()]))
    return nomogram(effects, intercept=float(model.coefficients[0]), predictors=model.linear_predictor)
