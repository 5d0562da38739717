"""Objects that are none, that lie, or that would eat a reader who decodes them."""

import socket
import struct
import zlib
from contextlib import ExitStack

import pytest

from tests.dicom import as_bytes, ct_series
from tests.hostile.service import Service
from tests.hostile.wire import CT, DEFLATED, associated, command, status, store, value
from tests.node.client import dataset_of
from tests.tools import wait_for

UID = "1.2.826.0.1.3680043.8.498.77"


def element(tag: int, vr: bytes, content: bytes) -> bytes:
    content += b"\0" * (len(content) % 2)
    head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr)
    if vr in (b"OB", b"OW", b"SQ", b"UN"):
        return head + struct.pack("<HI", 0, len(content)) + content
    return head + struct.pack("<H", len(content)) + content


def identity(**changed: bytes) -> bytes:
    """The four UIDs that every instance has; `changed` replaces some, an empty one is left out."""
    values = {"a": CT.encode(), "b": UID.encode(), "c": b"1.2.3", "d": b"1.2.4"} | changed
    tags = {"a": 0x00080016, "b": 0x00080018, "c": 0x0020000D, "d": 0x0020000E}
    return b"".join(element(tags[name], b"UI", text) for name, text in values.items() if text)


NESTED = struct.pack("<HH2sHI", 0x0008, 0x1140, b"SQ", 0, 0xFFFFFFFF) + struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
BAD = {
    "nothing": (b"", 0xC000),
    "random bytes": (bytes(range(256)) * 40, 0xC000),
    "zeros": (bytes(100_000), 0xC000),
    "a whole file instead of a data set": (bytes(128) + b"DICM" + identity(), 0xC000),
    "no SOP class": (identity(a=b""), 0xC000),
    "no SOP instance": (identity(b=b""), 0xC000),
    "no study": (identity(c=b""), 0xC000),
    "no series": (identity(d=b""), 0xC000),
    "a path for a study": (identity(c=b"../../../../etc/passwd"), 0xC000),
    "a path for a UID": (identity(b=b"../../../tmp/evil"), 0xC000),
    "a UID of 65 characters": (identity(b=b"1." + b"2" * 63), 0xC000),
    "a UID with a line break": (identity(b=b"1.2.3\n4"), 0xC000),
    "another instance than announced": (identity(b=b"1.2.3.4.5"), 0xA900),
    "another class than announced": (identity(a=b"1.2.840.10008.5.1.4.1.1.4"), 0xA900),
    "20 000 sequences in each other": (identity() + NESTED * 20_000, 0xC000),
    "a length of 4 GB": (identity() + struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, 0xFFFFFFFE), 0xC000),
    "a sequence of 4 GB": (identity() + struct.pack("<HH2sHI", 0x0040, 0x0275, b"SQ", 0, 0xFFFFFFFE), 0xC000),
    "an item longer than its sequence": (
        identity() + element(0x00400275, b"SQ", struct.pack("<HHI", 0xFFFE, 0xE000, 0x7FFFFFFF)),
        0xC000,
    ),
    "a delimiter where none may be": (identity() + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0), 0xC000),
    "fragments without an end": (
        identity()
        + struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OB", 0, 0xFFFFFFFF)
        + struct.pack("<HHI", 0xFFFE, 0xE000, 0),
        0xC000,
    ),
    "two million elements": (identity() + element(0x00210010, b"LO", b"") * 2_000_000, 0xC000),
    "a number of frames that is none": (identity() + element(0x00280008, b"IS", b"9" * 12), 0xC000),
}


@pytest.mark.parametrize(("data_set", "told"), BAD.values(), ids=BAD.keys())
def test_a_bad_object_is_refused_with_a_status_and_a_code(node: Service, data_set: bytes, told: int) -> None:
    before = node.refusals()
    kept = node.stored()
    with associated(node.port) as wire:
        for one in store(UID, data_set):
            wire.sendall(one)
        assert status(wire) == told
    assert node.stored() == kept
    after = node.refusals()
    code = "RCV-002" if told == 0xA900 else "RCV-001"
    assert after.get(code, 0) == before.get(code, 0) + 1


