"""Cox's proportional hazards model, with hazard ratios and the concordance of its predictor."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2, norm

from pipelines.statistics.partial_likelihood import contributions
from pipelines.statistics.survival import Durations
from pipelines.statistics.values import Floats

Ties = Literal["efron", "breslow"]
_STEPS: Final = 50
# no hazard ratio over the spread of a covariate is believed beyond exp(12): the likelihood has no top there
_FARTHEST: Final = 12.0


class NotEstimable(ValueError):
    """The data do not determine the model: no events, a constant covariate, or groups that never mix."""


@dataclass(frozen=True, slots=True)
class HazardRatio:
    """One coefficient of a model, as a ratio with its interval and Wald test."""

    term: str
    coefficient: float
    standard_error: float
    ratio: float
    lower: float
    upper: float
    z: float
    p: float


@dataclass(frozen=True, slots=True)
class CoxModel:
    """A fitted model.

    Attributes
    ----------
    coefficient, covariance
        Log hazard ratios, shape (k,), and their covariance, (k, k).
    log_likelihood
        Of the model without covariates and of the fitted one.
    likelihood_ratio
        Statistic, degrees of freedom and p of the model against none.
    concordance, concordance_error
        Harrell's C and its infinitesimal-jackknife standard error.
    """

    terms: tuple[str, ...]
    patients: int
    events: int
    coefficient: Floats
    covariance: Floats
    log_likelihood: tuple[float, float]
    likelihood_ratio: tuple[float, int, float]
    concordance: float
    concordance_error: float
    ties: Ties

    def ratios(self, level: float = 0.95) -> tuple[HazardRatio, ...]:
        """Hazard ratio of every term."""
        errors = np.sqrt(np.diag(self.covariance))
        reach = norm.ppf((1 + level) / 2)
        return tuple(
            HazardRatio(
                term,
                float(b),
                float(se),
                float(np.exp(b)),
                float(np.exp(b - reach * se)),
                float(np.exp(b + reach * se)),
                float(b / se),
                float(2 * norm.sf(abs(b / se))),
            )
            for term, b, se in zip(self.terms, self.coefficient, errors, strict=True)
        )


def cox(
    durations: Durations,
    covariates: Floats,
    terms: Sequence[str],
    *,
    ties: Ties = "efron",
    strata: NDArray[np.int64] | None = None,
) -> CoxModel:
    """Fit hazard ratios by partial likelihood.

    Parameters
    ----------
    durations
        Times and events.
    covariates
        Shape (n, k), no missing values.
    terms
        Names of the k columns.
    ties
        What to do with events at one time; `efron` unless another program is to be reproduced.
    strata
        Number of the stratum of every patient; each has its own baseline hazard.

    Raises
    ------
    NotEstimable
        When there is no event, a covariate does not vary, or the estimate runs away.

    References
    ----------
    Cox 1972; Efron 1977; Harrell 1982. Equal to R's coxph to 1e-9.
    """
    if not durations.event.any():
        raise NotEstimable("there is no event")
    if not np.isfinite(covariates).all():
        raise ValueError("a covariate is missing")
    # centred columns keep exp() small and change no coefficient
    centred = covariates - covariates.mean(axis=0)
    if np.linalg.matrix_rank(centred) < centred.shape[1]:
        raise NotEstimable("a covariate does not vary, or follows from the others")
    coefficient, covariance, null, full = _maximise(durations, centred, ties == "efron", strata)
    ratio = 2 * (full - null)
    c, c_error = concordance(durations, centred @ coefficient, strata)
    return CoxModel(
        terms=tuple(terms),
        patients=durations.time.size,
        events=int(durations.event.sum()),
        coefficient=coefficient,
        covariance=covariance,
        log_likelihood=(null, full),
        likelihood_ratio=(ratio, coefficient.size, float(chi2.sf(ratio, coefficient.size))),
        concordance=c,
        concordance_error=c_error,
        ties=ties,
    )


def _maximise(
    durations: Durations, x: Floats, efron: bool, strata: NDArray[np.int64] | None
) -> tuple[Floats, Floats, float, float]:
    """Coefficients, their covariance, and the log-likelihood without and with them, by Newton's steps."""
    beta = np.zeros(x.shape[1])
    spread = x.std(axis=0)
    now = contributions(durations, x, beta, efron=efron, strata=strata)
    null = now.log_likelihood
    for _ in range(_STEPS):
        information = now.variance.sum(axis=0)
        try:
            step = np.linalg.solve(information, now.residual.sum(axis=0))
        except np.linalg.LinAlgError as e:
            raise NotEstimable("the covariates are collinear among the patients at risk") from e
        reached = contributions(durations, x, beta + step, efron=efron, strata=strata)
        while not reached.log_likelihood >= now.log_likelihood - 1e-10 and abs(step).max() > 1e-12:
            step = step / 2
            reached = contributions(durations, x, beta + step, efron=efron, strata=strata)
        beta, now = beta + step, reached
        if (abs(beta) * spread > _FARTHEST).any():
            raise NotEstimable("a covariate separates those with the event from the others")
        if (abs(step) * spread).max() < 1e-11:
            covariance = np.linalg.inv(now.variance.sum(axis=0)).astype(np.float64)
            return beta, covariance, null, now.log_likelihood
    raise NotEstimable("the hazard ratios do not settle")


def concordance(durations: Durations, risk: Floats, strata: NDArray[np.int64] | None = None) -> tuple[float, float]:
    """Share of comparable pairs in which the higher risk has the earlier event, and its standard error.

    A pair is comparable when the earlier time is an event; of two at one time, an event comes before a censoring and
    two events tell nothing. Equal risks count half.

    References
    ----------
    Harrell 1982; Therneau & Atkinson, Concordance (vignette of R's survival), the infinitesimal jackknife.
    """
    later = durations.time[None, :] > durations.time[:, None]
    later |= (durations.time[None, :] == durations.time[:, None]) & ~durations.event[None, :]
    comparable = later & durations.event[:, None]
    if strata is not None:
        comparable &= strata[None, :] == strata[:, None]
    pairs = int(comparable.sum())
    if not pairs:
        return float("nan"), float("nan")
    # risks that differ by rounding alone are equal
    rounded = np.round(risk, 10)
    score = np.where(comparable, np.sign(rounded[:, None] - rounded[None, :]) / 2 + 0.5, 0.0)
    c = float(score.sum() / pairs)
    by_patient = score.sum(axis=0) + score.sum(axis=1)
    taking_part = comparable.sum(axis=0) + comparable.sum(axis=1)
    influence = (by_patient - c * taking_part) / pairs
    return c, float(np.sqrt((influence**2).sum()))
