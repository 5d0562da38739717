import math
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.domain.case import Lesion, MeasuredLesion
from pipelines.domain.features import FeatureVector
from pipelines.domain.reasons import Rejected
from pipelines.domain.score import Score, ScoreClass
from pipelines.domain.volume import Mask
from pipelines.scoring.facts import CutOff, ModelFeature, ScoreScale
from pipelines.scoring.model import Model
from pipelines.scoring.signature import expit, score
from tests.models import FEATURES as TRAINED
from tests.models import facts, reference

NAMES = ("original_a", "original_b", "original_c")
OWN = (
    ModelFeature(name="original_a", coefficient=0.5, mean=10.0, sd=2.0),
    ModelFeature(name="original_c", coefficient=-2.0, mean=0.25, sd=0.5),
)


def model(
    *, features: tuple[ModelFeature, ...] = OWN, intercept: float = 0.25, cut_off: float = 0.5, **more: Any
) -> Model:
    rule = CutOff(value=cut_off, rule="Youden")
    return Model(
        **dict(facts(**{"reference": None} | more, features=features, intercept=intercept, cut_off=rule)),
        sha256="b" * 64,
    )


def lesion(number: int = 1, voxels: int = 8) -> Lesion:
    return Lesion(
        number, f"L{number}", f"L{number}", f"2.25.{number}", None, Mask((0, 0, 0), np.ones((1, 1, voxels), bool))
    )


def measured(*values: float, number: int = 1, voxels: int = 8) -> MeasuredLesion:
    return MeasuredLesion(lesion(number, voxels), FeatureVector(NAMES, np.array(values, dtype=np.float64)))


def scored(model: Model, *lesions: MeasuredLesion) -> Score:
    result = score(model, lesions)
    assert isinstance(result, Score)
    return result


def test_a_score_equals_the_example_computed_by_hand() -> None:
    # a: (13 - 10) / 2 = 1.5, times 0.5 is 0.75; c: (0.75 - 0.25) / 0.5 = 1, times -2 is -2; with 0.25 in all -1
    result = scored(model(), measured(13.0, 99.0, 0.75))
    assert result.signature == -1.0
    assert result.probability == pytest.approx(1.0 / (1.0 + math.e), abs=1e-15)
    assert [(c.feature, c.value, c.standardised, c.term) for c in result.contributions] == [
        ("original_c", 0.75, 1.0, -2.0),
        ("original_a", 13.0, 1.5, 0.75),
    ]
    assert result.outcome is ScoreClass.NEGATIVE
    assert result.outcome_label == "non-responder"
    assert result.model.sha256 == "b" * 64
    assert (result.cut_off, result.cut_off_rule) == (0.5, "Youden")


def test_a_probability_exactly_on_the_cut_off_is_positive() -> None:
    # a: 0.5 * 3.5 = 1.75, c: -2, intercept 0.25: the linear predictor is 0, the probability 0.5
    result = scored(model(cut_off=0.5), measured(17.0, 0.0, 0.75))
    assert result.probability == 0.5
    assert result.outcome is ScoreClass.POSITIVE
    assert result.outcome_label == "responder (≥ 30 %)"


def test_a_probability_just_below_the_cut_off_is_negative() -> None:
    result = scored(model(cut_off=math.nextafter(0.5, 1.0)), measured(17.0, 0.0, 0.75))
    assert result.outcome is ScoreClass.NEGATIVE


def test_the_largest_measured_lesion_is_scored() -> None:
    small, large = measured(13.0, 0.0, 0.75, number=1, voxels=8), measured(17.0, 0.0, 0.75, number=2, voxels=9)
    assert scored(model(), small, large).lesion_number == 2
    assert scored(model(), large, small).lesion_number == 2


def test_a_lesion_without_features_is_passed_over_however_large() -> None:
    unmeasured = MeasuredLesion(lesion(1, voxels=99), Rejected("ROI-003", "no features", "redraw"))
    assert scored(model(), unmeasured, measured(13.0, 0.0, 0.75, number=2)).lesion_number == 2


def test_of_equally_large_lesions_the_lower_number_is_scored() -> None:
    second, first = measured(1.0, 0.0, 0.0, number=2), measured(2.0, 0.0, 0.0, number=1)
    assert scored(model(), second, first).lesion_number == 1


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_needed_feature_without_a_value_is_rejected_as_model_005_that_names_it(value: float) -> None:
    result = score(model(), [measured(13.0, 0.0, value)])
    assert isinstance(result, Rejected)
    assert result.code == "MODEL-005"
    assert "original_c" in result.detail
    assert "original_a" not in result.detail


