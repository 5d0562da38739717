"""What goes, when it goes and what stays, with a real spool and a ledger on SQLite and on PostgreSQL."""

from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from node.adapters import ledger_schema as t
from node.adapters import retention_schema as kept
from node.adapters.archive_index import ArchiveIndex
from node.adapters.ledger import SqlLedger
from node.adapters.ledger_commitments import SqlCommitments
from node.adapters.ledger_erasure import SqlErasure
from node.adapters.ledger_retention import SqlRetention
from node.adapters.spool import FileSpool
from node.adapters.steps.store import SqlSteps
from node.keeping import Why
from node.logs import Log
from node.ports import CommitmentReport, Destination, Receipt, Report, Sent, StoredFile, StoredResult
from node.services.retain import Retainer, Terms
from pipelines.domain.case_state import CaseState
from pipelines.domain.identifiers import CaseId
from pipelines.domain.instance import InstanceRef
from pipelines.domain.reasons import Rejected
from tests.node.doubles import SetClock
from tests.node.refs import SENDER, image, images, result, segmentation

DAY = timedelta(days=1)
MONTH = timedelta(days=30)
REFUSED = Rejected("NET-003", "PACS refuses it.", "See its log.")


@dataclass
class Node:
    """A node without a network: what it is told, and what it keeps."""

    engine: Engine
    clock: SetClock
    root: Path

    def __post_init__(self) -> None:
        self.ledger = SqlLedger(self.engine, pipeline="test")
        self.spool = FileSpool(self.root, min_free_bytes=0)
        wait = timedelta(seconds=5)
        self.commitments = SqlCommitments(self.engine, retry_first=wait, retry_max=wait, give_up_after=DAY)

    def retainer(self, terms: Terms, *, committing: tuple[str, ...] = ()) -> Retainer:
        return Retainer(
            SqlRetention(self.engine, committing=committing),
            SqlErasure(self.engine),
            self.spool,
            self.clock,
            Log("retain"),
            terms=terms,
            forget_steps=SqlSteps(self.engine).forget,
        )

    def receive(self, *refs: InstanceRef) -> list[Receipt]:
        at = self.clock()
        return [self.ledger.received(ref, self.spool.put_received(ref, _data(ref)), SENDER, at=at) for ref in refs]

    def queued(self, drawn: InstanceRef, *, study: int = 1) -> CaseId:
        self.receive(*images(3, study=study), drawn)
        case = next(c.case for c in self.ledger.collecting() if c.segmentation.ref == drawn)
        assert self.ledger.complete(case, image(study=study).key, "3 slices.", at=self.clock())
        return case

    def reported(self, number: int = 1, *, study: int = 1, to: tuple[str, ...] = ("PACS",)) -> CaseId:
        case = self.queued(segmentation(number, study=study), study=study)
        claim = self.ledger.claim(case, "worker", at=self.clock(), lease=DAY)
        assert claim is not None
        report = Report((), None, (self.result(case),), "1 lesion.")
        assert self.ledger.reported(claim, report, [Destination(name) for name in to], at=self.clock())
        return case

    def result(self, case: CaseId) -> StoredResult:
        return replace(result(case, "sr"), file=self.spool.put_result(case, "sr", f"result {case}".encode()))

    def send(self, sent: Sent) -> None:
        for delivery in self.ledger.due("PACS", at=self.clock(), limit=50):
            self.ledger.sent(delivery, sent, at=self.clock(), next_at=self.clock())

    def delivered(self, number: int = 1, *, study: int = 1) -> CaseId:
        case = self.reported(number, study=study)
        self.send(Sent(0))
        return case

    def state(self, case: CaseId) -> CaseState:
        detail = self.ledger.detail(case)
        assert detail is not None
        return detail.row.state

    def files(self) -> list[str]:
        return [path.split("/")[0] for path in self.spool.files()]


def _data(ref: InstanceRef) -> bytes:
    return ref.sop_instance.encode()


@pytest.fixture
def node(engine: Engine, clock: SetClock, tmp_path: Path) -> Node:
    return Node(engine, clock, tmp_path)


def test_nothing_goes_unless_the_settings_say_so(node: Node) -> None:
    node.delivered()
    node.clock.forward(1e9)
    node.retainer(Terms()).tick()
    assert node.files() == ["received"] * 4 + ["results"]


