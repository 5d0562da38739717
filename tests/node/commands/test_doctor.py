"""Examining an installation that runs, one that does not, and one that is wrong."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from node.bootstrap import make_scp, open_stores
from node.commands.doctor import Check, examine
from node.settings import load_settings
from pipelines.domain.reasons import Rejected
from tests.node.doubles import SetClock
from tests.node.peers import peer
from tests.tools import free_port, write_config


def named(checks: Sequence[Check], what: str) -> Check:
    (found,) = [check for check in checks if check.what == what]
    return found


def faults(checks: Sequence[Check]) -> set[str]:
    return {check.what for check in checks if not check.ok}


def test_a_node_that_runs_with_a_peer_that_answers_is_well(tmp_path: Path) -> None:
    with peer() as pacs:
        config = write_config(tmp_path, destinations={"archive": ("PACS", pacs.port)})
        settings = load_settings(config, {})
        scp = make_scp(settings, open_stores(settings))
        scp.start(settings.node.bind, settings.node.port)
        checks = examine(config)
        scp.stop()
    assert faults(checks) == set()
    assert named(checks, "DICOM service").found.endswith("answers")
    assert named(checks, "peer archive").found == f"PACS at 127.0.0.1:{pacs.port} answers"
    assert "0 cases waiting" in named(checks, "queue").found


def test_a_node_that_is_stopped_and_a_peer_that_is_away_are_told_with_what_to_do(tmp_path: Path) -> None:
    checks = examine(write_config(tmp_path, destinations={"archive": ("PACS", free_port())}))
    assert faults(checks) == {"DICOM service", "peer archive"}
    assert named(checks, "DICOM service").remedy == "Start the node: pulmonode serve"
    assert named(checks, "peer archive").found.startswith("NET-001")


def test_a_peer_whose_name_has_no_address_does_not_end_the_examination(tmp_path: Path) -> None:
    config = write_config(tmp_path, destinations={"archive": ("PACS", 104)})
    config.write_text(config.read_text().replace('host = "127.0.0.1"', 'host = "no-such-host.invalid"'))
    assert named(examine(config), "peer archive").found.startswith("NET-001")


def test_a_broken_configuration_is_told_and_ends_the_examination(tmp_path: Path) -> None:
    checks = examine(write_config(tmp_path, queue={"lease_s": 0, "colour": "red"}))
    assert faults(checks) == {"configuration"}
    found = named(checks, "configuration").found
    assert "queue.lease_s" in found
    assert "queue.colour: unknown key" in found


def test_a_model_that_cannot_be_read_is_told_and_the_rest_is_examined(tmp_path: Path) -> None:
    checks = examine(write_config(tmp_path, scoring={"model": str(tmp_path / "missing.json")}))
    assert "pipeline and model" in faults(checks)
    assert "MODEL-004" in named(checks, "pipeline and model").found
    assert named(checks, "data folder and ledger").ok


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (f"postgresql+psycopg://node@127.0.0.1:{free_port()}/ledger", "refused"),
        ("nosuchkind://host/db", "ledger.url"),
    ],
)
def test_a_ledger_that_cannot_be_opened_is_told(tmp_path: Path, url: str, said: str) -> None:
    checks = examine(write_config(tmp_path, ledger={"url": url}))
    assert said in named(checks, "data folder and ledger").found


def test_a_data_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    checks = examine(write_config(tmp_path / "config", node={"data_dir": str(tmp_path / "file" / "data")}))
    assert "data folder and ledger" in faults(checks)


def test_a_disk_that_is_nearly_full_is_told(tmp_path: Path) -> None:
    checks = examine(write_config(tmp_path, receive={"min_free_mb": 2**40}))
    assert "disk" in faults(checks)


def test_a_broker_that_is_away_is_told(tmp_path: Path) -> None:
    checks = examine(write_config(tmp_path, queue={"broker": f"redis://127.0.0.1:{free_port()}/0"}))
    assert "queue" in faults(checks)


def test_senders_that_were_refused_are_listed(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    ledger = open_stores(load_settings(config, {})).ledger
    ledger.refused("CT_AW1", Rejected("RCV-001", "Cut short.", "Send it again."), at=SetClock()())
    assert "1 x RCV-001, last: Cut short." in named(examine(config), "refused from CT_AW1").found


def test_the_pyradiomics_that_is_installed_is_told(tmp_path: Path) -> None:
    check = named(examine(write_config(tmp_path)), "PyRadiomics")
    assert check.ok
    assert check.found == "PyRadiomics 3.1.0 (pyradiomics-bhklab 3.1.4)"


def test_another_pyradiomics_is_told_with_what_to_do(tmp_path: Path) -> None:
    foreign = tmp_path / "foreign" / "radiomics"
    foreign.mkdir(parents=True)
    (foreign / "__init__.py").write_text("")
    command = [sys.executable, "-m", "node", "--config", str(write_config(tmp_path)), "doctor"]
    environment = {**os.environ, "PYTHONPATH": str(foreign.parent)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 1
    assert "ENG-001 Another package radiomics is found before" in " ".join(done.stdout.split())
    assert "Traceback" not in done.stdout + done.stderr
