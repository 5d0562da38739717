"""Two packages beside each other, by the command."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from node.adapters.model_folder import write_folder
from node.cli import cli
from pipelines.scoring.keys import demonstration_key
from tests.models import FEATURES, facts, signed_package
from tests.tools import write_config

pytestmark = pytest.mark.usefixtures("logging_as_before")
NAMES = [feature.name for feature in FEATURES]


@pytest.fixture
def packages(tmp_path: Path) -> tuple[str, str]:
    for name, cut_off in (("a", 0.45), ("b", 0.6)):
        of = facts(version=name, demonstration=True, cut_off={"value": cut_off, "rule": "Youden"})
        write_folder(tmp_path / name, signed_package(of, demonstration_key()))
    return str(tmp_path / "a"), str(tmp_path / "b")


def cohort(folder: Path, names: list[str] = NAMES) -> Path:
    """Forty patients, every second of them a responder, with one lesion each."""
    rng = np.random.default_rng(2)
    folder.mkdir()
    with (folder / "clinical.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("patient", "response"), *((f"P{n}", "PR" if n % 2 else "PD") for n in range(40))])
    rows = [(f"P{n}", *rng.normal([4.0, 0.75], [0.5, 0.05])[: len(names)]) for n in range(40)]
    with (folder / "features.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("patient", *names), *rows])
    return folder


def compared(tmp_path: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["--config", str(write_config(tmp_path)), "model", "compare", *arguments])


def test_what_differs_is_told_to_people_and_to_programs(tmp_path: Path, packages: tuple[str, str]) -> None:
    told = compared(tmp_path, *packages)
    assert told.exit_code == 0, told.output
    assert "signature a: 0.45 (Youden)" in told.output
    found = json.loads(compared(tmp_path, *packages, "--json").output)
    assert [one["what"] for one in found["differences"]] == ["cut-off"]


def test_on_a_cohort_both_are_scored_and_their_areas_compared(tmp_path: Path, packages: tuple[str, str]) -> None:
    folder = cohort(tmp_path / "cohort")
    told = compared(tmp_path, *packages, "--cohort", str(folder))
    assert told.exit_code == 0, told.output
    assert "40 patients scored by both" in told.output
    found = json.loads(compared(tmp_path, *packages, "--cohort", str(folder), "--json").output)["cohort"]
    # the models differ in their cut-off alone
    assert found["first"] == found["second"]
    assert (found["patients"], found["difference"], found["p_value"]) == (40, 0.0, 1.0)
    assert found["same_class"] < 40


def test_a_cohort_without_a_feature_of_the_model_is_refused(tmp_path: Path, packages: tuple[str, str]) -> None:
    folder = cohort(tmp_path / "cohort", NAMES[:1])
    told = compared(tmp_path, *packages, "--cohort", str(folder))
    assert (told.exit_code, "MODEL-002" in told.output, "original_shape_Sphericity" in told.output) == (1, True, True)


def test_a_package_that_the_node_would_not_use_is_not_compared(tmp_path: Path, packages: tuple[str, str]) -> None:
    (Path(packages[1]) / "card.md").write_text("changed")
    told = compared(tmp_path, *packages)
    assert (told.exit_code, "MODEL-001" in told.output) == (1, True)
