from typing import Any

import numpy as np
import pytest
from pydicom import Dataset

from pipelines.scoring.acquired import Acquired, acquired
from pipelines.scoring.applicability import place, warnings
from pipelines.scoring.model import Model
from pipelines.scoring.reference import ClassScores
from pipelines.scoring.summary import summarise
from tests.models import facts, model_of, reference

MIDDLE = (4.0, 0.75)


def codes(values: tuple[float, float] = MIDDLE, *, of: Model | None = None, **taken: Any) -> list[str]:
    found = warnings(of or model_of(facts()), np.array(values), Acquired(**taken))
    return [warning.code for warning in found]


def test_a_case_from_the_middle_of_the_training_data_has_no_warning() -> None:
    assert codes(slice_thickness_mm=1.25, kernel="STANDARD", kvp=120.0, days_before_therapy=7.0) == []


def test_of_the_training_cases_themselves_none_lies_outside_and_one_in_a_hundred_far_away() -> None:
    rng = np.random.default_rng(7)
    values = rng.normal(size=(200, 2)) * [0.5, 0.05] + [4.0, 0.75]
    found = [code for row in values for code in codes(tuple(row))]
    assert "MODEL-011" not in found
    assert found.count("MODEL-012") <= 2


def test_a_value_on_the_edge_of_the_range_is_inside_and_one_beyond_is_named_with_the_range() -> None:
    of = reference().features[0]
    assert "MODEL-011" not in codes((of.max, 0.75))
    (first, *_) = warnings(model_of(facts()), np.array([np.nextafter(of.max, 99.0), 0.75]), Acquired())
    assert first.code == "MODEL-011"
    assert "original_glcm_JointEntropy" in first.detail
    assert f"{of.min:.4g} to {of.max:.4g}" in first.detail
    assert "Sphericity" not in first.detail


def test_values_that_are_usual_alone_and_odd_together_are_told_as_model_012() -> None:
    # two features that are nearly the same in training: one high and the other low was never seen
    rng = np.random.default_rng(1)
    first = rng.normal(size=300)
    values = np.column_stack([first, first + 0.1 * rng.normal(size=300)])
    made = summarise(values, first, first > 0, reference().acquisition)
    of = model_of(facts(reference=made))
    assert codes((1.5, 1.5), of=of) == []
    assert codes((1.5, -1.5), of=of) == ["MODEL-012"]


@pytest.mark.parametrize(
    ("taken", "expected"),
    [
        ({"slice_thickness_mm": 5.0}, ["MODEL-013"]),
        ({"slice_thickness_mm": 0.99}, []),
        ({"slice_thickness_mm": 0.98}, ["MODEL-013"]),
        ({"kernel": "B70f"}, ["MODEL-014"]),
        ({"kernel": "standard "}, []),
        ({"kernel": "I30f\\3"}, []),
        ({"kernel": "I30f\\5"}, ["MODEL-014"]),
        ({"kvp": 80.0}, ["MODEL-015"]),
        ({"kvp": 100.0}, []),
        ({"days_before_therapy": 29.0}, ["MODEL-016"]),
        ({"days_before_therapy": 28.0}, []),
        ({"days_before_therapy": -3.0}, ["MODEL-016"]),
        (
            {"slice_thickness_mm": 5.0, "kernel": "B70f", "kvp": 80.0, "days_before_therapy": 90.0},
            ["MODEL-013", "MODEL-014", "MODEL-015", "MODEL-016"],
        ),
    ],
)
def test_an_acquisition_that_training_did_not_have_is_told_by_its_own_code(
    taken: dict[str, Any], expected: list[str]
) -> None:
    assert codes(**taken) == expected


def test_what_was_not_recorded_in_training_is_not_compared() -> None:
    silent = reference(slice_thickness_mm=None, kernels=(), kvp=(), days_before_therapy=None)
    of = model_of(facts(reference=silent))
    assert codes(of=of, slice_thickness_mm=9.0, kernel="x", kvp=70.0, days_before_therapy=400.0) == []


def test_a_percentile_is_the_share_of_training_cases_below() -> None:
    scores = ClassScores(n=5, ecdf=(0.0, 1.0, 2.0, 2.0, 4.0))
    made = reference().model_copy(update={"positive": scores, "negative": scores})
    for signature, expected in (
        (-1.0, 0.0),
        (0.0, 0.0),
        (0.5, 12.5),
        (1.0, 25.0),
        (2.0, 75.0),
        (3.0, 87.5),
        (4.0, 100.0),
    ):
        assert place(made, signature).positive_percentile == expected
    found = place(made, 0.0)
    assert (found.lowest, found.highest, found.positives) == (0.0, 4.0, 5)


def test_the_acquisition_is_read_from_the_header() -> None:
    header = Dataset()
    header.SliceThickness = "1.25"
    header.ConvolutionKernel = ["I30f", "3"]
    header.KVP = "120"
    header.LongitudinalTemporalOffsetFromEvent = -12.0
    header.LongitudinalTemporalEventType = "TREATMENT START"
    assert acquired(header) == Acquired(1.25, "I30f\\3", 120.0, 12.0)


def test_a_header_that_says_nothing_or_nonsense_is_not_known() -> None:
    header = Dataset()
    assert acquired(header) == Acquired()
    header.ConvolutionKernel = ""
    header.SliceThickness = None
    header.LongitudinalTemporalOffsetFromEvent = -12.0
    header.LongitudinalTemporalEventType = "ENROLLMENT"
    assert acquired(header) == Acquired()
