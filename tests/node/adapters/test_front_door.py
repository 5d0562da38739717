"""The door itself, by bytes: what is no association, what breaks one, and who is served meanwhile."""

import logging
import select
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from pydicom import Dataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from node.adapters import front_door
from node.adapters.front_door import Rules
from node.adapters.ledger import SqlLedger
from node.adapters.spool import FileSpool
from node.adapters.storage_scp import StorageScp
from node.logs import Log
from node.services.receive import Receiver
from pipelines.domain.sop_classes import CT_IMAGES, SEGMENTATIONS
from tests.dicom import ct_series
from tests.node.client import Message, message, store_all
from tests.node.doors import rules
from tests.node.doubles import SetClock
from tests.tools import wait_for

ABORT = 7
PATIENCE_S = 120.0
"""Of a test with the door, however busy the machine is."""
RELEASE = bytes((5, 0, 0, 0, 0, 4, 0, 0, 0, 0))


@pytest.fixture(scope="module")
def ct() -> list[Dataset]:
    return ct_series(slices=3, rows=16, columns=16)


class Door:
    """A node's door with what lies behind it."""

    def __init__(self, folder: Path, ledger: SqlLedger, given: Rules) -> None:
        self.folder = folder
        self.ledger = ledger
        self.scp = StorageScp(
            Receiver(FileSpool(folder, min_free_bytes=0), ledger, SetClock(), Log("receive")),
            Log("receive"),
            given,
            storage_classes=CT_IMAGES | SEGMENTATIONS,
        )
        self.port = self.scp.start("127.0.0.1", 0)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S)

    def drafts(self) -> list[Path]:
        """What is being written."""
        return list((self.folder / "tmp").glob("*"))

    def files(self) -> list[Path]:
        """All but the name of the spool."""
        return [path for path in self.folder.rglob("*") if path.is_file() and path != self.folder / "identity"]


@pytest.fixture
def door(tmp_path: Path, sqlite_ledger: SqlLedger) -> Iterator[Door]:
    made = Door(tmp_path / "spool", sqlite_ledger, rules(network_timeout_s=PATIENCE_S, max_object_bytes=2**20))
    yield made
    made.scp.stop()


def item(kind: int, body: bytes) -> bytes:
    return struct.pack(">BBH", kind, 0, len(body)) + body


def request(
    *,
    called: bytes = b"PULMONODE",
    version: int = 1,
    application: bytes = b"1.2.840.10008.3.1.1.1",
    syntaxes: tuple[int, ...] = (0x30, 0x40),
) -> bytes:
    names = {0x30: str(CTImageStorage), 0x40: str(ExplicitVRLittleEndian)}
    proposed = item(0x20, bytes((1, 0, 0, 0)) + b"".join(item(kind, names[kind].encode()) for kind in syntaxes))
    user = item(0x50, item(0x51, struct.pack(">I", 16384)) + item(0x52, b"1.2.3"))
    body = struct.pack(">HH16s16s32x", version, 0, called.ljust(16), b"SCANNER".ljust(16))
    body += item(0x10, application) + proposed + user
    return struct.pack(">BBI", 1, 0, len(body)) + body


def data_unit(*values: tuple[int, int, bytes]) -> bytes:
    """A P-DATA-TF unit of (context, control header, content)."""
    body = b"".join(
        struct.pack(">IBB", len(content) + 2, context, control) + content for context, control, content in values
    )
    return struct.pack(">BBI", 4, 0, len(body)) + body


def command(sent: Message, *, field: int = 1, data_set: int = 1) -> bytes:
    def element(number: int, value: bytes) -> bytes:
        value += b"\0" * (len(value) % 2)
        return struct.pack("<HHI", 0, number, len(value)) + value

    body = element(2, sent.sop_class.encode()) + element(0x100, struct.pack("<H", field))
    body += element(0x110, b"\1\0") + element(0x800, struct.pack("<H", data_set))
    return element(0, struct.pack("<I", len(body))) + body + element(0x1000, sent.sop_instance.encode())


