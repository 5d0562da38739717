"""Model packages: a folder of files, of which none can be changed without breaking one signature.

`model.json` decides the score, `card.json` and `card.md` say what the model is, other files (tables, figures, a report)
stand beside them. `manifest.json` names the SHA-256 of each of these, and `model.sig` signs the manifest.
"""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar

from pydantic import Field, ValidationError

from pipelines.domain.reasons import Rejected
from pipelines.scoring.facts import ModelFacts
from pipelines.scoring.keys import SigningKey, TrustedKey
from pipelines.scoring.model import Model, canonical_json, model_bytes, read_model
from pipelines.scoring.parts import Part, Sha256

MODEL: Final = "model.json"
SIGNATURE: Final = "model.sig"
MANIFEST: Final = "manifest.json"
CARD: Final = ("card.json", "card.md")
_OWN: Final = (MODEL, SIGNATURE, MANIFEST, *CARD)
_PATH: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*")
_CONTEXT: Final = b"pulmonode model package 1\n"
"""Begins every signed message, so that a signature made for something else fits no package."""
_INSTALL_AGAIN: Final = "Install the model package again from its source."


class _Entry(Part):
    sha256: Sha256
    bytes: int = Field(ge=0)


class _Manifest(Part):
    format: Literal["pulmonode-model-manifest"]
    version: Literal[1]
    files: Mapping[str, _Entry]


class _Signature(Part):
    format: Literal["pulmonode-model-signature"]
    version: Literal[1]
    algorithm: Literal["Ed25519"]
    key_id: str = Field(pattern=r"^[0-9a-f]{32}$")
    model_sha256: Sha256
    manifest_sha256: Sha256
    signature: str = Field(pattern=r"^[A-Za-z0-9+/]{86}==$")


_P = TypeVar("_P", bound=Part)


@dataclass(frozen=True, slots=True)
class Package:
    """A package whose every byte was found to be what a trusted key signed.

    Attributes
    ----------
    signed_by
        The key that vouches for it.
    package_sha256
        Digest of the manifest, and so of the whole package; `model.sha256` is that of the model alone.
    """

    model: Model
    signed_by: TrustedKey
    package_sha256: str


def package_files(
    facts: ModelFacts, card: Mapping[str, bytes], attachments: Mapping[str, bytes] | None = None
) -> dict[str, bytes]:
    """The files of a package that is not yet signed, by their path in its folder.

    Parameters
    ----------
    card
        `card.json` and `card.md`, as `card_files` makes them.
    attachments
        Tables, figures, a report: by path with `/`, of letters, digits, dot, hyphen and underscore.

    Raises
    ------
    ValueError
        If an attachment has a path that is reserved or cannot be used, or the card is not complete.
    """
    attached = attachments or {}
    wrong = sorted(path for path in attached if path in _OWN or not _PATH.fullmatch(path))
    if wrong:
        raise ValueError(f"no paths for attachments: {', '.join(wrong)}")
    if sorted(card) != sorted(CARD):
        raise ValueError(f"a card has the files {' and '.join(CARD)}")
    content = {MODEL: model_bytes(facts), **card, **attached}
    return content | {MANIFEST: _manifest_of(content)}


def signed(files: Mapping[str, bytes], key: SigningKey) -> dict[str, bytes]:
    """`files` of a package with the signature of `key`, in place of any other.

    Raises
    ------
    ValueError
        If the model or the manifest is missing.
    """
    if MODEL not in files or MANIFEST not in files:
        raise ValueError(f"a package has {MODEL} and {MANIFEST}")
    model, manifest = _sha256(files[MODEL]), _sha256(files[MANIFEST])
    signature = base64.b64encode(key.sign(_message(model, manifest))).decode("ascii")
    content = {
        "format": "pulmonode-model-signature",
        "version": 1,
        "algorithm": "Ed25519",
        "key_id": key.key_id,
        "model_sha256": model,
        "manifest_sha256": manifest,
        "signature": signature,
    }
    return {**files, SIGNATURE: canonical_json(content)}


