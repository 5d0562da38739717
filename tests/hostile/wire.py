"""Protocol data units put together by hand, right or wrong."""

import socket
import struct
from collections.abc import Iterable

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT, DEFLATED = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99"
ABORTED, CLOSED = 7, 0


def item(kind: int, body: bytes) -> bytes:
    return struct.pack(">BBH", kind, 0, len(body)) + body


def unit(kind: int, body: bytes) -> bytes:
    return struct.pack(">BBI", kind, 0, len(body)) + body


def request(
    contexts: Iterable[tuple[str, str]] = ((CT, EXPLICIT),), *, called: bytes = b"PULMONODE", calling: bytes = b"EVIL"
) -> bytes:
    """An A-ASSOCIATE-RQ."""
    proposed = b"".join(
        item(0x20, bytes((2 * n + 1, 0, 0, 0)) + item(0x30, abstract.encode()) + item(0x40, syntax.encode()))
        for n, (abstract, syntax) in enumerate(contexts)
    )
    user = item(0x50, item(0x51, struct.pack(">I", 131072)) + item(0x52, b"1.2.3"))
    body = struct.pack(">HH16s16s32x", 1, 0, called.ljust(16), calling.ljust(16))
    return unit(1, body + item(0x10, b"1.2.840.10008.3.1.1.1") + proposed + user)


def value(context: int, control: int, content: bytes) -> bytes:
    """One presentation data value in a P-DATA-TF unit of its own; control 3 ends a command, 2 a data set."""
    return unit(4, struct.pack(">IBB", len(content) + 2, context, control) + content)


def command(sop_class: str, sop_instance: str, *, field: int = 1, data_set: int = 1) -> bytes:
    """A command set."""

    def element(number: int, content: bytes) -> bytes:
        content += b"\0" * (len(content) % 2)
        return struct.pack("<HHI", 0, number, len(content)) + content

    body = element(2, sop_class.encode()) + element(0x100, struct.pack("<H", field))
    body += element(0x110, b"\1\0") + element(0x700, b"\0\0") + element(0x800, struct.pack("<H", data_set))
    body += element(0x1000, sop_instance.encode())
    return element(0, struct.pack("<I", len(body))) + body


def store(sop_instance: str, data_set: bytes, *, sop_class: str = CT, size: int = 65536) -> Iterable[bytes]:
    """The units of a C-STORE request."""
    yield value(1, 3, command(sop_class, sop_instance))
    for at in range(0, max(1, len(data_set)), size):
        piece = data_set[at : at + size]
        yield value(1, 2 if at + size >= len(data_set) else 0, piece)


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=60)


def associated(port: int, contexts: Iterable[tuple[str, str]] = ((CT, EXPLICIT),)) -> socket.socket:
    """A connection on which an association was accepted."""
    wire = connect(port)
    wire.sendall(request(contexts))
    kind, _ = answer(wire)
    assert kind == 2
    return wire


def answer(wire: socket.socket) -> tuple[int, bytes]:
    """Type and content of the next unit; (CLOSED, b"") when there is none any more."""
    try:
        head = _exactly(wire, 6)
        return head[0], _exactly(wire, struct.unpack_from(">I", head, 2)[0])
    except (EOFError, ConnectionError):
        return CLOSED, b""


def status(wire: socket.socket) -> int | None:
    """Status of the response; None when the association ends instead."""
    kind, body = answer(wire)
    at = body.find(struct.pack("<HHI", 0, 0x0900, 2))
    return int.from_bytes(body[at + 8 : at + 10], "little") if kind == 4 and at >= 0 else None


def _exactly(wire: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        part = wire.recv(count - len(data))
        if not part:
            raise EOFError
        data += part
    return data