def answer(wire: socket.socket) -> tuple[int, bytes]:
    """Type and content of the next unit; (0, b"") when the connection is closed."""
    head = b""
    while len(head) < 6:
        try:
            part = wire.recv(6 - len(head))
        except ConnectionResetError:  # closed before everything was read
            return 0, b""
        if not part:
            return 0, b""
        head += part
    body, length = b"", struct.unpack_from(">I", head, 2)[0]
    while len(body) < length:
        body += wire.recv(length - len(body))
    return head[0], body


def status(body: bytes) -> int:
    at = body.find(struct.pack("<HHI", 0, 0x0900, 2))
    told: int = struct.unpack_from("<H", body, at + 8)[0]
    return told


def associated(door: Door) -> socket.socket:
    wire = door.connect()
    wire.sendall(request())
    assert answer(wire)[0] == 2
    return wire


@pytest.mark.parametrize(
    "greeting",
    [
        b"GET / HTTP/1.1\r\nHost: node\r\n\r\n",
        struct.pack(">BBI", 1, 0, 0xFFFFFFFF),
        struct.pack(">BBI", 1, 0, 200_000),
        struct.pack(">BBI", 1, 0, 0),
        struct.pack(">BBI", 1, 0, 80) + bytes(80),
        struct.pack(">BBI", 1, 0, 200) + bytes(range(200)),
        struct.pack(">BBI", 4, 0, 12) + bytes(12),
        RELEASE,
        request(syntaxes=(0x30,)),
        request(syntaxes=(0x40,)),
    ],
    ids=[
        "http",
        "4 GiB",
        "200 kB",
        "empty",
        "zeros",
        "rubbish",
        "data first",
        "release first",
        "no transfer syntax",
        "no abstract syntax",
    ],
)
def test_what_is_no_request_for_an_association_is_aborted(
    door: Door, ct: list[Dataset], greeting: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with door.connect() as wire:
        wire.sendall(greeting)
        assert answer(wire)[0] in (ABORT, 0)
    assert "association_failed" not in caplog.text
    assert store_all(door.port, ct) == [0x0000] * 3


@pytest.mark.parametrize("place", ["request", "presentation context", "user information"])
def test_items_that_dicom_does_not_know_yet_are_skipped(door: Door, ct: list[Dataset], place: str) -> None:
    asked = request()
    unknown = item(0x7F, b"of a later edition") * 200
    context_at, user_at = asked.index(bytes((0x20, 0)), 74), asked.index(bytes((0x50, 0)), 74)
    context, user = asked[context_at + 4 : user_at], asked[user_at + 4 :]
    if place == "presentation context":
        context += unknown
    elif place == "user information":
        user = unknown + user
    body = asked[6:context_at] + (unknown if place == "request" else b"") + item(0x20, context) + item(0x50, user)
    with door.connect() as wire:
        wire.sendall(struct.pack(">BBI", 1, 0, len(body)) + body)
        assert answer(wire)[0] == 2
        sent = message(ct[0])
        wire.sendall(data_unit((1, 3, command(sent)), (1, 2, sent.dataset)))
        kind, told = answer(wire)
        assert (kind, status(told)) == (4, 0x0000)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (request(called=b"pulmonode"), (1, 1, 7)),
        (request(version=2), (1, 2, 2)),
        (request(application=b"1.2.3"), (1, 1, 2)),
    ],
    ids=["called AE title", "version", "application"],
)
def test_a_rejection_says_why(door: Door, asked: bytes, told: tuple[int, int, int]) -> None:
    with door.connect() as wire:
        wire.sendall(asked)
        kind, body = answer(wire)
        assert (kind, tuple(body[1:])) == (3, told)


