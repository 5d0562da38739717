"""The bill of materials: complete, and equal to the lock that the environment was made from."""

import re
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from uuid import UUID

from node.commands.sbom import bill_of_materials

LOCK = Path(__file__).parents[3] / "requirements.lock"
SERIAL = UUID("00000000-0000-4000-8000-000000000001")


def test_everything_of_the_lock_that_is_installed_is_listed_with_its_version() -> None:
    bill = bill_of_materials(datetime(2026, 3, 1, tzinfo=UTC), SERIAL)
    listed = {
        one["purl"].partition("@")[0].rpartition("/")[2]: one["version"] for one in bill["components"] if "purl" in one
    }
    # a lock for all versions of Python may name several of one library
    locked: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([a-z0-9._-]+)==(\S+?)(?: |;|$)", LOCK.read_text(), re.MULTILINE):
        locked.setdefault(name, set()).add(version)
    installed = {name: versions for name, versions in locked.items() if _is_installed(name)}
    assert len(installed) > 40
    assert {name: versions for name, versions in installed.items() if listed.get(name) not in versions} == {}


def _is_installed(name: str) -> bool:
    try:
        metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def test_every_reference_leads_to_a_component() -> None:
    bill = bill_of_materials(datetime(2026, 3, 1, tzinfo=UTC), SERIAL)
    refs = {one["bom-ref"] for one in (*bill["components"], bill["metadata"]["component"])}
    assert {ref for one in bill["dependencies"] for ref in (one["ref"], *one["dependsOn"])} <= refs
    assert bill["serialNumber"] == "urn:uuid:00000000-0000-4000-8000-000000000001"
    pydicom = next(one for one in bill["dependencies"] if "/pydicom@" in one["ref"])
    assert pydicom["dependsOn"] == []
    assert {one["name"] for one in bill["components"]} >= {"pydicom", "pynetdicom", "celery", "python"}
