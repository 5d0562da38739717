"""A whole node beside Orthanc: results that are kept, series that are fetched, and promises to those who send."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydicom import dcmread

from pipelines.domain.case_state import CaseState
from tests.dicom import as_bytes, ct_series, seg_of, write_files
from tests.node.adapters.test_worklist import write_order
from tests.tools import Orthanc, RunningNode, free_port, node, orthanc, wait_for, wlmscpfs, write_config

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


def test_the_worklist_gives_results_the_number_that_the_ct_lacks(tmp_path: Path) -> None:
    ct = ct_series(**SMALL, patient_id="SENTINEL-1")
    folder = tmp_path / "worklist"
    write_order(folder, "1", patient_id="SENTINEL-1", accession_number="SENTINEL-2", study=ct[0].StudyInstanceUID)
    write_files([*ct, seg_of(ct)], tmp_path / "in")
    with wlmscpfs(folder) as port:
        config = write_config(
            tmp_path, destinations={"RIS": ("WORKLIST", port)}, peer={"worklist": True}, delivery={"destinations": []}
        )
        with node(config) as running_node:
            submit(running_node, tmp_path / "in")
            detail = running_node.reaches(1, CaseState.REPORTED, timeout_s=120)
            spool = running_node.settings.data_dir / "spool"
            made = [dcmread(spool / row.result.file.path) for row in detail.results]
            ledger = (running_node.settings.data_dir / "ledger.sqlite3").read_bytes()
    assert {one.AccessionNumber for one in made} == {"SENTINEL-2"}
    assert [event.detail for event in detail.events if event.event == "worklist"] == [
        "One order of the worklist names the study."
    ]
    assert b"SENTINEL" not in ledger
    assert "SENTINEL" not in (tmp_path / "node.log").read_text()
