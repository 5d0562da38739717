import math

import numpy as np
import pytest

from pipelines.scoring.comparison import differences, on_cohort
from pipelines.scoring.facts import CutOff, ModelFeature
from pipelines.scoring.signature import expit
from tests.models import FEATURES, facts, model_of

FIRST = model_of(facts())
SECOND = model_of(facts(version="3", features=(FEATURES[0], FEATURES[1].model_copy(update={"coefficient": -1.25}))))
RNG = np.random.default_rng(11)
VALUES = RNG.normal(size=(60, 2)) * [0.5, 0.05] + [4.0, 0.75]
POSITIVE = VALUES[:, 1] + RNG.normal(scale=0.05, size=60) > 0.75


def test_a_model_does_not_differ_from_itself() -> None:
    assert differences(FIRST, FIRST) == ()


def test_what_differs_is_named_with_both_values() -> None:
    other = model_of(
        facts(
            features=(FEATURES[1], ModelFeature(name="original_glcm_Id", coefficient=1.0, mean=0.0, sd=1.0)),
            cut_off=CutOff(value=0.5, rule="fixed"),
            reference=None,
        )
    )
    found = {one.what: (one.first, one.second) for one in differences(FIRST, other)}
    assert found == {
        "original_glcm_Id": ("not used", "+1 x (value - 0) / 1"),
        "original_glcm_JointEntropy": ("-0.5 x (value - 4) / 0.5", "not used"),
        "cut-off": ("0.45 (Youden)", "0.5 (fixed)"),
        "reference": ("held", "none"),
    }


def test_two_models_are_compared_on_the_patients_that_both_can_score() -> None:
    values = VALUES.copy()
    values[:3, 0] = math.nan
    found = on_cohort((FIRST, values), (SECOND, values), POSITIVE, "responder")
    assert (found.patients, found.left_out) == (57, 3)
    # a model of the opposite sign is as wrong as the first is right, but for the feature that they share
    assert found.first.area > 0.7
    assert found.second.area < 0.3
    assert found.difference.difference == pytest.approx(found.first.area - found.second.area)
    assert found.difference.test.p < 0.001
    classes = []
    for model in (FIRST, SECOND):
        terms = [
            [f.coefficient * (v - f.mean) / f.sd for f, v in zip(model.features, row, strict=True)] for row in values
        ]
        classes.append([expit(model.intercept + sum(row)) >= model.cut_off.value for row in terms[3:]])
    assert found.same_class == sum(a == b for a, b in zip(*classes, strict=True))


def test_a_model_beside_itself_has_no_difference() -> None:
    found = on_cohort((FIRST, VALUES), (FIRST, VALUES), POSITIVE, "responder")
    assert found.same_class == found.patients == 60
    assert found.correlation == pytest.approx(1.0)
    assert (found.difference.difference, found.difference.test.p) == (0.0, 1.0)


def test_patients_of_one_class_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="class"):
        on_cohort((FIRST, VALUES), (SECOND, VALUES), np.ones(60, bool), "responder")
