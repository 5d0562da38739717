"""The table against PS3.4 table CC.1.1-2, written down a second time as the standard prints it, row by row."""

import pytest

from pipelines.domain.procedure_step import TRANSITIONS, StepRequest, StepState, StepStatus, decide

STATES = (None, StepState.SCHEDULED, StepState.IN_PROGRESS, StepState.COMPLETED, StepState.CANCELED)
# request, Transaction UID given, then the answer in each of STATES; a word is the next state
TABLE = [
    (StepRequest.CLAIM, "right", "C307 IN PROGRESS C302 C300 C300"),
    (StepRequest.CLAIM, "", "C307 C301 C301 C301 C301"),
    (StepRequest.SCHEDULE, "right", "C307 C303 C303 C303 C303"),
    (StepRequest.COMPLETE, "right", "C307 C310 COMPLETED B306 C300"),
    (StepRequest.COMPLETE, "wrong", "C307 C310 C301 C301 C301"),
    (StepRequest.CANCEL, "right", "C307 C310 CANCELED C300 B304"),
    (StepRequest.CANCEL, "wrong", "C307 C310 C301 C301 C301"),
    (StepRequest.REQUEST_CANCEL, "", "C307 CANCELED 0000 C311 B304"),
    (StepRequest.UPDATE, "right", "C307 0000 0000 C300 C300"),
    (StepRequest.UPDATE, "wrong", "C307 0000 C301 C300 C300"),
]


def cases() -> list[tuple[StepState | None, StepRequest, str, str]]:
    made = []
    for request, given, answers in TABLE:
        words = answers.replace("IN PROGRESS", "IN_PROGRESS").split()
        made += [(state, request, given, word) for state, word in zip(STATES, words, strict=True)]
    return made


@pytest.mark.parametrize(("state", "request_", "given", "expected"), cases())
def test_every_request_in_every_state_is_answered_as_the_standard_says(
    state: StepState | None, request_: StepRequest, given: str, expected: str
) -> None:
    held = "" if state in (None, StepState.SCHEDULED) else "right"
    decision = decide(state, request_, given=given, held=held)
    if expected in StepState.__members__:
        assert (decision.status, decision.state) == (StepStatus.SUCCESS, StepState[expected])
    else:
        assert (f"{decision.status:04X}", decision.state) == (expected, None)


def test_the_table_knows_every_request_in_every_state() -> None:
    assert set(TRANSITIONS) == {(state, request) for state in StepState for request in StepRequest}


@pytest.mark.parametrize("request_", [StepRequest.COMPLETE, StepRequest.CANCEL])
def test_a_step_does_not_end_without_what_its_final_state_demands(request_: StepRequest) -> None:
    decision = decide(StepState.IN_PROGRESS, request_, given="1", held="1", final_state_met=False)
    assert (decision.status, decision.state) == (StepStatus.FINAL_STATE_NOT_MET, None)


def test_an_ended_step_never_changes_again() -> None:
    for ended in (StepState.COMPLETED, StepState.CANCELED):
        assert all(decide(ended, request, given="1", held="1").state is None for request in StepRequest)
