"""Rates of response over both denominators."""

import pytest
from scipy.stats import beta

from pipelines.domain.responses import OverallResponse
from pipelines.response.rates import response_rates


def test_rates_of_the_oligoprogression_group_of_the_paper() -> None:
    # Huang et al. 2025, section 2.10: 184 of 289 responded, 63.7 %
    best = [OverallResponse.PR] * 184 + [OverallResponse.SD] * 100 + [OverallResponse.PD] * 5
    rates = response_rates(best)
    assert rates.orr_evaluable is not None
    assert round(100 * rates.orr_evaluable.share, 1) == 63.7
    # the interval by its definition: quantiles of beta distributions
    by_hand = beta.ppf(0.025, 184, 106), beta.ppf(0.975, 185, 105)
    assert (rates.orr_evaluable.low, rates.orr_evaluable.high) == pytest.approx(by_hand)
    assert rates.dcr_treated is not None
    assert rates.dcr_treated.count == 284


def test_who_cannot_be_evaluated_is_treated_all_the_same() -> None:
    rates = response_rates([OverallResponse.CR, OverallResponse.NE, OverallResponse.NON_CR_NON_PD])
    assert rates.orr_evaluable is not None
    assert rates.orr_treated is not None
    assert rates.dcr_evaluable is not None
    assert (rates.orr_evaluable.of, rates.orr_treated.of, rates.dcr_evaluable.count) == (2, 3, 2)


def test_clopper_and_pearson_of_none_and_of_all() -> None:
    # the closed forms at the ends: 1 - 0.025 ** (1 / n)
    none = response_rates([OverallResponse.PD] * 10).orr_treated
    assert none is not None
    assert (none.low, none.high) == pytest.approx((0, 1 - 0.025**0.1))


def test_of_nobody_there_is_no_rate() -> None:
    assert response_rates([]).orr_treated is None