def test_inputs_go_when_their_time_is_over_and_not_a_moment_before(node: Node) -> None:
    node.delivered()
    retainer = node.retainer(Terms(inputs=MONTH))
    node.clock.forward(MONTH.total_seconds())
    retainer.tick()
    assert node.files() == ["received"] * 4 + ["results"]
    node.clock.forward(1)
    retainer.tick()
    assert node.files() == ["results"]


def test_results_go_by_a_time_of_their_own(node: Node) -> None:
    case = node.delivered()
    node.clock.forward(DAY.total_seconds() + 1)
    node.retainer(Terms(results=DAY)).tick()
    assert node.files() == ["received"] * 4
    assert node.ledger.resend(case, Destination("PACS"), at=node.clock()) == 0


@pytest.mark.parametrize("ending", ["nowhere", "pending", "refused", "not promised", "running", "late instance"])
def test_nothing_of_a_case_goes_while_a_result_is_not_where_it_belongs(node: Node, ending: str) -> None:
    committing: tuple[str, ...] = ()
    if ending == "nowhere":
        node.reported(to=())
    elif ending == "pending":
        node.reported()
    elif ending == "refused":
        node.reported()
        node.send(Sent(0xA900, REFUSED, permanent=True))
    elif ending == "not promised":
        node.delivered()
        committing = ("PACS",)
    elif ending == "running":
        node.ledger.claim(node.queued(segmentation()), "worker", at=node.clock(), lease=DAY)
    else:
        node.delivered()
        node.receive(image(9))
    files = node.files()
    node.clock.forward(1e8)
    retainer = node.retainer(Terms(DAY, DAY, DAY, emergency_free_bytes=2**60), committing=committing)
    retainer.tick()
    assert node.files() == files
    with node.engine.connect() as connection:
        assert connection.scalars(select(t.case.c.id)).all()


def test_a_promise_to_keep_the_results_lets_the_inputs_go(node: Node) -> None:
    case = node.delivered()
    (owed,) = node.commitments.owed("PACS", at=node.clock(), limit=9)
    node.commitments.ask("2.25.1", "PACS", [owed], at=node.clock(), deadline=node.clock() + DAY)
    node.commitments.report(CommitmentReport("2.25.1", (owed.object,)), at=node.clock())
    assert node.state(case) is CaseState.COMMITTED
    node.clock.forward(2 * DAY.total_seconds())
    node.retainer(Terms(inputs=DAY), committing=("PACS",)).tick()
    assert node.files() == ["results"]


def test_a_series_that_another_case_still_needs_stays(node: Node) -> None:
    node.delivered(1)
    node.clock.forward(2 * DAY.total_seconds())
    other = node.queued(segmentation(2))
    retainer = node.retainer(Terms(inputs=DAY))
    retainer.tick()
    assert node.files().count("received") == 5
    claim = node.ledger.claim(other, "worker", at=node.clock(), lease=DAY)
    assert claim is not None
    assert all(node.spool.read(one.file) for one in (*claim.images, claim.segmentation))
    node.ledger.rejected(claim, REFUSED, at=node.clock())
    node.clock.forward(2 * DAY.total_seconds())
    retainer.tick()
    assert "received" not in node.files()


def test_a_case_whose_inputs_are_gone_runs_again_when_they_are_sent_again(node: Node) -> None:
    case = node.delivered()
    node.clock.forward(2 * DAY.total_seconds())
    node.retainer(Terms(inputs=DAY)).tick()
    assert node.ledger.retry(case, at=node.clock()) is None
    detail = node.ledger.detail(case)
    assert detail is not None
    assert "send the segmentation again" in detail.row.reason
    assert node.ledger.collecting() == []
    assert node.receive(segmentation()) == [Receipt.DUPLICATE]
    (waiting,) = node.ledger.collecting()
    assert node.ledger.candidates(waiting.segmentation.ref) == []
    node.receive(*images(3))
    assert len(node.ledger.candidates(waiting.segmentation.ref)) == 1
    node.ledger.complete(case, image().key, "3 slices.", at=node.clock())
    claim = node.ledger.claim(case, "worker", at=node.clock(), lease=DAY)
    assert claim is not None
    assert [node.spool.read(one.file) for one in claim.images] == [_data(ref) for ref in images(3)]


