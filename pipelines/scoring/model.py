"""Model packages: a Rad-signature with all that is needed to apply it and to judge it, as one JSON file.

The file names the SHA-256 of its own content, so that a package that was damaged or edited by hand is found out.
"""

import hashlib
import json
from collections.abc import Collection, Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from pipelines.domain.reasons import Rejected
from pipelines.domain.score import ModelIdentity

SCHEMA_VERSION: Final = 1

Text = Annotated[str, Field(min_length=1)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Day = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]

_INSTALL_AGAIN: Final = "Install the model package again from its source."


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


class ModelFeature(_Part):
    """One term of the linear predictor: coefficient * (value - mean) / sd.

    Attributes
    ----------
    name
        Exactly as PyRadiomics names it.
    mean, sd
        Of the feature in the training data.
    """

    name: Text
    coefficient: Number
    mean: Number
    sd: Annotated[float, Field(gt=0, allow_inf_nan=False)]


class CutOff(_Part):
    """Probability from which on (>=) a case is of the positive class, and the rule that gave it."""

    value: Fraction
    rule: Text


class Extraction(_Part):
    """Settings that the features of the training data were computed with."""

    profile: Text
    settings_sha256: Sha256


class Validation(_Part):
    """Area under the ROC curve on cases that the coefficients were not fitted to, and how those were set apart."""

    auc: Fraction
    method: Text


class Training(_Part):
    """What the model was made from.

    Attributes
    ----------
    data
        Description of the cases, for people.
    n, events
        Cases, and how many of them belong to the positive class.
    data_from, data_to
        First and last study date, YYYY-MM-DD.
    feature_selection, estimator
        How the features were chosen and the coefficients fitted.
    software
        Version of everything that touched the numbers, by name.
    apparent_auc
        Area under the ROC curve on the training data itself: too good for new cases.
    validation
        None when the model was never tested on other cases.
    """

    data: Text
    n: Annotated[int, Field(gt=0)]
    events: Annotated[int, Field(ge=0)]
    data_from: Day
    data_to: Day
    feature_selection: Text
    estimator: Text
    software: Mapping[Text, Text]
    apparent_auc: Fraction
    validation: Validation | None

    @model_validator(mode="after")
    def _counts_fit(self) -> "Training":
        if self.events > self.n:
            raise ValueError("more events than cases")
        if self.data_from > self.data_to:
            raise ValueError("data_from is later than data_to")
        return self


class ModelFacts(_Part):
    """A model as it is packaged, without its digest.

    Attributes
    ----------
    demonstration
        True for a model that must not be used for patients.
    positive_class, negative_class
        What the two sides of the cut-off mean, such as "predicted responder (CR/PR)".
    lesion_choice
        Which lesion is scored when a case has several.
    """

    schema_version: Literal[1]
    name: Text
    version: Text
    licence: Text
    intended_use: Text
    demonstration: bool
    positive_class: Text
    negative_class: Text
    features: Annotated[tuple[ModelFeature, ...], Field(min_length=1)]
    intercept: Number
    cut_off: CutOff
    lesion_choice: Literal["largest"]
    extraction: Extraction
    training: Training

    @field_validator("features")
    @classmethod
    def _each_feature_once(cls, features: tuple[ModelFeature, ...]) -> tuple[ModelFeature, ...]:
        names = [feature.name for feature in features]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"named more than once: {', '.join(twice)}")
        return features

    @model_validator(mode="after")
    def _classes_differ(self) -> "ModelFacts":
        if self.positive_class == self.negative_class:
            raise ValueError("positive_class and negative_class are the same")
        return self


class Model(ModelFacts):
    """A model package that was found intact and fit for this node."""

    sha256: Sha256

    @property
    def identity(self) -> ModelIdentity:
        """What is printed beside every score."""
        return ModelIdentity(self.name, self.version, self.sha256, self.licence, self.intended_use, self.demonstration)


def package(facts: ModelFacts) -> str:
    """Write `facts` as a model package with its digest."""
    content = facts.model_dump(mode="json", exclude={"sha256"})
    content["sha256"] = _digest(content)
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def load_model(text: str, *, settings_sha256: str, available: Collection[str]) -> Model | Rejected:
    """Read a model package.

    Parameters
    ----------
    text
        Content of the file.
    settings_sha256
        Digest of the extraction settings that the node uses.
    available
        Names of the features that the node computes with them.

    Returns
    -------
    Model
        Ready to score with.
    Rejected
        `MODEL-004` when the text is no model package, with everything that is wrong; `MODEL-001` when its digest does
        not fit; `MODEL-003` when it was trained with other extraction settings; `MODEL-002` when it needs features that
        are not `available`.
    """
    try:
        content = json.loads(text, object_pairs_hook=_without_repetition)
        model = Model.model_validate_json(text)
    except ValidationError as fault:
        return Rejected("MODEL-004", f"The model package is wrong: {_problems(fault)}.", _INSTALL_AGAIN)
    except (ValueError, RecursionError) as fault:
        return Rejected("MODEL-004", f"The model package cannot be read as JSON: {fault}.", _INSTALL_AGAIN)
    del content["sha256"]
    found = _digest(content)
    if found != model.sha256:
        return Rejected(
            "MODEL-001",
            f"The content of model {model.name} {model.version} has SHA-256 {found}, the package says {model.sha256}.",
            _INSTALL_AGAIN,
        )
    trained_with = model.extraction
    if trained_with.settings_sha256 != settings_sha256:
        return Rejected(
            "MODEL-003",
            f"Model {model.name} {model.version} was trained with extraction profile {trained_with.profile} (SHA-256 "
            f"{trained_with.settings_sha256}), the node extracts with settings of SHA-256 {settings_sha256}.",
            f"Set the extraction profile of the node to {trained_with.profile}, or install a model that was trained "
            "with the node's settings.",
        )
    unknown = [feature.name for feature in model.features if feature.name not in available]
    if unknown:
        return Rejected(
            "MODEL-002",
            f"Model {model.name} {model.version} needs features that the node does not compute: {', '.join(unknown)}.",
            "Install a model that uses PyRadiomics' feature names for this extraction profile.",
        )
    return model


def _digest(content: Mapping[str, Any]) -> str:
    """SHA-256 (hex) over the canonical JSON: sorted keys, no whitespace, UTF-8."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # of two equal keys each JSON reader takes another one: what was digested might not be what is used
    made = dict(pairs)
    if len(made) != len(pairs):
        names = [name for name, _ in pairs]
        twice = sorted({name for name in names if names.count(name) > 1})
        raise ValueError(f"{', '.join(twice)} occurs more than once in one object")
    return made


def _problems(fault: ValidationError) -> str:
    said = []
    for problem in fault.errors(include_url=False, include_context=False, include_input=False):
        where = ".".join(str(part) for part in problem["loc"]) or "the package"
        said.append(f"{where}: {problem['msg'].removeprefix('Value error, ')}")
    return "; ".join(said)