@pytest.mark.parametrize(
    "units",
    [
        struct.pack(">BBI", 4, 0, 0xFFFFFFFF),
        struct.pack(">BBI", 4, 0, 16385),
        data_unit((3, 3, b"")),
        struct.pack(">BBIIBB", 4, 0, 6, 1, 1, 3),
        struct.pack(">BBIIBB", 4, 0, 6, 0xFFFFFFF0, 1, 3),
        data_unit((1, 3, b"\x01\x02\x03\x04")),
        data_unit((1, 3, bytes(range(64)))),
        data_unit((1, 2, b"a data set without a command")),
        data_unit(*((1, 1, bytes(16000)),)) * 5,
        struct.pack(">BBI", 9, 0, 4) + bytes(4),
        struct.pack(">BBI", 2, 0, 4) + bytes(4),
        struct.pack(">BBI", 5, 0, 400) + bytes(400),
    ],
    ids=[
        "4 GiB unit",
        "unit longer than agreed",
        "unknown context",
        "value of length 1",
        "lying value length",
        "cut command",
        "rubbish command",
        "data without command",
        "endless command",
        "unknown unit",
        "acceptance from the requestor",
        "long release",
    ],
)
def test_what_breaks_the_protocol_is_aborted_and_others_are_served(door: Door, ct: list[Dataset], units: bytes) -> None:
    with associated(door) as wire:
        # it may be closed before all of them are on the way
        with suppress(BrokenPipeError, ConnectionResetError):
            wire.sendall(units)
        assert answer(wire)[0] in (ABORT, 0)
    assert store_all(door.port, ct) == [0x0000] * 3
    assert len(door.files()) == 3


def test_a_command_inside_a_data_set_is_aborted(door: Door, ct: list[Dataset]) -> None:
    sent = message(ct[0])
    with associated(door) as wire:
        wire.sendall(data_unit((1, 3, command(sent)), (1, 0, b"half"), (1, 3, command(sent))))
        assert answer(wire)[0] == ABORT
    assert not door.files()


def test_an_unknown_operation_is_answered_and_the_association_goes_on(door: Door, ct: list[Dataset]) -> None:
    sent = message(ct[0])
    with associated(door) as wire:
        wire.sendall(data_unit((1, 3, command(sent, field=0x0140))) + data_unit((1, 2, b"\0" * 10)))
        kind, body = answer(wire)
        assert (kind, status(body)) == (4, 0x0211)
        wire.sendall(data_unit((1, 3, command(sent))) + data_unit((1, 2, sent.dataset)))
        kind, body = answer(wire)
        assert (kind, status(body)) == (4, 0x0000)
        wire.sendall(RELEASE)
        assert answer(wire)[0] == 6
    assert len(door.files()) == 1


def test_another_class_than_agreed_is_not_supported(door: Door, ct: list[Dataset]) -> None:
    sent = Message("1.2.840.10008.5.1.4.1.1.4", "1.2.3", ExplicitVRLittleEndian, b"")
    with associated(door) as wire:
        wire.sendall(data_unit((1, 3, command(sent))) + data_unit((1, 2, bytes(10))))
        kind, body = answer(wire)
        assert (kind, status(body)) == (4, 0x0122)


@pytest.mark.parametrize("uid", ["../../../etc/passwd", "1.2.840\x00.1", "王小明", "1" * 200, ""])
def test_an_instance_uid_that_is_none_names_no_file_and_stands_in_no_message(
    door: Door, ct: list[Dataset], uid: str, caplog: pytest.LogCaptureFixture
) -> None:
    sent = message(ct[0])
    announced = command(Message(sent.sop_class, "", "", b""))[:-8]
    value = uid.encode() + b"\0" * (len(uid.encode()) % 2)
    announced += struct.pack("<HHI", 0, 0x1000, len(value)) + value
    with associated(door) as wire:
        wire.sendall(data_unit((1, 3, announced)) + data_unit((1, 2, sent.dataset)))
        kind, body = answer(wire)
        assert (kind, status(body)) == (4, 0xA900)
    assert not door.files()
    (refusal,) = door.ledger.overview(limit=1).refusals
    assert not uid or uid not in refusal.last_detail + caplog.text