def test_a_feature_that_the_model_does_not_use_may_be_undefined() -> None:
    assert scored(model(), measured(13.0, math.nan, 0.75)).signature == -1.0


def test_a_case_without_measured_lesions_is_rejected_as_model_005() -> None:
    for lesions in ([], [MeasuredLesion(lesion(), Rejected("ROI-001", "too small", "redraw"))]):
        result = score(model(), lesions)
        assert isinstance(result, Rejected)
        assert result.code == "MODEL-005"


@given(st.floats(-1000.0, 1000.0))
def test_the_probability_is_stable_and_symmetric_for_any_linear_predictor(x: float) -> None:
    assert 0.0 <= expit(x) <= 1.0
    assert expit(x) + expit(-x) == pytest.approx(1.0, abs=1e-15)


@given(st.floats(-700.0, 10.0))
def test_the_probability_gives_back_its_linear_predictor(x: float) -> None:
    p = expit(x)
    assert math.log(p) - math.log1p(-p) == pytest.approx(x, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(("intercept", "probability"), [(1000.0, 1.0), (-1000.0, 0.0), (1e300, 1.0), (-1e300, 0.0)])
def test_a_linear_predictor_of_any_size_gives_a_probability(intercept: float, probability: float) -> None:
    assert scored(model(intercept=intercept), measured(10.0, 0.0, 0.25)).probability == probability


def test_scoring_does_not_load_a_machine_learning_library() -> None:
    heavy = "('sklearn', 'scipy', 'radiomics')"
    code = f"import sys, pipelines.scoring.signature; print([m for m in {heavy} if m in sys.modules])"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


def known(**more: Any) -> Model:
    """A model that holds its training data."""
    return model(features=TRAINED, intercept=0.1, reference=reference(), **more)


def of_values(entropy: float, sphericity: float) -> MeasuredLesion:
    names = tuple(feature.name for feature in TRAINED)
    return MeasuredLesion(lesion(), FeatureVector(names, np.array([entropy, sphericity])))


def test_a_score_says_where_it_lies_among_the_training_cases() -> None:
    low, high = (scored(known(), of_values(4.0, sphericity)) for sphericity in (0.72, 0.79))
    assert low.place is not None
    assert high.place is not None
    assert low.place.positives + low.place.negatives == 200
    # the classes of these training cases are parted by the score itself
    assert low.place.positive_percentile == 0.0
    assert 0.0 < low.place.negative_percentile < 100.0
    assert high.place.negative_percentile == 100.0
    assert 0.0 < high.place.positive_percentile < 100.0
    assert low.warnings == high.warnings == ()


def test_a_model_without_training_data_in_numbers_gives_no_place_and_says_so() -> None:
    result = scored(model(), measured(13.0, 99.0, 0.75))
    assert result.place is None
    assert [warning.code for warning in result.warnings] == ["MODEL-017"]


def test_a_strict_score_of_a_case_unlike_the_training_data_is_rejected_with_the_reasons() -> None:
    result = score(known(), [of_values(9.0, 0.75)], strict=True)
    assert isinstance(result, Rejected)
    assert result.code == "MODEL-005"
    assert "MODEL-011 original_glcm_JointEntropy is 9" in result.detail
    assert "scoring.strict" in result.remedy
    assert isinstance(score(known(), [of_values(4.0, 0.75)], strict=True), Score)


@pytest.mark.parametrize(
    ("of", "expected"), [("linear predictor", 10.0 - 1.0 * 2.0), ("probability", 10.0 + 2.0 * 0.2689414)]
)
def test_the_score_scale_is_apart_from_predictor_and_probability(of: str, expected: float) -> None:
    scale = ScoreScale(name="Rad-score", of=of, factor=2.0, offset=10.0)  # type: ignore[arg-type]
    result = scored(model(score_scale=scale), measured(13.0, 99.0, 0.75))
    assert result.signature == -1.0
    assert result.scaled is not None
    assert result.scaled.name == "Rad-score"
    assert result.scaled.value == pytest.approx(expected, abs=1e-6)
    assert scored(model(), measured(13.0, 99.0, 0.75)).scaled is None
