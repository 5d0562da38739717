"""Associations that the node asks for: whatever the peer does, and the library that speaks them, they end."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pydicom import Dataset

from node.adapters.association import Context, PeerAddress, associate
from node.adapters.bounded import BoundedAssociation
from node.adapters.commitment import INSTANCE
from pipelines.domain.reasons import Rejected
from pipelines.domain.sop_classes import STORAGE_COMMITMENT, STUDY_ROOT_FIND, STUDY_ROOT_GET, VERIFICATION
from tests.hostile.wire import EXPLICIT, answer, item, unit, value

# what a peer does ends no thread with a traceback
pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")

_LIMIT_S = 120
CLASSES = (VERIFICATION, STORAGE_COMMITMENT, STUDY_ROOT_FIND, STUDY_ROOT_GET)
RELEASED = unit(6, bytes(4))
ABORT = unit(7, bytes(4))


class Moody:
    """A peer that takes an association as it should, and then does as it is told, once, with what it is asked.

    Parameters
    ----------
    answers
        What it sends when something more has come; nothing more after the last, and it does not hang up.
    accepts
        What it sends to the request for an association.
    reads
        False when it reads nothing after that request.
    patience_s
        How long it may take for anything; what it does not do is waited for that long.
    """

    def __init__(
        self, *answers: bytes, accepts: bytes | None = None, reads: bool = True, patience_s: float = 1
    ) -> None:
        self._patience_s = patience_s
        self._answers = list(answers)
        self._accepts = acceptance() if accepts is None else accepts
        self._reads = reads
        self._over = threading.Event()
        self._server = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def address(self) -> PeerAddress:
        return PeerAddress("PEER", "PEER", "127.0.0.1", self._server.getsockname()[1], self._patience_s)

    def stop(self) -> None:
        self._over.set()
        self._server.close()
        self._thread.join(_LIMIT_S)

    def _serve(self) -> None:
        connection, _ = self._server.accept()
        with connection:
            connection.settimeout(_LIMIT_S)
            answer(connection)
            connection.sendall(self._accepts)
            while self._reads and self._answers:
                kind, _ = answer(connection)
                if not kind:
                    return
                connection.sendall(self._answers.pop(0))
            self._over.wait(_LIMIT_S)


def acceptance(syntaxes: Sequence[str] = (EXPLICIT,)) -> bytes:
    """An A-ASSOCIATE-AC that takes all of CLASSES."""
    spoken = b"".join(item(0x40, one.encode()) for one in syntaxes)
    taken = b"".join(item(0x21, bytes((2 * number + 1, 0, 0, 0)) + spoken) for number in range(len(CLASSES)))
    user = item(0x50, item(0x51, struct.pack(">I", 16384)) + item(0x52, b"1.2.3"))
    head = struct.pack(">HH16s16s32x", 1, 0, b"PEER".ljust(16), b"PULMONODE".ljust(16))
    return unit(2, head + item(0x10, b"1.2.840.10008.3.1.1.1") + taken + user)


def response(context: int, field: int, status: int) -> bytes:
    """A response without a data set, as one P-DATA-TF unit."""

    def element(number: int, content: bytes) -> bytes:
        return struct.pack("<HHI", 0, number, len(content)) + content

    body = b"".join(
        element(number, struct.pack("<H", one))
        for number, one in ((0x100, field), (0x120, 1), (0x800, 0x0101), (0x900, status))
    )
    return value(context, 3, element(0, struct.pack("<I", len(body))) + body)


def to(peer: Moody) -> BoundedAssociation | Rejected:
    return associate("PULMONODE", peer.address, [Context(one, (EXPLICIT,)) for one in CLASSES])


def in_time(act: Callable[[], Any]) -> Any:
    """What `act` gives or raises; fails when it gives nothing in time."""
    got: list[Any] = []

    def run() -> None:
        try:
            got.append(act())
        except Exception as fault:
            got.append(fault)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(_LIMIT_S)
    assert not thread.is_alive(), "it waits without end"
    return got[0]


class Peers:
    """All that a test has to do with, so that they end with it."""

    def __init__(self) -> None:
        self.made: list[Moody] = []

    def __call__(self, *answers: bytes, **others: Any) -> Moody:
        self.made.append(Moody(*answers, **others))
        return self.made[-1]

    def associated(self, *answers: bytes, **others: Any) -> BoundedAssociation:
        """An association with such a peer; the second that it has for that may be short on a busy machine."""
        for _ in range(10):
            association = to(self(*answers, **others))
            if isinstance(association, BoundedAssociation):
                return association
        pytest.fail("no association")


@pytest.fixture
def moody() -> Iterator[Peers]:
    peers = Peers()
    yield peers
    for peer in peers.made:
        peer.stop()


def keys() -> Dataset:
    asked = Dataset()
    asked.QueryRetrieveLevel = "STUDY"
    asked.StudyInstanceUID = ""
    return asked


def references(count: int) -> Dataset:
    """A request for commitment of `count` objects."""
    one = Dataset()
    one.ReferencedSOPClassUID, one.ReferencedSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", "1.2." + "3" * 40
    asked = Dataset()
    asked.TransactionUID = "1.2"
    asked.ReferencedSOPSequence = [one] * count
    return asked


def answered(found: Any) -> list[Any]:
    return [status.get("Status") for status, _ in found]


CALLS: dict[str, tuple[int, int, Callable[[BoundedAssociation], Any]]] = {
    "C-ECHO": (1, 0x8030, lambda to: to.send_c_echo().get("Status")),
    "N-ACTION": (
        3,
        0x8130,
        lambda to: to.send_n_action(references(1), 1, STORAGE_COMMITMENT, INSTANCE).get("Status"),
    ),
    "N-EVENT-REPORT": (
        3,
        0x8100,
        lambda to: to.send_n_event_report(references(1), 1, STORAGE_COMMITMENT, INSTANCE).get("Status"),
    ),
    "C-FIND": (5, 0x8020, lambda to: answered(to.send_c_find(keys(), STUDY_ROOT_FIND))[-1]),
    "C-GET": (7, 0x8010, lambda to: answered(to.send_c_get(keys(), STUDY_ROOT_GET))[-1]),
}
"""Presentation context, command field of the response, and the call that gives the status of the answer."""


def each_given_up(peers: Peers, said: Callable[[int, int], list[bytes]], *, to: Sequence[str] = tuple(CALLS)) -> None:
    """Calls to a peer that says such things, given context and command field, end without an answer."""

    def one(name: str) -> None:
        context, field, call = CALLS[name]
        association = peers.associated(*said(context, field))
        got = in_time(lambda: call(association))
        assert got is None or isinstance(got, RuntimeError), (name, got)
        in_time(association.close)
        assert not association.is_established, name

    with ThreadPoolExecutor(len(CALLS)) as pool:
        list(pool.map(one, to))


@pytest.mark.parametrize("name", CALLS)
def test_a_peer_that_answers_is_heard_and_let_go(name: str, moody: Peers) -> None:
    context, field, call = CALLS[name]
    # of requests with a data set the first unit is the command
    units = [b""] * (name != "C-ECHO") + [response(context, field, 0), RELEASED]
    association = moody.associated(*units, patience_s=_LIMIT_S)
    assert call(association) == 0
    association.close()
    assert association._association.is_released


@pytest.mark.parametrize("said", [b"", b"\4", RELEASED, ABORT, unit(5, bytes(4)), unit(9, b"")])
def test_a_peer_that_does_not_answer_is_given_up(said: bytes, moody: Peers) -> None:
    each_given_up(moody, lambda context, field: [said])


def test_a_peer_that_answers_by_half_is_given_up(moody: Peers) -> None:
    each_given_up(moody, lambda context, field: [response(context, field, 0)[:20]])


def test_a_peer_that_answers_another_request_is_given_up(moody: Peers) -> None:
    # pynetdicom looks at nothing of the answer to a C-ECHO but its status
    each_given_up(moody, lambda context, field: [response(context, 0x8140, 0)], to=tuple(CALLS)[1:])


@pytest.mark.parametrize("said", [b"", RELEASED[:7], response(1, 0x8030, 0)[:20], ABORT, unit(5, bytes(4))])
def test_an_association_ends_though_the_peer_does_not_answer(said: bytes, moody: Peers) -> None:
    for lost in (False, True):
        association = moody.associated(said)
        in_time(lambda association=association, lost=lost: association.close(lost=lost))
        assert not association.is_established
        in_time(association.close)


@pytest.mark.parametrize("accepts", [b"", acceptance()[:3], acceptance()[:50], ABORT, RELEASED])
def test_a_peer_that_does_not_take_the_association_is_unreachable(accepts: bytes, moody: Peers) -> None:
    got = in_time(lambda: to(moody(accepts=accepts)))
    assert isinstance(got, Rejected) and got.code == "NET-001"


@pytest.mark.parametrize("syntaxes", [(), ("1.2.3",), ("1.2.840.10008.1.2",), ("",)])
def test_a_peer_that_chooses_what_was_not_proposed_accepts_nothing(syntaxes: tuple[str, ...], moody: Peers) -> None:
    # it lets go, so that nothing is waited for
    got = in_time(lambda: to(moody(RELEASED, accepts=acceptance(syntaxes), patience_s=_LIMIT_S / 2)))
    assert isinstance(got, Rejected) and got.code == "NET-004"


def test_a_peer_that_reads_nothing_is_given_up(moody: Peers) -> None:
    association = moody.associated(reads=False)
    # more than the kernels of both sides keep
    got = in_time(lambda: association.send_n_action(references(120_000), 1, STORAGE_COMMITMENT, INSTANCE))
    assert isinstance(got, RuntimeError) or "Status" not in got
    in_time(association.close)
    assert not association.is_established
