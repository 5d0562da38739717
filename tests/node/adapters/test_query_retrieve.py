"""Finding and retrieving at DCMTK's archive and at peers that fail, over real associations."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Literal

import pytest
from pydicom import Dataset
from pynetdicom import AE, evt

from node.adapters.association import PeerAddress
from node.adapters.ledger import SqlLedger
from node.adapters.query_retrieve import QueryRetrieveScu, Source
from node.adapters.spool import FileSpool
from node.adapters.storage_scp import TRANSFER_SYNTAXES, StorageScp
from node.logs import Log
from node.ports import PatientIdentity
from node.services.prefetch import find_priors
from node.services.receive import Receiver
from pipelines.domain.case import SeriesKey
from pipelines.domain.identifiers import SeriesUID, SopInstanceUID, StudyUID
from pipelines.domain.reasons import Rejected
from pipelines.domain.sop_classes import CT_IMAGES, STUDY_ROOT_FIND, STUDY_ROOT_GET, STUDY_ROOT_MOVE
from tests.dicom import ct_series, seg_of, write_files
from tests.node.doors import rules
from tests.node.doubles import SetClock
from tests.tools import dcmqrscp, dcmtk, free_port

KEY = SeriesKey(StudyUID("1.2"), SeriesUID("1.2.3"))


@dataclass
class Node:
    """A receiving service, and where it keeps what arrives."""

    receiver: Receiver
    ledger: SqlLedger
    spool: FileSpool
    port: int
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    """Peer, SOP class and level of each query and retrieval that was told of."""

    def scu(
        self, port: int, *, ae_title: str = "DCMQRSCP", retrieve: Literal["move", "get"] = "move", known_as: str = ""
    ) -> QueryRetrieveScu:
        source = Source(PeerAddress("archive", ae_title, "127.0.0.1", port, 120), retrieve, known_as or "PULMONODE")
        return QueryRetrieveScu(
            "PULMONODE",
            [source],
            self.receiver,
            Log("query"),
            storage_classes=CT_IMAGES,
            transfer_syntaxes=TRANSFER_SYNTAXES,
            retrieve_timeout_s=240,
            queried=lambda peer, sop_class, keys: self.asked.append((peer, sop_class, keys.QueryRetrieveLevel)),
        )


@pytest.fixture
def node(sqlite_ledger: SqlLedger, tmp_path: Path, clock: SetClock) -> Iterator[Node]:
    spool = FileSpool(tmp_path / "spool", min_free_bytes=0)
    receiver = Receiver(spool, sqlite_ledger, clock, Log("receive"))
    scp = StorageScp(
        receiver,
        Log("receive"),
        rules(network_timeout_s=120),
        storage_classes=CT_IMAGES,
    )
    yield Node(receiver, sqlite_ledger, spool, scp.start("127.0.0.1", 0))
    scp.stop()


@dataclass
class Archive:
    """DCMTK's archive with two studies of one patient and one of another."""

    port: int
    ct: list[Dataset]
    seg: Dataset
    prior: list[Dataset]


@pytest.fixture
def archive(node: Node, tmp_path: Path) -> Iterator[Archive]:
    small = {"slices": 4, "rows": 16, "columns": 16}
    ct = ct_series(**small, patient_id="P-1")  # type: ignore[arg-type]
    prior = ct_series(**small, patient_id="P-1", seed=2, study_date=date(2025, 6, 1))  # type: ignore[arg-type]
    other = ct_series(**small, patient_id="P-10", seed=3)  # type: ignore[arg-type]
    seg = seg_of(ct)
    write_files([*ct, seg, *prior, *other], tmp_path / "sent")
    with dcmqrscp(tmp_path / "archive", node_port=node.port) as port:
        dcmtk("storescu", "-R", "-aec", "DCMQRSCP", "+sd", "127.0.0.1", str(port), str(tmp_path / "sent"))
        yield Archive(port, ct, seg, prior)


def key_of(ct: Sequence[Dataset]) -> SeriesKey:
    return SeriesKey(StudyUID(ct[0].StudyInstanceUID), SeriesUID(ct[0].SeriesInstanceUID))


def uids(instances: Sequence[Dataset]) -> list[SopInstanceUID]:
    return [SopInstanceUID(one.SOPInstanceUID) for one in instances]


def test_studies_series_and_instances_of_a_patient_are_found(node: Node, archive: Archive) -> None:
    scu = node.scu(archive.port)
    studies = scu.studies("archive", PatientIdentity("P-1"))
    assert not isinstance(studies, Rejected)
    assert {one.study: one.study_date for one in studies} == {
        archive.ct[0].StudyInstanceUID: "20260115",
        archive.prior[0].StudyInstanceUID: "20250601",
    }
    series = scu.series("archive", study=key_of(archive.ct).study)
    assert not isinstance(series, Rejected)
    assert {(one.key, one.modality) for one in series} == {
        (key_of(archive.ct), "CT"),
        (key_of([archive.seg]), "SEG"),
    }
    assert scu.instances("archive", key_of(archive.ct)) == frozenset(uids(archive.ct))


def test_only_the_instances_that_were_asked_for_are_told(node: Node, archive: Archive) -> None:
    wanted = [*uids(archive.ct[:2]), SopInstanceUID("1.9.9")]
    found = node.scu(archive.port).instances("archive", key_of(archive.ct), wanted)
    assert found == frozenset(uids(archive.ct[:2]))