def open_package(files: Mapping[str, bytes], trusted: Iterable[TrustedKey]) -> Package | Rejected:
    """Find out whether `files` are a package that a trusted key signed.

    Parameters
    ----------
    files
        Everything in the folder, by path with `/`.

    Returns
    -------
    Package
        Its model is well formed; whether it fits the node is for `fitting` to say.
    Rejected
        `MODEL-006` when there is no signature, `MODEL-007` when its key is not trusted (for this kind of model),
        `MODEL-001` when anything is not as it was signed, `MODEL-004` when what was signed is no model.
    """
    unsigned = intact(files)
    if isinstance(unsigned, Rejected):
        return unsigned
    if SIGNATURE not in files:
        return Rejected(
            "MODEL-006",
            f"Model {unsigned.name} {unsigned.version} has no {SIGNATURE}.",
            "Ask its maker for the signed package, or sign it yourself with pulmonode model sign.",
        )
    said = _read(_Signature, SIGNATURE, files[SIGNATURE])
    if isinstance(said, Rejected):
        return said
    model, manifest = _sha256(files[MODEL]), _sha256(files[MANIFEST])
    if (said.model_sha256, said.manifest_sha256) != (model, manifest):
        return _altered(f"{SIGNATURE} was made for other files")
    key = next((one for one in trusted if one.key_id == said.key_id), None)
    if key is None:
        return Rejected(
            "MODEL-007",
            f"Model {unsigned.name} {unsigned.version} is signed with key {said.key_id}, which is not trusted here.",
            "If you know whose key it is, put its public half into scoring.trusted_keys.",
        )
    if not key.verifies(_signature_bytes(said.signature), _message(model, manifest)):
        return _altered(f"the signature of key {said.key_id} does not fit")
    if key.demonstration and not unsigned.demonstration:
        return Rejected(
            "MODEL-007",
            f"Model {unsigned.name} {unsigned.version} is signed with the demonstration key and says that it is no "
            "demonstration.",
            "Have it signed with a key of your own: everybody has the demonstration key.",
        )
    return Package(unsigned, key, manifest)


def intact(files: Mapping[str, bytes]) -> Model | Rejected:
    """The model of a package whose files are those that its manifest names, signed or not.

    Returns
    -------
    Rejected
        `MODEL-004` when a file is missing or malformed, `MODEL-001` when the files are not those of the manifest.
    """
    missing = [name for name in (MODEL, MANIFEST, *CARD) if name not in files]
    if missing:
        return Rejected("MODEL-004", f"The model package has no {', '.join(missing)}.", _INSTALL_AGAIN)
    manifest = _read(_Manifest, MANIFEST, files[MANIFEST])
    if isinstance(manifest, Rejected):
        return manifest
    differing = _differing({name: data for name, data in files.items() if name not in (MANIFEST, SIGNATURE)}, manifest)
    if differing:
        return _altered("; ".join(differing))
    return read_model(files[MODEL])


def _differing(content: Mapping[str, bytes], manifest: _Manifest) -> list[str]:
    found = [f"{name} is not in the manifest" for name in _shown(content.keys() - manifest.files.keys())]
    for name in sorted(manifest.files):
        entry = manifest.files[name]
        if name not in content:
            found.append(f"{name} is missing")
        elif (len(content[name]), _sha256(content[name])) != (entry.bytes, entry.sha256):
            found.append(f"{name} was changed")
    return found


def _shown(names: Collection[str]) -> list[str]:
    # names of files that nobody vouches for may be anything
    return sorted(name if _PATH.fullmatch(name) else ascii(name) for name in names)


def _altered(what: str) -> Rejected:
    return Rejected("MODEL-001", f"The model package was changed after it was made: {what}.", _INSTALL_AGAIN)


def _manifest_of(content: Mapping[str, bytes]) -> bytes:
    files = {name: {"sha256": _sha256(data), "bytes": len(data)} for name, data in content.items()}
    return canonical_json({"format": "pulmonode-model-manifest", "version": 1, "files": files})


def _read(kind: type[_P], name: str, data: bytes) -> _P | Rejected:
    """What a file of our own format says; written in any other way than ours, it was altered."""
    try:
        content: dict[str, Any] = json.loads(data.decode("utf-8"))
        made = kind.model_validate_json(data)
    except (ValidationError, ValueError, RecursionError):
        return _altered(f"{name} cannot be read")
    if canonical_json(content) != data:
        return _altered(f"{name} was written again")
    return made


def _signature_bytes(text: str) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
    except binascii.Error:
        return b""
    # the last character before the padding has bits that nothing decodes: other text, same signature
    return raw if base64.b64encode(raw).decode("ascii") == text else b""


def _message(model_sha256: str, manifest_sha256: str) -> bytes:
    return _CONTEXT + bytes.fromhex(model_sha256) + bytes.fromhex(manifest_sha256)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
