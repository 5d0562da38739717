"""What Huang et al. 2025 print, from their own counts through the study's tables."""

import pytest

from pipelines.cohort.huang.balance import table_one
from pipelines.cohort.huang.choices import PROFILES
from pipelines.cohort.huang.factors import factors
from pipelines.cohort.huang.rates import response_rate, site_flows, sites_of_progression
from tests.pipelines.cohort.huang.paper import AFTER, BEFORE, of_counts, patient

SEED_B = PROFILES["seed-b"]


def test_table_1_has_the_papers_p_values_before_matching() -> None:
    rows = table_one(of_counts(BEFORE), SEED_B.before)
    # printed: .296 .007 .026 .709 .201 <.0001 .060, and .107 by chi-square; recomputed to four digits
    expected = [0.2956, 0.0073, 0.0258, 0.7094, 0.2012, 9e-6, 0.0597, 0.10704]
    assert [row.test.p for row in rows if row.test] == pytest.approx(expected, abs=6e-5)
    assert [row.smd for row in rows] == pytest.approx(
        [0.087, 0.227, 0.187, 0.031, 0.107, 0.378, 0.158, 0.176], abs=6e-4
    )


def test_table_1_after_matching_fails_the_papers_own_limit_for_pd_l1() -> None:
    rows = table_one(of_counts(AFTER), SEED_B.after)
    expected = [0.40465, 0.89500, 0.73957, 0.28801, 0.64453, 0.92389, 0.63306, 0.12763]
    assert [row.test.p for row in rows if row.test] == pytest.approx(expected, abs=6e-6)
    assert [row.smd for row in rows] == pytest.approx(
        [0.077, 0.012, 0.031, 0.098, 0.043, 0.009, 0.044, 0.188], abs=6e-4
    )
    assert [row.variable.name for row in rows if row.smd >= SEED_B.balance] == ["PD-L1"]


def test_the_papers_odds_ratios_are_crude_ones_of_systemic_progression() -> None:
    found = {(one.term, one.level): one for one in factors(of_counts(BEFORE)).crude}
    printed = {
        ("Sex", "male"): (0.533, 0.337, 0.844),
        ("Smoking", "ever"): (0.642, 0.435, 0.948),
        ("Histology", "squamous"): (0.464, 0.330, 0.651),
        ("Stage", "IV"): (1.484, 0.984, 2.239),
        ("Age (years)", ">=60"): (0.840, 0.605, 1.165),
        ("Brain metastases", "yes"): (1.453, 0.819, 2.575),
        ("ECOG", "1"): (1.092, 0.686, 1.740),
        ("PD-L1", "1-49%"): (0.688, 0.473, 1.001),
        ("PD-L1", ">=50%"): (0.708, 0.462, 1.086),
    }
    assert found.keys() == printed.keys()
    for key, expected in printed.items():
        one = found[key]
        assert (one.odds_ratio, one.wald.lower, one.wald.upper) == pytest.approx(expected, abs=6e-4), key
        assert one.event == "systemic progression" and not one.adjusted


def test_the_papers_response_rates() -> None:
    found = response_rate(of_counts(BEFORE))
    assert [round(100 * share.estimate, 1) for share in found.evaluable] == [63.7, 41.0]
    assert found.ratio is not None and found.chi_square is not None and found.exact is not None
    ends = found.ratio.interval
    assert (found.ratio.estimate, ends.lower, ends.upper) == pytest.approx((2.52, 1.80, 3.52), abs=6e-3)
    assert found.chi_square.p == pytest.approx(5.0e-8, rel=0.01)
    assert found.exact.p == pytest.approx(5.7e-8, rel=0.01)


def test_who_cannot_be_evaluated_is_in_one_denominator_only() -> None:
    people = [
        patient(2, best_response="CR"),
        patient(3, best_response="NE"),
        patient(4, best_response=None),
        patient(5, best_response="PD", pattern="systemic"),
    ]
    found = response_rate(people)
    assert [(share.numerator, share.denominator) for share in found.evaluable] == [(1, 1), (0, 1)]
    assert [(share.numerator, share.denominator) for share in found.treated] == [(1, 3), (0, 1)]


def test_the_papers_sites_of_progression_with_a_test_of_each() -> None:
    found = {one.site: one for one in sites_of_progression(of_counts(BEFORE))}
    percent = {site: [round(100 * share.estimate, 1) for share in one.shares] for site, one in found.items()}
    assert percent["lung"] == [66.8, 62.4] and percent["bone"] == [9.3, 22.8]
    assert percent["adrenal"] == [7.3, 11.4] and percent["brain"] == [4.8, 10.3] and percent["liver"] == [4.2, 19.7]
    # the paper prints 42.2, which no number of 290 patients gives
    assert percent["lymph node"] == [24.2, 42.1]
    p = {site: one.test.p for site, one in found.items() if one.test is not None}
    assert p["lung"] == pytest.approx(0.27, abs=0.005) and p["lymph node"] == pytest.approx(5e-6, rel=0.1)
    assert p["bone"] == pytest.approx(1e-5, rel=0.2) and p["adrenal"] == pytest.approx(0.089, abs=5e-4)
    assert p["brain"] == pytest.approx(0.013, abs=5e-4) and p["liver"] == pytest.approx(9e-9, rel=0.1)
    assert "pleura" not in p


def test_progression_at_the_same_site_has_both_denominators() -> None:
    # the paper's 58.2, 12.1, 5.5, 5.2 and 2.6 % are of all 579 patients; with whom had the site it would be more
    same = {"lung": 337, "bone": 70, "liver": 32, "adrenal": 30, "brain": 15}
    people = [
        patient(
            row,
            baseline_sites=tuple(site for site, n in same.items() if row < n + 20),
            progression_sites=tuple(site for site, n in same.items() if row < n),
        )
        for row in range(579)
    ]
    found = {one.source: one for one in site_flows(people) if one.source == one.target}
    assert [round(100 * found[site].n / found[site].patients, 1) for site in same] == [58.2, 12.1, 5.5, 5.2, 2.6]
    assert [found[site].with_source for site in same] == [n + 20 for n in same.values()]
