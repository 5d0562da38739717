"""A whole node beside Orthanc: results that are kept, series that are fetched, and promises to those who send."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset, dcmread
from pynetdicom import AE, evt

from node.adapters.commitment import INSTANCE
from node.ports import CaseDetail
from pipelines.domain.case_state import CaseState
from pipelines.domain.sop_classes import RESULT_CLASSES, STORAGE_COMMITMENT
from tests.dicom import as_bytes, ct_series, seg_of, write_files
from tests.node.adapters.test_worklist import write_order
from tests.node.client import associate
from tests.tools import Orthanc, RunningNode, free_port, kill_tree, node, orthanc, wait_for, wlmscpfs, write_config

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
            delivery={"commitment_hold_s": 1, "commitment_timeout_s": 240},
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
        detail = running_node.reaches(1, CaseState.COMMITTED)
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
        detail = running_node.reaches(1, CaseState.COMMITTED)
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
        detail = running_node.reaches(1, CaseState.COMMITTED)
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
            detail = running_node.reaches(1, CaseState.REPORTED)
            spool = running_node.settings.data_dir / "spool"
            made = [dcmread(spool / row.result.file.path) for row in detail.results]
            ledger = (running_node.settings.data_dir / "ledger.sqlite3").read_bytes()
    assert {one.AccessionNumber for one in made} == {"SENTINEL-2"}
    assert [event.detail for event in detail.events if event.event == "worklist"] == [
        "One order of the worklist names the study."
    ]
    assert b"SENTINEL" not in ledger
    assert "SENTINEL" not in (tmp_path / "node.log").read_text()


def test_a_report_that_comes_after_a_power_cut_is_taken(tmp_path: Path) -> None:
    ct = ct_series(**SMALL)
    write_files([*ct, seg_of(ct)], tmp_path / "in")
    with silent_pacs() as pacs:
        config = write_config(tmp_path, destinations={"PACS": ("PACS", pacs.port)}, delivery={"commitment_hold_s": 600})
        with node(config) as running_node:
            submit(running_node, tmp_path / "in")
            wait_for("the request", lambda: pacs.asked)
            kill_tree(running_node.process)
        with node(config) as running_node:
            reported = 0

            def committed() -> CaseDetail | None:
                nonlocal reported
                # the node may have asked in two parts, when a result was stored after its first request
                for request in pacs.asked[reported:]:
                    assert report_to(running_node.port, request) == 0x0000
                    reported += 1
                detail = running_node.detail(1)
                return detail if detail is not None and detail.row.state is CaseState.COMMITTED else None

            detail = wait_for("the commitment", committed)
            asked = [one.ReferencedSOPInstanceUID for request in pacs.asked for one in request.ReferencedSOPSequence]
            assert sorted(asked) == sorted(row.result.sop_instance for row in detail.results)
            assert [event.state for event in detail.events].count("delivered") == 1


def report_to(port: int, request: Dataset) -> int:
    """Report everything that `request` names as kept, on an association of its own; the status of the answer."""

    def let_in() -> Any:
        association = associate(port, [(STORAGE_COMMITMENT, None)], calling="PACS")
        return association if association.is_established else None

    # as an archive does, which has to tell it once: a node that has just started may not let it in at the first call
    association = wait_for("an association", let_in)
    status, _ = association.send_n_event_report(request, 1, STORAGE_COMMITMENT, INSTANCE)
    association.release()
    return int(status.Status)


@dataclass
class SilentPacs:
    """What a PACS that takes everything and never reports has been asked."""

    port: int = 0
    asked: list[Dataset] = field(default_factory=list)


@contextmanager
def silent_pacs() -> Iterator[SilentPacs]:
    ae = AE("PACS")
    for uid in (*RESULT_CLASSES, STORAGE_COMMITMENT):
        ae.add_supported_context(uid)
    seen = SilentPacs()

    def ask(event: Any) -> tuple[int, None]:
        seen.asked.append(event.action_information)
        return 0x0000, None

    handlers: list[Any] = [(evt.EVT_C_STORE, lambda event: 0x0000), (evt.EVT_N_ACTION, ask)]
    server: Any = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    seen.port = server.socket.getsockname()[1]
    try:
        yield seen
    finally:
        ae.shutdown()
