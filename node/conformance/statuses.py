"""What the node answers to others, and how it takes their answers, as tables."""

from typing import Final

from node.adapters import commitment, query_retrieve
from node.adapters.storage_scu import judge
from node.adapters.store_association import INTERNAL_ERROR
from node.conformance.markdown import table
from node.services import commit, receive
from pipelines.domain.procedure_step import TRANSITIONS, StepRequest, StepState, StepStatus

STORED: Final[dict[int, str]] = {
    receive.SUCCESS: "Success: file and ledger are on the disk; also for an instance that the node has already",
    receive.COERCION: "Warning: the UID is known with other bytes; kept beside the first, not used",
    receive.OUT_OF_RESOURCES: "Refused: out of resources; the sender should try again",
    receive.DATA_SET_DOES_NOT_MATCH: "Error: the data set is not what the request announces",
    receive.CANNOT_UNDERSTAND: "Error: the data set is malformed",
    INTERNAL_ERROR: "Error: internal error of the node",
}
"""Statuses of a C-STORE response."""

STEPS: Final[dict[StepStatus, str]] = {
    StepStatus.SUCCESS: "Success",
    StepStatus.DUPLICATE: "another step has this UID",
    StepStatus.ALREADY_CANCELED: "Warning: it is already canceled",
    StepStatus.ALREADY_COMPLETED: "Warning: it is already completed",
    StepStatus.MAY_NO_LONGER_BE_UPDATED: "it may no longer be updated",
    StepStatus.WRONG_TRANSACTION_UID: "the Transaction UID is not the one of the claim",
    StepStatus.ALREADY_IN_PROGRESS: "it is already in progress",
    StepStatus.SCHEDULED_BY_CREATION_ONLY: "a step becomes SCHEDULED by its creation only",
    StepStatus.FINAL_STATE_NOT_MET: "it lacks what its final state demands",
    StepStatus.NO_SUCH_STEP: "there is no such step",
    StepStatus.UNKNOWN_RECEIVING_AE: "the receiving AE is no configured peer",
    StepStatus.NOT_SCHEDULED_AT_CREATION: "it was to be created in another state than SCHEDULED",
    StepStatus.NOT_IN_PROGRESS: "it is not in progress",
    StepStatus.CANCEL_OF_COMPLETED: "it is completed and cannot be canceled",
    StepStatus.PERFORMER_NOT_REACHED: "its performer cannot be reached",
    StepStatus.PERFORMER_REFUSES: "its performer does not wish to cancel it",
    StepStatus.INVALID_ATTRIBUTE: "an attribute has a value that it may not have",
    StepStatus.MISSING_ATTRIBUTE: "an attribute that is needed is missing",
}
"""Statuses of the responses of the Unified Procedure Step services."""

_ANSWERS_TO_STORE: Final = (
    (0x0000, "0x0000"),
    (0x0001, "0x0001"),
    (0x0107, "0x0107"),
    (0x0111, "0x0111"),
    (0x0116, "0x0116"),
    (0xB000, "0xBxxx"),
    (0xA700, "0xA7xx"),
    (0xA900, "0xA9xx"),
    (0xC000, "0xCxxx"),
    (0x0122, "0x0122"),
    (0x0110, "any other"),
    (None, "no answer"),
)


def stored() -> str:
    """Statuses of the C-STORE responses that the node gives."""
    return table(("Status", "Meaning"), ((_hex(status), meaning) for status, meaning in STORED.items()))


def results_taken() -> str:
    """What the node does after the status of a peer's C-STORE response."""
    rows = []
    for status, shown in _ANSWERS_TO_STORE:
        sent = judge(status, "the peer")
        if sent.fault is None:
            done = "the object counts as delivered"
        elif sent.permanent:
            done = "final: the case fails until an operator sends it again"
        else:
            done = "tried again with growing waits, until `delivery.give_up_after_h`"
        rows.append((shown, done))
    return table(("Status of the peer", "What the node does"), rows)


def commitment_answers() -> str:
    """Statuses of N-ACTION and N-EVENT-REPORT responses."""
    return table(("Status", "Meaning"), ((_hex(s), meaning) for s, meaning in commitment.STATUSES.items()))


def failure_reasons() -> str:
    """Failure Reasons in reports of the node."""
    return table(("Failure Reason", "Meaning"), ((_hex(s), meaning) for s, meaning in commit.FAILURE_REASONS.items()))


def query_answers() -> str:
    """What the node understands of the answers to its queries and retrievals."""
    rows = (
        (_hex(status), why.format(destination="that it was given")) for status, (why, _) in query_retrieve.WHY.items()
    )
    success = [("0x0000", "done"), ("0xFF00, 0xFF01", "an answer, more may follow")]
    return table(("Status", "Meaning"), [*success, *rows, ("any other", "failed; tried again")])


def step_answers() -> str:
    """Statuses of the Unified Procedure Step services."""
    return table(("Status", "Meaning"), ((_hex(status), STEPS[status]) for status in StepStatus))


def step_transitions() -> str:
    """What each request for a step in each state is answered with, for whoever holds the right Transaction UID."""
    rows = []
    for request in StepRequest:
        cells = []
        for state in StepState:
            decision = TRANSITIONS[state, request]
            became = "" if decision.state is None else f", then {decision.state.value}"
            cells.append(f"{_hex(decision.status)}{became}")
        rows.append((request.value, *cells))
    return table(("Request", *(state.value for state in StepState)), rows)


def _hex(status: int) -> str:
    return f"0x{status:04X}"
