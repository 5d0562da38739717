import numpy as np
import pytest

from pipelines.domain.features import FeatureMap, FeatureVector
from pipelines.extraction.engine import extract, feature_map
from pipelines.extraction.settings import load_profile
from tests.lesions import KINDS, volume

SETTINGS = load_profile("recommended")


def test_the_fast_engine_computes_what_it_can() -> None:
    drawn = KINDS["plain"](np.random.default_rng(1))
    made = extract(drawn.ct, drawn.lesion, SETTINGS)
    assert (made.engine, made.reason) == ("fast", "")
    assert isinstance(made.outcome, FeatureVector)


def test_pyradiomics_computes_the_rest_and_the_reason_is_kept() -> None:
    drawn = KINDS["tiny"](np.random.default_rng(1))
    flat = volume(np.full(drawn.ct.hu.shape, -50.0), drawn.ct.grid.spacing_mm)
    made = extract(flat, drawn.lesion, SETTINGS)
    assert made.engine == "pyradiomics"
    assert "edge of a grey level" in made.reason
    assert isinstance(made.outcome, FeatureVector)


def test_both_engines_give_the_same_numbers() -> None:
    drawn = KINDS["border"](np.random.default_rng(1))
    made = [extract(drawn.ct, drawn.lesion, SETTINGS, engine=engine).outcome for engine in ("fast", "pyradiomics")]
    assert all(isinstance(outcome, FeatureVector) for outcome in made)
    assert made[0].values == pytest.approx(made[1].values, rel=1e-9, abs=0.0, nan_ok=True)


@pytest.mark.parametrize("feature", ["original_firstorder_Mean", "original_glcm_Imc2"])
def test_a_map_comes_from_whichever_engine_makes_it(feature: str) -> None:
    drawn = KINDS["tiny"](np.random.default_rng(1))
    made = feature_map(drawn.ct, drawn.lesion, feature, SETTINGS)
    assert isinstance(made, FeatureMap)
    assert made.feature == feature
