"""A model as its file: written in one way only, so that equal models have equal digests, and read without trust."""

import hashlib
import json
from collections.abc import Collection, Mapping
from typing import Any, Final

from pydantic import ValidationError

from pipelines.domain.reasons import Rejected
from pipelines.domain.score import ModelIdentity
from pipelines.scoring.facts import ModelFacts
from pipelines.scoring.parts import Sha256

_INSTALL_AGAIN: Final = "Install the model package again from its source."


class Model(ModelFacts):
    """A model that was found intact and fit for this node.

    Attributes
    ----------
    sha256
        Digest of the model's file.
    """

    sha256: Sha256

    @property
    def identity(self) -> ModelIdentity:
        """What is printed beside every score."""
        return ModelIdentity(self.name, self.version, self.sha256, self.licence, self.intended_use, self.demonstration)


def model_bytes(facts: ModelFacts) -> bytes:
    """Write `facts` as the content of `model.json`."""
    return canonical_json(facts.model_dump(mode="json", exclude={"sha256"}))


def read_model(data: bytes) -> Model | Rejected:
    """Read the content of `model.json`.

    Returns
    -------
    Model
        Its numbers are well formed; whether it fits the node is for `fitting` to say.
    Rejected
        `MODEL-004` with everything that is wrong; `MODEL-001` when the content is right and not written canonically.
    """
    try:
        text = data.decode("utf-8")
        content = json.loads(text, object_pairs_hook=_without_repetition)
        facts = ModelFacts.model_validate_json(text)
    except ValidationError as fault:
        return Rejected("MODEL-004", f"The model package is wrong: {_problems(fault)}.", _INSTALL_AGAIN)
    except (ValueError, RecursionError) as fault:
        return Rejected("MODEL-004", f"The model package cannot be read as JSON: {fault}.", _INSTALL_AGAIN)
    if canonical_json(content) != data:
        return Rejected(
            "MODEL-001",
            f"model.json of {facts.name} {facts.version} is not canonical JSON: it was written again by hand or by "
            "another program.",
            _INSTALL_AGAIN,
        )
    return Model(**dict(facts), sha256=hashlib.sha256(data).hexdigest())


def fitting(model: Model, *, settings_sha256: str, available: Collection[str]) -> Model | Rejected:
    """Look whether `model` can score what the node measures.

    Parameters
    ----------
    settings_sha256
        Digest of the extraction settings that the node uses.
    available
        Names of the features that the node computes with them.

    Returns
    -------
    Model
        As it was given.
    Rejected
        `MODEL-003` when it was trained with other extraction settings; `MODEL-002` when it needs features that are not
        `available`.
    """
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


def canonical_json(content: Mapping[str, Any]) -> bytes:
    """Sorted keys, no whitespace, UTF-8, shortest decimal numbers, one line feed at the end.

    Examples
    --------
    >>> canonical_json({"b": 0.1, "a": ["é"]}).decode()
    '{"a":["é"],"b":0.1}\\n'
    """
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return f"{text}\n".encode()


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