def test_an_instance_that_came_again_stays_for_its_whole_time(node: Node) -> None:
    node.delivered()
    node.clock.forward(2 * DAY.total_seconds())
    retainer = node.retainer(Terms(inputs=DAY))
    retainer.tick()
    node.receive(*images(3))
    node.clock.forward(DAY.total_seconds() / 2)
    retainer.tick()
    assert node.files().count("received") == 3
    node.clock.forward(DAY.total_seconds())
    retainer.tick()
    assert node.files().count("received") == 0


def test_what_has_been_given_up_is_not_offered_to_others(node: Node) -> None:
    node.delivered()
    node.clock.forward(2 * DAY.total_seconds())
    node.retainer(Terms(inputs=DAY, results=DAY)).tick()
    assert node.ledger.known(image().sop_instance) is None
    assert ArchiveIndex(node.engine).studies(limit=9) == []


def test_a_crash_between_the_ledger_and_the_disk_is_made_good_by_the_next_round(node: Node) -> None:
    node.delivered()
    node.clock.forward(2 * DAY.total_seconds())
    retention = SqlRetention(node.engine, committing=())
    assert retention.release_inputs(ended_before=node.clock() - DAY, at=node.clock(), cases=9) == 4
    # the process dies here: given up, and still on the disk
    assert node.files().count("received") == 4
    with pytest.raises(OSError, match="disk"):
        retention.remove(retention.removals(limit=9), _broken_disk)
    assert len(retention.removals(limit=9)) == 4
    node.retainer(Terms()).tick()
    assert node.files() == ["results"]
    assert retention.removals(limit=9) == []


def _broken_disk(path: str) -> None:
    raise OSError("disk")


def test_a_file_that_came_again_before_it_was_removed_stays(node: Node) -> None:
    node.delivered()
    node.clock.forward(2 * DAY.total_seconds())
    retention = SqlRetention(node.engine, committing=())
    retention.release_inputs(ended_before=node.clock() - DAY, at=node.clock(), cases=9)
    listed = retention.removals(limit=9)
    node.receive(image(1))
    assert retention.remove(listed, node.spool.unlink) == 3
    known = node.ledger.known(image(1).sop_instance)
    assert known is not None
    assert node.spool.read(known) == _data(image(1))


def test_results_that_a_running_case_makes_anew_are_not_removed(node: Node) -> None:
    case = node.delivered()
    node.clock.forward(2 * DAY.total_seconds())
    retention = SqlRetention(node.engine, committing=())
    retention.release_results(ended_before=node.clock() - DAY, at=node.clock(), cases=9)
    node.ledger.retry(case, at=node.clock())
    node.ledger.complete(case, image().key, "3 slices.", at=node.clock())
    claim = node.ledger.claim(case, "worker", at=node.clock(), lease=DAY)
    assert claim is not None
    made = node.result(case)
    assert retention.remove(retention.removals(limit=9), node.spool.unlink) == 0
    node.ledger.reported(claim, Report((), None, (made,), "1 lesion."), [], at=node.clock())
    assert retention.removals(limit=9) == []
    assert node.spool.read(made.file)


def test_instances_of_no_case_go_when_their_series_is_old(node: Node) -> None:
    node.receive(*images(2, study=5))
    node.clock.forward(DAY.total_seconds() - 1)
    node.receive(image(3, study=5))
    retainer = node.retainer(Terms(unused=DAY))
    node.clock.forward(2)
    retainer.tick()
    assert node.files() == ["received"] * 3
    node.clock.forward(DAY.total_seconds())
    retainer.tick()
    assert node.files() == []


def test_when_the_disk_is_nearly_full_the_longest_ended_case_gives_its_inputs_first(node: Node) -> None:
    first = node.delivered(study=1)
    node.clock.forward(10)
    node.delivered(study=2)
    node.clock.forward(10)

    class NearlyFull(FileSpool):
        """Has room as soon as one case has given up its inputs."""

        def free_bytes(self) -> int:
            return 100 if sum(name == "received" for name in node.files()) <= 4 else 50

    node.spool = NearlyFull(node.root, min_free_bytes=0)
    node.retainer(Terms(inputs=MONTH, emergency_free_bytes=80)).tick()
    assert node.files() == ["received"] * 4 + ["results"] * 2
    with node.engine.connect() as connection:
        given_up = connection.scalars(select(t.instance.c.study).where(t.instance.c.released_at.is_not(None))).all()
    assert set(given_up) == {image(study=1).key.study}
    assert node.state(first) is CaseState.DELIVERED


