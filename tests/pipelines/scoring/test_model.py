import hashlib
import json
from typing import Any

import pytest
from pydantic import ValidationError

from pipelines.domain.reasons import Rejected
from pipelines.scoring.model import (
    CutOff,
    Extraction,
    Model,
    ModelFacts,
    ModelFeature,
    Training,
    Validation,
    load_model,
    package,
)

SETTINGS = "a" * 64
AVAILABLE = ("original_glcm_JointEntropy", "original_shape_Sphericity")
FACTS = ModelFacts(
    schema_version=1,
    name="signature",
    version="2.1",
    licence="CC-BY-4.0",
    intended_use="Research",
    demonstration=False,
    positive_class="responder (≥ 30 %)",
    negative_class="non-responder",
    features=(
        ModelFeature(name="original_glcm_JointEntropy", coefficient=-0.5, mean=4.0, sd=0.5),
        ModelFeature(name="original_shape_Sphericity", coefficient=1.25, mean=0.75, sd=0.05),
    ),
    intercept=0.1,
    cut_off=CutOff(value=0.45, rule="Youden"),
    lesion_choice="largest",
    extraction=Extraction(profile="recommended", settings_sha256=SETTINGS),
    training=Training(
        data="98 patients",
        n=98,
        events=49,
        data_from="2019-01-01",
        data_to="2023-12-31",
        feature_selection="LASSO",
        estimator="logistic regression",
        software={"PyRadiomics": "3.1.0"},
        apparent_auc=0.912,
        validation=Validation(auc=0.878, method="43 other patients"),
    ),
)


def loaded(text: str, *, settings: str = SETTINGS, available: tuple[str, ...] = AVAILABLE) -> Model | Rejected:
    return load_model(text, settings_sha256=settings, available=available)


def rejected(text: str) -> Rejected:
    outcome = loaded(text)
    assert isinstance(outcome, Rejected)
    return outcome


def edited(**changes: Any) -> str:
    """The package with members replaced or, for `...`, left out; its digest stays as it was."""
    content = json.loads(package(FACTS)) | changes
    return json.dumps({name: value for name, value in content.items() if value is not ...})


def test_a_package_is_read_as_it_was_written() -> None:
    model = loaded(package(FACTS))
    assert isinstance(model, Model)
    assert model.model_dump(exclude={"sha256"}) == FACTS.model_dump()
    identity = model.identity
    assert (identity.name, identity.version, identity.licence, identity.demonstration) == (
        "signature",
        "2.1",
        "CC-BY-4.0",
        False,
    )
    assert identity.sha256 == model.sha256


def test_the_digest_is_that_of_the_canonical_json_without_the_digest() -> None:
    content = json.loads(package(FACTS))
    claimed = content.pop("sha256")
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert claimed == hashlib.sha256(canonical.encode("utf-8")).hexdigest()


def test_layout_and_order_of_the_file_do_not_matter() -> None:
    content = json.loads(package(FACTS))
    shuffled = json.dumps(dict(reversed(content.items())), indent=7, ensure_ascii=True)
    assert isinstance(loaded(shuffled), Model)


def test_a_package_with_a_changed_coefficient_is_rejected_as_model_001() -> None:
    text = package(FACTS).replace("1.25", "1.26")
    outcome = rejected(text)
    assert outcome.code == "MODEL-001"
    assert json.loads(text)["sha256"] in outcome.detail


def test_a_package_with_another_intended_use_is_rejected_as_model_001() -> None:
    assert rejected(edited(intended_use="Clinical use")).code == "MODEL-001"


def test_a_package_with_unknown_features_is_rejected_as_model_002_that_names_them() -> None:
    outcome = loaded(package(FACTS), available=("original_shape_Sphericity",))
    assert isinstance(outcome, Rejected)
    assert outcome.code == "MODEL-002"
    assert "original_glcm_JointEntropy" in outcome.detail
    assert "original_shape_Sphericity" not in outcome.detail


def test_a_package_for_other_extraction_settings_is_rejected_as_model_003_that_names_both() -> None:
    outcome = loaded(package(FACTS), settings="b" * 64)
    assert isinstance(outcome, Rejected)
    assert outcome.code == "MODEL-003"
    assert all(part in outcome.detail for part in ("recommended", "a" * 64, "b" * 64))
    assert "recommended" in outcome.remedy


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"model"', "\x00", "[" * 100_000], ids=range(7))
def test_a_text_that_is_no_package_is_rejected_as_model_004(text: str) -> None:
    assert rejected(text).code == "MODEL-004"


def test_everything_that_is_wrong_with_a_package_is_told_at_once_as_model_004() -> None:
    features = [
        {"name": "original_glcm_JointEntropy", "coefficient": "0.5", "mean": 4.0, "sd": 0},
        {"name": "original_shape_Sphericity", "coefficient": 1.25, "mean": float("nan"), "sd": -1.0},
    ]
    outcome = rejected(edited(licence=..., intercept=float("inf"), version=2, colour="red", features=features))
    assert outcome.code == "MODEL-004"
    for where in (
        "licence",
        "intercept",
        "version",
        "colour",
        "features.0.coefficient",
        "features.0.sd",
        "features.1.mean",
        "features.1.sd",
    ):
        assert f"{where}: " in outcome.detail


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"schema_version": 2}, "schema_version"),
        ({"demonstration": "false"}, "demonstration"),
        ({"demonstration": 0}, "demonstration"),
        ({"features": []}, "features"),
        ({"cut_off": {"value": 1.5, "rule": "Youden"}}, "cut_off.value"),
        ({"lesion_choice": "first"}, "lesion_choice"),
        ({"sha256": "A" * 64}, "sha256"),
        ({"sha256": ...}, "sha256"),
        ({"negative_class": "responder (≥ 30 %)"}, "positive_class and negative_class are the same"),
    ],
)
def test_a_package_with_one_wrong_member_is_rejected_as_model_004_that_names_it(
    changes: dict[str, Any], told: str
) -> None:
    outcome = rejected(edited(**changes))
    assert outcome.code == "MODEL-004"
    assert told in outcome.detail


def test_a_member_that_occurs_twice_is_rejected_as_model_004() -> None:
    text = package(FACTS).replace('"intercept": 0.1,', '"intercept": 0.1, "intercept": 0.2,')
    outcome = rejected(text)
    assert outcome.code == "MODEL-004"
    assert "intercept" in outcome.detail


def test_a_feature_that_is_named_twice_is_rejected_as_model_004() -> None:
    feature = {"name": "original_shape_Sphericity", "coefficient": 1.0, "mean": 0.0, "sd": 1.0}
    outcome = rejected(edited(features=[feature, feature]))
    assert outcome.code == "MODEL-004"
    assert "named more than once: original_shape_Sphericity" in outcome.detail


def test_facts_that_contradict_themselves_cannot_be_made() -> None:
    with pytest.raises(ValidationError, match="more events than cases"):
        Training.model_validate(FACTS.training.model_dump() | {"events": 99})
    with pytest.raises(ValidationError, match="data_from is later than data_to"):
        Training.model_validate(FACTS.training.model_dump() | {"data_from": "2024-01-01"})
