"""Models and their packages, made from nothing."""

from typing import Any, Final

import numpy as np

from pipelines.extraction.settings import load_profile
from pipelines.scoring.card import card_files
from pipelines.scoring.facts import CutOff, Extraction, ModelFacts, ModelFeature, Performance, Training
from pipelines.scoring.keys import SigningKey, TrustedKey, new_key
from pipelines.scoring.model import Model, model_bytes, read_model
from pipelines.scoring.package import package_files, signed
from pipelines.scoring.reference import Acquisition, Reference
from pipelines.scoring.summary import quantiles, summarise

SETTINGS: Final = load_profile("recommended").digest
FEATURES: Final = (
    ModelFeature(name="original_glcm_JointEntropy", coefficient=-0.5, mean=4.0, sd=0.5),
    ModelFeature(name="original_shape_Sphericity", coefficient=1.25, mean=0.75, sd=0.05),
)


def reference(cases: int = 200, **acquisition: Any) -> Reference:
    """A training set of normally distributed features whose class follows from their sum."""
    rng = np.random.default_rng(7)
    standard = rng.normal(size=(cases, len(FEATURES)))
    values = standard * [f.sd for f in FEATURES] + [f.mean for f in FEATURES]
    predictors = 0.1 + standard @ [f.coefficient for f in FEATURES]
    taken = {
        "slice_thickness_mm": quantiles([1.0, 1.25, 1.5]),
        "kernels": ("I30f\\3", "STANDARD"),
        "kvp": (100.0, 120.0),
        "days_before_therapy": quantiles([0.0, 14.0, 28.0]),
    }
    return summarise(values, predictors, predictors > 0.1, Acquisition(**taken | acquisition))


def facts(**changes: Any) -> ModelFacts:
    """A model that is no demonstration and knows its training data; `changes` replace members."""
    members: dict[str, Any] = {
        "schema_version": 2,
        "kind": "logistic",
        "name": "signature",
        "version": "2.1",
        "licence": "CC-BY-4.0",
        "intended_use": "Research",
        "demonstration": False,
        "positive_class": "responder (≥ 30 %)",
        "negative_class": "non-responder",
        "features": FEATURES,
        "intercept": 0.1,
        "cut_off": CutOff(value=0.45, rule="Youden"),
        "lesion_choice": "largest",
        "extraction": Extraction(profile="recommended", settings_sha256=SETTINGS),
        "training": Training(
            data="98 patients",
            n=98,
            events=49,
            data_from="2019-01-01",
            data_to="2023-12-31",
            feature_selection="LASSO",
            estimator="logistic regression",
            software={"PyRadiomics": "3.1.0"},
        ),
        "performance": (
            Performance(measure="AUC", data="apparent", value=0.912, method="training data"),
            Performance(
                measure="AUC",
                data="internal",
                value=0.878,
                ci_low=0.742,
                ci_high=0.958,
                ci_level=0.95,
                method="nested cross-validation, DeLong",
            ),
        ),
        "reference": reference(),
    }
    return ModelFacts(**members | changes)


def model_of(of: ModelFacts) -> Model:
    """The model as the node reads it."""
    model = read_model(model_bytes(of))
    assert isinstance(model, Model), model
    return model


def signed_package(of: ModelFacts | None = None, key: SigningKey | None = None) -> dict[str, bytes]:
    """The files of a signed package with a table beside the model."""
    chosen = facts() if of is None else of
    files = package_files(chosen, card_files(chosen), {"tables/roc.csv": b"threshold,sensitivity\n0.45,0.9\n"})
    return signed(files, new_key() if key is None else key)


def trust(key: SigningKey) -> TrustedKey:
    """The public half of `key` as a node trusts it."""
    return TrustedKey(key.public, "site.pub")
