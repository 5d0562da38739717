"""A clock that is set while a case is under way: the case neither hangs nor is done twice."""

from datetime import timedelta
from pathlib import Path

import pytest

from node.adapters.ledger import SqlLedger, open_engine
from node.adapters.ledger_commitments import SqlCommitments
from node.adapters.ledger_duties import SqlDuties
from node.ports import Claim, Destination, DutyState, ObjectRef, Report, Sent
from pipelines.domain.identifiers import CaseId, SopClassUID, SopInstanceUID
from pipelines.domain.reasons import Rejected
from tests.node.doubles import SetClock
from tests.node.refs import SENDER, file_of, image, images, result, segmentation

HOUR_S = 3600


def claimed(ledger: SqlLedger, clock: SetClock, case: CaseId) -> Claim:
    claim = ledger.claim(case, "worker", at=clock(), lease=timedelta(seconds=60))
    assert claim is not None
    return claim


@pytest.fixture
def running(sqlite_ledger: SqlLedger, clock: SetClock) -> Claim:
    """A claimed case of three slices."""
    for ref in (*images(), segmentation()):
        sqlite_ledger.received(ref, file_of(ref), SENDER, at=clock())
    case = sqlite_ledger.collecting()[0].case
    assert sqlite_ledger.complete(case, image().key, "3 slices.", at=clock())
    return claimed(sqlite_ledger, clock, case)


@pytest.mark.parametrize("jump_s", [-24 * HOUR_S, -2 * HOUR_S, HOUR_S, 24 * HOUR_S])
def test_a_case_of_a_dead_worker_goes_to_another_wherever_the_clock_jumped(
    sqlite_ledger: SqlLedger, clock: SetClock, running: Claim, jump_s: float
) -> None:
    clock.forward(jump_s)
    assert sqlite_ledger.reconcile(at=clock(), max_attempts=3, resubmit_after=None) == [running.case]
    second = claimed(sqlite_ledger, clock, running.case)
    report = Report((), None, (), "Done.")
    # the first was only slow: what it brings is turned away, and the case is reported once
    assert not sqlite_ledger.reported(running, report, [Destination("PACS")], at=clock())
    assert sqlite_ledger.reported(second, report, [Destination("PACS")], at=clock())


def test_a_living_worker_keeps_its_case_when_the_clock_is_corrected_by_a_minute(
    sqlite_ledger: SqlLedger, clock: SetClock, running: Claim
) -> None:
    clock.forward(-60)
    assert sqlite_ledger.reconcile(at=clock(), max_attempts=3, resubmit_after=None) == []
    assert sqlite_ledger.renew(running, until=clock() + timedelta(seconds=60))


BACK = [-HOUR_S, -24 * HOUR_S, -400 * 24 * HOUR_S]
WAIT = timedelta(minutes=15)
FAULT = Rejected("NET-001", "PACS cannot be reached.", "Start it.")


@pytest.fixture
def patient_ledger(tmp_path: Path) -> SqlLedger:
    """A ledger in which nothing is put off for more than a quarter of an hour."""
    engine = open_engine(f"sqlite:///{tmp_path / 'ledger.sqlite3'}")
    return SqlLedger(engine, pipeline="test", longest_wait=WAIT)


def complete(ledger: SqlLedger, clock: SetClock) -> CaseId:
    for ref in (*images(), segmentation()):
        ledger.received(ref, file_of(ref), SENDER, at=clock())
    case = ledger.collecting()[0].case
    assert ledger.complete(case, image().key, "3 slices.", at=clock())
    return case


