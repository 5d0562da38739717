"""The shape of the house: what lies where, and what may not be imported or written anywhere."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tools import FROM_THE_PACKAGE_INDEX

ROOT = Path(__file__).parents[1]
SOURCES = sorted([*(ROOT / "node").rglob("*.py"), *(ROOT / "pipelines").rglob("*.py")])


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_says_in_one_sentence_what_it_is_for(path: Path) -> None:
    first = path.read_text("utf-8").splitlines()[0]
    assert re.match(r'^"""[A-Z`0-9].*[.:]("""|$)', first), first


def test_a_file_in_pipelines_is_a_pipeline_and_a_folder_a_building_block() -> None:
    files = {path.name for path in (ROOT / "pipelines").glob("*.py")}
    assert files - {"nsclc_progression.py"} == {"__init__.py", "base.py", "nsclc_immunotherapy.py"}
    for path in (ROOT / "pipelines").iterdir():
        if path.is_dir() and path.name != "__pycache__":
            assert (path / "__init__.py").exists()


def test_tests_mirror_the_packages() -> None:
    modules = {str(path.relative_to(ROOT).with_suffix("")) for path in SOURCES} | {"node", "pipelines"}
    for path in sorted((ROOT / "tests/pipelines").rglob("test_*.py")):
        relative = path.relative_to(ROOT / "tests").with_suffix("")
        folder, name = str(relative.parent), relative.name.removeprefix("test_")
        assert f"{folder}/{name}" in modules or folder in {str(Path(m).parent) for m in modules}, path


@pytest.mark.parametrize("role", ["node.adapters.storage_scp", "node.services.receive", "node.commands.roles"])
def test_the_receiving_process_loads_nothing_that_computes(role: str) -> None:
    heavy = ["highdicom", "SimpleITK", "radiomics", "sklearn", "scipy", "celery", "kombu", "pandas"]
    code = f"import sys, {role}; print([m for m in {heavy!r} if m in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"


def test_importing_the_command_line_has_no_effects(tmp_path: Path) -> None:
    code = "import os, threading; import node.cli; print(threading.active_count(), os.listdir())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        env={"HOME": str(tmp_path)},
    )
    assert done.stdout.strip() == "1 []"


def test_no_file_names_where_packages_come_from_or_where_it_was_written() -> None:
    forbidden = re.compile(r"--(extra-)?index-url|^registry *=|^resolved *=|/root/", re.MULTILINE)
    found = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in tracked()
        if path != Path(__file__)
        for match in forbidden.finditer(path.read_bytes().decode("utf-8", "replace"))
    ]
    assert found == []
    for lock in ROOT.glob("*.lock"):
        assert "://" not in lock.read_text("utf-8"), lock


def test_ci_installs_every_package_that_a_test_asks_for() -> None:
    """A machine that has one of them by chance hides that it is not in the list."""
    listed = re.search(r"packages=\((.*?)\n\)", (ROOT / ".ci" / "run").read_text(), re.DOTALL)
    assert listed is not None
    installed = set(re.sub(r"#.*", "", listed[1]).split())
    named = re.compile(r"\btool\([^()]+, \"([a-z0-9-]+)\"\)|\(package ([a-z0-9-]+)\)")
    asked = {
        package
        for path in (ROOT / "tests").rglob("*.py")
        for match in named.finditer(path.read_text())
        for package in match.groups()
        if package is not None
    }
    assert {"dcmtk", "r-cran-glmnet"} <= asked
    assert asked - FROM_THE_PACKAGE_INDEX - {"python3"} - installed == set()


def test_pickle_is_used_nowhere() -> None:
    assert [
        path for path in SOURCES if re.search(r"\b(import pickle|joblib|yaml\.load\(|eval\()", path.read_text())
    ] == []


def test_the_node_that_is_imported_is_this_one() -> None:
    import node

    assert Path(node.__file__).is_relative_to(ROOT)
