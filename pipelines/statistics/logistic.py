"""Logistic regression of a binary outcome: odds ratios, crude and adjusted, with intervals by Wald and by profile."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, inf, log, sqrt
from typing import Final, Literal

import numpy as np
from scipy import special, stats
from scipy.optimize import brentq

from pipelines.statistics.intervals import normal_quantile
from pipelines.statistics.likelihood import Maximum, NotConvergedError, maximise, separated
from pipelines.statistics.values import Floats, Interval, Outcome, Term

Penalty = Literal["none", "firth", "when-separated"]
INTERCEPT: Final = "(Intercept)"
_FARTHEST: Final = 1e4


@dataclass(frozen=True, slots=True)
class OddsRatio:
    """The effect of one level, or of one unit, on the odds of an event.

    Attributes
    ----------
    event
        The class of the outcome whose odds these are.
    level, reference
        The level compared and the one it is compared with; None both for a number, whose effect is per unit.
    adjusted_for
        Names of the other terms of the model; empty for a crude odds ratio.
    p
        Wald's; with Firth's penalty that of the penalised likelihood ratio.
    penalised
        Whether Firth's penalty was used.
    profile
        None where it was not asked for.
    """

    event: str
    term: str
    level: str | None
    reference: str | None
    adjusted_for: tuple[str, ...]
    penalised: bool
    coefficient: float
    standard_error: float
    z: float
    p: float
    odds_ratio: float
    wald: Interval
    profile: Interval | None

    @property
    def adjusted(self) -> bool:
        return bool(self.adjusted_for)


@dataclass(frozen=True, slots=True)
class LogisticModel:
    """A fitted model.

    Attributes
    ----------
    labels
        Name of each coefficient, `(Intercept)` first.
    coefficients, covariance
        Shapes (p,) and (p, p).
    log_likelihood
        With Firth's penalty where it was used; `aic`, `bic` and the deviance follow from it.
    events_per_variable
        Cases of the rarer class for each coefficient but the intercept; infinite without terms.
    """

    outcome: Outcome
    terms: tuple[Term, ...]
    labels: tuple[str, ...]
    coefficients: Floats
    covariance: Floats
    log_likelihood: float
    null_log_likelihood: float
    penalised: bool

    @property
    def deviance(self) -> float:
        return -2 * self.log_likelihood

    @property
    def null_deviance(self) -> float:
        return -2 * self.null_log_likelihood

    @property
    def aic(self) -> float:
        return self.deviance + 2 * self.coefficients.size

    @property
    def bic(self) -> float:
        return self.deviance + log(self.outcome.n) * self.coefficients.size

    @property
    def events_per_variable(self) -> float:
        rarer = min(self.outcome.events, self.outcome.n - self.outcome.events)
        return rarer / (self.coefficients.size - 1) if self.coefficients.size > 1 else inf

    @property
    def standard_errors(self) -> Floats:
        return np.asarray(np.sqrt(np.diag(self.covariance)))

    @property
    def design(self) -> Floats:
        return design(self.terms, self.outcome.n)

    @property
    def linear_predictor(self) -> Floats:
        return np.asarray(self.design @ self.coefficients)

    @property
    def probabilities(self) -> Floats:
        """Fitted probability of the event, shape (n,)."""
        return np.asarray(special.expit(self.linear_predictor))


def predict(model: LogisticModel, terms: Sequence[Term]) -> Floats:
    """Probabilities of other cases, whose `terms` are those of the model, found by name; shape (n,).

    Raises
    ------
    ValueError
        If a term is missing or has other levels.
    """
    by_name = {term.name: term for term in terms}
    chosen = [by_name[term.name] for term in model.terms if term.name in by_name]
    if [(term.name, term.levels) for term in chosen] != [(term.name, term.levels) for term in model.terms]:
        raise ValueError("the cases have other terms than the model")
    n = len(terms[0].columns) if terms else model.outcome.n
    return np.asarray(special.expit(design(chosen, n) @ model.coefficients))


def design(terms: Sequence[Term], n: int) -> Floats:
    """The columns of all terms behind a column of ones, shape (n, p)."""
    return np.column_stack([np.ones(n), *(term.columns for term in terms)])


def fit(outcome: Outcome, terms: Sequence[Term], *, penalty: Penalty = "none") -> LogisticModel:
    """Fit the odds of the event to the terms by maximum likelihood.

    Parameters
    ----------
    penalty
        `firth` removes the bias of small samples and has an answer where the classes are separated; `when-separated`
        uses it there alone.

    Raises
    ------
    ValueError
        If terms differ in length, repeat each other (collinear), or the outcome has one class only.
    NotConvergedError
        If the classes are separated and no penalty was asked for.

    References
    ----------
    R's `glm(family = binomial)`; Firth 1993 and the package logistf.
    """
    columns = design(terms, outcome.n)
    if not 0 < outcome.events < outcome.n:
        raise ValueError(f"nobody or everybody has the event {outcome.event}")
    if np.linalg.matrix_rank(_unit(columns)) < columns.shape[1]:
        raise ValueError("the terms are collinear: " + ", ".join(term.name for term in terms))
    firth = penalty == "firth"
    try:
        found = maximise(columns, outcome.happened, firth=firth)
    except NotConvergedError as fault:
        if firth or not separated(columns, outcome.happened):
            raise
        if penalty == "none":
            raise NotConvergedError("the terms separate the classes; Firth's penalty has an answer") from fault
        firth = True
        found = maximise(columns, outcome.happened, firth=True)
    null = maximise(columns[:, :1], outcome.happened, firth=firth)
    return LogisticModel(
        outcome=outcome,
        terms=tuple(terms),
        labels=(INTERCEPT, *(label for term in terms for label in term.labels)),
        coefficients=found.coefficients,
        covariance=found.covariance,
        log_likelihood=found.log_likelihood,
        null_log_likelihood=null.log_likelihood,
        penalised=firth,
    )


def odds_ratios(model: LogisticModel, *, level: float = 0.95, profile: bool = False) -> tuple[OddsRatio, ...]:
    """The odds ratio of every level and unit in the model, the intercept left out.

    References
    ----------
    Venables & Ripley 2002, section 8.4 (profile likelihood), here without interpolation.
    """
    z_level = normal_quantile(level)
    columns = model.design if profile or model.penalised else None
    ratios: list[OddsRatio] = []
    place = 0
    for term in model.terms:
        others = tuple(other.name for other in model.terms if other.name != term.name)
        for name in term.levels:
            place += 1
            value, error = float(model.coefficients[place]), float(model.standard_errors[place])
            limits = None
            p = float(2 * stats.norm.sf(abs(value / error)))
            if columns is not None:
                limits = _profile(model, columns, place, level=level) if profile else None
                p = _likelihood_ratio_p(model, columns, place) if model.penalised else p
            wald = Interval(exp(value - z_level * error), _exp(value + z_level * error), level, "wald")
            ratios.append(
                OddsRatio(
                    event=model.outcome.event,
                    term=term.name,
                    level=name or None,
                    reference=term.reference,
                    adjusted_for=others,
                    penalised=model.penalised,
                    coefficient=value,
                    standard_error=error,
                    z=value / error,
                    p=p,
                    odds_ratio=_exp(value),
                    wald=wald,
                    profile=limits,
                )
            )
    return tuple(ratios)


def univariable(
    outcome: Outcome, terms: Sequence[Term], *, penalty: Penalty = "when-separated", level: float = 0.95
) -> tuple[OddsRatio, ...]:
    """The crude odds ratios of each term, from one model a term."""
    return tuple(ratio for term in terms for ratio in odds_ratios(fit(outcome, [term], penalty=penalty), level=level))


def _exp(value: float) -> float:
    return exp(value) if value < 709 else inf


def _unit(columns: Floats) -> Floats:
    """Columns of length one, so that the rank does not depend on units."""
    length = np.linalg.norm(columns, axis=0)
    return np.asarray(columns / np.where(length > 0, length, 1.0))


def _constrained(model: LogisticModel, columns: Floats, place: int, value: float, start: Floats | None) -> Maximum:
    return maximise(columns, model.outcome.happened, firth=model.penalised, fixed=(place, value), start=start)


def _likelihood_ratio_p(model: LogisticModel, columns: Floats, place: int) -> float:
    without = _constrained(model, columns, place, 0.0, None)
    return float(stats.chi2.sf(max(2 * (model.log_likelihood - without.log_likelihood), 0.0), 1))


def _profile(model: LogisticModel, columns: Floats, place: int, *, level: float) -> Interval:
    """Where twice the log-likelihood has fallen by the quantile of chi-square with one degree of freedom."""
    drop = float(stats.chi2.ppf(level, 1))
    middle, error = float(model.coefficients[place]), float(model.standard_errors[place])

    def excess(value: float) -> float:
        reached = _constrained(model, columns, place, value, model.coefficients)
        return 2 * (model.log_likelihood - reached.log_likelihood) - drop

    def limit(direction: int) -> float:
        step = sqrt(drop) * error
        inner, outer = middle, middle + direction * step
        while excess(outer) < 0:
            step *= 2
            inner, outer = outer, outer + direction * step
            if step > _FARTHEST * max(error, 1.0):
                return direction * inf
        return float(brentq(excess, inner, outer, xtol=1e-10, rtol=1e-12))

    lower, upper = limit(-1), limit(1)
    return Interval(exp(lower) if lower > -inf else 0.0, _exp(upper), level, "profile")
