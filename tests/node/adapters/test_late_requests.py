"""Associations that several threads end, one after the other: each is closed, and no thread of it dies of that."""

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from pynetdicom import AE, evt
from pynetdicom.fsm import InvalidEventError, StateMachine
from pynetdicom.pdu_primitives import A_ABORT, A_RELEASE, P_DATA

from node.adapters.association import Context, PeerAddress, associate
from node.adapters.bounded import BoundedAssociation
from node.adapters.late_requests import LenientStates, be_lenient
from pipelines.domain.sop_classes import VERIFICATION
from tests.tools import wait_for


@pytest.fixture
def died(monkeypatch: pytest.MonkeyPatch) -> list[type[BaseException]]:
    """What threads have died of."""
    of: list[type[BaseException]] = []
    monkeypatch.setattr(threading, "excepthook", lambda what: of.append(what.exc_type))
    return of


class Pair:
    """An association between two applications in this process, both lenient or only the one that asked for it."""

    def __init__(self, *, lenient_acceptor: bool) -> None:
        self.ae = AE("PEER")
        self.ae.add_supported_context(VERIFICATION)
        handlers: list[Any] = [(evt.EVT_CONN_OPEN, lambda event: be_lenient(event.assoc))] * lenient_acceptor
        server: Any = self.ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
        there = PeerAddress("PEER", "PEER", "127.0.0.1", server.socket.getsockname()[1], 120)
        asked = associate("US", there, [Context(VERIFICATION)])
        assert isinstance(asked, BoundedAssociation)
        self.bounded = asked
        self.requestor: Any = asked._association
        # the answer to the request goes out before the acceptor is in the list of those that stand
        (self.acceptor,) = wait_for("the other side", lambda: server.active_associations)
        wait_for("its association", lambda: self.acceptor.is_established)


@pytest.fixture
def pair() -> Iterator[Pair]:
    made = Pair(lenient_acceptor=True)
    yield made
    made.bounded.close(lost=True)
    made.ae.shutdown()


def aborted() -> A_ABORT:
    made = A_ABORT()
    made.abort_source = 0
    return made


def ask_at_once(association: Any, *asked: Any) -> None:
    """Ask for several things before the association's thread looks at the first."""
    queue = association.dul.to_provider_queue
    with queue.mutex:
        queue.queue.extend(asked)
        queue.not_empty.notify()


def is_closed(connection: socket.socket | None) -> bool:
    """pynetdicom lets go of a connection that it closes itself, but not of one that its server closes."""
    return connection is None or connection.fileno() == -1


@pytest.mark.parametrize("side", ["requestor", "acceptor"])
@pytest.mark.parametrize("late", [aborted, A_RELEASE, P_DATA], ids=["abort", "release", "data"])
def test_what_is_asked_for_behind_an_abort_ends_no_thread(
    pair: Pair, died: list[type[BaseException]], side: str, late: Any
) -> None:
    association = getattr(pair, side)
    ask_at_once(association, aborted(), late(), late())
    wait_for("the end of its thread", lambda: not association.dul.is_alive())
    assert died == []
    assert association.dul.to_provider_queue.empty()
    wait_for("the end of the connection", lambda: is_closed(association.dul.socket.socket))


def test_pynetdicom_alone_dies_of_a_second_abort(died: list[type[BaseException]]) -> None:
    # the reason for all this; a version in which it fails needs no lenient states
    pair = Pair(lenient_acceptor=False)
    ask_at_once(pair.acceptor, aborted(), aborted())
    wait_for("the end of its thread", lambda: not pair.acceptor.dul.is_alive())
    wait_for("what it died of", lambda: died)
    assert died == [InvalidEventError]
    pair.bounded.close(lost=True)
    pair.ae.shutdown()


def test_what_a_peer_may_not_say_is_still_a_fault(pair: Pair) -> None:
    for machine in (LenientStates(pair.requestor.dul), StateMachine(pair.requestor.dul)):
        with pytest.raises(InvalidEventError):
            machine.do_action("Evt3")
