"""The life of a case: the table of states has no dead end, and no row of events leads the ledger out of it."""

import itertools
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from node.adapters.ledger import SqlLedger, open_engine
from node.ports import CaseDetail, Claim, Destination, Report, Sent
from pipelines.domain.case_state import TRANSITIONS, CaseEvent, CaseState, next_state
from pipelines.domain.identifiers import CaseId
from pipelines.domain.reasons import Rejected
from tests.node.doubles import SetClock
from tests.node.refs import SENDER, file_of, image, images, result, segmentation

LEASE = timedelta(seconds=60)
FAULT = Rejected("RUN-002", "Internal error 1234.", "Look at the log.")


def reachable(start: CaseState) -> set[CaseState]:
    """States that a case in `start` can come to."""
    found = {start}
    while True:
        further = {next_ for (state, _), next_ in TRANSITIONS.items() if state in found}
        if further <= found:
            return found
        found |= further


def test_a_new_case_can_come_to_every_state() -> None:
    assert reachable(CaseState.COLLECTING) == set(CaseState)


def test_from_every_state_a_case_can_still_be_delivered() -> None:
    assert [state for state in CaseState if CaseState.DELIVERED not in reachable(state)] == []


def test_a_person_or_a_late_instance_opens_every_case_that_has_ended() -> None:
    for state in (CaseState.DELIVERED, CaseState.REJECTED, CaseState.FAILED):
        assert next_state(state, CaseEvent.RETRY) is CaseState.COLLECTING
        assert next_state(state, CaseEvent.LATE_INSTANCE) is CaseState.COLLECTING


def test_every_event_happens_to_a_case_in_some_state() -> None:
    assert {what for _, what in TRANSITIONS} == set(CaseEvent)


class Walk:
    """Everything that can happen to one case, as it comes; what does not fit is refused by the ledger."""

    def __init__(self, ledger: SqlLedger) -> None:
        self.ledger = ledger
        self.clock = SetClock()
        self.claims: list[Claim] = []
        self.numbers = itertools.count(10)
        for ref in (*images(3), segmentation()):
            ledger.received(ref, file_of(ref), SENDER, at=self.clock())
        self.case = CaseId(1)

    def complete(self) -> None:
        self.ledger.complete(self.case, image().key, "Complete.", at=self.clock())

    def incomplete(self) -> None:
        self.ledger.incomplete(self.case, None, FAULT, at=self.clock())

    def claim(self) -> None:
        claim = self.ledger.claim(self.case, "worker", at=self.clock(), lease=LEASE)
        if claim is not None:
            self.claims.append(claim)

    def report(self) -> None:
        for claim in self.claims:
            report = Report((), None, (result(self.case, "sr"),), "Measured.")
            self.ledger.reported(claim, report, [Destination("PACS")], at=self.clock())

    def reject(self) -> None:
        for claim in self.claims:
            self.ledger.rejected(claim, FAULT, at=self.clock())

    def postpone(self) -> None:
        for claim in self.claims:
            self.ledger.postponed(claim, FAULT, at=self.clock(), until=self.clock() + LEASE)

    def break_down(self) -> None:
        for claim in self.claims:
            self.ledger.broken(claim, FAULT, at=self.clock())

    def reconcile(self) -> None:
        self.ledger.reconcile(at=self.clock.forward(61), max_attempts=2, resubmit_after=LEASE)

    def deliver(self) -> None:
        self._send(Sent(0))

    def be_refused(self) -> None:
        self._send(Sent(0xA900, FAULT, permanent=True))

    def fail_to_deliver(self) -> None:
        self._send(Sent(None, FAULT))

    def _send(self, sent: Sent) -> None:
        for delivery in self.ledger.due("PACS", at=self.clock(), limit=9):
            self.ledger.sent(delivery, sent, at=self.clock(), next_at=self.clock())

    def retry(self) -> None:
        self.ledger.retry(self.case, at=self.clock())

    def resend(self) -> None:
        self.ledger.resend(self.case, Destination("PACS"), at=self.clock())

    def late_instance(self) -> None:
        late = image(next(self.numbers))
        self.ledger.received(late, file_of(late), SENDER, at=self.clock())

    def detail(self) -> CaseDetail:
        found = self.ledger.detail(self.case)
        assert found is not None
        return found


HAPPENINGS: tuple[Callable[[Walk], None], ...] = (
    Walk.complete,
    Walk.incomplete,
    Walk.claim,
    Walk.report,
    Walk.reject,
    Walk.postpone,
    Walk.break_down,
    Walk.reconcile,
    Walk.deliver,
    Walk.be_refused,
    Walk.fail_to_deliver,
    Walk.retry,
    Walk.resend,
    Walk.late_instance,
)
TO_THE_END = (Walk.reconcile, Walk.retry, Walk.complete, Walk.claim, Walk.report, Walk.deliver)


@contextmanager
def new_walk() -> Iterator[Walk]:
    with tempfile.TemporaryDirectory() as folder:
        yield Walk(SqlLedger(open_engine(f"sqlite:///{Path(folder) / 'ledger.sqlite3'}"), pipeline="test"))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(HAPPENINGS), max_size=20))
def test_whatever_happens_every_step_of_a_case_stands_in_the_table(happenings: list[Callable[[Walk], None]]) -> None:
    with new_walk() as walk:
        for happen in happenings:
            happen(walk)
        detail = walk.detail()
        steps = [(CaseState(event.state), event.event) for event in detail.events]
        for (before, _), (after, what) in itertools.pairwise(steps):
            assert next_state(before, CaseEvent(what)) is after
        assert detail.row.state is steps[-1][0]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(HAPPENINGS), max_size=20))
def test_whatever_has_happened_a_case_can_still_be_brought_to_its_end(happenings: list[Callable[[Walk], None]]) -> None:
    with new_walk() as walk:
        for happen in (*happenings, *TO_THE_END):
            happen(walk)
        assert walk.detail().row.state is CaseState.DELIVERED
