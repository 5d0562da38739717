"""A clock that is set: no case hangs or is run twice for it."""

from datetime import timedelta

import pytest

from node.adapters.ledger import SqlLedger
from node.ports import Claim, Destination, Report
from pipelines.domain.identifiers import CaseId
from tests.node.doubles import SetClock


@pytest.mark.parametrize("jump_s", [-86400, -3600, 3600, 86400])
def test_a_claim_outlives_a_clock_that_is_set_while_it_runs(
    sqlite_ledger: SqlLedger, queued_case: CaseId, jump_s: float
) -> None:
    clock = SetClock()
    first = _claim(sqlite_ledger, queued_case, clock)
    clock.forward(jump_s)
    again = sqlite_ledger.reconcile(at=clock(), max_attempts=3, resubmit_after=None)
    # when the lease seems to have ended, the case goes to somebody else, and the first is turned away
    if again:
        second = _claim(sqlite_ledger, queued_case, clock)
        assert second.fence > first.fence
        report = Report((), None, (), "done")
        assert not sqlite_ledger.reported(first, report, [Destination("PACS")], at=clock())
        assert sqlite_ledger.reported(second, report, [Destination("PACS")], at=clock())
    else:
        assert jump_s < 0


def _claim(ledger: SqlLedger, case: CaseId, clock: SetClock) -> Claim:
    claim = ledger.claim(case, "worker", at=clock(), lease=timedelta(seconds=60))
    assert claim is not None
    return claim
