"""Which features are looked at."""

import numpy as np
import pytest
from scipy import stats

from pipelines.training.selection import uncorrelated, univariate_p, varying


def test_features_that_are_equal_for_all_or_undefined_for_one_are_left_out() -> None:
    values = np.array([[1.0, 0.1 + 0.2, np.nan, 5.0], [2.0, 0.3, 1.0, 5.0], [3.0, 0.3, 2.0, 5.0]])
    assert varying(values).tolist() == [True, False, False, False]


def test_each_feature_is_tested_by_the_test_that_is_named() -> None:
    random = np.random.default_rng(0)
    values, positive = random.normal(size=(50, 3)).round(1), np.arange(50) < 22
    first, second = values[positive, 1], values[~positive, 1]
    assert univariate_p(values, positive, "mann-whitney")[1] == pytest.approx(
        stats.mannwhitneyu(first, second, method="asymptotic").pvalue
    )
    assert univariate_p(values, positive, "student")[1] == pytest.approx(stats.ttest_ind(first, second).pvalue)
    welch = stats.ttest_ind(first, second, equal_var=False).pvalue
    assert univariate_p(values, positive, "welch")[1] == pytest.approx(welch)


def test_the_feature_with_the_lower_p_stays_and_of_equal_p_the_first() -> None:
    random = np.random.default_rng(1)
    a, b = random.normal(size=(2, 200))
    values = np.column_stack([a, -a + 0.01 * b, b, 2.0 * b])
    assert uncorrelated(values, np.array([0.02, 0.01, 0.5, 0.5])).tolist() == [False, True, True, False]


def test_a_correlation_of_exactly_the_limit_counts_as_too_much() -> None:
    # two columns whose correlation is 0.5 in whole numbers
    values = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0], [2.0, 2.0], [-2.0, -2.0]])
    limit = float(np.corrcoef(values, rowvar=False)[0, 1])
    assert uncorrelated(values, np.array([0.1, 0.2]), limit=limit).sum() == 1
    assert uncorrelated(values, np.array([0.1, 0.2]), limit=limit + 1e-6).sum() == 2


def test_a_feature_that_was_left_out_leaves_out_no_other() -> None:
    # b is like a and like c, a and c are not alike: b goes for a, so c stays
    random = np.random.default_rng(2)
    a, c = random.normal(size=(2, 4000))
    b = (a + c) / np.sqrt(2.0)
    kept = uncorrelated(np.column_stack([a, b, c]), np.array([0.01, 0.02, 0.03]), limit=0.6)
    assert kept.tolist() == [True, False, True]
