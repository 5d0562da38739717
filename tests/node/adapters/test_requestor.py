"""The interleavings in which pynetdicom waits for its own thread without end are forced, and are survived."""

import select
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydicom import Dataset
from pynetdicom import AE, evt
from pynetdicom.association import Association

from node.adapters import bounded
from node.adapters.association import PeerAddress, associate
from node.adapters.bounded import BoundedAssociation, BrokenOff, abort, watched
from node.adapters.commitment import ASKING, INSTANCE
from node.adapters.requestor import Checkpoint, Requestor
from pipelines.domain.sop_classes import STORAGE_COMMITMENT
from tests.tools import wait_for

_LIMIT_S = 120


def about(transaction: str) -> Dataset:
    made = Dataset()
    made.TransactionUID = transaction
    made.ReferencedSOPSequence = []
    return made


class Custodian:
    """A peer that takes a request for commitment, and reports on it when it is told to, on the same association."""

    def __init__(self) -> None:
        ae = AE("PEER")
        ae.add_supported_context(STORAGE_COMMITMENT)
        self._called: Any = None
        self.heard: list[int | None] = []
        self._ae = ae
        self._server: Any = ae.start_server(
            ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_N_ACTION, self._asked)]
        )

    @property
    def port(self) -> int:
        return int(self._server.socket.getsockname()[1])

    def report(self) -> threading.Thread:
        """Report; what the other side answers to it is in `heard` afterwards."""

        def send() -> None:
            status, _ = self._called.send_n_event_report(about("1.2"), 1, STORAGE_COMMITMENT, INSTANCE)
            self.heard.append(status.get("Status"))

        thread = threading.Thread(target=send, daemon=True)
        thread.start()
        return thread

    def stop(self) -> None:
        self._ae.shutdown()

    def _asked(self, event: Any) -> tuple[int, None]:
        self._called = event.assoc
        return 0, None


class Reader:
    """Takes reports; each is answered once it is let go, in the thread that is told."""

    def __init__(self, *, at_most_s: float) -> None:
        self.arrived, self.let_go = threading.Event(), threading.Event()
        self.thread: threading.Thread | None = None
        self._at_most_s = at_most_s

    def take(self, event: Any) -> tuple[int, None]:
        self.thread = threading.current_thread()
        self.arrived.set()
        self.let_go.wait(self._at_most_s)
        return 0, None


def forced(checkpoint: type[threading.Event], reader: Reader) -> threading.Event:
    """A checkpoint at which a report has been answered after the thread has paused, and before anybody looks."""

    class Forced(checkpoint):  # type: ignore[valid-type,misc]
        reached = False

        def wait(self, timeout: float | None = None) -> bool:
            self.reached = not self.is_set()
            return bool(super().wait(timeout))

        def clear(self) -> None:
            super().clear()
            wait_for("the thread at its checkpoint", lambda: self.reached, timeout_s=_LIMIT_S, every_s=0.001)
            reader.let_go.set()
            assert reader.thread is not None
            reader.thread.join(_LIMIT_S)

    made = Forced()
    made.set()
    return made


@pytest.fixture
def custodian() -> Iterator[Custodian]:
    made = Custodian()
    yield made
    made.stop()


def ends(act: Callable[[], Any], *, within_s: float = _LIMIT_S) -> bool:
    thread = threading.Thread(target=act, daemon=True)
    thread.start()
    thread.join(within_s)
    return not thread.is_alive()


def asked(custodian: Custodian, reader: Reader) -> BoundedAssociation:
    """An association on which a report is about to be answered."""
    peer = PeerAddress("PEER", "PEER", "127.0.0.1", custodian.port, 120)
    association = associate("US", peer, [ASKING], handlers=[(evt.EVT_N_EVENT_REPORT, reader.take)])
    assert isinstance(association, BoundedAssociation)
    assert association.send_n_action(about("1.2"), 1, STORAGE_COMMITMENT, INSTANCE).Status == 0
    return association


def test_pynetdicom_waits_without_end_when_a_report_is_answered_while_it_pauses(custodian: Custodian) -> None:
    # the reason for all this; a version in which it fails needs no Requestor
    reader = Reader(at_most_s=_LIMIT_S)
    ae = AE("US")
    ae.add_requested_context(STORAGE_COMMITMENT)
    association: Any = ae.associate("127.0.0.1", custodian.port, evt_handlers=[(evt.EVT_N_EVENT_REPORT, reader.take)])
    association.send_n_action(about("1.2"), 1, STORAGE_COMMITMENT, INSTANCE)
    custodian.report()
    assert reader.arrived.wait(_LIMIT_S)
    association._reactor_checkpoint.set()
    association._reactor_checkpoint = forced(threading.Event, reader)
    assert not ends(association.release, within_s=1)
    # and would for ever: it looks for what nobody says any more
    assert association._reactor_checkpoint.reached and not association._is_paused
    association._is_paused = True
    wait_for("the release", lambda: not association.is_established)