def test_the_earlier_studies_of_a_patient_come_with_what_a_follow_up_needs(node: Node, archive: Archive) -> None:
    priors = find_priors(node.scu(archive.port), "archive", PatientIdentity("P-1"))
    assert not isinstance(priors, Rejected)
    assert [one.study.study_date for one in priors] == ["20250601", "20260115"]
    assert [sorted(series.modality for series in one.series) for one in priors] == [["CT"], ["CT", "SEG"]]
    assert find_priors(node.scu(archive.port), "archive", PatientIdentity("P-2")) == []


@pytest.mark.parametrize("retrieve", ["move", "get"])
def test_a_series_arrives_as_durably_as_if_it_had_been_sent(
    node: Node, archive: Archive, retrieve: Literal["move", "get"]
) -> None:
    got = node.scu(archive.port, retrieve=retrieve).retrieve("archive", key_of(archive.ct))
    assert (got.completed, got.failed, got.fault) == (4, 0, None)
    model = {"move": STUDY_ROOT_MOVE, "get": STUDY_ROOT_GET}[retrieve]
    assert node.asked == [("archive", model, "SERIES")]
    for uid in uids(archive.ct):
        file = node.ledger.known(uid)
        assert file is not None
        node.spool.read(file)
    assert node.ledger.overview(limit=1).instances == 4


@pytest.mark.parametrize("retrieve", ["move", "get"])
def test_single_instances_arrive_alone(node: Node, archive: Archive, retrieve: Literal["move", "get"]) -> None:
    got = node.scu(archive.port, retrieve=retrieve).retrieve("archive", key_of(archive.ct), uids(archive.ct[1:3]))
    assert (got.completed, got.fault) == (2, None)
    assert node.ledger.overview(limit=1).instances == 2


def test_a_move_destination_that_the_archive_does_not_know_is_told_with_what_to_do(
    node: Node, archive: Archive
) -> None:
    got = node.scu(archive.port, known_as="NOBODY").retrieve("archive", key_of(archive.ct))
    assert got.fault is not None
    assert got.fault.code == "NET-007"
    assert "0xA801" in got.fault.detail
    assert "NOBODY" in got.fault.remedy


# peers that fail


@contextmanager
def failing(status: int | None, *, classes: Sequence[str]) -> Iterator[int]:
    """A peer that answers every query and retrieval with `status`, or aborts."""
    ae = AE("ARCHIVE")
    ae.add_supported_context("1.2.840.10008.1.1")
    for uid in classes:
        ae.add_supported_context(uid)

    def fail(event: Any) -> Iterator[Any]:
        if status is None:
            event.assoc.abort()
            return
        if event.event is not evt.EVT_C_FIND:
            if event.event is evt.EVT_C_MOVE:
                yield ("127.0.0.1", 9)
            yield 1
        yield status, None

    handlers: list[Any] = [(evt.EVT_C_FIND, fail), (evt.EVT_C_MOVE, fail), (evt.EVT_C_GET, fail)]
    server: Any = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    try:
        yield server.socket.getsockname()[1]
    finally:
        threading.Thread(target=ae.shutdown).start()


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [(0xA700, "NET-007", "out of resources"), (0xA900, "NET-007", "0xA900"), (None, "NET-005", "broke off")],
)
def test_a_query_that_fails_is_told_with_its_status(node: Node, status: int | None, code: str, said: str) -> None:
    with failing(status, classes=[STUDY_ROOT_FIND]) as port:
        fault = node.scu(port, ae_title="ARCHIVE").instances("archive", KEY)
    assert isinstance(fault, Rejected)
    assert fault.code == code
    assert said in fault.detail


def test_a_peer_that_cannot_be_queried_and_one_that_is_away_are_told_apart(node: Node) -> None:
    with failing(0, classes=[]) as port:
        fault = node.scu(port, ae_title="ARCHIVE").series("archive", study=KEY.study)
    assert isinstance(fault, Rejected)
    assert fault.code == "NET-004"
    fault = node.scu(free_port()).series("archive", study=KEY.study)
    assert isinstance(fault, Rejected)
    assert fault.code == "NET-001"


def test_a_peer_without_c_get_is_told_to_move(node: Node) -> None:
    with failing(0, classes=[STUDY_ROOT_MOVE, *CT_IMAGES]) as port:
        got = node.scu(port, ae_title="ARCHIVE", retrieve="get").retrieve("archive", KEY)
    assert got.fault is not None
    assert got.fault.code == "NET-004"
    assert 'retrieve = "move"' in got.fault.remedy


@pytest.mark.parametrize(("retrieve", "uid"), [("move", STUDY_ROOT_MOVE), ("get", STUDY_ROOT_GET)])
def test_a_retrieval_that_is_broken_off_is_told(node: Node, retrieve: Literal["move", "get"], uid: str) -> None:
    with failing(None, classes=[uid]) as port:
        got = node.scu(port, ae_title="ARCHIVE", retrieve=retrieve).retrieve("archive", KEY)
    assert got.fault is not None
    assert got.fault.code == "NET-005"


def test_whom_we_look_for_is_never_shown() -> None:
    assert "P-1" not in repr(PatientIdentity("P-1", "HOSPITAL"))
    assert "HOSPITAL" not in repr(PatientIdentity("P-1", "HOSPITAL"))
