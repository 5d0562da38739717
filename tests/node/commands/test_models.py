"""The life of a model at a site, by the commands that a person types."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from node.adapters.model_folder import write_folder
from node.bootstrap.models import demo_model
from node.cli import cli
from pipelines.extraction.names import feature_names
from pipelines.extraction.settings import load_profile
from pipelines.scoring.card import card_files
from pipelines.scoring.facts import ModelFeature
from pipelines.scoring.package import package_files
from tests.models import facts
from tests.tools import write_config

pytestmark = pytest.mark.usefixtures("logging_as_before")
Command = Callable[..., Result]


@pytest.fixture
def command(tmp_path: Path) -> Command:
    scoring = {"model": "active", "trusted_keys": [str(tmp_path / "data" / "keys")]}
    (tmp_path / "data" / "keys").mkdir(parents=True)
    config = write_config(tmp_path, scoring=scoring)

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(cli, ["--config", str(config), *arguments])

    return run


@pytest.fixture
def unsigned(tmp_path: Path) -> Path:
    made = facts(version="3.0")
    write_folder(tmp_path / "package", package_files(made, card_files(made)))
    return tmp_path / "package"


def test_from_a_key_to_a_model_that_scores_and_is_retired(command: Command, unsigned: Path) -> None:
    key = json.loads(command("model", "keygen", "--json").output)
    refused = command("model", "verify", str(unsigned))
    assert (refused.exit_code, "MODEL-006" in refused.output) == (1, True)
    assert command("model", "sign", str(unsigned)).exit_code == 0
    verified = command("model", "verify", str(unsigned), "--json")
    assert verified.exit_code == 0, verified.output
    assert json.loads(verified.output)["key_id"] == key["key_id"]
    assert "internal AUC 0.878 (0.742 to 0.958)" in command("model", "verify", str(unsigned)).output
    before = command("config", "check")
    assert (before.exit_code, "MODEL-009" in before.output) == (2, True)
    assert "signature 3.0 is active" in command("model", "activate", str(unsigned)).output
    checked = command("config", "check")
    assert checked.exit_code == 0, checked.output
    assert "Model: signature 3.0, SHA-256" in checked.output
    (listed,) = json.loads(command("model", "list", "--json").output)
    assert (listed["name"], listed["version"], listed["state"]) == ("signature", "3.0", "active")
    retired = command("model", "retire", "signature", "3.0", "--reason", "new scanner")
    assert retired.exit_code == 0
    assert "retired since" in command("model", "list").output
    after = command("config", "check")
    assert (after.exit_code, "MODEL-009" in after.output) == (2, True)
    assert command("model", "activate", str(unsigned)).exit_code == 1
    assert command("model", "activate", str(unsigned), "--reinstate").exit_code == 0
    assert command("config", "check").exit_code == 0


def test_a_key_is_not_made_twice_and_the_private_one_is_the_owners_alone(command: Command, tmp_path: Path) -> None:
    assert command("model", "keygen").exit_code == 0
    private = tmp_path / "data" / "keys" / "model-signing.pem"
    content = private.read_bytes()
    again = command("model", "keygen")
    assert (again.exit_code, "MODEL-010" in again.output) == (1, True)
    assert private.read_bytes() == content
    assert private.stat().st_mode & 0o077 == 0
    assert b"PRIVATE" not in command("model", "keygen", "--json").output.encode()


def test_a_refusal_is_told_to_programs_as_json(command: Command, unsigned: Path) -> None:
    outcome = CliRunner().invoke(cli, ["model", "verify", str(unsigned), "--json"])
    assert outcome.exit_code == 1
    assert json.loads(outcome.stdout)["code"] == "MODEL-006"


def test_an_altered_package_is_not_signed(command: Command, unsigned: Path) -> None:
    command("model", "keygen")
    (unsigned / "card.md").write_text("better than it is")
    outcome = command("model", "sign", str(unsigned))
    assert (outcome.exit_code, "MODEL-001" in outcome.output) == (1, True)
    assert not (unsigned / "model.sig").exists()


def test_the_features_of_the_test_model_are_those_of_the_node() -> None:
    names = set(feature_names(load_profile("recommended")))
    assert {feature.name for feature in facts().features} <= names
    assert isinstance(facts().features[0], ModelFeature)


def test_activating_a_model_that_is_not_configured_says_so(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    outcome = CliRunner().invoke(cli, ["--config", str(config), "model", "activate", str(demo_model())])
    assert outcome.exit_code == 0
    assert 'scoring.model is "demo"' in outcome.output


def test_a_trusted_key_that_cannot_be_used_is_a_fault_of_the_configuration(tmp_path: Path) -> None:
    config = write_config(tmp_path, scoring={"trusted_keys": [str(tmp_path / "missing.pub")]})
    outcome = CliRunner().invoke(cli, ["--config", str(config), "config", "check"])
    assert outcome.exit_code == 2
    assert "scoring.trusted_keys: MODEL-010" in outcome.output
