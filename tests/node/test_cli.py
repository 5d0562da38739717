"""The commands, run in this process: answers, exit codes, and what is never printed."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from node.bootstrap.stores import open_stores
from node.cli import cli
from node.settings import load_settings
from pipelines.domain.reasons import Rejected
from tests.node.doubles import SetClock
from tests.node.peers import peer
from tests.node.refs import SENDER, file_of, images, segmentation
from tests.tools import free_port, write_config

pytestmark = pytest.mark.usefixtures("logging_as_before")
SECRET = "tr0ub4dor-and-3"
Command = Callable[..., Result]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_config(tmp_path, destinations={"archive": ("PACS", free_port())})


@pytest.fixture
def command(config: Path) -> Command:
    def run(*arguments: str, environment: dict[str, str] | None = None) -> Result:
        return CliRunner().invoke(cli, ["--config", str(config), *arguments], env=environment)

    return run


def rejected_case(config: Path) -> None:
    """One case that waits in vain for its CT, and one that waits."""
    ledger = open_stores(load_settings(config, {})).ledger
    at = SetClock()()
    for ref in (segmentation(1), segmentation(2), *images(3, series=2)):
        ledger.received(ref, file_of(ref), SENDER, at=at)
    ledger.incomplete(ledger.collecting()[0].case, None, Rejected("SEG-001", "No CT.", "Send it."), at=at)


def test_a_new_node_has_no_case(command: Command) -> None:
    assert "No case yet." in command("status").output
    assert json.loads(command("status", "--json").output)["cases"] == []


def test_cases_are_listed_and_shown_one_by_one(command: Command, config: Path) -> None:
    rejected_case(config)
    assert [row["state"] for row in json.loads(command("status", "--json").output)["cases"]] == [
        "collecting",
        "rejected",
    ]
    shown = command("status", "1")
    assert (shown.exit_code, "SEG-001" in shown.output) == (0, True)
    assert json.loads(command("status", "1", "--json").output)["row"]["code"] == "SEG-001"


def test_a_case_that_does_not_exist_is_told(command: Command) -> None:
    for arguments in (["status", "9"], ["retry", "9"], ["send", "9", "--to", "archive"]):
        answer = command(*arguments)
        assert (answer.exit_code, answer.stderr) == (1, "There is no case 9.\n")


def test_a_rejected_case_runs_again_once(command: Command, config: Path) -> None:
    rejected_case(config)
    assert command("retry", "1").output == "Case 1 will run again.\n"
    again = command("retry", "1")
    assert (again.exit_code, again.stderr) == (1, "Case 1 is collecting; it needs no retry.\n")


def test_results_go_to_known_peers_only(command: Command, config: Path) -> None:
    rejected_case(config)
    unknown = command("send", "1", "--to", "NOBODY")
    assert (unknown.exit_code, "known: archive" in unknown.stderr) == (2, True)
    assert command("send", "1", "--to", "archive").exit_code == 1


def test_a_peer_is_verified(tmp_path: Path) -> None:
    with peer() as pacs:
        config = write_config(tmp_path, destinations={"archive": ("PACS", pacs.port)})
        answer = CliRunner().invoke(cli, ["--config", str(config), "echo", "archive"])
    assert (answer.exit_code, answer.output) == (0, "archive answers.\n")


def test_a_peer_that_is_away_or_has_no_address_is_told_with_its_code(command: Command, config: Path) -> None:
    assert "NET-001 archive (PACS at 127.0.0.1:" in command("echo", "archive").stderr
    config.write_text(config.read_text().replace("127.0.0.1", "no-such-host.invalid"))
    answer = command("echo", "archive")
    assert answer.exit_code == 1
    assert "NET-001 archive (PACS at no-such-host.invalid:" in answer.stderr


def test_everything_that_is_wrong_with_the_configuration_is_listed(command: Command, config: Path) -> None:
    config.write_text(config.read_text() + "\n[log]\nlevel = 'loud'\ncolour = 'red'\n")
    answer = command("config", "check")
    assert answer.exit_code == 2
    assert answer.stderr.startswith("CFG-001")
    assert answer.stderr.count("  - log.") == 2


def test_a_ledger_that_cannot_be_reached_is_told_with_its_code(command: Command, config: Path) -> None:
    config.write_text(f'[ledger]\nurl = "postgresql+psycopg://node@127.0.0.1:{free_port()}/ledger"\n')
    answer = command("status")
    assert (answer.exit_code, answer.stderr[:7]) == (1, "RCV-005")


def test_the_configuration_is_shown_as_it_is_in_force_and_without_passwords(
    command: Command, config: Path, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text(SECRET, encoding="utf-8")
    environment = {"PULMONODE_NODE__AE_TITLE": "ELSEWHERE", "PULMONODE_LEDGER__PASSWORD_FILE": str(tmp_path / "secret")}
    answer = command("config", "show", environment=environment)
    shown = json.loads(answer.stdout)
    assert shown["node"]["ae_title"] == "ELSEWHERE"
    assert shown["ledger"]["password_file"] == str(tmp_path / "secret")
    assert SECRET not in answer.output


def test_a_password_in_a_url_is_never_shown(command: Command) -> None:
    url = f"postgresql+psycopg://node:{SECRET}@127.0.0.1/ledger"
    for arguments in (["config", "show"], ["status"], ["doctor"]):
        answer = command(*arguments, environment={"PULMONODE_LEDGER__URL": url})
        assert answer.exit_code != 0
        assert SECRET not in answer.output + answer.stderr
