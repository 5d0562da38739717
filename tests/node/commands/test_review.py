"""`pulmonode review`: a reader sees the lesions of a case by number, decides, and takes back."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from node.bootstrap.stores import open_stores
from node.cli import cli
from node.settings import load_settings
from pipelines.domain.clinical import PatientKey
from pipelines.domain.readings import read
from pipelines.domain.recist import LesionNature, LesionRole
from tests.node.adapters.test_ledger_clinical import measured_case
from tests.node.doubles import SetClock
from tests.tools import write_config

pytestmark = pytest.mark.usefixtures("logging_as_before")
Command = Callable[..., Result]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = write_config(tmp_path)
    measured_case(open_stores(load_settings(path, {})).ledger, SetClock())
    return path


@pytest.fixture
def review(config: Path) -> Command:
    def run(*arguments: str) -> Result:
        return CliRunner().invoke(cli, ["--config", str(config), "review", *arguments])

    return run


def told(review: Command) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(review("1", "--json").output)
    return found


def test_lesions_are_listed_with_their_numbers(review: Command) -> None:
    listed = review("1").output
    assert "lesion 1  1.50 ml  2.25.1" in listed
    assert "lesion 2  3.00 ml  2.25.2" in listed
    assert [one["number"] for one in told(review)["lesions"]] == [1, 2]


def test_a_decision_is_shown_with_its_lesion_and_reaches_the_rules(review: Command, config: Path) -> None:
    options = ["--role", "non-target", "--nature", "lymphangitis", "--reason", "spread", "--by", "radiologist"]
    done = review("1", "--lesion", "2", *options)
    assert done.exit_code == 0, done.output
    assert "role = non-target  (command, radiologist, " in done.output
    found = read(open_stores(load_settings(config, {})).readings.readings(PatientKey("patient")))
    assert found.decisions.roles == {"2.25.2": LesionRole.NON_TARGET}
    assert found.natures == {"2.25.2": LesionNature.LYMPHANGITIS}
    second = told(review)["lesions"][1]["decisions"]
    assert [(one["question"], one["reason"], one["who"]) for one in second] == [
        ("role", "spread", "radiologist"),
        ("nature", "spread", "radiologist"),
    ]


def test_decisions_are_taken_back_the_last_one_or_by_number(review: Command) -> None:
    for role in ("target", "non-target", "excluded"):
        assert review("1", "--lesion", "1", "--role", role).exit_code == 0
    first = told(review)["decisions"][0]["number"]
    assert review("1", "--undo").exit_code == 0
    assert [one["answer"] for one in told(review)["lesions"][0]["decisions"]] == ["non-target"]
    assert review("1", "--undo", str(first)).exit_code == 0
    assert [one["answer"] for one in told(review)["lesions"][0]["decisions"]] == ["non-target"]
    again = review("1", "--undo", str(first))
    assert (again.exit_code, "taken back before" in again.stderr) == (1, True)
    assert [one["taken_back"] for one in told(review)["decisions"]] == [True, False, True]


def test_a_lesion_is_said_to_be_that_of_another_case_or_of_none(review: Command) -> None:
    assert review("1", "--lesion", "2", "--same-as", "1:1").exit_code == 0
    assert "same-as = lesion 1" in review("1").output
    assert review("1", "--lesion", "2", "--same-as", "different").exit_code == 0
    assert told(review)["lesions"][1]["decisions"][0]["answer"] == "different"


def test_the_time_point_as_a_whole_is_decided_without_a_lesion(review: Command) -> None:
    assert review("1", "--markers", "yes", "--baseline", "yes").exit_code == 0
    assert {one["question"]: one["lesion"] for one in told(review)["decisions"]} == {"markers": None, "baseline": None}


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["9"], 1, "There is no case 9."),
        (["1", "--role", "target"], 2, "Which lesion of case 1? Its lesions: 1, 2."),
        (["1", "--lesion", "3", "--role", "target"], 2, "Which lesion of case 1?"),
        (["1", "--lesion", "1", "--role", "tarjet"], 2, "is not one of"),
        (["1", "--lesion", "1", "--same-as", "1:1"], 2, "A lesion is the same as itself."),
        (["1", "--lesion", "1", "--same-as", "9:1"], 2, "Case 9 is none of the same patient."),
        (["1", "--lesion", "1", "--same-as", "that one"], 2, "a Tracking UID, CASE:LESION or different"),
        (["1", "--undo"], 1, "There is no such decision"),
    ],
)
def test_what_cannot_be_decided_is_told_and_not_recorded(
    review: Command, arguments: list[str], code: int, message: str
) -> None:
    answer = review(*arguments)
    assert (answer.exit_code, message in answer.stderr) == (code, True), answer.stderr
    assert told(review)["decisions"] == []
