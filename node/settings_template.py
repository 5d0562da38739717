"""The commented configuration file, written from the settings themselves.

`python -m node.settings_template > config/node.toml` writes the packaged file anew; a test compares the two.
"""

import json
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from node.settings import ENVIRONMENT_PREFIX, Peer, Settings

_WIDTH: Final = 116
_HEADER: Final = f"""\
pulmonode: every setting with its default. Remove the # before a key to change it; what is not set keeps its default.
Environment variables go before this file: {ENVIRONMENT_PREFIX}NODE__PORT=104 sets node.port, lists are written as JSON.
Unknown keys and wrong values are errors: `pulmonode config check` lists them all. Passwords never stand here: the
*_file keys name files that hold them."""
_EXAMPLE_PEER: Final = {
    "name": "PACS",
    "ae_title": "ORTHANC",
    "host": "192.0.2.10",
    "port": 104,
    "charset": "GB18030",
    "stow_token_file": "/etc/pulmonode/pacs.token",
}


def template() -> str:
    """Text of `config/node.toml`."""
    parts = [_comment(_HEADER)]
    for name, field in Settings.model_fields.items():
        if name == "peers":
            continue
        section = field.default
        parts.append(f"[{name}]\n{_comment(type(section).__doc__ or '')}\n\n" + "\n\n".join(_keys(type(section))))
    parts.append(_peer_example())
    return "\n\n".join(parts) + "\n"


def rows() -> Iterator[tuple[str, str, str, str]]:
    """(key, default, allowed values, description) of every setting, for the reference in the manual."""
    for name, field in Settings.model_fields.items():
        model: type[BaseModel] = Peer if name == "peers" else type(field.default)
        for key, setting in model.model_fields.items():
            default = "required" if setting.is_required() else toml_value(setting.default)
            yield f"{name}.{key}", default, _allowed(setting), setting.description or ""


def _keys(model: type[BaseModel]) -> Iterator[str]:
    for key, field in model.model_fields.items():
        allowed = _allowed(field)
        text = f"{field.description} {f'Allowed: {allowed}.' if allowed else ''}".strip()
        value = "" if field.default is None else toml_value(field.default)
        yield f"{_comment(text)}\n# {key} = {value}".rstrip()


def _allowed(field: FieldInfo) -> str:
    bounds = {type(item).__name__: item for item in field.metadata}
    low = getattr(bounds.get("Ge"), "ge", None)
    high = getattr(bounds.get("Le"), "le", None)
    if low is not None and high is not None:
        return f"{low} to {high}"
    if low is not None:
        return f"{low} or more"
    choices = getattr(field.annotation, "__args__", ())
    if choices and all(isinstance(choice, str) for choice in choices):
        return ", ".join(choice or '""' for choice in choices)
    return ""


def toml_value(value: Any) -> str:
    """`value` as it is written in TOML, for the kinds of values that settings have."""
    match value:
        case None:
            return "not set"
        case bool():
            return str(value).lower()
        case int() | float():
            return str(value)
        case Path() | str():
            return json.dumps(str(value), ensure_ascii=False)
        case tuple():
            return f"[{', '.join(toml_value(item) for item in value)}]"
        case _:
            raise TypeError(f"no TOML for {type(value).__name__}")


def _comment(text: str) -> str:
    lines = [line for paragraph in text.splitlines() for line in textwrap.wrap(paragraph, _WIDTH)]
    return "\n".join(f"# {line}" for line in lines)


def _peer_example() -> str:
    lines = [_comment("Other DICOM applications, one [[peers]] for each. Name those that get all results in")]
    lines.append(_comment("delivery.destinations."))
    lines.append("#\n# [[peers]]")
    for key, field in Peer.model_fields.items():
        lines.append(_comment(field.description or ""))
        lines.append(f"# {key} = {toml_value(_EXAMPLE_PEER.get(key, field.default))}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(template())