@pytest.mark.parametrize("uid", ["../../etc/passwd", "1..2", "", "x" * 64, "1.2.3/../..", "1.2\0.3"])
def test_a_request_that_announces_no_uid_is_refused(node: Service, uid: str) -> None:
    with associated(node.port) as wire:
        for one in store(uid, identity()):
            wire.sendall(one)
        assert status(wire) in (0xA900, 0xC000)
    root = node.settings.data_dir
    assert all(root in path.resolve().parents for path in node.stored())


def test_a_truncated_object_is_not_acknowledged(node: Service) -> None:
    whole = dataset_of(as_bytes(ct_series(slices=1, rows=16, columns=16)[0]))
    uid = str(ct_series(slices=1, rows=16, columns=16)[0].SOPInstanceUID)
    for cut in (1, 2, 7, 100, len(whole) // 2):
        with associated(node.port) as wire:
            for one in store(uid, whole[:-cut]):
                wire.sendall(one)
            assert status(wire) in (0xC000, 0xA900)


def test_a_deflate_bomb_costs_a_moment_and_no_memory(node: Service) -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    bomb = packer.compress(identity() + struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, 600 * 2**20))
    zeros = bytes(2**20)
    bomb += b"".join(packer.compress(zeros) for _ in range(600)) + packer.flush()
    start = node.cpu_s()
    with associated(node.port, [(CT, DEFLATED)]) as wire:
        for one in store(UID, bomb):
            wire.sendall(one)
        # it is stored as it came; workers inflate it within their own limits
        assert status(wire) in (0x0000, 0xC000)
    assert node.cpu_s() - start < 5


def test_an_object_without_end_is_cut_at_the_limit(node: Service) -> None:
    piece = value(1, 0, bytes(65536))
    with associated(node.port) as wire:
        wire.sendall(value(1, 3, command(CT, UID)))
        sent = 0
        try:
            while sent < 200 * 2**20:
                wire.sendall(piece)
                sent += len(piece)
        except OSError:
            pass
        assert sent < 80 * 2**20
    assert node.refusals()["RCV-001"] >= 1
    wait_for("the end of the draft", lambda: not node.has_drafts())


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_ten_thousand_small_objects_leave_memory_flat(node: Service) -> None:
    kept, half = len(node.stored()), 0.0
    with ExitStack() as held:
        # each object is on the disk before its answer: several wait for that together
        wires = [held.enter_context(associated(node.port)) for _ in range(20)]
        before = node.rss_mb()
        for number in range(10_000 // len(wires)):
            for place, wire in enumerate(wires):
                uid = f"{UID}.{number}.{place}"
                for one in store(uid, identity(b=uid.encode())):
                    wire.sendall(one)
            assert [status(wire) for wire in wires] == [0x0000] * len(wires)
            if number == 5_000 // len(wires):
                half = node.rss_mb()
    after = node.rss_mb()
    print(f"10,000 objects: {half - before:.1f} MB more after half of them, {after - before:.1f} MB after all")
    assert after - before < 16
    assert len(node.stored()) == kept + 10_000


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_an_object_of_two_gigabytes_leaves_memory_flat(tmp_path_factory: pytest.TempPathFactory) -> None:
    from tests.hostile.service import service

    size = 2 * 2**30 - 2
    with service(tmp_path_factory.mktemp("large"), receive={"max_object_mb": 4096, "network_timeout_s": 60}) as node:
        node.serves()
        before = node.rss_mb()
        with associated(node.port) as wire:
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2**20)
            wire.sendall(value(1, 3, command(CT, UID)))
            head = identity() + struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, size)
            wire.sendall(value(1, 0, head))
            piece, left, most = value(1, 0, bytes(65536)), size, before
            while left > 65536:
                wire.sendall(piece)
                left -= 65536
                if left % (256 * 2**20) < 65536:
                    most = max(most, node.rss_mb())
            wire.sendall(value(1, 2, bytes(left)))
            assert status(wire) == 0x0000
        most = max(most, node.rss_mb())
        print(f"an object of 2 GB: {most - before:.1f} MB more at most")
        assert most - before < 64
        node.serves()
