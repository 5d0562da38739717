import numpy as np
import pytest

from pipelines.phantom.fit import Quota, auc, cross_validated_auc, fit, ridge_logistic, select, youden_cut_off

POSITIVE = np.array([True, True, False, False])


def test_auc_counts_pairs_in_the_right_order_and_ties_by_half() -> None:
    # pairs: 3>1, 3>2, 2>1 are right, 2=2 is a tie: 3.5 of 4
    assert auc(np.array([3.0, 2.0, 1.0, 2.0]), POSITIVE) == 0.875


def test_the_cut_off_lies_midway_between_the_cases_it_parts() -> None:
    assert youden_cut_off(np.array([0.9, 0.6, 0.1, 0.3]), POSITIVE) == pytest.approx(0.45)


def test_of_equally_good_cut_offs_the_highest_is_taken() -> None:
    # 0.2 | 0.4 and 0.6 | 0.8 both give sensitivity + specificity of 1.5
    assert youden_cut_off(np.array([0.8, 0.4, 0.2, 0.6]), POSITIVE) == pytest.approx(0.7)


def test_ridge_logistic_of_one_balanced_feature_solves_its_equation() -> None:
    x = np.array([[1.0], [1.0], [-1.0], [-1.0]])
    intercept, (beta,) = ridge_logistic(x, POSITIVE, penalty=2.0)
    assert intercept == pytest.approx(0.0, abs=1e-12)
    # derivative of the penalised log-likelihood: 4 (1 - expit(beta)) = 2 beta
    assert 4.0 * (1.0 - 1.0 / (1.0 + np.exp(-beta))) == pytest.approx(2.0 * beta)


def test_a_feature_that_says_the_same_as_one_taken_is_left_out() -> None:
    rng = np.random.default_rng(1)
    positive = np.arange(40) % 2 == 0
    telling = positive + rng.normal(0.0, 0.5, 40)
    values = np.column_stack([telling, telling * 2.0 + 1.0, rng.normal(size=40), np.ones(40)])
    names = ("original_a", "original_b", "original_c", "original_d")
    assert select(values, positive, names, (Quota(2, ("original_",)),)) == (0, 2)


def test_a_quota_that_cannot_be_filled_is_refused() -> None:
    with pytest.raises(ValueError, match="fewer than 2 unlike features begin with log-"):
        select(np.eye(4), POSITIVE, ("log-a", "b", "c", "d"), (Quota(2, ("log-",)),))


def test_cross_validation_does_not_find_what_is_not_there() -> None:
    positive = np.arange(60) % 2 == 0
    names = [f"original_{i}" for i in range(100)]
    quotas = (Quota(5, ("original_",)),)
    apparent, validated = [], []
    for seed in range(5):
        values = np.random.default_rng(seed).normal(size=(60, 100))
        apparent.append(auc(fit(values, positive, names, quotas, penalty=5.0).linear_predictor(values), positive))
        validated.append(cross_validated_auc(values, positive, names, quotas, penalty=5.0, folds=10))
    assert np.mean(apparent) > 0.75
    assert np.mean(validated) == pytest.approx(0.5, abs=0.12)
