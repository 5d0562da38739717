import hashlib
import json
from typing import Any

import pytest
from pydantic import ValidationError

from pipelines.domain.reasons import Rejected
from pipelines.scoring.facts import Performance, Training
from pipelines.scoring.model import Model, canonical_json, fitting, model_bytes, read_model
from pipelines.scoring.reference import ClassScores, Distance, Quantiles
from tests.models import SETTINGS, facts, reference

AVAILABLE = ("original_glcm_JointEntropy", "original_shape_Sphericity")
FACTS = facts()


def rejected(data: bytes) -> Rejected:
    outcome = read_model(data)
    assert isinstance(outcome, Rejected)
    return outcome


def edited(**changes: Any) -> bytes:
    """The file with members replaced or, for `...`, left out."""
    content = json.loads(model_bytes(FACTS)) | changes
    text = json.dumps({name: value for name, value in content.items() if value is not ...}, sort_keys=True)
    return text.encode()


def test_a_model_is_read_as_it_was_written() -> None:
    model = read_model(model_bytes(FACTS))
    assert isinstance(model, Model)
    assert model.model_dump(exclude={"sha256"}) == FACTS.model_dump()
    assert model_bytes(model) == model_bytes(FACTS)
    identity = model.identity
    assert (identity.name, identity.version, identity.licence, identity.demonstration) == (
        "signature",
        "2.1",
        "CC-BY-4.0",
        False,
    )
    assert identity.sha256 == model.sha256 == hashlib.sha256(model_bytes(FACTS)).hexdigest()


def test_the_file_is_canonical_json() -> None:
    content = json.loads(model_bytes(FACTS))
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert model_bytes(FACTS) == f"{canonical}\n".encode()


def test_another_layout_of_the_same_content_is_rejected_as_model_001() -> None:
    content = json.loads(model_bytes(FACTS))
    for text in (json.dumps(content, indent=1), json.dumps(dict(reversed(content.items())), separators=(",", ":"))):
        assert rejected(text.encode()).code == "MODEL-001"


def fitted(*, settings: str = SETTINGS, available: tuple[str, ...] = AVAILABLE) -> Model | Rejected:
    model = read_model(model_bytes(FACTS))
    assert isinstance(model, Model)
    return fitting(model, settings_sha256=settings, available=available)


def test_a_package_with_unknown_features_is_rejected_as_model_002_that_names_them() -> None:
    outcome = fitted(available=("original_shape_Sphericity",))
    assert isinstance(outcome, Rejected)
    assert outcome.code == "MODEL-002"
    assert "original_glcm_JointEntropy" in outcome.detail
    assert "original_shape_Sphericity" not in outcome.detail


def test_a_package_for_other_extraction_settings_is_rejected_as_model_003_that_names_both() -> None:
    outcome = fitted(settings="b" * 64)
    assert isinstance(outcome, Rejected)
    assert outcome.code == "MODEL-003"
    assert all(part in outcome.detail for part in ("recommended", SETTINGS, "b" * 64))
    assert "recommended" in outcome.remedy


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"model"', "\x00", "[" * 100_000], ids=range(7))
def test_a_text_that_is_no_model_is_rejected_as_model_004(text: str) -> None:
    assert rejected(text.encode()).code == "MODEL-004"


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
        ({"schema_version": 1}, "schema_version"),
        ({"kind": "forest"}, "kind"),
        ({"name": "../signature"}, "name"),
        ({"version": ""}, "version"),
        ({"demonstration": "false"}, "demonstration"),
        ({"demonstration": 0}, "demonstration"),
        ({"features": []}, "features"),
        ({"cut_off": {"value": 1.5, "rule": "Youden"}}, "cut_off.value"),
        ({"lesion_choice": "first"}, "lesion_choice"),
        ({"sha256": "a" * 64}, "sha256"),
        ({"score_scale": {"name": "Rad-score", "of": "probability", "factor": 0.0, "offset": 1.0}}, "score_scale"),
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
    outcome = rejected(model_bytes(FACTS).replace(b'"intercept":0.1,', b'"intercept":0.1,"intercept":0.2,'))
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
    with pytest.raises(ValidationError, match="outside its interval"):
        Performance.model_validate(FACTS.performance[1].model_dump() | {"value": 0.99})
    with pytest.raises(ValidationError, match="an interval needs"):
        Performance.model_validate(FACTS.performance[1].model_dump() | {"ci_level": None})
    with pytest.raises(ValidationError, match="do not ascend"):
        Quantiles.model_validate(reference().features[0].model_dump() | {"p99": -1.0})
    with pytest.raises(ValidationError, match="does not ascend"):
        ClassScores(n=2, ecdf=(1.0, 0.0))
    with pytest.raises(ValidationError, match="different sizes"):
        Distance.model_validate(reference().distance.model_dump() | {"scale": (1.0,)})


def test_a_reference_over_other_features_cannot_be_packed_with_the_model() -> None:
    with pytest.raises(ValidationError, match="not as many as features"):
        facts(features=FACTS.features[:1])


def test_numbers_are_written_as_the_shortest_decimals_that_read_back() -> None:
    assert canonical_json({"x": 0.1, "y": 1e-7, "z": 1.0}) == b'{"x":0.1,"y":1e-07,"z":1.0}\n'
