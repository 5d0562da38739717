"""`pulmonode patient`: what is entered is found again, what is wrong is told, and nobody learns whose it is."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import create_engine, select

from node.adapters import clinical_schema as c
from node.bootstrap.stores import open_stores
from node.cli import cli
from node.settings import load_settings
from pipelines.domain.clinical import patient_key
from pipelines.domain.clinical_fields import FIELDS, column_of
from pipelines.domain.scan_date import ScanDate
from tests.tools import write_config

pytestmark = pytest.mark.usefixtures("logging_as_before")
SENTINEL = "SENTINEL"
Command = Callable[..., Result]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_config(tmp_path / "node")


@pytest.fixture
def command(config: Path) -> Command:
    def run(*arguments: str, stdin: str | None = None) -> Result:
        return CliRunner().invoke(cli, ["--config", str(config), "patient", *arguments], input=stdin)

    return run


def known(command: Command, patient_id: str) -> dict[str, str]:
    shown: dict[str, str] = json.loads(command("show", patient_id, "--json").output)["entries"]
    return shown


def reassessed(config: Path) -> set[str]:
    engine = create_engine(f"sqlite:///{config.parent / 'data' / 'ledger.sqlite3'}")
    with engine.connect() as connection:
        return set(connection.scalars(select(c.reassessment.c.patient_key)))


def test_what_is_set_is_shown_with_who_said_so_and_what_is_not_known(command: Command, config: Path) -> None:
    options = ["--ici-start", "2024-01-15", "--line", "2", "--line-start", "2024-09", "--by", "study nurse"]
    done = command("set", "4711", *options)
    assert done.exit_code == 0, done.output
    assert "Recorded." in done.output
    assert "no case of a patient with this ID yet" in done.output
    shown = command("show", "4711").output
    assert "ici_start    2024-01-15  (command, study nurse, " in shown
    assert "Not known: last_dose, ongoing, " in shown
    course = open_stores(load_settings(config, {})).clinical.clinical(patient_key("4711")).course
    assert course.second_line == ScanDate.parse("2024-09")
    assert reassessed(config) == {patient_key("4711")}


def test_an_entry_is_corrected_and_taken_back_and_its_history_stays(command: Command) -> None:
    for value in ("2024-01-15", "2024-01-16", ""):
        assert command("set", "4711", "--ici-start", value).exit_code == 0
    told = json.loads(command("show", "4711", "--json").output)
    assert told["entries"] == {}
    assert [one["value"] for one in told["history"]] == ["2024-01-15", "2024-01-16", ""]
    assert command("show", "4711").output == "Nothing is known of this patient.\n"
    assert "Nothing has changed." in command("set", "4711", "--death", "").output


def test_every_entry_of_the_dictionary_has_an_option(command: Command) -> None:
    help_text = command("set", "--help").output
    assert all(f"--{field.key().name.replace('_', '-')}" in help_text for field in FIELDS)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ([], "Nothing to record"),
        (["--ici-start", "SENTINEL"], "--ici-start: allowed is a date"),
        (["--line-start", "2024"], "--line-start needs --line N"),
        (["--ici-start", "2024", "--death", "2023"], "death: it is before ici_start"),
    ],
)
def test_what_cannot_be_recorded_is_told(command: Command, options: list[str], told: str) -> None:
    answer = command("set", "SENTINEL-ID", *options)
    assert (answer.exit_code, told in answer.stderr) == (2, True)
    assert SENTINEL not in answer.output
    assert known(command, "SENTINEL-ID") == {}


def test_what_is_known_already_counts_for_contradictions(command: Command) -> None:
    assert command("set", "4711", "--ici-start", "2024-05").exit_code == 0
    assert "death: it is before ici_start" in command("set", "4711", "--death", "2024-04-30").stderr


def test_the_patient_id_can_come_where_no_list_of_processes_shows_it(command: Command) -> None:
    assert command("set", "-", "--death", "2024", stdin="4711\n").exit_code == 0
    assert known(command, "4711") == {"death": "2024"}
    assert command("set", "-", "--death", "2024", stdin="\n").exit_code == 2


def test_the_same_id_of_another_issuer_is_another_patient(command: Command) -> None:
    assert command("set", "4711", "--issuer", "SITE", "--death", "2024").exit_code == 0
    assert known(command, "4711") == {}
    told = json.loads(command("show", "4711", "--issuer", "SITE", "--json").output)
    assert told["entries"] == {"death": "2024"}


def test_a_table_with_a_wrong_cell_is_not_imported_and_with_skip_the_rest_is(
    command: Command, config: Path, tmp_path: Path
) -> None:
    table = tmp_path / "cohort.csv"
    table.write_text("patient_id,death\n1,2024\n2,tomorrow\n3,2025\n", encoding="utf-8")
    refused = command("import", str(table))
    assert (refused.exit_code, refused.stdout) == (1, "Nothing was imported.\n")
    assert refused.stderr.startswith("CLN-001 row 3, column death: allowed is a date as YYYY-MM-DD")
    assert (known(command, "1"), reassessed(config)) == ({}, set())
    skipped = command("import", str(table), "--skip")
    assert (skipped.exit_code, skipped.stdout) == (
        0,
        "2 patients, 2 of them with something new.\n1 rows were left out.\n",
    )
    assert [known(command, one) for one in "123"] == [{"death": "2024"}, {}, {"death": "2025"}]
    again = command("import", str(table), "--skip")
    assert again.stdout.startswith("2 patients, 0 of them with something new.\n")


def test_a_row_that_contradicts_what_is_known_is_a_problem_of_its_cell(command: Command, tmp_path: Path) -> None:
    assert command("set", "1", "--ici-start", "2024-06").exit_code == 0
    table = tmp_path / "cohort.csv"
    table.write_text("patient_id,death\n1,2024-01\n", encoding="utf-8")
    refused = command("import", str(table))
    assert (refused.exit_code, refused.stderr) == (
        1,
        "CLN-001 row 2, column death: it is before ici_start as known\n",
    )


def test_a_bundle_is_imported_and_what_was_not_understood_is_listed(command: Command, tmp_path: Path) -> None:
    subject = {"reference": "urn:uuid:1"}
    dose = {
        "resourceType": "MedicationAdministration",
        "status": "completed",
        "medicationCodeableConcept": {"text": "替雷利珠单抗"},
        "subject": subject,
        "effectiveDateTime": "2024-01-15",
    }
    radiotherapy = {
        "resourceType": "Procedure",
        "status": "completed",
        "code": {"text": "Stereotactic body radiation therapy"},
        "subject": subject,
        "performedDateTime": "2024-05-01",
    }
    resources = [
        {"resourceType": "Patient", "identifier": [{"value": "4711"}], "deceasedBoolean": True},
        dose,
        radiotherapy,
    ]
    bundle = tmp_path / "bundle.json"
    entries = [{"fullUrl": f"urn:uuid:{number}", "resource": one} for number, one in enumerate(resources, 1)]
    bundle.write_text(json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}), "utf-8")
    done = command("import", str(bundle))
    assert done.exit_code == 0, done.output
    assert done.stderr.splitlines()[-1] == "CLN-002 Patient in entry 1: the patient has died, and when is not told"
    for _ in range(2):
        assert known(command, "4711") == {
            "ici_start": "2024-01-15",
            "last_contact": "2024-05-01",
            "local1_date": "2024-05-01",
            "local1_kind": "radiotherapy",
        }
        assert command("import", str(bundle)).exit_code == 0


def test_whose_data_it_is_stands_in_no_line_file_or_table(
    command: Command, config: Path, tmp_path: Path, logged: Callable[[], str]
) -> None:
    table = tmp_path / f"{SENTINEL}.csv"
    table.write_text(f"patient_id,death\n{SENTINEL}-1,2024\n{SENTINEL}-2,{SENTINEL}\n", "utf-8")
    said = [
        command("set", f"{SENTINEL}-ID", "--issuer", f"{SENTINEL}-ISSUER", "--death", "2024"),
        command("show", f"{SENTINEL}-ID", "--issuer", f"{SENTINEL}-ISSUER"),
        command("show", f"{SENTINEL}-ID", "--json"),
        command("import", str(table)),
        command("import", str(table), "--skip"),
    ]
    key = patient_key(f"{SENTINEL}-1")
    for text in (*(one.output for one in said), logged()):
        assert SENTINEL not in text
        # who knows the ID can make its digest as well
        assert key not in text
    for path in (config.parent / "data").rglob("*"):
        assert SENTINEL not in path.name
        assert not path.is_file() or SENTINEL.encode() not in path.read_bytes()


def test_columns_and_options_name_the_same_things() -> None:
    assert len({column_of(field.key(1 if field.group else 0)) for field in FIELDS}) == len(FIELDS)
