"""The made-up cohort follows the truth that it declares."""

import json
from collections import Counter
from math import log

import numpy as np
import pytest

from pipelines.cohort.huang.balance import is_oligo
from pipelines.cohort.huang.eligibility import screen
from pipelines.cohort.huang.endpoints import CUT_OFF, pfs, pfs_2l, survival_after_progression
from pipelines.cohort.huang.factors import factors
from pipelines.cohort.huang.patients import Patient
from pipelines.cohort.huang.rates import pattern_over_time, response_rate, sites_of_progression
from pipelines.cohort.huang.synthetic import TRUTH, synthetic_files
from pipelines.statistics.cox import cox
from tests.pipelines.cohort.huang.made_up import made_up


@pytest.fixture(scope="module")
def many() -> tuple[Patient, ...]:
    return screen(made_up(3000, 7)[0]).included


def test_the_paper_sized_cohort_has_its_patients_and_some_who_do_not_fit() -> None:
    people, (lesions, incomplete) = made_up(579)
    flow = screen(people)
    assert (len(people), len(flow.included)) == (637, 579)
    assert sum(step.excluded > 0 for step in flow.steps) == 7
    assert (len(lesions), incomplete) == (637, 0)
    pattern = Counter(one.pattern for one in flow.included)
    assert abs(pattern["oligo"] - pattern["systemic"]) < 60
    missing = sum(one.pd_l1 is None for one in flow.included) / 579
    assert missing == pytest.approx(TRUTH.share_pd_l1_missing, abs=0.05)


def test_the_hazard_ratios_are_the_planted_ones(many: tuple[Patient, ...]) -> None:
    oligo = is_oligo(many).astype(float)[:, None]
    model = cox(pfs(many, CUT_OFF), oligo, ["oligo"])
    assert abs(model.coefficient[0] - log(TRUTH.hazard_pfs)) < 3 * model.covariance[0, 0] ** 0.5

    known = [one for one in many if one.pd_l1 is not None]
    levels = [("<1%", "1-49%", ">=50%").index(one.pd_l1 or "") for one in known]
    x = np.column_stack([is_oligo(known), levels]).astype(float)
    model = cox(survival_after_progression(known, CUT_OFF), x, ["oligo", "PD-L1"])
    errors = np.sqrt(np.diag(model.covariance))
    truth = np.log([TRUTH.hazard_after, TRUTH.hazard_after_pd_l1])
    assert (abs(model.coefficient - truth) < 3 * errors).all()
    assert model.ratios()[0].upper < 0.7


def test_the_second_line_is_longer_under_oligoprogression(many: tuple[Patient, ...]) -> None:
    treated = [one for one in many if one.second_line_start is not None]
    model = cox(pfs_2l(treated, CUT_OFF), is_oligo(treated).astype(float)[:, None], ["oligo"])
    # death, which has a hazard ratio of its own, competes with the progression that was planted
    assert TRUTH.hazard_after - 0.12 < model.ratios()[0].ratio < TRUTH.hazard_second_line + 0.12


def test_the_adjusted_odds_ratios_are_the_planted_ones(many: tuple[Patient, ...]) -> None:
    planted = {
        ("Sex", "male"): TRUTH.odds_male,
        ("Smoking", "ever"): TRUTH.odds_ever_smoker,
        ("Histology", "squamous"): TRUTH.odds_squamous,
        ("Stage", "IV"): TRUTH.odds_stage_iv,
        ("PD-L1", "1-49%"): TRUTH.odds_pd_l1_1_49,
        ("PD-L1", ">=50%"): TRUTH.odds_pd_l1_50,
        ("Age (years)", ">=60"): 1.0,
        ("ECOG", "1"): 1.0,
        ("Brain metastases", "yes"): 1.0,
    }
    found = {(one.term, one.level): one for one in factors(many).adjusted}
    assert found.keys() == planted.keys()
    for key, truth in planted.items():
        one = found[key]
        assert abs(one.coefficient - log(truth)) < 3.3 * one.standard_error, key
    assert found["Histology", "squamous"].p < 1e-6


def test_late_progression_is_oligo_more_often(many: tuple[Patient, ...]) -> None:
    found = pattern_over_time(many, (4.0, 8.0, 12.0, 18.0))
    shares = [one.systemic.estimate for one in found.bins]
    assert shares == sorted(shares, reverse=True)
    # proportional Weibull hazards give the odds at time t: they fall by (1 - 0.64) times the cumulative hazard
    assert shares[0] > 0.5 > shares[-1]
    assert found.trend is not None and found.trend.p < 1e-6


def test_responses_and_sites_are_near_the_papers(many: tuple[Patient, ...]) -> None:
    rates = [share.estimate for share in response_rate(many).evaluable]
    assert rates == pytest.approx([TRUTH.share_response_oligo, TRUTH.share_response_systemic], abs=0.04)
    shares = {one.site: [share.estimate for share in one.shares] for one in sites_of_progression(many)}
    assert shares["lung"] == pytest.approx([0.668, 0.624], abs=0.04)
    assert shares["lymph node"] == pytest.approx([0.22, 0.42], abs=0.04)
    assert shares["liver"] == pytest.approx([0.04, 0.20], abs=0.03)


def test_the_same_seed_gives_the_same_bytes_and_another_does_not() -> None:
    assert synthetic_files(30, 4) == synthetic_files(30, 4)
    assert synthetic_files(30, 4)["patients.csv"] != synthetic_files(30, 5)["patients.csv"]


def test_the_truth_and_the_dictionary_come_with_it() -> None:
    files = synthetic_files(30, 4)
    assert json.loads(files["truth.json"])["hazard_pfs"] == TRUTH.hazard_pfs
    assert b"treatment_start" in files["patients-dictionary.csv"]
    assert files["patients-dictionary.csv"].count(b"\n") == files["patients.csv"].split(b"\n", 1)[0].count(b",") + 2


def test_a_course_ends_in_the_best_response_that_the_table_tells() -> None:
    people, (lesions, _) = made_up(579)
    response = {one.patient: one.best_response for one in people}
    for one in lesions:
        if response[one.patient] in ("CR", "PR"):
            assert one.best_change <= -30, one.patient
        elif response[one.patient] == "SD":
            assert -30 < one.best_change < 20, one.patient
