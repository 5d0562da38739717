"""Comparisons of survival and their warnings."""

import numpy as np
import pytest

from pipelines.cohort.huang.choices import PROFILES
from pipelines.cohort.huang.comparisons import Comparison, compare, compare_from_landmark
from pipelines.domain.reasons import Rejected
from pipelines.statistics.survival import Durations

SEED_B, RECOMMENDED = PROFILES["seed-b"], PROFILES["recommended"]
NAMES = ("first", "reference")


def sample(n: int = 200) -> tuple[Durations, np.ndarray]:
    rng = np.random.default_rng(3)
    first = np.arange(n) < n // 2
    return Durations(rng.exponential(np.where(first, 20.0, 10.0)), rng.random(n) < 0.9), first


def test_the_hazard_ratio_is_of_the_first_group_against_the_reference() -> None:
    durations, first = sample()
    found = compare("key", "OS", "all", NAMES, durations, first, SEED_B)
    assert isinstance(found, Comparison) and found.hazard is not None and found.test is not None
    assert found.hazard.ratio < 1
    assert found.arms[0].median.value > found.arms[1].median.value
    assert [arm.patients for arm in found.arms] == [100, 100]
    assert found.test.p < 0.01 and found.proportional is not None


def test_the_paper_has_symmetric_intervals_of_the_median_and_the_recommendation_does_not() -> None:
    durations, first = sample()
    medians = []
    for choices in (SEED_B, RECOMMENDED):
        found = compare("key", "OS", "all", NAMES, durations, first, choices)
        assert isinstance(found, Comparison)
        medians.append(found.arms[0].median)
    assert medians[0].value == medians[1].value
    assert (medians[0].lower, medians[0].upper) != (medians[1].lower, medians[1].upper)


def test_an_empty_group_is_a_reason_and_not_an_error() -> None:
    durations, first = sample()
    found = compare("key", "OS", "all", NAMES, durations, np.zeros_like(first), SEED_B)
    assert isinstance(found, Rejected) and "`first`" in found.detail
    found = compare("key", "OS", "all", NAMES, durations, np.ones_like(first), SEED_B)
    assert isinstance(found, Rejected) and "`reference`" in found.detail


def test_groups_that_never_mix_keep_their_curves_without_a_hazard_ratio() -> None:
    time = np.arange(1.0, 41)
    found = compare("key", "PFS", "all", NAMES, Durations(time, np.ones(40, bool)), time <= 20, SEED_B)
    assert isinstance(found, Comparison)
    assert found.hazard is None and found.test is not None and found.test.p < 1e-6


def test_a_landmark_counts_from_itself_among_those_who_reach_it() -> None:
    durations = Durations(np.array([3.0, 7.0, 8.0, 12.0]), np.ones(4, bool))
    found = compare_from_landmark("key", "all", NAMES, durations, np.array([True, True, False, False]), SEED_B)
    assert isinstance(found, Comparison)
    assert [arm.patients for arm in found.arms] == [1, 2]
    assert found.arms[0].curve.time.tolist() == [1.0]
    assert found.endpoint == "OS from month 6"


def test_a_landmark_that_nobody_reaches_is_a_reason() -> None:
    durations = Durations(np.array([1.0, 2.0]), np.ones(2, bool))
    found = compare_from_landmark("key", "all", NAMES, durations, np.array([True, False]), SEED_B)
    assert isinstance(found, Rejected) and "nobody" in found.detail


@pytest.mark.parametrize("profile", ["seed-b", "recommended"])
def test_the_median_follow_up_counts_the_censored(profile: str) -> None:
    durations = Durations(np.array([5.0, 6.0, 30.0, 40.0, 50.0]), np.array([True, True, False, False, False]))
    found = compare("k", "OS", "all", NAMES, durations, np.array([True, False, True, True, False]), PROFILES[profile])
    assert isinstance(found, Comparison)
    assert found.arms[0].follow_up.value == 35.0
