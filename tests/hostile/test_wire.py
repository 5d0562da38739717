"""Units that are none, or not now, or not so long."""

import random
import socket
import struct
import time
from contextlib import suppress

import pytest

from tests.hostile.service import Service
from tests.hostile.wire import (
    ABORTED,
    CLOSED,
    CT,
    EXPLICIT,
    answer,
    associated,
    command,
    connect,
    item,
    request,
    status,
    store,
    unit,
    value,
)
from tests.node.client import associate
from tests.tools import wait_for


def _asking(context: bytes) -> bytes:
    """A request for an association that proposes this one presentation context."""
    body = struct.pack(">HH16s16s32x", 1, 0, b"PULMONODE".ljust(16), b"EVIL".ljust(16))
    user = item(0x50, item(0x51, struct.pack(">I", 131072)) + item(0x52, b"1.2.3"))
    proposed = item(0x20, bytes((1, 0, 0, 0)) + context)
    return unit(1, body + item(0x10, b"1.2.840.10008.3.1.1.1") + proposed + user)


FIRST = {
    "http": b"GET /instances HTTP/1.1\r\nHost: node\r\n\r\n",
    "tls hello": bytes.fromhex("160301020001000 1fc0303".replace(" ", "")) + bytes(504),
    "ssh": b"SSH-2.0-OpenSSH_9.6\r\n",
    "4 GiB request": struct.pack(">BBI", 1, 0, 0xFFFFFFFF) + bytes(65536),
    "request of 20 000 contexts": unit(
        1, request()[6:] + item(0x20, bytes((1, 0, 0, 0)) + item(0x30, b"1.2")) * 20_000
    ),
    "a context without transfer syntax": _asking(item(0x30, CT.encode())),
    "a context without abstract syntax": _asking(item(0x40, EXPLICIT.encode())),
    "empty request": struct.pack(">BBI", 1, 0, 0),
    "data first": value(1, 3, command(CT, "1.2.3")),
    "release first": unit(5, bytes(4)),
    "unknown unit": unit(0x99, bytes(40)),
    "nested items that lie": unit(1, struct.pack(">HH16s16s32x", 1, 0, b"PULMONODE", b"EVIL") + b"\x10\0\xff\xff" * 99),
}
LATER = {
    "4 GiB unit": struct.pack(">BBI", 4, 0, 0xFFFFFFFF) + bytes(65536),
    "unit one longer than agreed": struct.pack(">BBI", 4, 0, 131073) + bytes(131073),
    "value longer than its unit": struct.pack(">BBIIBB", 4, 0, 6, 0xFFFFFFF0, 1, 3),
    "value of length 0": struct.pack(">BBIIBB", 4, 0, 6, 0, 1, 3),
    "context never agreed": value(99, 3, command(CT, "1.2.3")),
    "data set without command": value(1, 2, bytes(100)),
    "command in a data set": value(1, 3, command(CT, "1.2.3")) + value(1, 3, command(CT, "1.2.3")),
    "command of group 8": value(1, 3, struct.pack("<HHI", 8, 0x18, 4) + b"1.2\0"),
    "command that is cut": value(1, 3, command(CT, "1.2.3")[:-9]),
    "command without a class": value(1, 3, struct.pack("<HHI", 0, 0x110, 2) + b"\1\0"),
    "endless command": value(1, 1, bytes(60000)) * 3,
    "second request": request(),
    "response out of the blue": value(1, 3, command(CT, "1.2.3", field=0x8001, data_set=0x0101)) * 2,
}


@pytest.mark.parametrize("greeting", FIRST.values(), ids=FIRST.keys())
def test_what_is_no_request_ends_the_connection_and_is_told_with_a_code(node: Service, greeting: bytes) -> None:
    before = len(node.lines())
    with connect(node.port) as wire:
        _send(wire, greeting)
        assert answer(wire)[0] in (ABORTED, CLOSED)
    _told(node, before)


