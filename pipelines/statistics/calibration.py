"""Whether predicted probabilities come true: calibration intercept and slope, Brier score, the flexible curve."""

from dataclasses import dataclass
from math import log
from typing import Final

import numpy as np
from numpy.typing import ArrayLike
from scipy import special
from statsmodels.nonparametric.smoothers_lowess import lowess

from pipelines.statistics.likelihood import maximise
from pipelines.statistics.roc import Scored, auc
from pipelines.statistics.values import Floats, Outcome

_NEAREST: Final = 1e-12


@dataclass(frozen=True, slots=True)
class Calibration:
    """How predictions compare with what happened.

    Attributes
    ----------
    slope, intercept
        Of the logistic regression of the event on the logit of the prediction; 1 and 0 when calibrated.
    in_the_large
        Intercept with the slope kept at 1.
    brier
        Mean squared difference of probability and event.
    c_index, dxy
        Area under the curve, and 2 c - 1.
    r_squared
        Nagelkerke's, of the predictions as they are.
    e_max, e_90, e_average
        Largest, 90th percentile and mean of the distance between prediction and flexible curve.
    predicted, observed
        The flexible curve: predictions in ascending order, and the smoothed share of events there.
    """

    event: str
    slope: float
    intercept: float
    in_the_large: float
    brier: float
    c_index: float
    dxy: float
    r_squared: float
    e_max: float
    e_90: float
    e_average: float
    predicted: Floats
    observed: Floats


def calibrate(probabilities: ArrayLike, outcome: Outcome) -> Calibration:
    """Compare predictions with a known outcome that they were not made from.

    Raises
    ------
    ValueError
        If a probability is out of range, or all are equal.

    References
    ----------
    Cox 1958; Van Calster et al. 2016; rms's `val.prob`, whose curve is Cleveland's without robust iterations.
    """
    chances = np.asarray(probabilities, dtype=np.float64)
    if chances.shape != outcome.happened.shape or not ((chances >= 0) & (chances <= 1)).all():
        raise ValueError("every case needs a probability between 0 and 1")
    if np.ptp(chances) == 0:
        raise ValueError("one and the same prediction for all cases has no slope")
    clipped = np.clip(chances, _NEAREST, 1 - _NEAREST)
    logits = special.logit(clipped)
    ones = np.ones_like(logits)
    refitted = maximise(np.column_stack([ones, logits]), outcome.happened, firth=False)
    level = maximise(np.column_stack([ones, logits]), outcome.happened, firth=False, fixed=(1, 1.0))
    area = auc(Scored(chances, outcome)).area
    order = np.argsort(chances, kind="stable")
    # the settings of R's lowess(iter = 0): robust iterations would take rare events for outliers
    happened = outcome.happened[order].astype(np.float64)
    smoothed = lowess(happened, chances[order], frac=2 / 3, it=0, delta=0.01 * float(np.ptp(chances)))
    predicted, observed = np.asarray(smoothed[:, 0]), np.asarray(smoothed[:, 1])
    errors = np.abs(predicted - observed)
    return Calibration(
        event=outcome.event,
        slope=float(refitted.coefficients[1]),
        intercept=float(refitted.coefficients[0]),
        in_the_large=float(level.coefficients[0]),
        brier=brier(chances, outcome),
        c_index=area,
        dxy=2 * area - 1,
        r_squared=nagelkerke(clipped, outcome),
        e_max=float(errors.max()),
        e_90=float(np.quantile(errors, 0.9)),
        e_average=float(errors.mean()),
        predicted=predicted,
        observed=observed,
    )


def brier(probabilities: Floats, outcome: Outcome) -> float:
    """Mean squared difference of probability and event.

    References
    ----------
    Brier 1950.
    """
    return float(((probabilities - outcome.happened) ** 2).mean())


def nagelkerke(probabilities: Floats, outcome: Outcome) -> float:
    """Share of the log-likelihood that predictions explain, as they are, scaled to reach 1.

    References
    ----------
    Nagelkerke 1991.
    """
    happened, n = outcome.happened, outcome.n
    reached = float(np.log(np.where(happened, probabilities, 1 - probabilities)).sum())
    share = outcome.events / n
    null = n * (share * log(share) + (1 - share) * log(1 - share))
    return float((1 - np.exp(-2 * (reached - null) / n)) / (1 - np.exp(2 * null / n)))
