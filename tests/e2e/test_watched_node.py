"""A whole node under the eyes of all who may watch it: monitoring, an audit repository, and people who want alerts."""

import json
import os
import re
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest
from pydicom import Dataset

from node.adapters.demo_pacs import DemoPacs
from pipelines.domain.case_state import CaseState
from tests.dicom import ct_series, seg_of
from tests.node.certificates import authority
from tests.node.client import store_all
from tests.node.listeners import Hook, Repository, schema_faults
from tests.tools import RunningNode, free_port, node, processes_of, wait_for, write_config

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

SENTINEL = "SENTINEL"


@dataclass(frozen=True)
class Watched:
    """A running node and those who watch it."""

    node: RunningNode
    monitor: int
    repository: Repository
    hook: Hook

    def get(self, path: str) -> tuple[int, str]:
        """Status and content of what the monitoring port says; 0 while it does not listen yet."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.monitor}{path}", timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode()
        except urllib.error.URLError:
            return 0, ""

    def metric(self, name: str) -> float:
        """Sum of all samples whose name and labels begin so."""
        samples = re.findall(rf"^{re.escape(name)}.* (\S+)$", self.get("/metrics")[1], re.MULTILINE)
        return sum(float(value) for value in samples)

    def worker(self) -> int:
        """Process ID of the node's worker."""
        # the first is the one that the others, its children, were forked from
        first: int = wait_for("a worker", lambda: processes_of(self.node.process.pid, "worker"))[0]
        return first

    def events(self) -> set[str]:
        """Event IDs of the audit messages that have reached the repository."""
        codes = [_xml(line).find("EventIdentification/EventID") for line in self.repository.messages]
        return {code.get("csd-code", "") for code in codes if code is not None}

    def causes(self) -> set[str]:
        return {one["cause"] for message in tuple(self.hook.posted) for one in message["firing"]}

    def everything_told(self) -> str:
        """All that left the node, beside DICOM, and its log."""
        told = [self.get(path)[1] for path in ("/metrics", "/healthz", "/readyz")]
        told += [line.decode() for line in self.repository.messages]
        return "\n".join([*told, json.dumps(self.hook.posted), self.node.log.read_text()])


def _xml(line: bytes) -> Xml.Element:
    return Xml.fromstring(line.decode().partition("\ufeff")[2])


def patient(number: int) -> list[Dataset]:
    """A CT of somebody all of whose data says who it is, and a segmentation."""
    ct = ct_series(
        slices=8, rows=32, columns=32, seed=number, patient_name=f"ZZ^{SENTINEL}", patient_id=f"{SENTINEL}-{number}"
    )
    for image in ct:
        image.PatientBirthDate = "19610203"
        image.AccessionNumber = f"{SENTINEL}-ACC"
        image.StudyDescription = f"Follow-up of {SENTINEL}"
        image.ReferringPhysicianName = f"Doctor^{SENTINEL}"
    return [*ct, seg_of(ct)]


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    ours, port, monitor = authority(tmp_path / "ca"), free_port(), free_port()
    files, pacs, hook = ours.vouch("node"), DemoPacs(tmp_path / "pacs"), Hook()
    repository = Repository(ours.vouch("repository"), port)
    config = write_config(
        tmp_path,
        destinations={"PACS": ("DEMOPACS", pacs.start())},
        peer={"commitment": False},
        monitoring={"enabled": True, "port": monitor},
        audit={"repository": f"tls://127.0.0.1:{port}"},
        tls={
            "certificate_file": str(files.certificate),
            "key_file": str(files.key),
            "authorities_file": str(ours.folder / "ca.pem"),
        },
        alerts={"webhook_url": hook.url, "stuck_after_s": 4, "look_s": 0.5, "free_mb": 0},
        queue={"worker_processes": 1, "lease_s": 3},
        log={"level": "debug", "format": "json"},
    )
    try:
        with node(config) as running:
            yield Watched(running, monitor, repository, hook)
    finally:
        repository.close()
        hook.close()
        pacs.stop()


def test_those_who_watch_see_a_killed_worker_and_a_stuck_case_and_no_patient(watched: Watched, tmp_path: Path) -> None:
    wait_for("the node ready", lambda: watched.get("/readyz")[0] == 200)
    assert watched.get("/healthz")[0] == 200
    before = watched.worker()

    sent = patient(1)
    assert set(store_all(watched.node.port, sent)) == {0x0000}
    os.kill(before, signal.SIGKILL)
    wait_for("another worker", lambda: watched.metric("pulmonode_process_restarts_total") >= 1)
    assert watched.node.ended(1).row.state is CaseState.DELIVERED
    assert watched.worker() != before

    # a segmentation whose CT never comes
    assert store_all(watched.node.port, patient(2)[-1:]) == [0x0000]
    wait_for("an alert about the case that is stuck", lambda: "case-stuck:2" in watched.causes())

    assert watched.metric("pulmonode_instances_received_total") == len(sent) + 1
    assert watched.metric("pulmonode_received_bytes_total") > 8 * 32 * 32 * 2
    assert watched.metric('pulmonode_cases{state="delivered"}') == 1
    assert watched.metric('pulmonode_cases{state="collecting"}') == 1
    results = len(watched.node.detail(1).results)  # type: ignore[union-attr]
    assert watched.metric("pulmonode_results_sent_total") == results > 0
    assert watched.metric("pulmonode_ledger_up") == watched.metric("pulmonode_queue_up") == 1
    assert watched.get("/readyz")[0] == 200

    # begun, received, read, sent on: what a sender brought is told when nothing has followed for half a minute
    wanted = {"110100", "110104", "110103", "110102"}
    wait_for("the audit messages", lambda: watched.events() >= wanted)
    assert watched.repository.faults == []
    told = [line.decode() for line in watched.repository.messages]
    assert [fault for line in told if (fault := schema_faults(line, tmp_path))] == []

    everything = watched.everything_told()
    assert "pulmonode_cases" in everything
    assert "case_reported" in everything
    assert [mark for mark in (SENTINEL, "19610203", "1961-02-03") if mark in everything] == []