@pytest.mark.parametrize("units", LATER.values(), ids=LATER.keys())
def test_what_breaks_the_protocol_aborts_the_association(node: Service, units: bytes) -> None:
    with associated(node.port) as wire:
        _send(wire, units)
        kinds = [answer(wire)[0]]
        # what is answered properly goes on until the association is released
        if kinds[0] == 4:
            _send(wire, unit(5, bytes(4)))
            kinds = [answer(wire)[0] for _ in range(2)]
            assert 6 in kinds
        else:
            assert kinds[0] in (ABORTED, CLOSED)


def test_random_units_of_every_type_end_in_an_abort(node: Service) -> None:
    dice = random.Random(5)
    for number in range(200):
        with associated(node.port) if number % 2 else connect(node.port) as wire:
            body = dice.randbytes(dice.choice((0, 1, 3, 4, 5, 12, 200, 5000)))
            length = dice.choice((len(body), len(body) + 1, max(0, len(body) - 1), 0xFFFFFFFF, 131072))
            _send(wire, struct.pack(">BBI", dice.randint(0, 8), 0, length) + body)
            with suppress(OSError):  # it may have been cut off already
                wire.shutdown(socket.SHUT_WR)
            while answer(wire)[0] not in (ABORTED, CLOSED, 3, 6):
                pass


def test_a_unit_that_comes_byte_by_byte_is_cut_off_while_others_are_served(node: Service) -> None:
    before = len(node.lines())
    with connect(node.port) as wire:
        start = time.monotonic()
        for byte in request():
            try:
                wire.sendall(bytes((byte,)))
            except OSError:
                break
            node.serves()
            wire.settimeout(1.5)
            try:
                if not wire.recv(1):
                    break
            except TimeoutError:
                continue
            except OSError:
                break
        # all of it would take minutes
        assert time.monotonic() - start < 150
    assert "in time" in _told(node, before)


def test_a_silent_connection_is_closed(node: Service) -> None:
    with connect(node.port) as wire:
        assert answer(wire)[0] in (ABORTED, CLOSED)


def test_a_sender_that_goes_in_the_middle_of_an_object_leaves_nothing(node: Service) -> None:
    before = node.stored()
    for leave in ("abort", "release", "reset", "close"):
        wait_for("the end of all drafts before", lambda: not node.has_drafts())
        with associated(node.port) as wire:
            units = list(store("1.2.3.4", bytes(300_000)))
            for one in units[:3]:
                wire.sendall(one)
            wait_for("the draft", node.has_drafts, every_s=0.01)
            if leave == "abort":
                wire.sendall(unit(7, bytes(4)))
            elif leave == "release":
                wire.sendall(unit(5, bytes(4)))
                answer(wire)
            elif leave == "reset":
                wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        wait_for(f"the end of the draft, after {leave}", lambda: not node.has_drafts())
    assert node.stored() == before


def test_a_wrong_title_and_an_unknown_class_are_refused(node: Service) -> None:
    assert associate(node.port, [(CT, None)], called="SOMEBODY").is_rejected
    assert not associate(node.port, [("1.2.840.10008.5.1.4.1.1.481.5", None)]).is_established
    with associated(node.port) as wire:
        for one in store("1.2.3.4", bytes(10), sop_class="1.2.840.10008.5.1.4.1.1.66.4"):
            wire.sendall(one)
        assert status(wire) == 0x0122
    whys = " ".join(node.turned_away())
    assert "It calls SOMEBODY" in whys
    assert "offered none of the object classes" in whys


def _send(wire: socket.socket, data: bytes) -> None:
    try:
        wire.sendall(data)
    except OSError:
        # it was cut off before it had said everything
        return


def _told(node: Service, before: int) -> str:
    """Why the log says, after its first `before` lines, that somebody did not ask for an association as one does."""

    def reasons() -> list[str]:
        lines = node.lines()[before:]
        return [line["reason"] for line in lines if line["event"] == "association_not_understood"]

    (reason,) = wait_for("the reason in the log", reasons)
    (code,) = {line["code"] for line in node.lines()[before:] if line["event"] == "association_not_understood"}
    assert code == "NET-005"
    return str(reason)
