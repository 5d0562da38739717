"""Where there is nothing to learn, honest estimates say so; where something was planted, it is found.

The bounds follow from the numbers of patients and were fixed before any value was looked at. Under shuffled labels the
variance of an AUC of m positive and n negative patients is (m + n + 1) / 12mn (Mann & Whitney 1947). The five folds of
one cohort have fits that share their patients, so the SD of their mean is taken as the square root of 2 times that of
five independent ones. A mean over cohorts has to lie within 3 standard errors of a half.
"""

from dataclasses import dataclass

import numpy as np
import pytest
from scipy import stats

from pipelines.phantom.immunotherapy_cohort import PLANTED, synthetic_cohort
from pipelines.training.lasso import Floats
from pipelines.training.profiles import Recipe
from pipelines.training.signature import candidate_columns, fitted
from pipelines.training.validation import Data, Task, area, nested, nested_tasks, one_by_one, perform

BAYES_AUC = 0.87
FIRST_SEED = 2000
"""Cohorts that no other test and no choice in the code has seen."""


def null_sd(positive: float, negative: float) -> float:
    return float(np.sqrt((positive + negative + 1) / (12 * positive * negative)))


NESTED_SD = float(np.sqrt(2) * null_sd(67 / 5, 74 / 5) / np.sqrt(5))
HELD_OUT_SD = null_sd(20, 23)


@dataclass(frozen=True)
class Found:
    """AUC of each cohort, of the outer folds, of 43 patients set apart, and of the 98 others as fitted."""

    crossed: Floats
    held_out: Floats
    apparent: Floats
    selected: tuple[int, ...]
    true: tuple[int, ...]
    candidates: tuple[tuple[int, int], ...]


def trained(cohorts: int, *, shuffled: bool) -> Found:
    crossed, held_out, apparent, selected, true, candidates = [], [], [], [], [], []
    for seed in range(FIRST_SEED, FIRST_SEED + cohorts):
        drawn = synthetic_cohort(seed)
        positive = np.array([response in ("CR", "PR") for response in drawn.clinical["response"]])
        random = np.random.default_rng(seed)
        data = Data(drawn.values, random.permutation(positive) if shuffled else positive)
        planted = {drawn.features.index(name) for name in PLANTED}
        tasks = nested_tasks(data.positive, folds=5, repeats=1, seed=seed)
        crossed.append(nested(data, Recipe(), tasks, one_by_one).auc)
        sides = [random.permutation(np.flatnonzero(data.positive == side)) for side in (True, False)]
        test = np.concatenate([sides[0][:20], sides[1][:23]])
        train = np.setdiff1d(np.arange(141), test)
        done = perform(data, Recipe(), Task(train, test, seed))
        held_out.append(area(done.predictor, data.positive[test]))
        apparent.append(area(done.apparent, data.positive[train]))
        selected.append(len(done.columns))
        true.append(len(planted & set(done.columns)))
        pipeline = fitted(data.values[train], data.positive[train], Recipe(), seed=seed, penalty=1.0)
        reached = candidate_columns(pipeline)
        candidates.append((len(reached), len(planted & set(reached.tolist()))))
    return Found(
        np.array(crossed), np.array(held_out), np.array(apparent), tuple(selected), tuple(true), tuple(candidates)
    )


@pytest.mark.slow
def test_shuffled_labels_give_an_auc_of_a_half_to_cases_without_a_part() -> None:
    found = trained(20, shuffled=True)
    assert abs(found.crossed.mean() - 0.5) < 3 * NESTED_SD / np.sqrt(20)
    assert abs(found.held_out.mean() - 0.5) < 3 * HELD_OUT_SD / np.sqrt(20)
    # a signature that chose the best of hundreds of features looks good on the patients it was chosen on
    chose = np.array(found.selected) > 0
    flattery = (found.apparent - found.held_out)[chose]
    assert flattery.mean() > 3 * flattery.std(ddof=1) / np.sqrt(chose.sum())
    # where nothing was chosen, nothing is claimed
    assert set(found.apparent[~chose]) <= {0.5}


@pytest.mark.slow
def test_planted_features_are_found_and_predict_cases_without_a_part() -> None:
    found = trained(10, shuffled=False)
    for told, sd in ((found.crossed, NESTED_SD), (found.held_out, HELD_OUT_SD)):
        assert told.mean() > 0.5 + 3 * sd / np.sqrt(10)
        assert told.mean() < BAYES_AUC + 3 * sd / np.sqrt(10)
    # as many features drawn at random from those that reach the lasso would hit that many true ones once in a million
    by_chance = sum(k * true / count for k, (count, true) in zip(found.selected, found.candidates, strict=True))
    assert stats.poisson.sf(sum(found.true) - 1, by_chance) < 1e-6
