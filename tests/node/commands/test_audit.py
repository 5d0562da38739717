"""The command `audit`: what people read, what programs read, and the exit codes."""

import json
from pathlib import Path

from click.testing import CliRunner, Result

from node.cli import cli

EXAMPLES = Path(__file__).parents[3] / "docs" / "audit"
SOUND = "kind,row,percent,total\npercentage,bone,22.8,290\n"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["audit", *arguments])


def test_a_sound_table_ends_with_0(tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    file.write_text(SOUND, encoding="utf-8")
    answer = run(str(file))
    assert (answer.exit_code, answer.output) == (0, f"{file}: 1 entries, 0 conflicts, 0 notes\n")


def test_a_note_alone_is_no_conflict(tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    file.write_text("kind,row,auc,lower,upper,n\nauc,test,0.878,0.742,0.958,43\n", encoding="utf-8")
    answer = run(str(file))
    assert (answer.exit_code, "AUD-018 note" in answer.output) == (0, True)


def test_the_papers_conflict_and_each_finding_says_where_what_and_what_else() -> None:
    answer = run(str(EXAMPLES / "dong-chen-2025.csv"), str(EXAMPLES / "huang-2025.toml"))
    assert answer.exit_code == 1
    assert "dong-chen-2025.csv: 25 entries, 8 conflicts, 2 notes" in answer.output
    assert "huang-2025.toml: 77 entries, 9 conflicts, 2 notes" in answer.output
    assert (
        "AUD-001 conflict: no count gives this percentage\n"
        "  where     Section 2.5, lymph nodes, systemic progression\n"
        "  printed   42.2 % of 290\n"
        "  possible  122/290 = 42.1 or 123/290 = 42.4\n"
    ) in answer.output


def test_programs_get_the_same_as_json() -> None:
    answer = run("--json", str(EXAMPLES / "huang-2025.toml"))
    (report,) = json.loads(answer.stdout)
    assert (answer.exit_code, report["entries"], report["conflicts"]) == (1, 77, 9)
    finding = next(one for one in report["findings"] if one["code"] == "AUD-010")
    assert finding == {
        "code": "AUD-010",
        "severity": "conflict",
        "meaning": "standardised difference does not follow from the counts",
        "table": "Table 1",
        "row": "PD-L1, after matching",
        "printed": "SMD <0.1",
        "possible": "SMD 0.188 from the counts",
    }


def test_files_that_cannot_be_read_are_told_all_at_once_and_nothing_is_audited(tmp_path: Path) -> None:
    wrong, other, sound = tmp_path / "wrong.csv", tmp_path / "other.toml", tmp_path / "sound.csv"
    wrong.write_text("kind,row\ntotal,a\n", encoding="utf-8")
    other.write_text("x = 1", encoding="utf-8")
    sound.write_text(SOUND, encoding="utf-8")
    answer = run(str(wrong), str(other), str(sound))
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert f"{wrong}: line 2: `parts` is missing" in answer.stderr
    assert f"{other}: `x` is not a list" in answer.stderr
