"""What the commands about models do: each gives what there is to say, or the reason why it could not be done."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from node.adapters.key_file import private_key, write_keys
from node.adapters.model_folder import add_file, read_folder
from node.bootstrap.extraction import extraction_settings
from node.bootstrap.models import make_models, scoring_model
from node.settings import Settings
from pipelines.domain.reasons import Rejected
from pipelines.extraction.names import feature_names
from pipelines.scoring.keys import new_key
from pipelines.scoring.lifecycle import Known
from pipelines.scoring.model import Model
from pipelines.scoring.package import SIGNATURE, Package, intact, signed

KEY_NAME: Final = "model-signing.pem"


@dataclass(frozen=True, slots=True)
class Told:
    """What a command has to say.

    Attributes
    ----------
    lines
        For people.
    facts
        The same for programs.
    """

    lines: tuple[str, ...]
    facts: Any


def keygen(settings: Settings, path: Path | None) -> Told | Rejected:
    """Make a key that signs models, in the data folder or where it is told."""
    private = settings.data_dir / "keys" / KEY_NAME if path is None else path.absolute()
    key = new_key()
    try:
        public = write_keys(private, key)
    except OSError as fault:
        return Rejected(
            "MODEL-010",
            f"{private} cannot be written: {fault.strerror}.",
            "Name another file with --output; a key is never written over another.",
        )
    lines = (
        f"Key {key.key_id}",
        f"  private: {private} (keep it to yourself, and a copy where it cannot be lost)",
        f"  public:  {public} (name it in scoring.trusted_keys of every node that shall trust it)",
    )
    return Told(lines, {"key_id": key.key_id, "private": str(private), "public": str(public)})


def sign(settings: Settings, folder: Path, key_path: Path | None) -> Told | Rejected:
    """Sign the package in `folder`, whose files must be those of its manifest."""
    key = private_key(settings.data_dir / "keys" / KEY_NAME if key_path is None else key_path)
    if isinstance(key, Rejected):
        return key
    files = read_folder(folder)
    if isinstance(files, Rejected):
        return files
    model = intact(files)
    if isinstance(model, Rejected):
        return model
    try:
        add_file(folder, SIGNATURE, signed(files, key)[SIGNATURE])
    except OSError as fault:
        return Rejected(
            "MODEL-004", f"{folder} cannot be written: {fault.strerror}.", "Copy the package to a folder of your own."
        )
    facts = {"name": model.name, "version": model.version, "sha256": model.sha256, "key_id": key.key_id}
    return Told((f"{model.name} {model.version} is signed with key {key.key_id}.",), facts)


def verify(settings: Settings, folder: Path) -> Told | Rejected:
    """Look whether the node would score with the package in `folder`, its extraction settings aside."""
    package = make_models(settings).verify(folder)
    if isinstance(package, Rejected):
        return package
    return Told(tuple(_described(package)), _package_facts(package))


def listed(settings: Settings) -> Told | Rejected:
    """All models that were activated or retired here."""
    known = make_models(settings).register()
    if isinstance(known, Rejected):
        return known
    lines = tuple(_line(one) for one in known.models) or ("No model was activated here.",)
    return Told((*lines, f"scoring.model is {json.dumps(settings.scoring.model)}."), [_facts(m) for m in known.models])


def activate(settings: Settings, folder: Path, *, reinstate: bool) -> Told | Rejected:
    """Keep the package in `folder` and make it the active model."""
    extraction = extraction_settings(settings)
    package = make_models(settings).activate(
        folder, settings_sha256=extraction.digest, available=feature_names(extraction), reinstate=reinstate
    )
    if isinstance(package, Rejected):
        return package
    model = package.model
    lines = [f"{model.name} {model.version} is active."]
    if settings.scoring.model != "active":
        lines.append(
            f'The node does not use it yet: scoring.model is {json.dumps(settings.scoring.model)}. Set it to "active" '
            "and restart."
        )
    return Told(tuple(lines), _package_facts(package))


def retire(settings: Settings, name: str, version: str, reason: str) -> Told | Rejected:
    """Have the node refuse a model from the next case on."""
    event = make_models(settings).retire(name, version, reason=reason)
    if isinstance(event, Rejected):
        return event
    lines = [f"{name} {version} is retired since {event.at:%Y-%m-%d %H:%M} UTC; results that it made stay as they are."]
    if not event.model_sha256:
        lines.append("It was never activated here: check the name and the version.")
    facts = {"name": name, "version": version, "retired_at": event.at.isoformat(), "reason": event.reason}
    return Told(tuple(lines), facts)


def model_line(settings: Settings) -> str:
    """The model that scores, in one line.

    Raises
    ------
    ConfigError
        If a trusted key cannot be used.
    """
    found = scoring_model(settings)
    if found is None:
        return "none, cases are not scored"
    if isinstance(found, Rejected):
        return str(found)
    note = " (demonstration, not for clinical use)" if found.demonstration else ""
    return f"{found.name} {found.version}{note}, SHA-256 {found.sha256[:16]}..."


def _described(package: Package) -> Iterator[str]:
    model, key = package.model, package.signed_by
    yield f"{model.name} {model.version}: intact, signed with key {key.key_id} ({key.name})"
    if model.demonstration:
        yield "  DEMONSTRATION MODEL - not for clinical use"
    yield f"  intended use: {model.intended_use}; licence {model.licence}"
    yield f"  SHA-256 of the model {model.sha256}, of the package {package.package_sha256}"
    yield f"  {len(model.features)} features, profile {model.extraction.profile}"
    yield f"  trained on {model.training.n} cases, {model.training.events} of them {model.positive_class}"
    yield from (f"  {line}" for line in _performances(model))
    if model.reference is None:
        yield "  holds no numbers of its training data: cases cannot be compared with it (MODEL-017)"


def _performances(model: Model) -> Iterator[str]:
    for one in model.performance:
        interval = "" if one.ci_low is None else f" ({one.ci_low:.3g} to {one.ci_high:.3g})"
        yield f"{one.data} {one.measure} {one.value:.3g}{interval}, {one.method}"


def _package_facts(package: Package) -> dict[str, Any]:
    model = package.model
    return {
        "name": model.name,
        "version": model.version,
        "sha256": model.sha256,
        "package_sha256": package.package_sha256,
        "key_id": package.signed_by.key_id,
        "demonstration": model.demonstration,
        "features": len(model.features),
        "profile": model.extraction.profile,
    }


def _line(known: Known) -> str:
    last = known.last
    why = f" ({last.reason})" if last.reason else ""
    sha = f", SHA-256 {last.model_sha256[:16]}..." if last.model_sha256 else ""
    return f"{last.name} {last.version}: {known.state.value} since {last.at:%Y-%m-%d %H:%M} UTC{why}{sha}"


def _facts(known: Known) -> dict[str, Any]:
    last = known.last
    return {
        "name": last.name,
        "version": last.version,
        "state": known.state.value,
        "since": last.at.isoformat(),
        "reason": last.reason,
        "sha256": last.model_sha256,
        "package_sha256": last.package_sha256,
        "key_id": last.key_id,
    }
