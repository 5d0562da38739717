"""The commands of a cohort: report, exit codes, and what is said of wrong cells."""

import csv
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from openpyxl import Workbook

from node.cli import cli
from node.commands.analyse import Cohort, read_cohort, seed_b_resistance
from pipelines.cohort.huang.synthetic import synthetic_files
from tests.pipelines.cohort.huang.paper import START, patient


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, [*arguments])


def cohort(folder: Path, count: int = 60) -> Path:
    folder.mkdir()
    for name, data in synthetic_files(count, 5).items():
        (folder / name).write_bytes(data)
    return folder


@pytest.mark.slow
def test_a_made_up_cohort_is_written_and_analysed_and_a_lack_of_balance_ends_with_1(tmp_path: Path) -> None:
    made = run("cohort", "synthetic", "--study", "seed-b", "--patients", "60", "-o", str(tmp_path / "made"))
    assert made.exit_code == 0, made.output
    assert {path.name for path in (tmp_path / "made").iterdir()} == {
        "patients.csv", "lesions.csv", "patients-dictionary.csv", "lesions-dictionary.csv", "truth.json",
    }  # fmt: skip
    done = run("analyse", str(tmp_path / "made"), "--study", "seed-b", "-o", str(tmp_path / "report"), "--dpi", "50")
    for name in ("survival-pattern", "waterfall"):
        assert (tmp_path / f"report/{name}.svg").read_bytes().startswith(b"<?xml")
        assert (tmp_path / f"report/{name}.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "report/report.html").stat().st_size > 100_000
    assert "60 of 66 patients analysed" in done.stderr
    assert "COH-004" in done.stderr and done.exit_code == 1


def test_the_command_writes_every_file_and_ends_with_1_when_a_group_is_too_small_to_match(tmp_path: Path) -> None:
    # without PD-L1 nothing can be matched, and few patients with few columns make few figures
    folder = cohort(tmp_path / "cohort", 20)
    (folder / "lesions.csv").unlink()
    table = list(csv.DictReader((folder / "patients.csv").read_text("utf-8").splitlines()))
    kept = [
        name for name in table[0] if name not in ("pd_l1", "second_line", "second_line_start", "second_progression")
    ]
    with (folder / "patients.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, kept, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(table)
    done = run("analyse", str(folder), "--study", "seed-b", "-o", str(tmp_path / "report"), "--dpi", "50")
    assert done.exit_code == 1 and "COH-005 The groups were not matched" in done.stderr
    written = {path.name for path in (tmp_path / "report").iterdir()}
    assert {"report.html", "survival.csv", "survival-pattern.svg", "survival-pattern.png", "flow.png"} <= written
    assert f"{len(written)} files written" in done.stderr
    assert (tmp_path / "report/flow.png").read_bytes().startswith(b"\x89PNG")


def test_wrong_cells_are_listed_and_nothing_is_written(tmp_path: Path) -> None:
    folder = cohort(tmp_path / "cohort")
    lines = (folder / "patients.csv").read_text("utf-8").splitlines()
    lines[1] = lines[1].replace("male", "ZZ^SENTINEL", 1)
    lines[3] = lines[3].replace("IV", "V").replace("IIIC", "V")
    (folder / "patients.csv").write_text("\n".join(lines), "utf-8")
    done = run("analyse", str(folder), "--study", "seed-b", "-o", str(tmp_path / "report"))
    assert done.exit_code == 1
    assert "COH-001 Row 2, column `sex`, is not a known level." in done.stderr
    assert "COH-001 Row 4, column `stage`" in done.stderr and "IIIC, IV" in done.stderr
    assert "SENTINEL" not in done.output
    assert not (tmp_path / "report").exists()


def test_a_workbook_with_both_sheets_is_read(tmp_path: Path) -> None:
    book = Workbook()
    book.remove(book.worksheets[0])
    for name, data in synthetic_files(60, 5).items():
        if name in ("patients.csv", "lesions.csv"):
            sheet = book.create_sheet(name.removesuffix(".csv"))
            for row in csv.reader(data.decode("utf-8").splitlines()):
                sheet.append(row)
    book.save(tmp_path / "cohort.xlsx")
    found, same = read_cohort(tmp_path / "cohort.xlsx"), read_cohort(cohort(tmp_path / "cohort"))
    assert isinstance(found, Cohort) and isinstance(same, Cohort)
    assert found.people == same.people and len(found.people) == 66
    assert [one.patient for one in found.lesions[0]] == [one.patient for one in same.lesions[0]]


def test_a_folder_without_the_table_says_what_it_should_hold(tmp_path: Path) -> None:
    done = run("analyse", str(tmp_path), "--study", "seed-b", "-o", str(tmp_path / "report"))
    assert done.exit_code == 1 and "COH-003 The folder holds neither patients.csv nor patients.xlsx." in done.stderr


def test_a_study_that_is_not_known_is_asked_wrongly(tmp_path: Path) -> None:
    assert run("analyse", str(tmp_path), "--study", "seed-z", "-o", str(tmp_path / "report")).exit_code == 2


@pytest.mark.parametrize(
    ("day", "best", "expected"),
    [
        (120, "PR", "acquired"),
        (120, "SD", "primary"),
        (120, "PD", "primary"),
        (183, "SD", "indeterminate"),
        (184, "SD", "acquired"),
        (250, None, "indeterminate"),
    ],
)
def test_resistance_follows_the_papers_definition(day: int, best: str | None, expected: str) -> None:
    when = START.fromordinal(START.toordinal() + day)
    assert seed_b_resistance(patient(progression=when, best_response=best)) == expected
