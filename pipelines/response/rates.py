"""Rates of response and of disease control in a group of patients, over both denominators."""

from collections.abc import Sequence
from dataclasses import dataclass

from scipy.stats import binomtest

from pipelines.domain.responses import OverallResponse

_RESPONSE = frozenset({OverallResponse.CR, OverallResponse.PR})
_CONTROL = _RESPONSE | {OverallResponse.SD, OverallResponse.NON_CR_NON_PD}


@dataclass(frozen=True, slots=True)
class Rate:
    """A share of patients with its exact interval (Clopper and Pearson 1934)."""

    count: int
    of: int
    low: float
    high: float

    @property
    def share(self) -> float:
        return self.count / self.of


@dataclass(frozen=True, slots=True)
class ResponseRates:
    """Objective response and disease control among evaluable and among all treated patients; None of nobody."""

    orr_evaluable: Rate | None
    orr_treated: Rate | None
    dcr_evaluable: Rate | None
    dcr_treated: Rate | None


def response_rates(best: Sequence[OverallResponse], *, confidence: float = 0.95) -> ResponseRates:
    """Rates from the best overall response of each treated patient; `NE` is treated and not evaluable."""
    evaluable = sum(response is not OverallResponse.NE for response in best)
    responders = sum(response in _RESPONSE for response in best)
    controlled = sum(response in _CONTROL for response in best)
    return ResponseRates(
        orr_evaluable=_rate(responders, evaluable, confidence),
        orr_treated=_rate(responders, len(best), confidence),
        dcr_evaluable=_rate(controlled, evaluable, confidence),
        dcr_treated=_rate(controlled, len(best), confidence),
    )


def _rate(count: int, of: int, confidence: float) -> Rate | None:
    if not of:
        return None
    interval = binomtest(count, of).proportion_ci(confidence_level=confidence, method="exact")
    return Rate(count, of, float(interval.low), float(interval.high))
