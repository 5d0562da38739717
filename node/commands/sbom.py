"""List what an installation is made of, as a software bill of materials (CycloneDX 1.5)."""

import platform
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from importlib import metadata
from typing import Any
from urllib.parse import quote
from uuid import UUID

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_OURS = "pulmonode"


def bill_of_materials(at: datetime, serial: UUID) -> dict[str, Any]:
    """Everything that is installed and that the node needs, with versions, licences and what needs what."""
    needed = _needed()
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": serial.urn,
        "version": 1,
        "metadata": {
            "timestamp": at.isoformat(timespec="seconds"),
            "component": {**_component(metadata.distribution(_OURS)), "type": "application"},
        },
        "components": [
            *(_component(one) for name, one in sorted(needed.items()) if name != _OURS),
            {
                "type": "platform",
                "bom-ref": f"pkg:generic/python@{platform.python_version()}",
                "name": "python",
                "version": platform.python_version(),
            },
        ],
        "dependencies": [
            {"ref": _purl(one), "dependsOn": sorted(_purl(needed[n]) for n in set(_requires(one)) & needed.keys())}
            for _, one in sorted(needed.items())
        ],
    }


def _needed() -> dict[str, metadata.Distribution]:
    """The distributions that the node needs, and those that these need, as far as they are installed."""
    found: dict[str, metadata.Distribution] = {}
    waiting = [_OURS]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        try:
            found[name] = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # of an extra that was not installed
        waiting += _requires(found[name])
    return found


def _requires(distribution: metadata.Distribution) -> Iterator[str]:
    extras = ("", *(distribution.metadata.get_all("Provides-Extra") or ()))
    for line in distribution.requires or ():
        wanted = Requirement(line)
        if wanted.marker is None or any(wanted.marker.evaluate({"extra": extra}) for extra in _meant(extras)):
            yield canonicalize_name(wanted.name)


def _meant(extras: Iterable[str]) -> list[str]:
    """Extras whose libraries belong to a running node."""
    return [extra for extra in extras if extra in ("", "postgresql", "binary", "redis", "cffi")]


def _component(distribution: metadata.Distribution) -> dict[str, Any]:
    told = {
        "type": "library",
        "bom-ref": _purl(distribution),
        "name": distribution.metadata["Name"],
        "version": distribution.version,
        "purl": _purl(distribution),
    }
    licence = _licence(distribution)
    return told | {"licenses": [licence]} if licence else told


def _licence(distribution: metadata.Distribution) -> dict[str, Any] | None:
    expression = _stated(distribution, "License-Expression")
    if expression:
        return {"expression": expression}
    classified = [
        one.rpartition(" :: ")[2]
        for one in distribution.metadata.get_all("Classifier") or ()
        if one.startswith("License :: OSI Approved :: ")
    ]
    stated = _stated(distribution, "License")
    # some put the whole text there
    name = classified[0] if classified else re.split(r"\n", stated)[0][:100]
    return {"license": {"name": name}} if name else None


def _stated(distribution: metadata.Distribution, name: str) -> str:
    found = distribution.metadata.get_all(name) or [""]
    return str(found[0]).strip()


def _purl(distribution: metadata.Distribution) -> str:
    return f"pkg:pypi/{canonicalize_name(distribution.metadata['Name'])}@{quote(distribution.version)}"
