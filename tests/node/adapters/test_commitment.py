"""Storage commitment over real associations, with peers that behave and peers that do not."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydicom import DataElement, Dataset
from pynetdicom import AE, build_role, evt
from sqlalchemy import Engine

from node.adapters.association import PeerAddress
from node.adapters.commitment import INSTANCE, CommitmentScu, commitment_service, read_report, report_dataset
from node.adapters.ledger import SqlLedger
from node.adapters.ledger_duties import SqlDuties
from node.adapters.ledger_workflow import SqlWorkflow
from node.adapters.spool import FileSpool
from node.adapters.storage_scp import StorageScp
from node.logs import Log
from node.ports import CommitmentReport, ObjectRef, RefusedAssociationRow
from node.services.commit import Custodian
from node.services.receive import Receiver
from pipelines.domain.identifiers import SopClassUID, SopInstanceUID
from pipelines.domain.sop_classes import CT_IMAGE, CT_IMAGES, STORAGE_COMMITMENT
from tests.dicom import ct_series
from tests.node.client import associate, store_all
from tests.node.doors import rules
from tests.node.doubles import SetClock
from tests.tools import free_port, wait_for

OBJECTS = tuple(ObjectRef(SopClassUID(CT_IMAGE), SopInstanceUID(f"1.2.{number}")) for number in range(3))
HOUR = timedelta(hours=1)


@dataclass
class Inbox:
    """Takes reports about one transaction."""

    transaction_uid: str = "1.2.3"
    taken: list[CommitmentReport] = field(default_factory=list)

    def take(self, ae_title: str, report: CommitmentReport) -> bool:
        if report.transaction_uid != self.transaction_uid:
            return False
        self.taken.append(report)
        return True


@dataclass
class Provider:
    """What a provider of storage commitment saw, and the statuses that its reports drew."""

    port: int = 0
    asked: list[Dataset] = field(default_factory=list)
    drawn: list[int | None] = field(default_factory=list)


Behave = Callable[[Any, Dataset, Provider], int]


@contextmanager
def provider(behave: Behave, *, offers: bool = True) -> Iterator[Provider]:
    """A storage commitment SCP that does what `behave` does with a request; its answer is the status."""
    ae = AE("PACS")
    ae.add_supported_context("1.2.840.10008.1.1")
    if offers:
        ae.add_supported_context(STORAGE_COMMITMENT)
    seen = Provider()

    def on_action(event: Any) -> tuple[int, None]:
        asked = event.action_information
        seen.asked.append(asked)
        return behave(event, asked, seen), None

    server: Any = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_N_ACTION, on_action)])
    seen.port = server.socket.getsockname()[1]
    try:
        yield seen
    finally:
        threading.Thread(target=ae.shutdown).start()


def report_of(asked: Dataset, *, failed: int = 0, transaction_uid: str | None = None) -> Dataset:
    refs = list(asked.ReferencedSOPSequence)
    made = Dataset()
    made.TransactionUID = transaction_uid or asked.TransactionUID
    made.ReferencedSOPSequence = refs[failed:]
    if failed:
        for item in refs[:failed]:
            item.FailureReason = 0x0112
        made.FailedSOPSequence = refs[:failed]
    return made


def same_association(**changes: Any) -> Behave:
    """Reports on the association of the request, after its response."""

    def behave(event: Any, asked: Dataset, seen: Provider) -> int:
        association = event.assoc

        def send() -> None:
            kind = 2 if changes.get("failed") else 1
            status, _ = association.send_n_event_report(report_of(asked, **changes), kind, STORAGE_COMMITMENT, INSTANCE)
            seen.drawn.append(status.get("Status"))

        def sent(event: Any) -> None:
            association.unbind(evt.EVT_DIMSE_SENT, sent)
            threading.Thread(target=send, daemon=True).start()

        association.bind(evt.EVT_DIMSE_SENT, sent)
        return 0x0000

    return behave


def silent(event: Any, asked: Dataset, seen: Provider) -> int:
    return 0x0000


def ask(port: int, inbox: Inbox, *, hold_s: float = 120, answered: Callable[[], bool] = lambda: False) -> Any:
    peer = PeerAddress("archive", "PACS", "127.0.0.1", port, 120)
    scu = CommitmentScu("PULMONODE", [peer], hold_s=hold_s)
    return scu.request("archive", inbox.transaction_uid, OBJECTS, take=inbox.take, answered=answered)


def test_a_report_on_the_same_association_is_taken() -> None:
    inbox = Inbox()
    with provider(same_association()) as pacs:
        assert ask(pacs.port, inbox) is None
        wait_for("the answer", lambda: pacs.drawn)
    assert inbox.taken == [CommitmentReport("1.2.3", OBJECTS)]
    assert pacs.drawn == [0x0000]
    (asked,) = pacs.asked
    assert [item.ReferencedSOPInstanceUID for item in asked.ReferencedSOPSequence] == ["1.2.0", "1.2.1", "1.2.2"]


def test_a_report_of_type_2_tells_what_is_kept_and_what_is_not() -> None:
    inbox = Inbox()
    with provider(same_association(failed=1)) as pacs:
        assert ask(pacs.port, inbox) is None
    assert inbox.taken == [CommitmentReport("1.2.3", OBJECTS[1:], ((OBJECTS[0], 0x0112),))]


def test_a_report_with_another_transaction_uid_is_answered_with_a_failure() -> None:
    inbox = Inbox()
    with provider(same_association(transaction_uid="9.9.9")) as pacs:
        assert ask(pacs.port, inbox) is None
        wait_for("the answer", lambda: pacs.drawn)
    assert inbox.taken == []
    assert pacs.drawn == [0x0115]


def test_a_silent_peer_holds_nobody_longer_than_it_may() -> None:
    started = time.monotonic()
    with provider(silent) as pacs:
        assert ask(pacs.port, Inbox(), hold_s=0.5) is None
    # far less than the peer may take for an answer
    assert 0.5 <= time.monotonic() - started < 100


def test_the_association_is_released_as_soon_as_the_report_came_on_another_one() -> None:
    started = time.monotonic()
    with provider(silent) as pacs:
        assert ask(pacs.port, Inbox(), hold_s=600, answered=lambda: time.monotonic() - started > 0.3) is None
    assert time.monotonic() - started < 280


def test_a_peer_that_aborts_is_told_as_one_that_broke_off() -> None:
    def abort(event: Any, asked: Dataset, seen: Provider) -> int:
        event.assoc.abort()
        return 0x0110

    with provider(abort) as pacs:
        assert ask(pacs.port, Inbox()).code == "NET-005"


@pytest.mark.parametrize(("status", "code"), [(0x0110, "NET-006"), (0x0112, "NET-004"), (0x0211, "NET-004")])
def test_a_peer_that_fails_a_request_is_told_with_its_status(status: int, code: str) -> None:
    with provider(lambda event, asked, seen: status) as pacs:
        fault = ask(pacs.port, Inbox())
    assert fault.code == code
    assert f"0x{status:04X}" in fault.detail


def test_a_peer_without_commitment_and_one_that_is_away_are_told_apart() -> None:
    with provider(silent, offers=False) as pacs:
        fault = ask(pacs.port, Inbox())
    assert fault.code == "NET-004"
    assert "commitment = false" in fault.remedy
    assert ask(free_port(), Inbox()).code == "NET-001"


def test_a_report_is_read_as_it_was_written() -> None:
    for report in (
        CommitmentReport("1.2", OBJECTS),
        CommitmentReport("1.2", OBJECTS[:1], tuple((one, 0x0213) for one in OBJECTS[1:])),
        CommitmentReport("1.2", (), ((OBJECTS[0], 0x0110),)),
    ):
        assert read_report(report_dataset(report)) == report
    assert read_report(Dataset()) is None


# as provider


@dataclass
class Node:
    """A receiving service that keeps what it is sent and takes reports for an inbox."""

    port: int
    custodian: Custodian
    inbox: Inbox
    workflow: SqlWorkflow


@pytest.fixture
def node(engine: Engine, tmp_path: Path, clock: SetClock) -> Iterator[Node]:
    yield from _node(engine, tmp_path, clock, {})


def _node(engine: Engine, tmp_path: Path, clock: SetClock, requesters: dict[str, str]) -> Iterator[Node]:
    spool, ledger, workflow = (
        FileSpool(tmp_path / "spool", min_free_bytes=0),
        SqlLedger(engine, pipeline="test"),
        SqlWorkflow(engine),
    )
    custodian = Custodian(
        SqlDuties(engine),
        spool,
        clock,
        Log("commit"),
        requesters=requesters,
        retry_first=HOUR,
        retry_max=HOUR,
        give_up_after=HOUR,
    )
    inbox = Inbox()
    scp = StorageScp(
        Receiver(spool, ledger, clock, Log("receive")),
        Log("receive"),
        rules(calling_ae_titles=("SCANNER", "PACS"), network_timeout_s=120),
        storage_classes=CT_IMAGES,
        services=[commitment_service(custodian, inbox.take, Log("commit"))],
        turned_away=lambda refused: workflow.turned_away(refused, at=clock()),
    )
    yield Node(scp.start("127.0.0.1", 0), custodian, inbox, workflow)
    scp.stop()


def request_of(uids: list[str]) -> Dataset:
    made = Dataset()
    made.TransactionUID = "1.2.3"
    items = []
    for uid in uids:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = CT_IMAGE, uid
        items.append(item)
    made.ReferencedSOPSequence = items
    return made


def test_an_unknown_requester_is_answered_on_its_own_association(node: Node) -> None:
    ct = ct_series(slices=3, rows=8, columns=8)
    store_all(node.port, ct[:2])
    told: list[tuple[int, Dataset]] = []

    def on_report(event: Any) -> tuple[int, None]:
        told.append((event.event_type, event.event_information))
        return 0x0000, None

    ae = AE("SCANNER")
    ae.add_requested_context(STORAGE_COMMITMENT)
    association = ae.associate(
        "127.0.0.1", node.port, ae_title="PULMONODE", evt_handlers=[(evt.EVT_N_EVENT_REPORT, on_report)]
    )
    asked = request_of([str(one.SOPInstanceUID) for one in ct])
    status, _ = association.send_n_action(asked, 1, STORAGE_COMMITMENT, INSTANCE)
    assert status.Status == 0x0000
    wait_for("the report", lambda: told)
    association.release()
    kind, report = told[0]
    assert kind == 2
    assert [one.ReferencedSOPInstanceUID for one in report.ReferencedSOPSequence] == [
        one.SOPInstanceUID for one in ct[:2]
    ]
    assert [(one.ReferencedSOPInstanceUID, one.FailureReason) for one in report.FailedSOPSequence] == [
        (ct[2].SOPInstanceUID, 0x0112)
    ]


def test_a_configured_requester_is_called_back(engine: Engine, tmp_path: Path, clock: SetClock) -> None:
    ct = ct_series(slices=3, rows=8, columns=8)
    told: list[int] = []

    def on_report(event: Any) -> tuple[int, None]:
        told.append(event.event_type)
        return 0x0000, None

    scanner = AE("SCANNER")
    scanner.add_supported_context(STORAGE_COMMITMENT, scu_role=False, scp_role=True)
    server: Any = scanner.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_N_EVENT_REPORT, on_report)]
    )
    address = PeerAddress("scanner", "SCANNER", "127.0.0.1", server.socket.getsockname()[1], 120)
    for node in _node(engine, tmp_path, clock, {"SCANNER": "scanner"}):
        store_all(node.port, ct)
        association = associate(node.port, [(STORAGE_COMMITMENT, None)])
        asked = request_of([str(one.SOPInstanceUID) for one in ct])
        assert association.send_n_action(asked, 1, STORAGE_COMMITMENT, INSTANCE)[0].Status == 0x0000
        association.release()
        assert told == []
        scu = CommitmentScu("PULMONODE", [address], hold_s=0)
        assert node.custodian.answer_due(scu) == 1
    scanner.shutdown()
    assert told == [1]


def test_a_report_on_an_association_that_the_peer_opens_is_taken_with_and_without_its_role(node: Node) -> None:
    for roles in ([build_role(STORAGE_COMMITMENT, scp_role=True)], []):
        ae = AE("PACS")
        ae.add_requested_context(STORAGE_COMMITMENT)
        association = ae.associate("127.0.0.1", node.port, ae_title="PULMONODE", ext_neg=roles)
        made = report_dataset(CommitmentReport("1.2.3", OBJECTS))
        status, _ = association.send_n_event_report(made, 1, STORAGE_COMMITMENT, INSTANCE)
        assert status.Status == 0x0000
        unknown = report_dataset(CommitmentReport("9.9", OBJECTS))
        assert association.send_n_event_report(unknown, 1, STORAGE_COMMITMENT, INSTANCE)[0].Status == 0x0115
        assert association.send_n_event_report(made, 7, STORAGE_COMMITMENT, INSTANCE)[0].Status == 0x0113
        association.release()
    assert node.inbox.taken == [CommitmentReport("1.2.3", OBJECTS)] * 2


def test_a_request_that_names_nothing_is_refused(node: Node) -> None:
    association = associate(node.port, [(STORAGE_COMMITMENT, None)])
    assert association.send_n_action(request_of([]), 1, STORAGE_COMMITMENT, INSTANCE)[0].Status == 0x0115
    assert association.send_n_action(request_of(["1.2"]), 2, STORAGE_COMMITMENT, INSTANCE)[0].Status == 0x0123
    association.release()


def test_a_data_set_that_cannot_be_read_is_an_invalid_argument(node: Node) -> None:
    association = associate(node.port, [(STORAGE_COMMITMENT, None)])
    broken = Dataset()
    broken.TransactionUID = "1.2.3"
    # no sequence: Implicit VR does not say what it is
    broken[0x00081199] = DataElement(0x00081199, "OB", b"\x08\x00\x99\x11\xff\x00\x00\x00")
    assert association.send_n_action(broken, 1, STORAGE_COMMITMENT, INSTANCE)[0].Status == 0x0115
    association.release()


# the door


def test_who_is_refused_at_the_door_is_remembered_with_the_reason(node: Node) -> None:
    assert associate(node.port, [(CT_IMAGE, None)], called="SOMEBODY").is_rejected
    assert associate(node.port, [(CT_IMAGE, None)], called="SOMEBODY").is_rejected
    assert associate(node.port, [(CT_IMAGE, None)], calling="STRANGER").is_rejected
    associate(node.port, [("1.2.840.10008.5.1.4.1.1.4", None)], calling="PACS")

    def three() -> Sequence[RefusedAssociationRow]:
        rows = node.workflow.refused_associations(limit=9)
        return rows if len(rows) == 3 else ()

    rows = wait_for("three rows", three)
    found = {row.refused.calling_ae_title: row.refused for row in rows}
    assert found["SCANNER"].times == 2
    assert "It calls SOMEBODY; this node is PULMONODE." in found["SCANNER"].why
    assert found["SCANNER"].address == "127.0.0.1"
    assert "receive.calling_ae_titles" in found["STRANGER"].why
    assert "1.2.840.10008.5.1.4.1.1.4" in found["PACS"].why


def test_only_the_newest_refusals_are_kept(engine: Engine, clock: SetClock) -> None:
    from node.ports import RefusedAssociation

    workflow = SqlWorkflow(engine)
    for number in range(250):
        clock.forward(1)
        workflow.turned_away(RefusedAssociation(f"AE{number}", "X", "127.0.0.1", "Why.", "Do."), at=clock())
    rows = workflow.refused_associations(limit=1000)
    assert len(rows) == 200
    assert rows[0].refused.calling_ae_title == "AE249"
