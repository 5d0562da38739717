"""Agreement of readers against psych's ICC on Shrout and Fleiss's example and on 200 nodules of LIDC."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pipelines.statistics.agreement import FORMS, Form, dice, feature_agreement, icc

Oracle = Callable[[str], Any]
MEASURES = ["volume_mm3", "long_axis_mm", "short_axis_mm", "malignancy", "spiculation"]


@pytest.mark.parametrize("form", FORMS)
def test_all_forms_are_those_of_psych_on_the_classic_example(oracle: Oracle, form: Form) -> None:
    expected = oracle("icc_shrout_fleiss")
    place, found = FORMS.index(form), icc(expected["data"], form)
    assert found.estimate == pytest.approx(expected["icc"][place], abs=1e-13)
    assert found.lower == pytest.approx(expected["lower"][place], abs=1e-13)
    assert found.upper == pytest.approx(expected["upper"][place], abs=1e-13)
    assert found.f == pytest.approx(expected["F"][place], abs=1e-11)
    assert found.p == pytest.approx(expected["p"][place], abs=1e-13)
    assert found.df == (expected["df1"][place], expected["df2"][place])


@pytest.fixture(scope="module")
def nodules(table: Callable[[str], dict[str, list[str]]]) -> np.ndarray:
    """Shape (200 nodules, 4 readers, 5 measures)."""
    data = table("lidc_4reader_200")
    return np.stack([np.array([float(v) for v in data[name]]).reshape(200, 4) for name in MEASURES], axis=-1)


@pytest.mark.parametrize("form", FORMS)
def test_all_measures_at_once_are_those_of_psych_one_by_one(nodules: np.ndarray, oracle: Oracle, form: Form) -> None:
    expected = [oracle("icc_lidc_200")[name] for name in MEASURES]
    place, found = FORMS.index(form), icc(nodules, form)
    assert found.estimate == pytest.approx([one["icc"][place] for one in expected], abs=1e-13)
    assert found.lower == pytest.approx([one["lower"][place] for one in expected], abs=1e-13)
    assert found.upper == pytest.approx([one["upper"][place] for one in expected], abs=1e-13)
    assert found.f == pytest.approx([one["F"][place] for one in expected], rel=1e-12)
    assert found.df == (expected[0]["df1"][place], expected[0]["df2"][place])


def test_the_published_agreement_of_readers_on_volume_and_axis(nodules: np.ndarray) -> None:
    found = icc(nodules).estimate
    assert (round(float(found[0]), 3), round(float(found[1]), 3)) == (0.959, 0.932)


def test_features_that_readers_measure_alike_are_kept() -> None:
    # 20 cases drawn twice, 1,218 features whose noise grows from none to four times the spread between cases
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(20, 1218))
    noise = np.linspace(0, 2, 1218)
    first, second = (truth + rng.normal(size=truth.shape) * noise for _ in range(2))
    names = [f"feature {index}" for index in range(1218)]
    by_estimate = feature_agreement(first, second, names)
    by_limit = feature_agreement(first, second, names, rule="lower")
    assert by_estimate.icc.estimate.shape == (1218,)
    assert set(by_limit.kept_names) < set(by_estimate.kept_names)
    # without noise agreement is whole; with the spread of the cases itself it is a half
    assert by_estimate.kept_names[0] == "feature 0"
    assert by_estimate.icc.estimate[0] == by_estimate.icc.lower[0] == by_estimate.icc.upper[0] == 1
    around = by_estimate.icc.estimate[560:660]
    assert around.mean() == pytest.approx(0.5, abs=0.06)
    for index in (0, 300, 900):
        single = icc(np.column_stack([first[:, index], second[:, index]]))
        assert by_estimate.icc.estimate[index] == pytest.approx(float(single.estimate), abs=1e-14)
        assert by_estimate.kept[index] == (single.estimate > 0.8)


def test_a_feature_at_the_threshold_or_without_variation_is_dropped() -> None:
    # between 10, residual 10/9: the estimate of ICC3 is exactly 0.8
    first = np.array([[0.0, 5.0], [2.0, 5.0], [4.0, 5.0]])
    found = feature_agreement(first, first, ["varies", "never varies"])
    assert found.kept_names == ("varies",)
    assert np.isnan(found.icc.estimate[1])
    exact = icc(np.array([[1.0, 3.0], [5.0, 3.0], [5.0, 7.0]]), "ICC3").estimate
    at = feature_agreement(
        np.array([[1.0], [5.0], [5.0]]), np.array([[3.0], [3.0], [7.0]]), ["f"], form="ICC3", threshold=float(exact)
    )
    assert at.kept_names == ()


def test_a_large_offset_costs_no_digits() -> None:
    rng = np.random.default_rng(1)
    ratings = rng.normal(size=(15, 3))
    assert icc(ratings + 1e9).estimate == pytest.approx(float(icc(ratings).estimate), abs=1e-6)


@pytest.mark.parametrize("wrong", [[[1.0, 2.0]], [[1.0], [2.0]], [[1.0, 2.0], [float("nan"), 1.0]]])
def test_agreement_needs_cases_readers_and_all_ratings(wrong: list[list[float]]) -> None:
    with pytest.raises(ValueError, match="agreement needs"):
        icc(wrong)


def test_the_overlap_of_masks() -> None:
    one, other = np.zeros((3, 4, 5), dtype=bool), np.zeros((3, 4, 5), dtype=bool)
    one[1, 1:3, 1:3] = True
    other[1, 1:3, 2:4] = True
    assert dice(one, other) == 0.5
    assert dice(one, one) == 1
    assert dice(one, np.zeros_like(one)) == 0
    assert dice(np.zeros_like(one), np.zeros_like(one)) == 1
    with pytest.raises(ValueError, match="grids"):
        dice(one, one[:2])
