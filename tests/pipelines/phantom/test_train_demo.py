from pathlib import Path

import pytest

from pipelines.domain.case import MeasuredLesion
from pipelines.domain.score import Score, ScoreClass
from pipelines.extraction.oracle import extract
from pipelines.extraction.settings import load_profile
from pipelines.phantom.chest import chest_phantom
from pipelines.phantom.settings import HETEROGENEOUS, LesionSettings, PhantomSettings
from pipelines.scoring.model import Model, read_model
from pipelines.scoring.signature import score

PACKAGE = Path(__file__).parents[3] / "config" / "models" / "demo" / "model.json"
SETTINGS = load_profile("recommended")


@pytest.fixture(scope="module")
def model() -> Model:
    loaded = read_model(PACKAGE.read_bytes())
    assert isinstance(loaded, Model)
    return loaded


def scored(model: Model, settings: PhantomSettings) -> Score:
    phantom = chest_phantom(settings)
    lesion = phantom.lesions[0]
    result = score(model, [MeasuredLesion(lesion, extract(phantom.ct, lesion, SETTINGS))])
    assert isinstance(result, Score)
    return result


def test_the_packaged_model_says_that_it_is_a_demonstration(model: Model) -> None:
    assert model.demonstration
    assert "not for clinical use" in model.intended_use
    assert "synthetic" in model.training.data


def test_the_packaged_model_has_the_composition_of_the_published_signature(model: Model) -> None:
    kinds = [feature.name.split("_")[0].split("-")[0] for feature in model.features]
    assert sum(feature.name.startswith("original_shape_") for feature in model.features) == 1
    assert kinds.count("original") == 1 + 4
    assert kinds.count("wavelet") + kinds.count("log") == 5


def test_the_packaged_model_is_good_and_not_perfect_on_overlapping_groups(model: Model) -> None:
    apparent, internal = model.performance
    assert 0.85 <= apparent.value <= 0.95
    assert (apparent.data, internal.data) == ("apparent", "internal")
    assert internal.value < apparent.value


def test_the_default_phantom_is_clearly_but_not_certainly_a_predicted_responder(model: Model) -> None:
    result = scored(model, PhantomSettings())
    assert result.outcome is ScoreClass.POSITIVE
    assert 0.6 <= result.probability <= 0.9
    assert result.probability > result.cut_off + 0.1


def test_a_heterogeneous_lesion_is_a_predicted_non_responder(model: Model) -> None:
    result = scored(model, PhantomSettings(lesions=(LesionSettings(texture=HETEROGENEOUS),)))
    assert result.outcome is ScoreClass.NEGATIVE
    assert result.outcome_label == "predicted non-responder (SD/PD)"
