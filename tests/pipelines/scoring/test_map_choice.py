from pathlib import Path

import pytest

from pipelines.scoring.map_choice import WITHOUT_A_MODEL, choose_maps
from pipelines.scoring.model import Model, read_model

DEMO = Path(__file__).parents[3] / "config" / "models" / "demo" / "model.json"


@pytest.fixture
def model() -> Model:
    loaded = read_model(DEMO.read_bytes())
    assert isinstance(loaded, Model)
    return loaded


def test_the_features_with_the_largest_coefficients_are_chosen_whatever_their_sign(model: Model) -> None:
    choice = choose_maps(["model"], model, model_features=3)
    assert choice.features == (
        "wavelet-HLH_gldm_DependenceEntropy",
        "original_glcm_InverseVariance",
        "log-sigma-1-0-mm-3D_firstorder_Range",
    )
    assert choice.reasons[0] == "coefficient -0.2854 in pulmonode-demo 1.1.0"


def test_features_of_the_shape_are_passed_over(model: Model) -> None:
    choice = choose_maps(["model"], model, model_features=20)
    assert len(choice.features) == len(model.features) - 1
    assert "original_shape_Sphericity" not in choice.features


def test_a_list_is_taken_as_it_stands_and_may_hold_those_of_the_model(model: Model) -> None:
    asked = ["original_glcm_Id", "model", "original_glcm_InverseVariance"]
    choice = choose_maps(asked, model, model_features=2)
    assert choice.features == (
        "original_glcm_Id",
        "wavelet-HLH_gldm_DependenceEntropy",
        "original_glcm_InverseVariance",
    )
    assert choice.reasons[0] == "configured"


def test_without_a_model_local_entropy_is_mapped() -> None:
    choice = choose_maps(["model"], None, model_features=2)
    assert choice.features == (WITHOUT_A_MODEL,)
    assert "without a model" in str(choice)


def test_a_model_of_shape_alone_is_as_none(model: Model) -> None:
    shape = model.model_copy(update={"features": tuple(f for f in model.features if "_shape_" in f.name)})
    assert choose_maps(["model"], shape, model_features=2).features == (WITHOUT_A_MODEL,)


def test_nothing_is_mapped_when_nothing_is_asked_for(model: Model) -> None:
    choice = choose_maps([], model, model_features=2)
    assert (choice.features, str(choice)) == ((), "none")
