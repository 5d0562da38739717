"""A recipe is judged on cases that had no part in it."""

from dataclasses import replace

import numpy as np
import pytest

from pipelines.phantom.immunotherapy_cohort import PLANTED, synthetic_cohort
from pipelines.training.profiles import Recipe
from pipelines.training.signature import candidate_columns, fitted, folds_of, signature_of
from pipelines.training.validation import (
    Data,
    Task,
    area,
    nested,
    nested_tasks,
    one_by_one,
    optimism,
    perform,
    permutation,
    stability,
    train,
)

QUICK = Recipe(penalties=25, folds=5, cut_off="training")
# the planted features among a few hundred others
NAMES = tuple(
    f"{image}_{family}_{feature}"
    for image in ("original", "wavelet-LLH", "wavelet-HLL", "wavelet-HHH", "wavelet-LHL", "wavelet-LLL")
    for family, feature in {(name.split("_")[1], name.split("_")[2]) for name in PLANTED} | {("glcm", "Contrast")}
)


def cohort(seed: int, effect: float = 1.0) -> Data:
    drawn = synthetic_cohort(seed, effect=effect, features=sorted({*NAMES, *PLANTED}))
    positive = np.array([response in ("CR", "PR") for response in drawn.clinical["response"]])
    return Data(drawn.values, positive)


def shuffled(seed: int) -> Data:
    data = cohort(seed)
    return Data(data.values, np.random.default_rng(seed).permutation(data.positive))


def test_labels_that_mean_nothing_give_an_auc_of_a_half_to_cases_without_a_part() -> None:
    apparent, crossed, held_out = [], [], []
    for seed in range(6):
        data = shuffled(seed)
        tasks = nested_tasks(data.positive, folds=5, repeats=1, seed=seed)
        crossed.append(nested(data, QUICK, tasks, one_by_one).auc)
        rows = np.random.default_rng(seed).permutation(len(data.positive))
        made = perform(data, QUICK, Task(rows[:98], rows[98:], seed))
        apparent.append(area(made.apparent, data.positive[rows[:98]]))
        held_out.append(area(made.predictor, data.positive[rows[98:]]))
    # 3 standard errors are 0.086 and 0.108, see test_chance.py, where all 1,218 features are in question
    assert abs(np.mean(crossed) - 0.5) < 0.08
    assert abs(np.mean(held_out) - 0.5) < 0.08
    assert np.mean(apparent) > np.mean(held_out) + 0.03


def test_planted_features_are_found_and_stay_when_patients_are_missing() -> None:
    # those four that decide most, each with a coefficient of 1 or more per SD; the small ones may well be missed
    strong = [name for name, effect in PLANTED.items() if abs(effect) > 1.0]
    assert len(strong) == 4
    found, leading = [], []
    for seed in range(3):
        data = cohort(seed)
        columns = {sorted({*NAMES, *PLANTED}).index(name) for name in strong}
        made = train(data.values, data.positive, QUICK, seed=seed)
        found.append(len(columns & set(made.signature.columns)))
        steady = stability(data, QUICK, penalty=made.penalty, subsamples=20, seed=seed, run=one_by_one)
        leading.append(len(columns & set(np.argsort(-steady.importance)[:10].tolist())))
        assert steady.frequency.max() == 1.0
    assert np.mean(found) >= 3
    assert np.mean(leading) >= 3


def test_a_signature_predicts_patients_that_it_did_not_see() -> None:
    data = cohort(1)
    tasks = nested_tasks(data.positive, folds=5, repeats=2, seed=0)
    made = nested(data, QUICK, tasks, one_by_one)
    assert made.auc > 0.7
    assert made.predictors.shape == (2, 141)
    assert np.isfinite(made.repeat_sd)
    assert area(made.predictor, data.positive) > 0.7


def test_no_test_case_has_a_part_in_its_training() -> None:
    data = cohort(0)
    for task in nested_tasks(data.positive, folds=5, repeats=2, seed=3):
        assert not set(task.train) & set(task.test)
        assert len(task.train) + len(task.test) == len(data.positive)
    # what the test cases hold changes nothing of the fit
    task = nested_tasks(data.positive, folds=5, repeats=1, seed=0)[0]
    spoiled = data.values.copy()
    spoiled[task.test] = np.random.default_rng(0).normal(size=spoiled[task.test].shape) * 1e6
    fit, other = perform(data, QUICK, task), perform(Data(spoiled, data.positive), QUICK, task)
    assert fit.columns == other.columns
    np.testing.assert_array_equal(fit.coefficients, other.coefficients)


def test_hospitals_stay_in_one_fold() -> None:
    data = cohort(0)
    sites = np.arange(141) % 7
    for task in nested_tasks(data.positive, folds=5, repeats=1, seed=0, groups=sites):
        assert not set(sites[task.train]) & set(sites[task.test])


def test_a_patient_drawn_twice_is_in_one_inner_fold() -> None:
    positive = np.arange(40) % 2 == 0
    drawn = np.random.default_rng(0).integers(0, 40, 40)
    fold = folds_of(positive[drawn], 5, seed=0, groups=drawn)
    for patient in set(drawn.tolist()):
        assert len(set(fold[drawn == patient].tolist())) == 1


def test_the_bootstrap_says_how_much_too_good_the_apparent_auc_is() -> None:
    data = cohort(0, effect=0.3)
    made = train(data.values, data.positive, QUICK, seed=0)
    apparent = area(made.signature.linear_predictor(data.values), data.positive)
    found = optimism(data, QUICK, apparent, samples=8, seed=0, run=one_by_one)
    assert found.optimism > 0.02
    assert found.corrected == pytest.approx(apparent - found.optimism)


def test_shuffled_labels_do_as_well_as_labels_that_mean_nothing_and_worse_than_true_ones() -> None:
    true = permutation(cohort(1), QUICK, folds=2, draws=9, first=0, seed=100, run=one_by_one)
    assert true.p == pytest.approx(0.1)
    assert true.observed > true.shuffled.max()
    assert abs(true.shuffled.mean() - 0.5) < 0.1


def test_the_signature_gives_what_the_pipeline_gives() -> None:
    data = cohort(0)
    for recipe in (QUICK, replace(QUICK, coefficients="logistic", rule="1se"), replace(QUICK, most_p=0.2)):
        pipeline = fitted(data.values, data.positive, recipe, seed=0)
        made = signature_of(pipeline)
        np.testing.assert_allclose(
            made.linear_predictor(data.values), pipeline.decision_function(data.values), rtol=1e-9, atol=1e-9
        )
        assert set(made.columns) <= set(candidate_columns(pipeline).tolist())


def test_a_cut_off_from_inner_folds_is_not_that_of_the_fitted_cases() -> None:
    data = cohort(2)
    inner = train(data.values, data.positive, replace(QUICK, cut_off="inner-folds"), seed=0)
    fitted_cases = train(data.values, data.positive, QUICK, seed=0)
    np.testing.assert_array_equal(inner.signature.coefficients, fitted_cases.signature.coefficients)
    assert inner.cut_off != fitted_cases.cut_off
