"""Examining an installation that runs, one that does not, and one that is wrong."""

import os
import subprocess
import sys
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread

from node.bootstrap.receiving import make_scp
from node.bootstrap.stores import open_stores
from node.commands.doctor import examine
from node.commands.probe import Check, make_probe
from node.ports import RefusedAssociation
from node.settings import load_settings
from pipelines.domain.reasons import Rejected
from tests.node.doubles import SetClock
from tests.node.peers import peer
from tests.pipelines.outputs.tools import dciodvfy_errors
from tests.tools import dcmqrscp, free_port, orthanc, write_config


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


def test_what_the_configuration_needs_of_a_peer_is_negotiated(tmp_path: Path) -> None:
    with peer(classes=["1.2.840.10008.5.1.4.1.1.88.34"]) as pacs:
        config = write_config(
            tmp_path, destinations={"archive": ("PACS", pacs.port)}, peer={"query": True, "worklist": True}
        )
        checks = examine(config)
    assert {"peer archive: results", "peer archive: query and retrieve", "peer archive: worklist"} <= faults(checks)
    assert "1.2.840.10008.5.1.4.1.1.30" in named(checks, "peer archive: results").found
    commitment = named(checks, "peer archive: storage commitment")
    assert commitment.ok
    assert commitment.found.startswith("refused")


def test_associations_that_were_refused_are_listed_with_what_to_change(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    refused = RefusedAssociation("CT_AW1", "PULMO", "192.0.2.7", "It calls PULMO.", "Correct the AE title.")
    open_stores(load_settings(config, {})).workflow.turned_away(refused, at=SetClock()())
    found = named(examine(config), "association refused to CT_AW1 at 192.0.2.7").found
    assert "called PULMO" in found
    assert "Correct the AE title." in found


def test_the_probe_is_a_phantom_and_the_same_each_time() -> None:
    probe = make_probe("2.25.1")
    made = dcmread(BytesIO(probe.data))
    assert (made.PatientID, made.QualityControlSubject, made.SyntheticData) == ("PULMONODE-PROBE", "YES", "YES")
    assert "PROBE" in made.SeriesDescription
    assert make_probe("2.25.1") == probe
    assert make_probe("2.25.2").ref != probe.ref


def test_the_probe_is_a_ct_image_as_the_standard_wants_it(tmp_path: Path) -> None:
    path = tmp_path / "probe.dcm"
    path.write_bytes(make_probe("2.25.1").data)
    assert dciodvfy_errors(path) == []


def test_orthanc_takes_keeps_finds_and_returns_the_probe(tmp_path: Path) -> None:
    port = free_port()
    with orthanc(tmp_path / "orthanc", modalities={"node": ("PULMONODE", port)}) as archive:
        config = write_config(
            tmp_path,
            destinations={"archive": (archive.ae_title, archive.dicom_port)},
            peer={"query": True},
            node={"port": port},
            delivery={"commitment_hold_s": 1},
        )
        settings = load_settings(config, {})
        scp = make_scp(settings, open_stores(settings))
        scp.start(settings.node.bind, port)
        checks = [*examine(config, probe=True), *examine(config, probe=True)]
        scp.stop()
        assert len(archive.instances()) == 1
    assert faults(checks) == set()
    found = {check.what: check.found for check in checks}
    assert found["peer archive: probe committed"] == "it promises to keep the probe"
    assert found["peer archive: probe found"] == "it finds the probe"
    assert found["peer archive: probe sent back by C-MOVE"] == "it sends the probe back to this node"


def test_an_archive_that_does_not_know_this_node_is_told_in_plain_words(tmp_path: Path) -> None:
    with dcmqrscp(tmp_path / "archive", node_port=free_port()) as port:
        config = write_config(
            tmp_path,
            destinations={"archive": ("DCMQRSCP", port)},
            peer={"query": True, "move_destination": "NOBODY"},
        )
        checks = examine(config, probe=True)
    moved = named(checks, "peer archive: probe sent back by C-MOVE")
    assert not moved.ok
    assert "does not know the move destination NOBODY" in moved.found
    assert "Enter NOBODY with this node's address and port" in moved.remedy
    assert named(checks, "peer archive: probe committed").ok


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
