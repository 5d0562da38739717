"""Every hospital is judged by a signature of the others."""

import numpy as np
import pytest

from pipelines.phantom.immunotherapy_cohort import PLANTED, synthetic_cohort
from pipelines.training.profiles import Recipe
from pipelines.training.sites import leave_one_site_out
from pipelines.training.validation import Data, Task, area, one_by_one, perform

QUICK = Recipe(penalties=25, folds=5, cut_off="training")


@pytest.fixture(scope="module")
def data() -> Data:
    drawn = synthetic_cohort(3, effect=1.0, features=sorted(PLANTED))
    return Data(drawn.values, np.array([response in ("CR", "PR") for response in drawn.clinical["response"]]))


def test_each_hospital_is_judged_by_a_signature_of_the_others_alone(data: Data) -> None:
    sites = ["West"] * 20 + ["East"] * 51 + ["North"] * 70
    found = leave_one_site_out(data, QUICK, sites, seed=5, run=one_by_one)
    assert [(one.name, one.patients) for one in found] == [("hospital 1", 70), ("hospital 2", 51), ("hospital 3", 20)]
    rows = np.arange(141)
    alone = perform(data, QUICK, Task(rows[:71], rows[71:], 5))
    assert found[0].auc is not None
    assert found[0].auc.area == area(alone.predictor, data.positive[71:])
    assert found[0].features == len(alone.columns)
    # the features do decide, wherever the patient comes from
    assert all(one.auc is not None and one.auc.area > 0.6 for one in found[:2])
    # what a hospital's own features are changes nothing of the signature that judges it
    spoiled = data.values.copy()
    spoiled[71:] *= 7.0
    other = leave_one_site_out(Data(spoiled, data.positive), QUICK, sites, seed=5, run=one_by_one)
    assert other[0].features == found[0].features


def test_one_hospital_is_nobodys_other(data: Data) -> None:
    assert leave_one_site_out(data, QUICK, (), seed=0, run=one_by_one) == ()
    assert leave_one_site_out(data, QUICK, ["A"] * 141, seed=0, run=one_by_one) == ()


def test_a_hospital_of_one_class_has_no_auc_and_one_that_holds_nearly_all_is_not_judged(data: Data) -> None:
    sites = np.where(data.positive & (np.cumsum(data.positive) <= 8), "responders", "rest")
    found = leave_one_site_out(data, QUICK, sites.tolist(), seed=0, run=one_by_one)
    # without "rest" there are only responders
    assert [(one.name, one.patients, one.positives, one.auc) for one in found] == [("hospital 2", 8, 8, None)]