@pytest.mark.parametrize("what", ["release", "message"])
def test_a_report_that_is_answered_while_the_thread_pauses_holds_nothing_up(custodian: Custodian, what: str) -> None:
    reader = Reader(at_most_s=1)
    association = asked(custodian, reader)
    reporting = custodian.report()
    assert reader.arrived.wait(_LIMIT_S)
    association._association._reactor_checkpoint = forced(Checkpoint, reader)
    if what == "message":
        assert ends(lambda: association.send_n_action(about("1.3"), 1, STORAGE_COMMITMENT, INSTANCE))
        assert association.is_established
    assert ends(association.close)
    assert association._association.is_released
    reporting.join(_LIMIT_S)
    assert custodian.heard == [0]


def test_the_answer_to_a_report_goes_out_before_the_request_for_release(custodian: Custodian) -> None:
    reader = Reader(at_most_s=0.5)
    association = asked(custodian, reader)
    reporting = custodian.report()
    assert reader.arrived.wait(_LIMIT_S)
    assert ends(association.close)
    reporting.join(_LIMIT_S)
    assert custodian.heard == [0]
    assert association._association.is_released


def test_a_thread_that_is_called_back_before_it_has_left_stays() -> None:
    checkpoint, passed, over = Checkpoint(), [0], threading.Event()

    def walk() -> None:
        while not over.is_set():
            checkpoint.wait()
            passed[0] += 1

    checkpoint.clear()
    thread = threading.Thread(target=walk, daemon=True)
    thread.start()
    for _ in range(500):
        wait_for("the thread at its checkpoint", lambda: checkpoint.parked, every_s=0)
        checkpoint.set()
        checkpoint.clear()
        if checkpoint.parked:
            before = passed[0]
            over.wait(0.0005)
            assert passed[0] == before
    over.set()
    checkpoint.set()
    thread.join(_LIMIT_S)
    assert not thread.is_alive()


def test_a_thread_that_has_ended_is_not_waited_for(custodian: Custodian) -> None:
    association = asked(custodian, Reader(at_most_s=0))
    held: Requestor = association._association
    held._kill = True
    held.join(_LIMIT_S)
    held._kill = False
    assert held.is_established and held._is_paused
    assert ends(association.close)
    assert not association.is_established


def test_an_association_whose_state_machine_has_failed_is_closed(custodian: Custodian) -> None:
    association = asked(custodian, Reader(at_most_s=0))
    dul = association._association.dul
    connected = dul.socket.socket
    dul.kill_dul()
    dul.join(_LIMIT_S)
    wait_for("the end of its thread", lambda: not association._association.is_alive())
    association.close()
    assert connected.fileno() == -1


@pytest.mark.parametrize("call", [Association.send_n_action, None])
def test_what_pynetdicom_does_not_end_is_broken_off(custodian: Custodian, call: Any) -> None:
    # an association that the other side has asked for is pynetdicom's own
    ae = AE("US")
    ae.add_requested_context(STORAGE_COMMITMENT)
    association: Any = ae.associate("127.0.0.1", custodian.port)
    association._reactor_checkpoint.clear()
    wait_for("the thread at its checkpoint", lambda: association._is_paused)
    wait_for("the thread at rest", lambda: not association._reactor_checkpoint.is_set())
    threading.Event().wait(0.05)
    association._is_paused = False

    def act() -> None:
        with pytest.raises(BrokenOff), watched(association, 0.5):
            if call is None:
                association.release()
            else:
                call(association, about("1.2"), 1, STORAGE_COMMITMENT, INSTANCE)

    assert ends(act)
    assert not association.is_established


class HandClock:
    """Seconds that pass when they are told to; counts who asks for them."""

    def __init__(self) -> None:
        self.now, self.looks = 0.0, 0

    def monotonic(self) -> float:
        self.looks += 1
        return self.now

    def forward(self, seconds: float) -> None:
        """Let time pass, and the watch look at it."""
        self.now += seconds
        asked = self.looks
        # the first look may have begun before
        wait_for("two looks", lambda: self.looks >= asked + 2, every_s=0.01)


def test_what_goes_on_is_not_broken_off(custodian: Custodian, monkeypatch: pytest.MonkeyPatch) -> None:
    association, clock = asked(custodian, Reader(at_most_s=0)), HandClock()
    monkeypatch.setattr(bounded, "time", clock)
    with watched(association._association, 4) as watch:
        for _ in range(4):
            clock.forward(3)
            watch.progress()
        watch.rest()
        clock.forward(100)
    assert association.is_established
    association.close()


def test_an_association_that_does_not_even_abort_is_ended(custodian: Custodian) -> None:
    # as one that waits within a unit when the node stops
    wire, far = socket.socketpair()
    ae = AE("US")
    ae.add_requested_context(STORAGE_COMMITMENT)
    association: Any = ae.associate("127.0.0.1", custodian.port)
    replaced = association.dul.socket.socket
    association.dul.socket.socket = wire
    far.sendall(b"\4\0\0")
    wait_for("the half of a unit", lambda: not select.select([wire], [], [], 0)[0])
    assert ends(lambda: abort(association))
    assert not association.is_established and not association.dul.is_alive()
    for one in (far, replaced):
        one.close()
