"""Starting cases: whatever the order of arrival, whoever is down, each case starts once and with everything."""

import functools
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import Dataset

from node.adapters.ledger import SqlLedger, open_engine
from node.adapters.ledger_priorities import SqlPriorities
from node.errors import TransientError
from node.logs import Log
from node.ports import CaseRow, Claim, Sender
from node.services.assemble import Assembler
from pipelines.domain.case_state import CaseState
from pipelines.domain.identifiers import CaseId
from pipelines.domain.instance import InstanceRef
from pipelines.domain.priority import Precedence, Priority, precedence
from pipelines.imaging.assembly import Patience, SeriesArrival
from pipelines.imaging.header import parse_ref
from tests.dicom import as_bytes, ct_series, rtstruct_of, seg_of
from tests.node.doubles import MemoryQueue, SetClock
from tests.node.refs import SENDER, file_of, image, images, segmentation

QUIET_S = 30
MISSING_S = 900
RESUBMIT_S = 300


@dataclass
class Dispatcher:
    """The assembler on a ledger, with a queue in memory and a clock that is set by hand."""

    ledger: SqlLedger
    clock: SetClock
    queue: MemoryQueue = field(default_factory=MemoryQueue)

    rule: Precedence = field(default_factory=Precedence)

    def __post_init__(self) -> None:
        self.priorities = SqlPriorities(self.ledger._engine)
        self.assembler = Assembler(
            self.ledger,
            self.queue,
            self.clock,
            Log("assemble"),
            patience=Patience(timedelta(seconds=QUIET_S), timedelta(seconds=MISSING_S)),
            max_attempts=3,
            resubmit_after=timedelta(seconds=RESUBMIT_S),
            priorities=self.priorities,
            rule=self.rule,
        )

    def receive(self, *refs: InstanceRef, sender: Sender = SENDER) -> None:
        for ref in refs:
            self.ledger.received(ref, file_of(ref), sender, at=self.clock())

    def tick(self, after_s: float = 0) -> None:
        self.clock.forward(after_s)
        self.assembler.tick()

    def rows(self) -> list[CaseRow]:
        return sorted(self.ledger.overview(limit=50).cases, key=lambda row: row.case)

    def claim(self, case: CaseId) -> Claim:
        claim = self.ledger.claim(case, "worker", at=self.clock(), lease=timedelta(seconds=60))
        assert claim is not None
        return claim


@pytest.fixture
def dispatcher(sqlite_ledger: SqlLedger, clock: SetClock) -> Dispatcher:
    return Dispatcher(sqlite_ledger, clock)


def test_a_case_starts_when_its_ct_has_been_quiet_for_a_while(dispatcher: Dispatcher) -> None:
    dispatcher.receive(*images(5), segmentation())
    dispatcher.tick(QUIET_S - 1)
    assert dispatcher.queue.submitted == []
    dispatcher.tick(1)
    (row,) = dispatcher.rows()
    assert (row.state, dispatcher.queue.submitted) == (CaseState.QUEUED, [row.case])
    dispatcher.tick(1)
    assert dispatcher.queue.submitted == [row.case]


def test_a_waiting_case_says_what_it_waits_for(dispatcher: Dispatcher) -> None:
    dispatcher.receive(segmentation())
    dispatcher.tick()
    assert "1.2.1.1 has not arrived" in dispatcher.rows()[0].reason
    dispatcher.receive(*images(3))
    dispatcher.tick()
    assert "3 slices so far" in dispatcher.rows()[0].reason
    dispatcher.receive(image(5))
    dispatcher.tick()
    assert "1 slices" in dispatcher.rows()[0].reason


def test_a_case_whose_ct_does_not_come_is_rejected_and_starts_when_it_comes_after_all(dispatcher: Dispatcher) -> None:
    dispatcher.receive(segmentation())
    dispatcher.tick(MISSING_S - 1)
    assert dispatcher.rows()[0].state is CaseState.COLLECTING
    dispatcher.tick(1)
    row = dispatcher.rows()[0]
    assert (row.state, row.code) == (CaseState.REJECTED, "SEG-001")
    assert "SCANNER" in row.reason
    dispatcher.receive(*images(5))
    dispatcher.tick(QUIET_S)
    assert dispatcher.rows()[0].state is CaseState.QUEUED


