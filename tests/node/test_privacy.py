"""A patient's data is in the spool and in what is sent, and nowhere else: not in logs, ledger, queue or file names."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from pydicom import Dataset

from node.adapters.storage_scp import StorageScp
from node.adapters.storage_scu import StorageScu
from node.bootstrap.queue import make_queue
from node.bootstrap.stores import open_stores
from node.errors import TransientError
from node.logs import Log
from node.ports import Destination
from node.services.assemble import Assembler
from node.services.deliver import Deliverer
from node.services.process import Processor
from node.services.receive import Receiver
from node.settings import load_settings
from pipelines.base import Pipeline
from pipelines.domain.case import Case, Findings
from pipelines.domain.case_state import CaseState
from pipelines.domain.identifiers import CaseId
from pipelines.domain.priority import Precedence
from pipelines.domain.reasons import Rejected
from pipelines.domain.sop_classes import CT_IMAGES, SEGMENTATIONS
from pipelines.imaging.assembly import Patience
from tests.dicom import ct_series, seg_of
from tests.node.client import client, message
from tests.node.doors import rules
from tests.node.doubles import SetClock
from tests.node.peers import Peer, peer
from tests.node.pipeline import small_pipeline
from tests.tools import write_config

SENTINEL = "SENTINEL"


def patient() -> list[Dataset]:
    """A CT and a segmentation of a patient all of whose data says so."""
    ct = ct_series(slices=5, rows=24, columns=24, patient_name=f"ZZ^{SENTINEL}", patient_id=f"{SENTINEL}-ID")
    for image in ct:
        image.AccessionNumber = f"{SENTINEL}-ACC"
        image.StudyID = f"{SENTINEL}-ST"
        image.StudyDescription = f"Follow-up of {SENTINEL}"
        image.ReferringPhysicianName = f"Doctor^{SENTINEL}"
        image.PatientComments = f"The neighbour of {SENTINEL}"
    return [*ct, seg_of(ct)]


class WholeNode:
    """Every service of the node in this process, with real adapters in one folder."""

    def __init__(self, folder: Path, pacs: Peer, pipeline: Pipeline) -> None:
        settings = load_settings(write_config(folder, destinations={"archive": ("PACS", pacs.port)}), {})
        self.settings = settings
        self.clock = SetClock()
        self.stores = open_stores(settings)
        spool, ledger = self.stores.spool, self.stores.ledger
        self.scp = StorageScp(
            Receiver(spool, ledger, self.clock, Log("receive")),
            Log("receive"),
            rules(max_associations=5),
            storage_classes=CT_IMAGES | SEGMENTATIONS,
        )
        self.assembler = Assembler(
            ledger,
            make_queue(settings),
            self.clock,
            Log("assemble"),
            patience=Patience(timedelta(seconds=30), timedelta(seconds=900)),
            max_attempts=3,
            resubmit_after=timedelta(seconds=300),
            priorities=self.stores.priorities,
            rule=Precedence(),
        )
        self.processor = Processor(
            pipeline,
            spool,
            ledger,
            self.clock,
            Log("process"),
            owner="worker",
            station="PULMONODE",
            device_uid="2.25.1",
            software_version="1",
            destinations=[Destination("archive")],
            lease=timedelta(seconds=60),
            retry_after=timedelta(seconds=5),
        )
        self.deliverer = Deliverer(
            ledger,
            StorageScu("PULMONODE", [pacs.address()], spool.path),
            self.clock,
            Log("deliver"),
            retry_first=timedelta(seconds=5),
            retry_max=timedelta(seconds=60),
            give_up_after=timedelta(hours=72),
        )

    def run(self, instances: list[Dataset]) -> CaseState:
        """The whole way of a case, and everything that a sender can do wrong besides."""
        port = self.scp.start("127.0.0.1", 0)
        messages = [message(instance) for instance in instances]
        changed = [replace(one, dataset=one.dataset.replace(b"SENTINEL-ACC", b"SENTINEL-CCA")) for one in messages[:1]]
        with client(port, *messages) as sender:
            assert sender.store(replace(messages[0], dataset=messages[0].dataset[:-1])) == 0xC000
            assert sender.store(replace(messages[0], sop_instance="1.2.3")) == 0xA900
            assert [sender.store(one) for one in (*messages, *changed)] == [0x0000] * len(messages) + [0xB000]
        self.scp.stop()
        self.clock.forward(31)
        self.assembler.tick()
        self.processor.process(CaseId(1))
        self.deliverer.deliver("archive")
        detail = self.stores.ledger.detail(CaseId(1))
        assert detail is not None
        return detail.row.state


def places_of_the_sentinel(folder: Path) -> set[str]:
    """Where the sentinel stands: `name` for the name of a file, else the first two folders of the path to it."""
    found = set()
    for path in folder.rglob("*"):
        relative = path.relative_to(folder)
        if SENTINEL.lower() in str(relative).lower():
            found.add("name")
        # a thread that ends closes its database, and what was beside it is gone
        with suppress(FileNotFoundError):
            if path.is_file() and SENTINEL.encode() in path.read_bytes():
                found.add("/".join(relative.parts[:2]))
    return found


def text_of(database: Path) -> str:
    """All that is in a database, on whatever pages it lies."""
    with sqlite3.connect(database) as connection:
        return "\n".join(connection.iterdump())


def assert_the_patient_is_in_the_spool_alone(data_dir: Path, lines: str) -> None:
    assert places_of_the_sentinel(data_dir) <= {"spool/received", "spool/results"}
    for database in ("ledger.sqlite3", "queue.sqlite3"):
        content = text_of(data_dir / database)
        assert "CREATE TABLE" in content
        assert SENTINEL not in content
    assert SENTINEL.lower() not in lines.lower()


def test_a_case_that_is_delivered_leaves_its_patient_in_the_spool_alone(
    tmp_path: Path, logged: Callable[[], str]
) -> None:
    with peer() as pacs:
        node = WholeNode(tmp_path, pacs, small_pipeline())
        assert node.run(patient()) is CaseState.DELIVERED
        assert len(pacs.stored) == 2
        assert all(SENTINEL.encode() in dataset for dataset in pacs.stored.values())
    assert places_of_the_sentinel(node.settings.data_dir) == {"spool/received", "spool/results"}
    lines = logged()
    for event in ("instance_received", "instance_refused", "instance_conflicts", "case_reported", "result_delivered"):
        assert event in lines
    assert_the_patient_is_in_the_spool_alone(node.settings.data_dir, lines)


def _cannot_be_measured(case: Case) -> Findings | Rejected:
    return Rejected("ROI-001", "The lesion is too small.", "Draw it larger.")


def _world_is_unwell(case: Case) -> Findings | Rejected:
    raise TransientError("RCV-005", "The spool cannot be read.")


def _has_a_bug(case: Case) -> Findings | Rejected:
    raise ZeroDivisionError


@pytest.mark.parametrize(
    ("measure", "state"),
    [
        (_cannot_be_measured, CaseState.REJECTED),
        (_world_is_unwell, CaseState.WAITING),
        (_has_a_bug, CaseState.FAILED),
    ],
)
def test_a_case_that_fails_leaves_its_patient_in_the_spool_alone(
    tmp_path: Path,
    logged: Callable[[], str],
    measure: Callable[[Case], Findings | Rejected],
    state: CaseState,
) -> None:
    with peer() as pacs:
        node = WholeNode(tmp_path, pacs, small_pipeline(measure))
        assert node.run(patient()) is state
    assert_the_patient_is_in_the_spool_alone(node.settings.data_dir, logged())


def test_a_result_that_the_archive_refuses_leaves_its_patient_in_the_spool_alone(
    tmp_path: Path, logged: Callable[[], str]
) -> None:
    with peer() as pacs:
        pacs.answers = [0xA900, 0xC000]
        node = WholeNode(tmp_path, pacs, small_pipeline())
        assert node.run(patient()) is CaseState.FAILED
    assert_the_patient_is_in_the_spool_alone(node.settings.data_dir, logged())


def test_what_an_exception_quotes_of_a_patient_is_not_logged(tmp_path: Path, logged: Callable[[], str]) -> None:
    def quote(case: Case) -> Findings | Rejected:
        raise ValueError(f"could not convert {case.header.PatientName} to float")

    with peer() as pacs:
        node = WholeNode(tmp_path, pacs, small_pipeline(quote))
        assert node.run(patient()) is CaseState.FAILED
    assert "ValueError" in logged()
    assert_the_patient_is_in_the_spool_alone(node.settings.data_dir, logged())


def test_what_a_library_warns_of_a_patient_is_not_written() -> None:
    # a process of its own, since pytest takes the warnings to itself
    code = f"""
from pydicom import Dataset
from node import logs
logs.configure("debug", "json")
instance = Dataset()
instance.PatientBirthDate = "{SENTINEL}"
instance.PatientSex = "{SENTINEL} of lower case"
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert SENTINEL not in done.stdout + done.stderr
