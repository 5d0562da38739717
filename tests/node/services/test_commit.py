"""Promises: asking for them, hearing nothing, sending again, and keeping our own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from node.adapters.ledger import SqlLedger
from node.adapters.ledger_commitments import SqlCommitments
from node.adapters.ledger_duties import SqlDuties
from node.adapters.spool import FileSpool
from node.errors import TransientError
from node.logs import Log
from node.ports import (
    CaseDetail,
    CommitmentReport,
    Destination,
    FoundSeries,
    FoundStudy,
    ObjectRef,
    PatientIdentity,
    Report,
    Retrieved,
)
from node.services.commit import Committer, Custodian
from node.services.deliver import Deliverer
from pipelines.domain.case import SeriesKey
from pipelines.domain.case_state import CaseState
from pipelines.domain.identifiers import CaseId, SeriesUID, SopInstanceUID, StudyUID
from pipelines.domain.reasons import Rejected
from tests.dicom import as_bytes, ct_series
from tests.node.doubles import ScriptedArchive, SetClock
from tests.node.refs import SENDER, file_of, image, images, result, segmentation

AWAY = Rejected("NET-001", "PACS cannot be reached.", "Check it.")
NOT_OFFERED = Rejected("NET-004", "PACS does not offer storage commitment.", "Enable it.")
HOUR = timedelta(hours=1)


@dataclass
class ScriptedPeer:
    """Takes requests for commitment, and answers queries, as it is told."""

    fault: Rejected | None = None
    asked: list[tuple[str, tuple[ObjectRef, ...]]] = field(default_factory=list)
    reports: list[CommitmentReport] = field(default_factory=list)
    found: frozenset[SopInstanceUID] | Rejected = frozenset()

    def request(
        self,
        peer: str,
        transaction_uid: str,
        objects: Sequence[ObjectRef],
        *,
        take: Callable[[str, CommitmentReport], bool],
        answered: Callable[[], bool],
    ) -> Rejected | None:
        self.asked.append((transaction_uid, tuple(objects)))
        return self.fault

    def report(self, peer: str, report: CommitmentReport) -> Rejected | None:
        if self.fault is None:
            self.reports.append(report)
        return self.fault

    def instances(
        self, peer: str, key: SeriesKey, wanted: Sequence[SopInstanceUID] = ()
    ) -> frozenset[SopInstanceUID] | Rejected:
        return self.found

    def studies(self, peer: str, patient: PatientIdentity) -> Sequence[FoundStudy] | Rejected:
        return []

    def series(
        self, peer: str, *, study: StudyUID | None, series: SeriesUID | None = None
    ) -> Sequence[FoundSeries] | Rejected:
        return []

    def retrieve(self, peer: str, key: SeriesKey, instances: Sequence[SopInstanceUID] = ()) -> Retrieved:
        return Retrieved(0, 0)


@dataclass
class Node:
    """A ledger with a case whose results are at PACS, and the services around it."""

    engine: Engine
    clock: SetClock
    peer: ScriptedPeer = field(default_factory=ScriptedPeer)
    archive: ScriptedArchive = field(default_factory=ScriptedArchive)
    transactions: int = 0

    @property
    def ledger(self) -> SqlLedger:
        return SqlLedger(self.engine, pipeline="test")

    @property
    def commitments(self) -> SqlCommitments:
        seconds = timedelta(seconds=1)
        return SqlCommitments(self.engine, retry_first=5 * seconds, retry_max=60 * seconds, give_up_after=HOUR)

    def committer(self) -> Committer:
        return Committer(
            self.commitments,
            self.peer,
            self.peer,
            self.clock,
            Log("commit"),
            new_uid=self._uid,
            timeout=timedelta(seconds=600),
            retry_first=timedelta(seconds=5),
            retry_max=timedelta(seconds=60),
        )

    def _uid(self) -> str:
        self.transactions += 1
        return f"2.25.{self.transactions}"

    def commit(self) -> int:
        return self.committer().commit("PACS")

    def deliver(self, to: str = "PACS") -> int:
        seconds = timedelta(seconds=1)
        deliverer = Deliverer(
            self.ledger,
            self.archive,
            self.clock,
            Log("deliver"),
            retry_first=5 * seconds,
            retry_max=60 * seconds,
            give_up_after=HOUR,
        )
        return deliverer.deliver(to)

    def report(self, *kinds: str, to: tuple[str, ...] = ("PACS",)) -> CaseId:
        for ref in (*images(3), segmentation()):
            self.ledger.received(ref, file_of(ref), SENDER, at=self.clock())
        case = self.ledger.collecting()[0].case
        self.ledger.complete(case, image().key, "3 slices.", at=self.clock())
        claim = self.ledger.claim(case, "worker", at=self.clock(), lease=timedelta(seconds=60))
        assert claim is not None
        made = Report((), None, tuple(result(case, kind) for kind in kinds), "1 lesion.")
        assert self.ledger.reported(claim, made, [Destination(name) for name in to], at=self.clock())
        return case

    def tell(self, *, kept: int = 0, denied: int = 0, transaction: str | None = None) -> bool:
        """Report on the last request: its first objects are kept, the next ones denied."""
        uid, objects = self.peer.asked[-1]
        failed = tuple((one, 0x0112) for one in objects[kept : kept + denied])
        return self.committer().take("PACS", CommitmentReport(transaction or uid, objects[:kept], failed))

    def detail(self) -> CaseDetail:
        found = self.ledger.detail(CaseId(1))
        assert found is not None
        return found

    @property
    def state(self) -> CaseState:
        return self.detail().row.state

    @property
    def promises(self) -> list[str]:
        return [d.commitment for row in self.detail().results for d in row.deliveries]


@pytest.fixture
def node(engine: Engine, clock: SetClock) -> Node:
    return Node(engine, clock)


@pytest.fixture
def delivered(node: Node) -> Node:
    case = node.report("sr", "map", "seg")
    # the test of PostgreSQL numbers cases on
    node.detail = lambda: _found(node.ledger.detail(case))  # type: ignore[method-assign]
    assert node.deliver() == 3
    return node


def _found(detail: CaseDetail | None) -> CaseDetail:
    assert detail is not None
    return detail


def test_a_case_is_committed_when_the_destination_keeps_every_result(delivered: Node) -> None:
    assert delivered.commit() == 3
    assert delivered.state is CaseState.DELIVERED
    assert delivered.tell(kept=3)
    assert delivered.state is CaseState.COMMITTED
    assert delivered.promises == ["committed"] * 3
    assert delivered.commit() == 0


def test_the_transaction_is_in_the_ledger_before_the_request_is_sent(delivered: Node) -> None:
    known: list[bool] = []
    asked = delivered.peer.request

    def report_at_once(peer: str, uid: str, objects: Sequence[ObjectRef], **how: object) -> Rejected | None:
        known.append(delivered.committer().take("PACS", CommitmentReport(uid, tuple(objects))))
        return asked(peer, uid, objects, **how)  # type: ignore[arg-type]

    delivered.peer.request = report_at_once  # type: ignore[assignment, method-assign]
    delivered.commit()
    assert known == [True]
    assert delivered.state is CaseState.COMMITTED


def test_a_report_that_comes_again_changes_nothing(delivered: Node) -> None:
    delivered.commit()
    assert delivered.tell(kept=3)
    assert delivered.tell(kept=3)
    assert [event.event for event in delivered.detail().events].count("committed") == 1


def test_only_what_is_denied_is_sent_again(delivered: Node) -> None:
    delivered.commit()
    delivered.tell(kept=2, denied=1)
    assert delivered.state is CaseState.REPORTED
    assert [event.event for event in delivered.detail().events][-1] == "not committed"
    delivered.clock.forward(5)
    assert delivered.deliver() == 1
    assert delivered.archive.offered[-1] == ("PACS", ["seg"])
    assert delivered.state is CaseState.DELIVERED
    assert delivered.commit() == 1
    assert len(delivered.peer.asked[-1][1]) == 1
    delivered.tell(kept=1)
    assert delivered.state is CaseState.COMMITTED


def test_what_is_denied_for_too_long_fails_the_case(delivered: Node) -> None:
    delivered.clock.forward(3600)
    delivered.commit()
    delivered.tell(kept=2, denied=1)
    row = delivered.detail().row
    assert (row.state, row.code) == (CaseState.FAILED, "NET-006")
    assert "pulmonode send" in row.remedy
    assert delivered.deliver() == 0


def test_a_report_about_another_transaction_or_another_object_promises_nothing(delivered: Node) -> None:
    delivered.commit()
    assert not delivered.tell(kept=3, transaction="1.2.3.4")
    uid, objects = delivered.peer.asked[-1]
    stranger = ObjectRef(objects[0].sop_class, SopInstanceUID("1.9.9"))
    assert delivered.committer().take("PACS", CommitmentReport(uid, (stranger,), ((stranger, 0x0112),)))
    assert delivered.state is CaseState.DELIVERED
    assert delivered.promises == ["asked"] * 3


def test_objects_that_a_report_forgets_are_looked_up(delivered: Node) -> None:
    delivered.commit()
    delivered.tell(kept=1)
    delivered.peer.found = frozenset(one.sop_instance for one in delivered.peer.asked[-1][1])
    delivered.clock.forward(601)
    assert delivered.commit() == 2
    assert delivered.state is CaseState.COMMITTED
    assert delivered.promises == ["committed", "committed (found by a query)", "committed (found by a query)"]


def test_after_silence_what_a_query_does_not_find_is_sent_again(delivered: Node) -> None:
    delivered.commit()
    delivered.clock.forward(599)
    assert delivered.commit() == 0
    delivered.peer.found = frozenset(one.sop_instance for one in delivered.peer.asked[-1][1][:2])
    delivered.clock.forward(2)
    assert delivered.commit() == 3
    assert delivered.state is CaseState.REPORTED
    delivered.clock.forward(5)
    assert delivered.deliver() == 1


def test_a_destination_that_neither_reports_nor_can_be_queried_is_asked_again_and_given_up_at_last(
    delivered: Node,
) -> None:
    delivered.commit()
    delivered.peer.found = AWAY
    delivered.clock.forward(601)
    delivered.commit()
    assert "NET-001" in delivered.promises[0]
    delivered.clock.forward(60)
    delivered.commit()
    assert [uid for uid, _ in delivered.peer.asked] == ["2.25.1", "2.25.2"]
    delivered.clock.forward(3600)
    delivered.commit()
    assert delivered.promises == ["unsupported (it never reported)"] * 3
    assert delivered.state is CaseState.DELIVERED


def test_a_late_answer_to_the_first_request_counts(delivered: Node) -> None:
    delivered.commit()
    delivered.peer.found = AWAY
    delivered.clock.forward(601)
    delivered.commit()
    delivered.tell(kept=3, transaction="2.25.1")
    assert delivered.state is CaseState.COMMITTED


def test_a_late_denial_of_what_a_query_had_found_sends_it_again(delivered: Node) -> None:
    delivered.commit()
    delivered.peer.found = frozenset(one.sop_instance for one in delivered.peer.asked[-1][1])
    delivered.clock.forward(601)
    delivered.commit()
    assert delivered.state is CaseState.COMMITTED
    delivered.tell(kept=2, denied=1)
    assert delivered.state is CaseState.REPORTED


def test_a_destination_without_commitment_leaves_the_case_delivered_and_is_not_asked_again(delivered: Node) -> None:
    delivered.peer.fault = NOT_OFFERED
    delivered.commit()
    delivered.clock.forward(86400)
    assert delivered.commit() == 0
    assert delivered.state is CaseState.DELIVERED
    assert delivered.promises == ["unsupported (PACS does not offer storage commitment)"] * 3


def test_a_destination_that_is_away_is_asked_again_after_growing_waits(delivered: Node) -> None:
    delivered.peer.fault = AWAY
    for wait_s in (5, 10, 20):
        assert delivered.commit() == 3
        delivered.clock.forward(wait_s - 1)
        assert delivered.commit() == 0
        delivered.clock.forward(1)
    delivered.peer.fault = None
    delivered.commit()
    delivered.tell(kept=3)
    assert delivered.state is CaseState.COMMITTED


def test_with_two_destinations_both_must_promise(node: Node) -> None:
    case = node.report("sr", to=("PACS", "ARCHIVE"))
    node.detail = lambda: _found(node.ledger.detail(case))  # type: ignore[method-assign]
    node.deliver("PACS")
    node.commit()
    node.tell(kept=1)
    assert node.state is CaseState.REPORTED
    node.deliver("ARCHIVE")
    assert node.state is CaseState.DELIVERED
    node.committer().commit("ARCHIVE")
    node.tell(kept=1)
    assert node.state is CaseState.COMMITTED


def test_a_restart_between_request_and_report_loses_nothing(delivered: Node) -> None:
    delivered.commit()
    uid, objects = delivered.peer.asked[-1]
    restarted = Node(delivered.engine, delivered.clock)
    assert restarted.commit() == 0
    assert restarted.committer().take("PACS", CommitmentReport(uid, objects))
    assert delivered.state is CaseState.COMMITTED


def test_results_that_are_sent_again_are_promised_again(delivered: Node) -> None:
    delivered.commit()
    delivered.tell(kept=3)
    delivered.ledger.resend(delivered.detail().row.case, Destination("PACS"), at=delivered.clock())
    assert delivered.promises == [""] * 3
    delivered.deliver()
    assert delivered.commit() == 3
    delivered.tell(kept=3)
    assert delivered.state is CaseState.COMMITTED


# what we promise


@dataclass
class Keeper:
    """A custodian over a real spool that holds a small series."""

    custodian: Custodian
    duties: SqlDuties
    spool: FileSpool
    held: tuple[ObjectRef, ...]
    peer: ScriptedPeer
    clock: SetClock
    files: list[Path]


@pytest.fixture
def keeper(node: Node, tmp_path: Path) -> Keeper:
    from pipelines.imaging.header import parse_ref

    spool = FileSpool(tmp_path / "spool", min_free_bytes=0)
    held, files = [], []
    for instance in ct_series(slices=3, rows=8, columns=8):
        data = as_bytes(instance)
        ref = parse_ref(data)
        assert not isinstance(ref, Rejected)
        file = spool.put_received(ref, data)
        node.ledger.received(ref, file, SENDER, at=node.clock())
        held.append(ObjectRef(ref.sop_class, ref.sop_instance))
        files.append(spool.path(file))
    custodian = Custodian(
        SqlDuties(node.engine),
        spool,
        node.clock,
        Log("commit"),
        requesters={"SCANNER": "scanner"},
        retry_first=timedelta(seconds=5),
        retry_max=timedelta(seconds=60),
        give_up_after=HOUR,
    )
    return Keeper(custodian, SqlDuties(node.engine), spool, tuple(held), node.peer, node.clock, files)


def test_what_is_whole_on_the_disk_is_promised(keeper: Keeper) -> None:
    assert keeper.custodian.asked("SCANNER", "1.2", keeper.held) == 0x0000
    assert keeper.custodian.answer_due(keeper.peer) == 1
    assert keeper.peer.reports == [CommitmentReport("1.2", keeper.held)]
    assert keeper.custodian.answer_due(keeper.peer) == 0


def test_who_asks_while_the_spool_is_away_waits_for_the_answer(keeper: Keeper) -> None:
    keeper.custodian.asked("SCANNER", "1.2", keeper.held)
    root = keeper.files[0].parents[2]
    away = root.rename(root.with_name("away"))
    root.mkdir()
    with pytest.raises(TransientError) as told:
        keeper.custodian.answer_due(keeper.peer)
    assert told.value.code == "RCV-008"
    assert keeper.peer.reports == []
    root.rmdir()
    away.rename(root)
    keeper.custodian.answer_due(keeper.peer)
    (report,) = keeper.peer.reports
    assert report.kept == keeper.held


def test_what_is_unknown_damaged_lost_or_of_another_class_is_not_promised(keeper: Keeper) -> None:
    keeper.files[0].write_bytes(keeper.files[0].read_bytes()[:-1] + b"x")
    keeper.files[1].unlink()
    stranger = ObjectRef(keeper.held[0].sop_class, SopInstanceUID("1.9.9"))
    wrong_class = ObjectRef(result(CaseId(1), "sr").sop_class, keeper.held[2].sop_instance)
    keeper.custodian.asked("SCANNER", "1.2", (*keeper.held, stranger, wrong_class))
    keeper.custodian.answer_due(keeper.peer)
    (report,) = keeper.peer.reports
    assert report.kept == keeper.held[2:]
    assert report.denied == (
        (keeper.held[0], 0x0110),
        (keeper.held[1], 0x0110),
        (stranger, 0x0112),
        (wrong_class, 0x0119),
    )


def test_a_requester_that_is_away_is_told_later_and_not_for_ever(keeper: Keeper) -> None:
    keeper.custodian.asked("SCANNER", "1.2", keeper.held)
    keeper.peer.fault = AWAY
    assert keeper.custodian.answer_due(keeper.peer) == 1
    assert keeper.custodian.answer_due(keeper.peer) == 0
    keeper.clock.forward(5)
    keeper.peer.fault = None
    assert keeper.custodian.answer_due(keeper.peer) == 1
    assert len(keeper.peer.reports) == 1
    keeper.custodian.asked("SCANNER", "1.3", keeper.held)
    keeper.peer.fault = AWAY
    keeper.clock.forward(3600)
    keeper.custodian.answer_due(keeper.peer)
    keeper.peer.fault = None
    keeper.clock.forward(3600)
    assert keeper.custodian.answer_due(keeper.peer) == 0


def test_the_same_request_again_is_answered_again_and_another_under_its_uid_is_refused(keeper: Keeper) -> None:
    assert keeper.custodian.asked("SCANNER", "1.2", keeper.held) == 0x0000
    keeper.custodian.answer_due(keeper.peer)
    assert keeper.custodian.asked("SCANNER", "1.2", keeper.held[::-1]) == 0x0000
    assert keeper.custodian.answer_due(keeper.peer) == 1
    assert keeper.custodian.asked("SCANNER", "1.2", keeper.held[:1]) == 0x0115
    assert keeper.custodian.asked("OTHER", "1.2", keeper.held[:1]) == 0x0000


def test_somebody_unknown_is_answered_while_the_association_stands_and_then_never(keeper: Keeper) -> None:
    told: list[CommitmentReport] = []

    def send(report: CommitmentReport) -> Rejected | None:
        told.append(report)
        return None

    keeper.custodian.asked("STRANGER", "1.2", keeper.held)
    assert keeper.custodian.answer_due(keeper.peer) == 0
    keeper.custodian.answer_now("STRANGER", send)
    assert told == [CommitmentReport("1.2", keeper.held)]
    keeper.custodian.asked("STRANGER", "1.3", keeper.held)
    keeper.clock.forward(3601)
    keeper.custodian.answer_due(keeper.peer)
    assert keeper.duties.duties(at=keeper.clock(), limit=9) == []
