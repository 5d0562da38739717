"""How sure it is that a peer keeps an object that it took: one table from (state, event) to the next state."""

from enum import StrEnum
from typing import Final


class CommitmentState(StrEnum):
    """Where one delivered object stands at one peer."""

    DUE = "due"
    """Delivered; the peer is to be asked whether it keeps the object."""
    ASKED = "asked"
    """The peer has been asked, or may have been, and has not reported."""
    SILENT = "silent"
    """The report has not come in time; a query is to tell."""
    COMMITTED = "committed"
    """The peer keeps the object."""
    MISSING = "missing"
    """The peer does not keep the object; it is sent again."""
    UNSUPPORTED = "unsupported"
    """The peer does not offer storage commitment."""


class CommitmentEvent(StrEnum):
    """What happens to one delivered object."""

    ASKED = "asked"
    PUT_OFF = "put off"
    """The request could not be sent."""
    NOT_OFFERED = "not offered"
    """The peer refused the presentation context."""
    CONFIRMED = "confirmed"
    """The peer reported that it keeps the object."""
    DENIED = "denied"
    """The peer reported that it does not."""
    UNANSWERED = "unanswered"
    """Too long ago."""
    FOUND = "found"
    """A query found the object."""
    ABSENT = "absent"
    """A query did not find it."""
    UNVERIFIABLE = "unverifiable"
    """The peer cannot be queried."""
    DELIVERED = "delivered"
    """It was sent again."""


_S, _E = CommitmentState, CommitmentEvent
# a report may come late, when the node already asked again or looked for itself
_OPEN = (_S.DUE, _S.ASKED, _S.SILENT)

COMMITMENTS: Final[dict[tuple[CommitmentState, CommitmentEvent], CommitmentState]] = {
    (_S.DUE, _E.ASKED): _S.ASKED,
    (_S.ASKED, _E.PUT_OFF): _S.DUE,
    (_S.ASKED, _E.NOT_OFFERED): _S.UNSUPPORTED,
    (_S.ASKED, _E.UNANSWERED): _S.SILENT,
    (_S.SILENT, _E.FOUND): _S.COMMITTED,
    (_S.SILENT, _E.ABSENT): _S.MISSING,
    (_S.SILENT, _E.UNVERIFIABLE): _S.DUE,
    (_S.SILENT, _E.NOT_OFFERED): _S.UNSUPPORTED,
    **{(state, _E.CONFIRMED): _S.COMMITTED for state in _OPEN},
    # what a query had found may be denied later
    **{(state, _E.DENIED): _S.MISSING for state in (*_OPEN, _S.COMMITTED)},
    (_S.MISSING, _E.DELIVERED): _S.DUE,
}
"""Every transition that there is; anything else changes nothing."""


def next_commitment(state: CommitmentState, event: CommitmentEvent) -> CommitmentState | None:
    """State after `event`, or None when the event does not apply in `state`."""
    return COMMITMENTS.get((state, event))
