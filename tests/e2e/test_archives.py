"""A whole node beside Orthanc: results that are kept, series that are fetched, and promises to those who send."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipelines.domain.case_state import CaseState
from tests.dicom import as_bytes, ct_series, seg_of, write_files
from tests.tools import Orthanc, RunningNode, free_port, node, orthanc, wait_for, write_config

pytestmark = pytest.mark.e2e

SMALL = {"slices": 12, "rows": 40, "columns": 40}


@dataclass
class Hospital:
    """A folder in which an Orthanc runs that knows a node, which is to be started."""

    folder: Path
    archive: Orthanc
    port: int

    def config(self, **peer: object) -> Path:
        return write_config(
            self.folder,
            destinations={"PACS": (self.archive.ae_title, self.archive.dicom_port)},
            peer=peer,
            node={"port": self.port},
            delivery={"commitment_hold_s": 1, "commitment_timeout_s": 60},
            prefetch={"after_s": 1},
        )


@pytest.fixture
def hospital(tmp_path: Path) -> Iterator[Hospital]:
    port = free_port()
    with orthanc(tmp_path / "orthanc", modalities={"node": ("PULMONODE", port)}) as archive:
        yield Hospital(tmp_path, archive, port)


def submit(running_node: RunningNode, folder: Path) -> None:
    done = running_node.command("submit", str(folder))
    assert done.returncode == 0, done.stderr


def test_orthanc_promises_to_keep_the_results(hospital: Hospital) -> None:
    ct = ct_series(**SMALL)
    write_files([*ct, seg_of(ct)], hospital.folder / "in")
    with node(hospital.config()) as running_node:
        submit(running_node, hospital.folder / "in")
        detail = running_node.reaches(1, CaseState.COMMITTED, timeout_s=120)
        states = [event.state for event in detail.events]
        assert states == ["collecting", "queued", "running", "reported", "delivered", "committed"]
        promises = {d.commitment for row in detail.results for d in row.deliveries}
        assert promises == {"committed"}
        assert "kept by PACS" in running_node.command("status", "1").stdout


@pytest.mark.parametrize("retrieve", ["move", "get"])
def test_a_series_that_was_never_sent_is_fetched_from_orthanc(hospital: Hospital, retrieve: str) -> None:
    ct = ct_series(**SMALL)
    for instance in ct:
        hospital.archive.post("/instances", as_bytes(instance))
    write_files([seg_of(ct)], hospital.folder / "in")
    with node(hospital.config(query=True, retrieve=retrieve)) as running_node:
        submit(running_node, hospital.folder / "in")
        detail = running_node.reaches(1, CaseState.COMMITTED, timeout_s=120)
        assert detail.row.ct_slices == 12
        (fetched,) = [event.detail for event in detail.events if event.event == "retrieval"]
        assert "12 of 12 images" in fetched


def test_slices_that_are_missing_are_fetched_and_no_others(hospital: Hospital) -> None:
    ct = ct_series(**SMALL)
    for instance in ct:
        hospital.archive.post("/instances", as_bytes(instance))
    write_files([*ct[:4], *ct[6:], seg_of(ct)], hospital.folder / "in")
    with node(hospital.config(query=True)) as running_node:
        submit(running_node, hospital.folder / "in")
        detail = running_node.reaches(1, CaseState.COMMITTED, timeout_s=120)
        assert detail.row.ct_slices == 12
        (fetched,) = [event.detail for event in detail.events if event.event == "retrieval"]
        assert "2 of 2 images" in fetched


def test_orthanc_that_sends_with_commitment_gets_its_promise(hospital: Hospital) -> None:
    archive = hospital.archive
    for instance in ct_series(**SMALL):
        archive.post("/instances", as_bytes(instance))
    asked = {"Resources": archive.instances(), "StorageCommitment": True, "Synchronous": True}
    with node(hospital.config()):
        job = json.loads(archive.post("/modalities/node/store", json.dumps(asked).encode()))
        transaction = job["StorageCommitmentTransactionUID"]

        def report() -> dict[str, object]:
            told: dict[str, object] = json.loads(archive.get(f"/storage-commitment/{transaction}"))
            return told if told["Status"] != "Pending" else {}

        told = wait_for("the report", report)
        assert told["Status"] == "Success"
        assert told["RemoteAET"] == "PULMONODE"
