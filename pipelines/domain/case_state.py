"""The life of a case: one table from (state, event) to the next state."""

from enum import StrEnum
from typing import Final


class CaseState(StrEnum):
    """Where a case stands."""

    COLLECTING = "collecting"
    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    REPORTED = "reported"
    DELIVERED = "delivered"
    COMMITTED = "committed"
    REJECTED = "rejected"
    FAILED = "failed"


class CaseEvent(StrEnum):
    """What happens to a case."""

    COMPLETE = "complete"
    """All that it needs has arrived."""
    INCOMPLETE = "incomplete"
    """Something is missing or does not fit, and waiting is over."""
    CLAIMED = "claimed"
    """A worker has taken it."""
    INTERRUPTED = "interrupted"
    """The worker gave no sign of life; another may take it."""
    EXHAUSTED = "exhausted"
    """It was interrupted too often."""
    POSTPONED = "postponed"
    """It cannot run now and will be tried again."""
    DUE = "due"
    """The time to try again has come."""
    REPORTED = "reported"
    """Its results are made, checked and stored."""
    REJECTED = "rejected"
    """It cannot be measured; the reason is recorded."""
    BROKEN = "broken"
    """An internal error ended the run."""
    DELIVERED = "delivered"
    """Every destination has every result."""
    UNDELIVERABLE = "undeliverable"
    """A destination refused a result for good or could not be reached for too long."""
    COMMITTED = "committed"
    """Every destination has told that it keeps every result."""
    NOT_COMMITTED = "not committed"
    """A destination does not keep a result that it had acknowledged; it is sent again."""
    ASSESSED = "assessed"
    """A report of the response over all scans of the patient was added or replaced."""
    RESEND = "resend"
    """A person asked to send the results again."""
    RETRY = "retry"
    """A person asked to run it again."""
    LATE_INSTANCE = "late instance"
    """An instance arrived after the case had started."""


_S, _E = CaseState, CaseEvent

TRANSITIONS: Final[dict[tuple[CaseState, CaseEvent], CaseState]] = {
    (_S.COLLECTING, _E.COMPLETE): _S.QUEUED,
    (_S.COLLECTING, _E.INCOMPLETE): _S.REJECTED,
    (_S.QUEUED, _E.CLAIMED): _S.RUNNING,
    (_S.RUNNING, _E.INTERRUPTED): _S.QUEUED,
    (_S.RUNNING, _E.EXHAUSTED): _S.FAILED,
    (_S.RUNNING, _E.POSTPONED): _S.WAITING,
    (_S.WAITING, _E.DUE): _S.QUEUED,
    (_S.RUNNING, _E.REPORTED): _S.REPORTED,
    (_S.RUNNING, _E.REJECTED): _S.REJECTED,
    (_S.RUNNING, _E.BROKEN): _S.FAILED,
    (_S.REPORTED, _E.DELIVERED): _S.DELIVERED,
    (_S.REPORTED, _E.UNDELIVERABLE): _S.FAILED,
    (_S.DELIVERED, _E.COMMITTED): _S.COMMITTED,
    **{(state, _E.NOT_COMMITTED): _S.REPORTED for state in (_S.DELIVERED, _S.COMMITTED)},
    **{(state, _E.UNDELIVERABLE): _S.FAILED for state in (_S.DELIVERED, _S.COMMITTED)},
    **{(state, _E.ASSESSED): _S.REPORTED for state in (_S.REPORTED, _S.DELIVERED, _S.COMMITTED)},
    **{(state, _E.RESEND): _S.REPORTED for state in (_S.REPORTED, _S.DELIVERED, _S.COMMITTED, _S.FAILED)},
    **{
        (state, _E.RETRY): _S.COLLECTING
        for state in (_S.WAITING, _S.REPORTED, _S.DELIVERED, _S.COMMITTED, _S.REJECTED, _S.FAILED)
    },
    **{(state, _E.LATE_INSTANCE): _S.COLLECTING for state in _S if state is not _S.COLLECTING},
}
"""Every transition that there is; anything else is refused."""


def next_state(state: CaseState, event: CaseEvent) -> CaseState | None:
    """State after `event`, or None when the event does not apply to a case in `state`."""
    return TRANSITIONS.get((state, event))
