"""How much of a model's performance is optimism, by bootstrap."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import numpy as np
from scipy import special

from pipelines.statistics.calibration import brier, nagelkerke
from pipelines.statistics.likelihood import NotConvergedError, maximise
from pipelines.statistics.logistic import LogisticModel, fit, predict
from pipelines.statistics.roc import Scored, auc
from pipelines.statistics.values import Floats, Outcome, Term

Refit = Callable[[Outcome, Sequence[Term]], LogisticModel]


@dataclass(frozen=True, slots=True)
class Performance:
    """Indices of one set of predictions.

    Attributes
    ----------
    r_squared
        Nagelkerke's, after recalibration, as rms has it.
    intercept, slope
        Of recalibration; 0 and 1 in the data of the fit.
    """

    c_index: float
    dxy: float
    r_squared: float
    intercept: float
    slope: float
    brier: float


@dataclass(frozen=True, slots=True)
class Validation:
    """Apparent performance, and what is left of it.

    Attributes
    ----------
    apparent
        In the data of the fit.
    training, test
        Means over the draws: of models in their own draw, and of the same models in all data.
    optimism, corrected
        `training` minus `test`, and `apparent` without that.
    replicates, failed
        Draws asked for, and how many of them had no model.
    """

    apparent: Performance
    training: Performance
    test: Performance
    optimism: Performance
    corrected: Performance
    replicates: int
    failed: int


def validate(
    outcome: Outcome,
    terms: Sequence[Term],
    *,
    replicates: int = 1000,
    seed: int = 0,
    refit: Refit = fit,
) -> Validation:
    """Correct the performance of a model for having been fitted to the same cases.

    Parameters
    ----------
    refit
        Makes the model of one draw. Whatever chose the terms belongs into it, or the optimism of the choice is missed.

    Raises
    ------
    ValueError
        If no draw has a model.

    References
    ----------
    Harrell, Lee & Mark 1996, Stat Med 15:361; rms's `validate`.
    """
    generator = np.random.default_rng(seed)
    apparent = performance(predict(refit(outcome, terms), terms), outcome)
    training: list[Performance] = []
    test: list[Performance] = []
    for _ in range(replicates):
        rows = generator.integers(0, outcome.n, outcome.n)
        drawn, drawn_terms = outcome.rows(rows), [term.rows(rows) for term in terms]
        try:
            model = refit(drawn, drawn_terms)
            pair = performance(predict(model, drawn_terms), drawn), performance(predict(model, terms), outcome)
        except (ValueError, NotConvergedError):
            # one class, an empty level or separated classes in the draw; R leaves such draws out and counts them
            continue
        training.append(pair[0])
        test.append(pair[1])
    if not training:
        raise ValueError("no draw of these cases has a model")
    in_draws, in_all = _mean(training), _mean(test)
    optimism = _combine(in_draws, in_all, -1.0)
    return Validation(
        apparent=apparent,
        training=in_draws,
        test=in_all,
        optimism=optimism,
        corrected=_combine(apparent, optimism, -1.0),
        replicates=replicates,
        failed=replicates - len(training),
    )


def performance(probabilities: Floats, outcome: Outcome) -> Performance:
    """Indices of predictions; a model that predicts the same for all has no slope and is refused.

    Raises
    ------
    ValueError
        If all predictions are equal.
    """
    if np.ptp(probabilities) == 0:
        raise ValueError("one and the same prediction for all cases has no slope")
    clipped = np.clip(probabilities, 1e-12, 1 - 1e-12)
    columns = np.column_stack([np.ones(outcome.n), special.logit(clipped)])
    again = maximise(columns, outcome.happened, firth=False, start=np.array([0.0, 1.0]))
    area = auc(Scored(probabilities, outcome)).area
    recalibrated = np.clip(special.expit(columns @ again.coefficients), 1e-12, 1 - 1e-12)
    return Performance(
        c_index=area,
        dxy=2 * area - 1,
        r_squared=nagelkerke(recalibrated, outcome),
        intercept=float(again.coefficients[0]),
        slope=float(again.coefficients[1]),
        brier=brier(probabilities, outcome),
    )


def _mean(found: Sequence[Performance]) -> Performance:
    return Performance(*(float(np.mean([getattr(one, field.name) for one in found])) for field in fields(Performance)))


def _combine(first: Performance, second: Performance, factor: float) -> Performance:
    return Performance(
        *(getattr(first, field.name) + factor * getattr(second, field.name) for field in fields(Performance))
    )
