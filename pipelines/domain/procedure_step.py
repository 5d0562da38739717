"""The life of a Unified Procedure Step: one table from (state, request) to the next state or a DIMSE status.

References
----------
PS3.4 CC.1.1, tables CC.1.1-1 and CC.1.1-2; the statuses of CC.2.1 to CC.2.6.
"""

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final


class StepState(StrEnum):
    """Procedure Step State (0074,1000)."""

    SCHEDULED = "SCHEDULED"
    IN_PROGRESS = "IN PROGRESS"
    CANCELED = "CANCELED"
    COMPLETED = "COMPLETED"


class StepRequest(StrEnum):
    """What somebody asks of a step."""

    CLAIM = "claim"
    """Change the state to IN PROGRESS."""
    COMPLETE = "complete"
    """Change the state to COMPLETED."""
    CANCEL = "cancel"
    """Change the state to CANCELED, by the performer."""
    SCHEDULE = "schedule"
    """Change the state back to SCHEDULED."""
    REQUEST_CANCEL = "request cancel"
    """Ask the performer to stop, by anybody else."""
    UPDATE = "update"
    """Set attributes."""


class StepStatus(IntEnum):
    """DIMSE statuses of the Unified Procedure Step services."""

    SUCCESS = 0x0000
    DUPLICATE = 0x0111
    """Another step has this UID."""
    ALREADY_CANCELED = 0xB304
    ALREADY_COMPLETED = 0xB306
    MAY_NO_LONGER_BE_UPDATED = 0xC300
    WRONG_TRANSACTION_UID = 0xC301
    ALREADY_IN_PROGRESS = 0xC302
    SCHEDULED_BY_CREATION_ONLY = 0xC303
    FINAL_STATE_NOT_MET = 0xC304
    """What the final state demands has not been set."""
    NO_SUCH_STEP = 0xC307
    UNKNOWN_RECEIVING_AE = 0xC308
    NOT_SCHEDULED_AT_CREATION = 0xC309
    NOT_IN_PROGRESS = 0xC310
    CANCEL_OF_COMPLETED = 0xC311
    PERFORMER_NOT_REACHED = 0xC312
    PERFORMER_REFUSES = 0xC313
    """The performer chooses not to cancel."""
    INVALID_ATTRIBUTE = 0x0106
    MISSING_ATTRIBUTE = 0x0120


@dataclass(frozen=True, slots=True)
class StepDecision:
    """What a request leads to.

    Attributes
    ----------
    state
        State afterwards; None when it stays as it is.
    """

    status: StepStatus
    state: StepState | None = None


_S, _R, _C = StepState, StepRequest, StepStatus

TRANSITIONS: Final[dict[tuple[StepState, StepRequest], StepDecision]] = {
    (_S.SCHEDULED, _R.CLAIM): StepDecision(_C.SUCCESS, _S.IN_PROGRESS),
    (_S.IN_PROGRESS, _R.CLAIM): StepDecision(_C.ALREADY_IN_PROGRESS),
    (_S.COMPLETED, _R.CLAIM): StepDecision(_C.MAY_NO_LONGER_BE_UPDATED),
    (_S.CANCELED, _R.CLAIM): StepDecision(_C.MAY_NO_LONGER_BE_UPDATED),
    (_S.SCHEDULED, _R.COMPLETE): StepDecision(_C.NOT_IN_PROGRESS),
    (_S.IN_PROGRESS, _R.COMPLETE): StepDecision(_C.SUCCESS, _S.COMPLETED),
    (_S.COMPLETED, _R.COMPLETE): StepDecision(_C.ALREADY_COMPLETED),
    (_S.CANCELED, _R.COMPLETE): StepDecision(_C.MAY_NO_LONGER_BE_UPDATED),
    (_S.SCHEDULED, _R.CANCEL): StepDecision(_C.NOT_IN_PROGRESS),
    (_S.IN_PROGRESS, _R.CANCEL): StepDecision(_C.SUCCESS, _S.CANCELED),
    (_S.COMPLETED, _R.CANCEL): StepDecision(_C.MAY_NO_LONGER_BE_UPDATED),
    (_S.CANCELED, _R.CANCEL): StepDecision(_C.ALREADY_CANCELED),
    **{(state, _R.SCHEDULE): StepDecision(_C.SCHEDULED_BY_CREATION_ONLY) for state in _S},
    (_S.SCHEDULED, _R.REQUEST_CANCEL): StepDecision(_C.SUCCESS, _S.CANCELED),
    # the performer decides; whoever keeps the step tells it
    (_S.IN_PROGRESS, _R.REQUEST_CANCEL): StepDecision(_C.SUCCESS),
    (_S.COMPLETED, _R.REQUEST_CANCEL): StepDecision(_C.CANCEL_OF_COMPLETED),
    (_S.CANCELED, _R.REQUEST_CANCEL): StepDecision(_C.ALREADY_CANCELED),
    (_S.SCHEDULED, _R.UPDATE): StepDecision(_C.SUCCESS),
    (_S.IN_PROGRESS, _R.UPDATE): StepDecision(_C.SUCCESS),
    (_S.COMPLETED, _R.UPDATE): StepDecision(_C.MAY_NO_LONGER_BE_UPDATED),
    (_S.CANCELED, _R.UPDATE): StepDecision(_C.MAY_NO_LONGER_BE_UPDATED),
}
"""Every request in every state, for whoever holds the right Transaction UID."""

# requests that only the performer may make, who proves itself by the Transaction UID
_PERFORMERS: Final = frozenset({_R.COMPLETE, _R.CANCEL})


def decide(
    state: StepState | None, request: StepRequest, *, given: str, held: str, final_state_met: bool = True
) -> StepDecision:
    """What becomes of a step in `state`.

    Parameters
    ----------
    state
        None when there is no such step.
    given
        Transaction UID of the request; empty for none.
    held
        Transaction UID under which the step was claimed; empty before that.
    final_state_met
        Whether the step has all attributes that its final state demands (PS3.4 table CC.2.5-3).

    Examples
    --------
    >>> decide(StepState.SCHEDULED, StepRequest.CLAIM, given="1.2", held="").state
    <StepState.IN_PROGRESS: 'IN PROGRESS'>
    >>> hex(decide(StepState.IN_PROGRESS, StepRequest.CLAIM, given="1.3", held="1.2").status)
    '0xc302'
    """
    if state is None:
        return StepDecision(_C.NO_SUCH_STEP)
    if request is _R.CLAIM and not given:
        return StepDecision(_C.WRONG_TRANSACTION_UID)
    if request in _PERFORMERS and state is not _S.SCHEDULED and given != held:
        return StepDecision(_C.WRONG_TRANSACTION_UID)
    if request is _R.UPDATE and state is _S.IN_PROGRESS and given != held:
        return StepDecision(_C.WRONG_TRANSACTION_UID)
    decision = TRANSITIONS[state, request]
    if decision.state in (_S.COMPLETED, _S.CANCELED) and request in _PERFORMERS and not final_state_met:
        return StepDecision(_C.FINAL_STATE_NOT_MET)
    return decision
