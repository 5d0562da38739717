import math

import numpy as np
import pytest

from pipelines.domain.features import FeatureVector
from pipelines.domain.reasons import Rejected
from pipelines.domain.verification import Verification
from pipelines.extraction.engine import extract
from pipelines.extraction.settings import load_profile
from pipelines.extraction.verification import compare, software_identity
from tests.lesions import KINDS, volume

SETTINGS = load_profile("recommended")
REFUSED = Rejected("ROI-003", "PyRadiomics refuses segment 1.", "Redraw it.")


def vector(*values: float) -> FeatureVector:
    return FeatureVector(tuple(f"f{index}" for index in range(len(values))), np.array(values, dtype=np.float64))


def deviation(one: float, other: float) -> float:
    found = compare(vector(1.0, one), vector(1.0, other), tolerance=1e-9)
    assert found.compared == 2
    assert found.feature == ("f1" if found.deviation else "")
    assert compare(vector(1.0, other), vector(1.0, one), tolerance=1e-9) == found
    return found.deviation


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (2.0, 2.0, 0.0),
        (4.0, 5.0, 0.2),
        (-4.0, 4.0, 2.0),
        (1e6, 1e6 + 1.0, 1e-6),
        # rounding of sums around 1 is no deviation
        (0.0, 1e-16, 1e-7),
        (1e-300, -1e-300, 2e-291),
        (math.nan, math.nan, 0.0),
        (math.nan, 0.0, math.inf),
        (math.inf, math.inf, 0.0),
        (math.inf, -math.inf, math.inf),
        (math.inf, 1.0, math.inf),
    ],
)
def test_the_deviation_of_two_values(one: float, other: float, expected: float) -> None:
    assert deviation(one, other) == pytest.approx(expected, rel=1e-6)


def test_the_feature_that_deviates_most_is_named() -> None:
    found = compare(vector(1.0, 2.0, 3.0), vector(1.0, 2.2, 3.1), tolerance=1e-9)
    assert found.feature == "f1"
    assert found.failed


@pytest.mark.parametrize(("one", "other", "fails"), [(REFUSED, REFUSED, False), (REFUSED, vector(1.0), True)])
def test_engines_agree_about_a_lesion_that_both_refuse_and_not_when_one_does(
    one: FeatureVector | Rejected, other: FeatureVector | Rejected, fails: bool
) -> None:
    for found in (compare(one, other, tolerance=1e-9), compare(other, one, tolerance=1e-9)):
        assert found.failed is fails
        assert found.compared == 0


def test_a_lesion_that_is_verified_has_the_numbers_of_the_fast_engine() -> None:
    drawn = KINDS["plain"](np.random.default_rng(1))
    made = extract(drawn.ct, drawn.lesion, SETTINGS, engine="verify")
    quick = extract(drawn.ct, drawn.lesion, SETTINGS).outcome
    assert isinstance(made.outcome, FeatureVector)
    assert isinstance(quick, FeatureVector)
    assert made.outcome.values.tobytes() == quick.values.tobytes()
    assert made.verification is not None
    assert made.verification.compared == 1218
    assert 0 < made.verification.deviation < 1e-9
    assert made.verification.feature in made.outcome.names
    assert (made.engine, made.reason) == ("fast", "")


def test_beyond_the_tolerance_the_numbers_are_those_of_pyradiomics() -> None:
    # the engines do differ in the last digits: with a tolerance below that, this lesion deviates
    drawn = KINDS["plain"](np.random.default_rng(1))
    made = extract(drawn.ct, drawn.lesion, SETTINGS, engine="verify", tolerance=1e-17)
    reference = extract(drawn.ct, drawn.lesion, SETTINGS, engine="pyradiomics").outcome
    assert isinstance(made.outcome, FeatureVector)
    assert isinstance(reference, FeatureVector)
    assert made.engine == "pyradiomics"
    assert made.outcome.values.tobytes() == reference.values.tobytes()
    assert made.verification is not None
    assert made.verification.failed
    assert "reported as PyRadiomics computed them" in str(made.verification)


def test_what_the_fast_engine_does_not_compute_is_not_verified() -> None:
    drawn = KINDS["tiny"](np.random.default_rng(1))
    wide = volume(drawn.ct.hu.astype(np.int64), drawn.ct.grid.spacing_mm)
    made = extract(wide, drawn.lesion, SETTINGS, engine="verify")
    assert made.verification is None
    assert made.reason


def test_a_verification_says_what_was_compared() -> None:
    found = Verification(1218, 3.2e-13, "original_glcm_Imc2", 1e-9)
    assert str(found) == (
        "1218 features compared with PyRadiomics, largest relative deviation 3.2e-13 (original_glcm_Imc2), "
        "tolerance 1e-09, reported as the fast engine computed them"
    )


def test_the_software_is_named_with_the_compiled_kernels() -> None:
    named = software_identity()
    for name in ("pulmonode", "PyRadiomics", "SimpleITK", "PyWavelets", "NumPy", "kernels"):
        assert f"{name} " in named
    assert "not built" not in named
