"""A clock that is set while a case runs: the case neither hangs nor is done twice."""

from datetime import timedelta

import pytest

from node.adapters.ledger import SqlLedger
from node.ports import Claim, Destination, Report
from pipelines.domain.identifiers import CaseId
from tests.node.doubles import SetClock
from tests.node.refs import SENDER, file_of, image, images, segmentation

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
