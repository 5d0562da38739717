"""The table of commitments: no dead end before the end, and no promise that nobody made."""

from pipelines.domain.commitment import COMMITMENTS, CommitmentEvent, CommitmentState, next_commitment

S, E = CommitmentState, CommitmentEvent


def reachable(start: CommitmentState) -> set[CommitmentState]:
    found = {start}
    while True:
        further = {following for (state, _), following in COMMITMENTS.items() if state in found}
        if further <= found:
            return found
        found |= further


def test_every_state_can_be_reached_and_every_event_happens() -> None:
    assert reachable(S.DUE) == set(S)
    assert {what for _, what in COMMITMENTS} == set(E)


def test_what_is_not_settled_can_still_be_committed() -> None:
    for state in (S.DUE, S.ASKED, S.SILENT, S.MISSING):
        assert S.COMMITTED in reachable(state)


def test_only_a_report_or_a_query_commits() -> None:
    assert {what for (_, what), following in COMMITMENTS.items() if following is S.COMMITTED} == {E.CONFIRMED, E.FOUND}


def test_an_object_that_is_missing_is_committed_only_after_it_was_sent_again() -> None:
    assert next_commitment(S.MISSING, E.CONFIRMED) is None
    assert next_commitment(S.MISSING, E.DELIVERED) is S.DUE


def test_a_late_denial_outweighs_what_was_believed() -> None:
    assert next_commitment(S.COMMITTED, E.DENIED) is S.MISSING