def test_a_case_with_a_gap_is_rejected_and_starts_when_the_missing_slice_comes(dispatcher: Dispatcher) -> None:
    dispatcher.receive(*(image(number) for number in (1, 2, 4, 5)), segmentation())
    dispatcher.tick(MISSING_S)
    row = dispatcher.rows()[0]
    assert (row.state, row.code, dispatcher.queue.submitted) == (CaseState.REJECTED, "CT-002", [])
    dispatcher.receive(image(3))
    dispatcher.tick(QUIET_S)
    assert dispatcher.rows()[0].state is CaseState.QUEUED


def test_a_slice_that_comes_after_the_start_starts_the_case_anew(dispatcher: Dispatcher) -> None:
    dispatcher.receive(*images(5), segmentation())
    dispatcher.tick(QUIET_S)
    (case,) = dispatcher.queue.submitted
    early = dispatcher.claim(case)
    dispatcher.receive(image(6))
    dispatcher.tick(QUIET_S)
    assert dispatcher.queue.submitted == [case, case]
    again = dispatcher.claim(case)
    assert (len(early.images), len(again.images)) == (5, 6)
    assert again.fence > early.fence


def test_two_segmentations_of_one_series_start_two_cases(dispatcher: Dispatcher) -> None:
    dispatcher.receive(*images(5), segmentation(1), segmentation(2))
    dispatcher.tick(QUIET_S)
    assert len(set(dispatcher.queue.submitted)) == 2


def test_while_the_queue_is_down_a_case_waits_and_is_submitted_when_it_is_back(dispatcher: Dispatcher) -> None:
    dispatcher.queue.down = True
    dispatcher.receive(*images(5), segmentation())
    dispatcher.tick(QUIET_S)
    (row,) = dispatcher.rows()
    assert (row.state, dispatcher.queue.submitted) == (CaseState.QUEUED, [])
    dispatcher.tick(RESUBMIT_S)
    dispatcher.queue.down = False
    dispatcher.tick(RESUBMIT_S)
    assert dispatcher.queue.submitted == [row.case]


def test_a_case_of_a_worker_that_died_is_submitted_again(dispatcher: Dispatcher) -> None:
    dispatcher.receive(*images(5), segmentation())
    dispatcher.tick(QUIET_S)
    (case,) = dispatcher.queue.submitted
    dispatcher.claim(case)
    dispatcher.tick(61)
    assert dispatcher.queue.submitted == [case, case]


def test_a_case_that_cannot_be_decided_on_does_not_keep_the_others_from_starting(
    sqlite_ledger: SqlLedger, clock: SetClock, tmp_path: Path
) -> None:
    class FailsForOne(SqlLedger):
        def candidates(self, ref: InstanceRef) -> Sequence[SeriesArrival]:
            if ref.sop_instance == segmentation(1).sop_instance:
                raise ZeroDivisionError("a bug")
            return super().candidates(ref)

    ledger = FailsForOne(open_engine(f"sqlite:///{tmp_path / 'ledger.sqlite3'}"), pipeline="test")
    dispatcher = Dispatcher(ledger, clock)
    dispatcher.receive(*images(5), segmentation(1), segmentation(2))
    dispatcher.tick(QUIET_S)
    first, second = dispatcher.rows()
    assert (first.state, first.code) == (CaseState.REJECTED, "RUN-002")
    assert (second.state, dispatcher.queue.submitted) == (CaseState.QUEUED, [second.case])


def test_when_the_ledger_cannot_be_read_the_round_ends_and_no_case_suffers(
    sqlite_ledger: SqlLedger, clock: SetClock, tmp_path: Path
) -> None:
    class Deaf(SqlLedger):
        def candidates(self, ref: InstanceRef) -> Sequence[SeriesArrival]:
            raise TransientError("RCV-005", "The ledger cannot be read.")

    ledger = Deaf(open_engine(f"sqlite:///{tmp_path / 'ledger.sqlite3'}"), pipeline="test")
    dispatcher = Dispatcher(ledger, clock)
    dispatcher.receive(*images(5), segmentation())
    with pytest.raises(TransientError):
        dispatcher.tick(QUIET_S)
    assert dispatcher.rows()[0].state is CaseState.COLLECTING


# laws


@contextmanager
def new_dispatcher() -> Iterator[Dispatcher]:
    with tempfile.TemporaryDirectory() as folder:
        engine = open_engine(f"sqlite:///{Path(folder) / 'ledger.sqlite3'}")
        yield Dispatcher(SqlLedger(engine, pipeline="test"), SetClock())


