"""Patients come into a cohort all at once or not at all, and without what names them."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from openpyxl import Workbook

from node.bootstrap.stores import open_stores
from node.cli import cli
from node.settings import load_settings
from pipelines.domain.identifiers import digest_of

HEAD = "病历号,agent,therapy_start,response,age,sex,stage,PD-L1表达\n"
GOOD = (
    f"{HEAD}ZZ-SENTINEL-1,sintilimab,2024-03-01,PR,64,男,ⅣA,≥50%\nZZ-SENTINEL-2,pembrolizumab,2024/4/2,SD,71,f,IIIB,\n"
)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "node.toml"
    path.write_text(f'[node]\ndata_dir = "{tmp_path / "data"}"\n')
    return path


def call(config: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["--config", str(config), "cohort", *arguments], catch_exceptions=False)


def table(folder: Path, text: str) -> str:
    path = folder / "patients.csv"
    path.write_text(text, "utf-8")
    return str(path)


def test_a_table_is_read_with_the_words_of_the_hospital_and_kept_without_any_identifier(
    config: Path, tmp_path: Path
) -> None:
    done = call(config, "import", "nsclc", table(tmp_path, GOOD))
    assert (done.exit_code, done.stderr.strip()) == (0, "2 patients added to nsclc, 0 renewed.")
    told = json.loads(call(config, "list", "nsclc", "--json").stdout)
    first = next(one for one in told if one["agent"] == "sintilimab")
    assert first["patient_key"] == digest_of("ZZ-SENTINEL-1", "")
    assert (first["sex"], first["stage"], first["pd_l1"], first["therapy_start"]) == (
        "male", "IV", ">=50%", "2024-03-01",
    )  # fmt: skip
    assert json.loads(call(config, "list", "--json").stdout) == {"nsclc": 2}
    kept = [path for path in (tmp_path / "data").rglob("*") if path.is_file()]
    assert kept
    assert [path for path in kept if b"ZZ-SENTINEL" in path.read_bytes()] == []


def test_one_wrong_cell_keeps_the_whole_table_out_and_every_fault_is_told_by_its_place(
    config: Path, tmp_path: Path
) -> None:
    wrong = GOOD + "ZZ-SENTINEL-3,magic,soon,PR,240,m,IV,\nZZ-SENTINEL-1,other,,PD,50,m,IV,\n"
    done = call(config, "import", "nsclc", table(tmp_path, wrong))
    assert done.exit_code == 1
    lines = done.stderr.splitlines()
    for column in ("agent", "therapy_start", "age"):
        assert any(line.startswith(f"COH-001 Row 4, column `{column}`") for line in lines)
    assert any("Row 5 repeats row 2" in line for line in lines)
    assert any("from 0 to 120" in line for line in lines)
    assert lines[-1] == "Nothing was imported."
    assert "SENTINEL" not in done.output and "magic" not in done.output
    assert json.loads(call(config, "list", "--json").stdout) == {}


def test_a_workbook_is_read_and_patients_that_are_there_are_renewed(config: Path, tmp_path: Path) -> None:
    assert call(config, "import", "nsclc", table(tmp_path, GOOD)).exit_code == 0
    book = Workbook()
    assert book.active is not None
    book.active.append(["patient_id", "response", "ward"])
    book.active.append(["ZZ-SENTINEL-1", "PD", "ZZ^SENTINEL"])
    book.save(tmp_path / "more.xlsx")
    done = call(config, "import", "nsclc", str(tmp_path / "more.xlsx"))
    assert "0 patients added to nsclc, 1 renewed." in done.stderr
    assert "Column 3 is not in the data dictionary" in done.stderr
    assert "SENTINEL" not in done.output
    told = json.loads(call(config, "list", "nsclc", "--json").stdout)
    renewed = next(one for one in told if one["patient_key"] == digest_of("ZZ-SENTINEL-1", ""))
    assert renewed == {"patient_key": renewed["patient_key"], "response": "PD", "measured_cases": 0}


def test_one_patient_is_added_by_hand_and_asked_for_what_is_allowed(config: Path) -> None:
    done = call(config, "add", "nsclc", "--patient", "ZZ-SENTINEL", "--set", "stage=V")
    assert done.exit_code == 1
    assert "column `stage`, is not a known level" in done.stderr
    assert call(config, "add", "nsclc", "--patient", "ZZ-SENTINEL", "--set", "stage=IV").exit_code == 0
    assert call(config, "add", "nsclc", "--patient", "ZZ-SENTINEL", "--set", "stage").exit_code == 2
    assert call(config, "add", "../etc", "--patient", "1").exit_code == 2
    assert "COH-006" in call(config, "list", "other").output


def test_what_is_written_by_hand_is_read_back_with_its_types(config: Path) -> None:
    facts = ("--set", "age=64.5", "--set", "doses=4", "--set", "therapy_start=2024-03-01")
    assert call(config, "add", "nsclc", "--patient", "1", *facts).exit_code == 0
    (member,) = open_stores(load_settings(config)).cohorts.members("nsclc")
    assert (member.number("age"), member.number("doses"), str(member.day("therapy_start"))) == (64.5, 4, "2024-03-01")


def test_features_of_a_file_take_the_place_of_the_ledgers(config: Path, tmp_path: Path) -> None:
    head = "patient_id,therapy_start,response,stage,study_date,slice_thickness_mm\n"
    text = head + "".join(f"ZZ-SENTINEL-{n},2024-03-20,PR,IV,2024-03-{10 + n},1.25\n" for n in range(3))
    assert call(config, "import", "nsclc", table(tmp_path, text)).exit_code == 0
    features = tmp_path / "features.csv"
    rows = "".join(
        f"ZZ-SENTINEL-{n},{size},{value}\n" for n, size, value in [(0, 100, 1.5), (0, 300, 5.5), (1, 50, 2.5)]
    )
    features.write_text(f"PatientID,original_shape_VoxelVolume,original_firstorder_Mean\n{rows}")
    done = call(config, "export", "nsclc", "-o", str(tmp_path / "out"), "--features", str(features))
    assert done.exit_code == 1 and "keygen" in done.stderr
    assert call(config, "keygen").exit_code == 0
    for choice, means in (("largest", [2.5, 5.5]), ("weighted", [2.5, 4.5]), ("all", [1.5, 2.5, 5.5])):
        out = tmp_path / choice
        done = call(config, "export", "nsclc", "-o", str(out), "--features", str(features), "--lesions", choice)
        assert done.exit_code == 0, done.output
        written = (out / "features.csv").read_text().splitlines()
        column = written[0].split(",").index("original_firstorder_Mean")
        assert sorted(float(row.split(",")[column]) for row in written[1:]) == pytest.approx(means)
        assert "SENTINEL" not in (out / "clinical.csv").read_text() + "".join(written)
    # the third patient has no features
    assert "1 left out: No CT with a segmentation" in done.stderr
