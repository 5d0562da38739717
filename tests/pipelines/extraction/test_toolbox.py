"""Telling the right PyRadiomics from what else may bear its name."""

import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.domain.reasons import Rejected
from pipelines.extraction.toolbox import DISTRIBUTION, UPSTREAM_VERSION, VERSION, Installed, Toolbox, examined, judged

RIGHT = ((DISTRIBUTION, VERSION),)
ASK = (
    "from pipelines.extraction.toolbox import WrongToolboxError, pyradiomics\n"
    "try:\n    print('found', pyradiomics().__name__)\n"
    "except WrongToolboxError as fault:\n    print(fault)\n"
)


def asked(*folders: Path) -> str:
    """What a process of its own says that finds `folders` before everything else."""
    place = f"import sys; sys.path[:0] = {[str(folder) for folder in folders]!r}\n"
    done = subprocess.run([sys.executable, "-c", place + ASK], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def package(folder: Path) -> Path:
    """A foreign package of that name, which leaves a trace when it runs."""
    (folder / "radiomics").mkdir(parents=True)
    (folder / "radiomics" / "__init__.py").write_text(
        f"open({str(folder / 'ran')!r}, 'w')\n__version__ = 'v{VERSION}'\n"
    )
    return folder


def distribution(folder: Path, name: str, version: str) -> Path:
    """Metadata that claim the package for a distribution."""
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (info / "top_level.txt").write_text("radiomics\n")
    return folder


def test_the_one_that_is_installed_here_is_the_right_one() -> None:
    found = examined()
    assert isinstance(found, Toolbox)
    assert found.identity == f"PyRadiomics {UPSTREAM_VERSION} ({DISTRIBUTION} {VERSION})"
    assert asked() == "found radiomics\n"


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (Installed((), False), "not installed"),
        (Installed((("pyradiomics", "3.0.1"),), True), "belongs to pyradiomics 3.0.1"),
        (Installed(((DISTRIBUTION, "3.1.3"),), True), f"belongs to {DISTRIBUTION} 3.1.3"),
        (Installed((("pyradiomics", "3.1.0"), *RIGHT), True), "2 distributions write the package"),
        (Installed(RIGHT, False), "Another package radiomics is found before"),
        (Installed(RIGHT, True, fault="no module named _cmatrices"), "cannot be imported: no module named _cmatrices"),
        (Installed(RIGHT, True, says="v3.0.1"), "says that it is version v3.0.1"),
    ],
)
def test_anything_else_is_eng_001_with_what_was_found(found: Installed, says: str) -> None:
    verdict = judged(found)
    assert isinstance(verdict, Rejected)
    assert verdict.code == "ENG-001"
    assert says in verdict.detail
    assert f"{DISTRIBUTION} {VERSION}" in verdict.remedy


def test_a_foreign_package_of_that_name_is_refused_and_does_not_run(tmp_path: Path) -> None:
    said = asked(package(tmp_path))
    assert said.startswith("ENG-001 Another package radiomics is found before")
    assert not (tmp_path / "ran").exists()


def test_two_distributions_that_write_the_package_are_refused(tmp_path: Path) -> None:
    said = asked(distribution(tmp_path, "pyradiomics", "3.1.0"))
    assert said.startswith("ENG-001 2 distributions write the package radiomics: pyradiomics 3.1.0, ")


def test_another_version_is_refused(tmp_path: Path) -> None:
    # metadata that are found first go before those of the environment
    said = asked(distribution(tmp_path, DISTRIBUTION, "3.1.3"))
    assert said.startswith(f"ENG-001 The package radiomics belongs to {DISTRIBUTION} 3.1.3")