DRAWN: dict[str, Callable[[Sequence[Dataset]], Dataset]] = {"SEG": seg_of, "RTSTRUCT": rtstruct_of}


@functools.cache
def real_instances(kind: str) -> list[InstanceRef]:
    """Five slices and what was drawn on them, as the receiver parses them."""
    ct = ct_series(slices=5, rows=8, columns=8)
    parsed = [parse_ref(as_bytes(instance)) for instance in (*ct, DRAWN[kind](ct))]
    refs = [ref for ref in parsed if isinstance(ref, InstanceRef)]
    assert len(refs) == 6
    return refs


def at_the_hour(clock: SetClock, hour: int) -> None:
    """Set the clock to an hour of the next day, as the clock on the wall shows it."""
    wall = clock().astimezone() + timedelta(days=1)
    clock.now = wall.replace(hour=hour, minute=0, second=0, microsecond=0)


def test_cases_go_into_the_queue_with_the_priority_of_their_sender(sqlite_ledger: SqlLedger, clock: SetClock) -> None:
    dispatcher = Dispatcher(sqlite_ledger, clock, rule=precedence(["EMERGENCY"], [], "20:00-06:00"))
    dispatcher.receive(*images(3), segmentation(1))
    dispatcher.receive(segmentation(2), sender=Sender("EMERGENCY", "PULMONODE"))
    dispatcher.tick(QUIET_S)
    assert dispatcher.queue.priorities == [Priority.NORMAL, Priority.URGENT]


def test_a_case_for_the_night_waits_for_it_and_says_so(sqlite_ledger: SqlLedger, clock: SetClock) -> None:
    dispatcher = Dispatcher(sqlite_ledger, clock, rule=precedence([], [SENDER.calling_ae_title], "20:00-06:00"))
    at_the_hour(clock, 12)
    dispatcher.receive(*images(3), segmentation())
    dispatcher.tick(QUIET_S)
    for _ in range(3):
        # however often it is looked for among the lost
        dispatcher.tick(2 * RESUBMIT_S)
    assert dispatcher.queue.submitted == []
    (row,) = dispatcher.rows()
    assert (row.state, row.reason) == (CaseState.QUEUED, "It waits for the off-peak hours, from 20:00.")
    clock.now = clock().astimezone().replace(hour=20, minute=0, second=0)
    # though other cases wait for a worker
    dispatcher.queue.waiting = 7
    dispatcher.tick()
    assert (dispatcher.queue.submitted, dispatcher.queue.priorities) == ([row.case], [Priority.OFF_PEAK])
    dispatcher.tick(60)
    assert len(dispatcher.queue.submitted) == 1


def test_what_a_person_chose_goes_before_who_sent_it(sqlite_ledger: SqlLedger, clock: SetClock) -> None:
    dispatcher = Dispatcher(sqlite_ledger, clock, rule=precedence([], [SENDER.calling_ae_title], "20:00-06:00"))
    at_the_hour(clock, 12)
    dispatcher.receive(*images(3), segmentation())
    (row,) = dispatcher.rows()
    state = dispatcher.priorities.prioritise(row.case, Priority.URGENT, at=clock())
    assert state is CaseState.COLLECTING
    dispatcher.tick(QUIET_S)
    assert (dispatcher.queue.submitted, dispatcher.queue.priorities) == ([row.case], [Priority.URGENT])
    detail = sqlite_ledger.detail(row.case)
    assert detail is not None
    assert "A person made it urgent." in [event.detail for event in detail.events]


@pytest.mark.parametrize("kind", DRAWN)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_the_order_and_the_pauses_of_arrival_do_not_matter(kind: str, data: st.DataObject) -> None:
    order = data.draw(st.permutations(real_instances(kind)), "order")
    pauses = data.draw(st.lists(st.sampled_from([0, 1, QUIET_S + 1, MISSING_S + 1]), min_size=6, max_size=6), "pauses")
    senders = data.draw(st.lists(st.sampled_from(["CT1", "CT2"]), min_size=6, max_size=6), "senders")
    with new_dispatcher() as dispatcher:
        for ref, pause_s, sender in zip(order, pauses, senders, strict=True):
            dispatcher.receive(ref, sender=Sender(sender, "PULMONODE"))
            dispatcher.tick(pause_s)
        dispatcher.tick(QUIET_S)
        (row,) = dispatcher.rows()
        assert row.state is CaseState.QUEUED
        assert dispatcher.queue.submitted[-1] == row.case
        assert len(dispatcher.claim(row.case).images) == 5