@pytest.mark.parametrize("jump_s", BACK)
def test_a_delivery_that_was_put_off_is_tried_again_when_the_clock_is_set_back(
    patient_ledger: SqlLedger, clock: SetClock, jump_s: float
) -> None:
    claim = claimed(patient_ledger, clock, complete(patient_ledger, clock))
    report = Report((), None, (result(claim.case, "sr-case"),), "Done.")
    assert patient_ledger.reported(claim, report, [Destination("PACS")], at=clock())
    (delivery,) = patient_ledger.due("PACS", at=clock(), limit=9)
    patient_ledger.sent(delivery, Sent(None, FAULT, permanent=False), at=clock(), next_at=clock() + WAIT)
    assert not patient_ledger.due("PACS", at=clock(), limit=9)
    clock.forward(jump_s)
    (again,) = patient_ledger.due("PACS", at=clock(), limit=9)
    # from here on it waits as long as it is told to, and no longer
    patient_ledger.sent(again, Sent(None, FAULT, permanent=False), at=clock(), next_at=clock() + WAIT)
    assert not patient_ledger.due("PACS", at=clock(), limit=9)
    assert patient_ledger.due("PACS", at=clock.forward(WAIT.total_seconds()), limit=9)


@pytest.mark.parametrize("jump_s", BACK)
def test_a_postponed_case_runs_again_when_the_clock_is_set_back(
    patient_ledger: SqlLedger, clock: SetClock, jump_s: float
) -> None:
    claim = claimed(patient_ledger, clock, complete(patient_ledger, clock))
    assert patient_ledger.postponed(claim, FAULT, at=clock(), until=clock() + WAIT)
    assert patient_ledger.reconcile(at=clock(), max_attempts=3, resubmit_after=None) == []
    clock.forward(jump_s)
    assert patient_ledger.reconcile(at=clock(), max_attempts=3, resubmit_after=None) == [claim.case]


@pytest.mark.parametrize("jump_s", BACK)
def test_a_case_whose_message_was_lost_is_submitted_again_when_the_clock_is_set_back(
    patient_ledger: SqlLedger, clock: SetClock, jump_s: float
) -> None:
    case, minute = complete(patient_ledger, clock), timedelta(minutes=1)
    assert patient_ledger.reconcile(at=clock(), max_attempts=3, resubmit_after=minute) == []
    clock.forward(jump_s)
    assert patient_ledger.reconcile(at=clock(), max_attempts=3, resubmit_after=minute) == [case]
    assert patient_ledger.reconcile(at=clock(), max_attempts=3, resubmit_after=minute) == []


@pytest.mark.parametrize("jump_s", [-9 * 24 * HOUR_S, -400 * 24 * HOUR_S])
def test_promises_are_asked_for_and_given_when_the_clock_is_set_back(
    tmp_path: Path, clock: SetClock, jump_s: float
) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'ledger.sqlite3'}")
    ledger = SqlLedger(engine, pipeline="test", longest_wait=WAIT)
    promises = SqlCommitments(engine, retry_first=WAIT, retry_max=WAIT, give_up_after=timedelta(days=3))
    duties = SqlDuties(engine, longest_wait=WAIT)
    claim = claimed(ledger, clock, complete(ledger, clock))
    assert ledger.reported(
        claim, Report((), None, (result(claim.case, "sr-case"),), "Done."), [Destination("PACS")], at=clock()
    )
    (delivery,) = ledger.due("PACS", at=clock(), limit=9)
    ledger.sent(delivery, Sent(0x0000, None, permanent=False), at=clock(), next_at=clock())
    duties.take_on("PACS", "1.2.3", [ObjectRef(SopClassUID("1.2"), SopInstanceUID("1.2.4"))], at=clock())
    (duty,) = duties.duties(at=clock(), limit=9)
    duties.duty_settled(duty, DutyState.PENDING, "away", at=clock(), next_at=clock() + WAIT)
    owed = promises.owed("PACS", at=clock(), limit=9)
    promises.ask("1.2.5", "PACS", owed, at=clock(), deadline=clock() + WAIT)
    assert not duties.duties(at=clock(), limit=9)
    assert not promises.silent("PACS", at=clock(), limit=9)
    clock.forward(jump_s)
    assert duties.duties(at=clock(), limit=9)
    assert promises.silent("PACS", at=clock(), limit=9)