def test_an_object_longer_than_allowed_is_cut_off_and_told_to_people(door: Door, ct: list[Dataset]) -> None:
    sent = message(ct[0])
    with associated(door) as wire:
        wire.sendall(data_unit((1, 3, command(sent))))
        with pytest.raises(OSError, match=r"[Rr]eset|[Bb]roken"):
            for _ in range(2000):
                wire.sendall(data_unit((1, 0, bytes(16000))))
    assert not door.files()
    (refusal,) = door.ledger.overview(limit=1).refusals
    assert "longer than 1048576 bytes" in refusal.last_detail


def test_a_connection_that_breaks_in_the_middle_leaves_nothing(
    door: Door, ct: list[Dataset], caplog: pytest.LogCaptureFixture
) -> None:
    assert store_all(door.port, ct[:1]) == [0x0000]
    kept = door.files()
    assert len(kept) == 1
    sent = message(ct[1])
    caplog.set_level(logging.INFO, "pulmonode.receive")
    with associated(door) as wire:
        wire.sendall(data_unit((1, 3, command(sent)), (1, 0, sent.dataset[:50])))
        (draft,) = wait_for("the draft", door.drafts, every_s=0.01)
        wait_for("its first bytes", lambda: draft.stat().st_size, every_s=0.01)
    wait_for("the end of the association", lambda: "association_lost" in caplog.text, every_s=0.01)
    assert door.files() == kept


def test_those_who_trickle_or_say_nothing_delay_nobody(
    tmp_path: Path, sqlite_ledger: SqlLedger, ct: list[Dataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(front_door, "_GREETING_S", PATIENCE_S)
    door = Door(tmp_path / "spool", sqlite_ledger, rules(network_timeout_s=PATIENCE_S))
    silent, trickling = door.connect(), associated(door)
    with silent, trickling:
        trickling.sendall(data_unit((1, 3, bytes(100)))[:20])
        assert store_all(door.port, ct) == [0x0000] * 3
        # they have not been cut off yet: nobody has waited for their end
        assert not select.select([silent, trickling], [], [], 0)[0]
    door.scp.stop()


def test_those_who_trickle_or_say_nothing_are_cut_off(
    tmp_path: Path, sqlite_ledger: SqlLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    # what else could end them lasts longer than the test
    monkeypatch.setattr(front_door, "_GREETING_S", 600.0)
    monkeypatch.setattr(front_door, "_UNIT_S", 600.0)
    door = Door(tmp_path / "spool", sqlite_ledger, rules(network_timeout_s=1))
    with door.connect() as silent:
        assert answer(silent)[0] in (ABORT, 0)
    with door.connect() as trickling:
        trickling.sendall(request() + data_unit((1, 3, bytes(100)))[:20])
        assert answer(trickling)[0] == 2
        assert answer(trickling)[0] in (ABORT, 0)
    door.scp.stop()


def cpu_of_half_a_second() -> float:
    before = time.process_time()
    time.sleep(0.5)
    return time.process_time() - before


def test_hundreds_of_associations_wait_in_peace(tmp_path: Path, sqlite_ledger: SqlLedger) -> None:
    door = Door(tmp_path / "spool", sqlite_ledger, rules(max_associations=300, network_timeout_s=280))
    waiting = [associated(door) for _ in range(299)]
    # threads of other tests may still be ending
    wait_for("peace", lambda: cpu_of_half_a_second() < 0.1, timeout_s=60)
    assert len([thread for thread in threading.enumerate() if thread.name == "association"]) >= 299
    echo = data_unit((1, 3, command(message(ct_series(slices=1, rows=8, columns=8)[0]), field=0x30, data_set=0x101)))
    for wire in (waiting[0], waiting[150], waiting[298]):
        wire.sendall(echo)
        assert status(answer(wire)[1]) == 0x0000
    for wire in waiting:
        wire.close()
    door.scp.stop()