def test_when_nothing_may_go_the_disk_stays_full_and_the_log_says_so(node: Node, logged: object) -> None:
    node.reported()
    node.retainer(Terms(emergency_free_bytes=2**60)).tick()
    assert "disk_nearly_full" in logged()  # type: ignore[operator]
    assert len(node.files()) == 5


def test_after_the_longest_time_only_the_fact_remains(node: Node) -> None:
    case = node.delivered()
    node.clock.forward(2 * DAY.total_seconds())
    node.retainer(Terms(cases=DAY)).tick()
    assert node.files() == []
    assert node.ledger.detail(case) is None
    with node.engine.connect() as connection:
        for table in (t.instance, t.case, t.event, t.result, t.delivery, t.measurement, kept.removal):
            assert connection.execute(select(table)).all() == [], table.name
        line = connection.execute(select(kept.erasure).where(kept.erasure.c.case == case)).one()
    assert (line.why, line.at) == ("retention", node.clock())


def test_a_case_that_is_computed_is_not_deleted(node: Node) -> None:
    case = node.queued(segmentation())
    node.ledger.claim(case, "worker", at=node.clock(), lease=DAY)
    assert SqlErasure(node.engine).erase(case, Why.PERSON, "test", at=node.clock()) is CaseState.RUNNING
    assert node.state(case) is CaseState.RUNNING


def test_a_case_that_is_deleted_leaves_the_images_of_another(node: Node) -> None:
    first, other = node.delivered(1), node.delivered(2)
    assert SqlErasure(node.engine).erase(first, Why.PERSON, "test", at=node.clock()) is None
    node.retainer(Terms()).remove_files()
    assert node.files() == ["received"] * 4 + ["results"]
    assert node.state(other) is CaseState.DELIVERED


def test_of_a_patient_everything_goes_and_of_others_nothing(node: Node) -> None:
    mine = [node.delivered(study=1), node.delivered(study=2)]
    stranger = replace(image(study=3), patient_key="another")
    node.receive(stranger, image(7, study=4))
    found = SqlErasure(node.engine).erase_patient(mine[0], "test", at=node.clock())
    assert found == mine
    node.retainer(Terms()).remove_files()
    assert node.files() == ["received"]
    with node.engine.connect() as connection:
        assert connection.scalars(select(t.instance.c.patient_key)).all() == ["another"]
        assert connection.scalars(select(kept.erasure.c.case).where(kept.erasure.c.case.in_(mine))).all() == mine


def test_a_deleted_case_is_in_no_page_of_the_file(tmp_path: Path, sqlite_ledger: SqlLedger, clock: SetClock) -> None:
    engine = sqlite_ledger._engine
    drawn = segmentation()
    sqlite_ledger.received(drawn, StoredFile("received/x", 1, "ab" * 32), SENDER, at=clock())
    (waiting,) = sqlite_ledger.collecting()
    database = tmp_path / "ledger.sqlite3"

    def left() -> bytes:
        return b"".join(path.read_bytes() for path in database.parent.glob("ledger.sqlite3*"))

    assert drawn.sop_instance.encode() in left()
    SqlErasure(engine).erase(waiting.case, Why.PERSON, "test", at=clock())
    assert drawn.sop_instance.encode() not in left()


def test_finished_requests_tasks_and_refusals_go_after_their_time(node: Node) -> None:
    node.ledger.refused("CT1", REFUSED, at=node.clock())
    case = node.delivered()
    (owed,) = node.commitments.owed("PACS", at=node.clock(), limit=9)
    node.commitments.ask("2.25.1", "PACS", [owed], at=node.clock(), deadline=node.clock() + DAY)
    retainer = node.retainer(Terms(bookkeeping=DAY))
    node.clock.forward(DAY.total_seconds())
    retainer.tick()
    assert len(node.ledger.overview(limit=1).refusals) == 1
    node.clock.forward(1)
    retainer.tick()
    assert node.ledger.overview(limit=1).refusals == ()
    # the case itself and what was promised about it stay
    assert node.state(case) is CaseState.DELIVERED
    assert len(node.ledger.detail(case).results[0].deliveries) == 1  # type: ignore[union-attr]
