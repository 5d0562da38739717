import numpy as np
import pytest

from pipelines.domain.features import FeatureMap, FeatureVector
from pipelines.extraction.engine import extract, feature_maps
from pipelines.extraction.settings import load_profile
from tests.lesions import KINDS, lesion_of, volume

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


def test_maps_come_from_whichever_engine_makes_them_and_the_reason_is_kept() -> None:
    drawn = KINDS["tiny"](np.random.default_rng(1))
    features = ["original_firstorder_Mean", "original_glcm_MCC", "log-sigma-1-0-mm-3D_firstorder_Range"]
    made = feature_maps(drawn.ct, drawn.lesion, features, SETTINGS)
    maps = [outcome for outcome in made.outcomes if isinstance(outcome, FeatureMap)]
    assert sorted(found.feature for found in maps) == sorted(features)
    assert made.reasons == ((("original_glcm_MCC",), "original_glcm_MCC has no fast map"),)


def test_pyradiomics_makes_all_maps_when_it_is_asked_for() -> None:
    drawn = KINDS["tiny"](np.random.default_rng(1))
    features = ["original_firstorder_Mean", "log-sigma-1-0-mm-3D_firstorder_Range"]
    ours, theirs = (feature_maps(drawn.ct, drawn.lesion, features, SETTINGS, engine=e) for e in ("fast", "pyradiomics"))
    assert theirs.reasons == ()
    for one, other in zip(ours.outcomes, theirs.outcomes, strict=True):
        assert isinstance(one, FeatureMap)
        assert isinstance(other, FeatureMap)
        assert one.values == pytest.approx(other.values, rel=2e-6)


def test_what_neither_engine_can_map_is_refused_and_the_rest_is_made() -> None:
    mask = np.zeros((3, 12, 12), dtype=np.bool_)
    mask[1, 3:9, 3:9] = True
    ct = volume(np.arange(432, dtype=np.int16).reshape(mask.shape), (1.0, 1.0, 1.0))
    features = ["original_glcm_MCC", "log-sigma-2-0-mm-3D_glcm_Contrast"]
    made = feature_maps(ct, lesion_of(mask), features, SETTINGS)
    kinds = sorted(type(outcome).__name__ for outcome in made.outcomes)
    assert kinds == ["FeatureMap", "Rejected"]
