"""Imputation of a missing level: seeded, spread as it should be, and covering the truth."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit

from pipelines.statistics.cox import cox
from pipelines.statistics.imputation import impute_ordinal
from pipelines.statistics.rubin import pool
from pipelines.statistics.survival import Durations
from pipelines.statistics.values import Floats

TRUTH = -0.45


def cohort(n: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], Floats, Durations, NDArray[np.bool_]]:
    """A level that lowers the hazard, and goes missing more often in older patients and after early events."""
    age = rng.normal(size=n)
    below = expit(np.array([-0.4, 1.0])[None, :] - 0.6 * age[:, None])
    level = (rng.random(n)[:, None] > below).sum(axis=1).astype(np.int64)
    time = rng.exponential(1 / np.exp(TRUTH * level + 0.2 * age))
    follow_up = rng.uniform(0.5, 4, n)
    durations = Durations(np.minimum(time, follow_up), time <= follow_up)
    missing = rng.random(n) < expit(-0.9 + 0.7 * age)
    return level, age[:, None], durations, missing


def pooled_effect(seed: int, sets: int = 5) -> tuple[float, float, float, float]:
    rng = np.random.default_rng(seed)
    level, age, durations, missing = cohort(300, rng)
    known = np.where(missing, -1, level)
    completed = impute_ordinal(known, age, (durations,), levels=3, sets=sets, seed=seed)
    fits = [cox(durations, np.column_stack([one, age]).astype(float), ["level", "age"]) for one in completed]
    pooled = pool([f.coefficient[0] for f in fits], [f.covariance[0, 0] for f in fits], complete_df=298)
    return pooled.estimate, pooled.lower, pooled.upper, pooled.share_missing


def test_known_levels_stay_and_missing_ones_differ_between_sets() -> None:
    rng = np.random.default_rng(8)
    level, age, durations, missing = cohort(400, rng)
    known = np.where(missing, -1, level)
    sets = impute_ordinal(known, age, (durations,), levels=3, sets=5, seed=3)
    for one in sets:
        assert (one[~missing] == level[~missing]).all()
        assert set(one[missing]) <= {0, 1, 2}
    assert len({one.tobytes() for one in sets}) == 5


def test_the_same_seed_gives_the_same_sets() -> None:
    rng = np.random.default_rng(8)
    level, age, durations, missing = cohort(200, rng)
    known = np.where(missing, -1, level)
    first, second = (impute_ordinal(known, age, (durations,), levels=3, sets=2, seed=3) for _ in range(2))
    assert all((a == b).all() for a, b in zip(first, second, strict=True))


def test_nothing_missing_gives_copies() -> None:
    level = np.array([0, 1, 2], dtype=np.int64)
    sets = impute_ordinal(level, np.zeros((3, 1)), (), levels=3, sets=2, seed=1)
    assert all((one == level).all() for one in sets)


def test_the_interval_covers_the_truth_in_nearly_all_of_a_few_cohorts() -> None:
    # with coverage of 95 % fewer than 16 of 20 hits have a probability of 0.3 %
    found = [pooled_effect(seed, sets=3) for seed in range(20)]
    assert sum(lower <= TRUTH <= upper for _, lower, upper, _ in found) >= 16
    assert np.mean([estimate for estimate, *_ in found]) == pytest.approx(TRUTH, abs=0.08)
    # a third of the levels is missing, so some of the variance must lie between the sets
    assert np.mean([share for *_, share in found]) > 0.05


@pytest.mark.slow
def test_the_interval_covers_the_truth_in_many_cohorts() -> None:
    found = [pooled_effect(1000 + seed) for seed in range(1000)]
    coverage = np.mean([lower <= TRUTH <= upper for _, lower, upper, _ in found])
    # the standard error of a coverage of 95 % over 1000 cohorts is 0.7 %
    assert 0.93 <= coverage <= 0.975
    assert np.mean([estimate for estimate, *_ in found]) == pytest.approx(TRUTH, abs=0.015)


def test_leaving_the_outcome_out_would_weaken_the_association() -> None:
    with_outcome, without = [], []
    for seed in range(16):
        level, age, durations, missing = cohort(300, np.random.default_rng(seed))
        known = np.where(missing, -1, level)
        for outcomes, effects in (((durations,), with_outcome), ((), without)):
            (one,) = impute_ordinal(known, age, outcomes, levels=3, sets=1, seed=seed)
            x = np.column_stack([one, age]).astype(float)
            effects.append(cox(durations, x, ["level", "age"]).coefficient[0])
    assert np.mean(without) > np.mean(with_outcome) + 0.06
