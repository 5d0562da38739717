"""Units on a wire: pieces of any size, limits of time, and ends in the middle."""

import socket
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.adapters.upper_layer import ConnectionEnded, Wire

LIMIT_S = 120.0


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    here, there = socket.socketpair()
    with here, there:
        yield here, there


def unit(kind: int, body: bytes) -> bytes:
    return bytes((kind, 0)) + len(body).to_bytes(4, "big") + body


@given(
    bodies=st.lists(st.binary(max_size=9000), min_size=1, max_size=5),
    cuts=st.lists(st.integers(1, 5000), min_size=1, max_size=8),
)
def test_units_are_the_same_however_they_are_cut_on_the_way(bodies: list[bytes], cuts: list[int]) -> None:
    here, there = socket.socketpair()
    with here, there:
        data = b"".join(unit(4, body) for body in bodies)

        def trickle() -> None:
            at = 0
            for number in range(10**6):
                if at >= len(data):
                    return
                step = cuts[number % len(cuts)]
                there.sendall(data[at : at + step])
                at += step

        sender = threading.Thread(target=trickle)
        sender.start()
        wire = Wire(here, idle_s=LIMIT_S, unit_s=LIMIT_S)
        for body in bodies:
            kind, length = wire.header()
            taken = bytearray()
            wire.stream(length, taken.extend)
            assert (kind, bytes(taken)) == (4, body)
        sender.join()


def test_what_does_not_fit_the_small_buffer_is_read_whole(pair: tuple[socket.socket, socket.socket]) -> None:
    here, there = pair
    body = bytes(range(256)) * 400
    threading.Thread(target=there.sendall, args=(unit(1, body),)).start()
    wire = Wire(here, idle_s=LIMIT_S, unit_s=LIMIT_S)
    assert wire.header() == (1, len(body))
    assert bytes(wire.exactly(len(body))) == body


def test_silence_ends_the_wait(pair: tuple[socket.socket, socket.socket]) -> None:
    wire = Wire(pair[0], idle_s=0.05, unit_s=LIMIT_S)
    with pytest.raises(ConnectionEnded):
        wire.header()


def test_a_unit_that_trickles_is_cut_off_though_a_byte_comes_now_and_then(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    here, there = pair
    # longer than the test may take: what ends the wait is the limit of the unit
    wire = Wire(here, idle_s=600, unit_s=0.3)
    stop = threading.Event()

    def trickle() -> None:
        there.sendall(unit(4, bytes(1000))[:8])
        while not stop.wait(0.05):
            there.sendall(b"\0")

    # bytes come for some 50 s, but for the limit
    trickling = threading.Thread(target=trickle, daemon=True)
    trickling.start()
    assert wire.header() == (4, 1000)
    with pytest.raises(ConnectionEnded, match="in time"):
        wire.exactly(1000)
    stop.set()
    trickling.join(LIMIT_S)


def test_a_connection_that_is_closed_in_the_middle_is_told(pair: tuple[socket.socket, socket.socket]) -> None:
    here, there = pair
    there.sendall(unit(4, bytes(100))[:50])
    there.close()
    wire = Wire(here, idle_s=LIMIT_S, unit_s=LIMIT_S)
    wire.header()
    with pytest.raises(ConnectionEnded, match="closed"):
        wire.stream(100, lambda piece: None)
