"""`pulmonode extract --parameters` measures what the parameter file of PyRadiomics asks for."""

import csv
from pathlib import Path

import pytest

from tests.node.commands.extract.calls import extract

PARAMETERS = """
imageType:
  Original: {}
  Square: {}
featureClass:
  firstorder: [Mean, Maximum]
  ngtdm: []
setting:
  binWidth: 20
"""


def test_a_parameter_file_says_what_is_measured(shared_data: Path, tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(PARAMETERS)
    case = shared_data / "golden" / "radphantom_pat3"
    output = tmp_path / "out.csv"
    done = extract(case, "-o", output, "--parameters", path, "--jobs", "1")
    assert output.exists(), done.output
    with output.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows
    features = [name for name in rows[0] if name.startswith(("original_", "square_"))]
    assert {"original_firstorder_Mean", "square_firstorder_Maximum", "original_ngtdm_Coarseness"} <= set(features)
    assert len(features) == 2 * (2 + 5)
    assert all(float(row[name]) == float(row[name]) for row in rows for name in features)


def test_a_profile_and_a_parameter_file_exclude_each_other(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(PARAMETERS)
    done = extract(tmp_path, "-o", tmp_path / "out.csv", "--parameters", path, "--preset", "seed-a")
    assert done.exit_code == 2
    assert "exclude each other" in done.output


@pytest.mark.parametrize("text", ["imageType: [", "setting:\n  binWidth: many\n"])
def test_a_parameter_file_that_cannot_be_used_is_refused_with_the_reason(tmp_path: Path, text: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(text)
    done = extract(tmp_path, "-o", tmp_path / "out.csv", "--parameters", path)
    assert done.exit_code == 2
    assert "ENG-002" in done.output
