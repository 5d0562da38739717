"""What is asked of an association of pynetdicom after its end: it is dropped, and its thread ends as it should."""

from contextlib import suppress
from queue import Empty
from typing import Any, Final

from pynetdicom.fsm import TRANSITION_TABLE, StateMachine

_OVER: Final = frozenset({"Sta1", "Sta13"})
"""No association any more: the connection is closed, or is about to be."""
_ASKED_BY_US: Final = frozenset({"Evt7", "Evt8", "Evt9", "Evt11", "Evt14", "Evt15"})
"""An answer to a request for an association, data, a release with its answer, and an abort."""


class LenientStates(StateMachine):
    """The state machine of the upper layer, to which nobody can come too late.

    Several threads may end an association, one after the other: whoever has waited in vain, and the association's own
    thread when its peer has been silent for too long. pynetdicom 3.0.4 takes the second abort, or what was to be sent
    when the first went out, for an error of its own, and the thread that should close the connection dies with a
    traceback.

    References
    ----------
    PS3.8 section 9.2, table 9-10: in states 1 and 13 the local user asks for nothing.
    """

    def do_action(self, event: str) -> None:
        late = event in _ASKED_BY_US and self.current_state in _OVER
        if late and (event, self.current_state) not in TRANSITION_TABLE:
            # otherwise it would be found there again and again
            with suppress(Empty):
                self.dul.to_provider_queue.get(block=False)
            return
        super().do_action(event)


def be_lenient(association: Any) -> None:
    """Give an association that has not begun yet such a state machine."""
    association.dul.state_machine = LenientStates(association.dul)
