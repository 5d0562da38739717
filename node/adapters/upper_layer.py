"""Protocol data units on a socket, read within bounds and without copying what is not looked at (PS3.8 section 9.3)."""

import socket
import ssl
import struct
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from enum import IntEnum
from typing import Final

HEADER_BYTES: Final = 6
_SMALL_BUFFER_BYTES: Final = 4 * 1024
_BUFFER_BYTES: Final = 256 * 1024
_UINT32_BE: Final = struct.Struct(">I")
APPLICATION_CONTEXT: Final = "1.2.840.10008.3.1.1.1"
"""The one that DICOM has (PS3.7 A.2.1)."""
RELEASE_REQUEST: Final = bytes((5, 0, 0, 0, 0, 4, 0, 0, 0, 0))
RELEASE_RESPONSE: Final = bytes((6, 0, 0, 0, 0, 4, 0, 0, 0, 0))


class PduType(IntEnum):
    """First byte of a protocol data unit."""

    ASSOCIATE_RQ = 1
    ASSOCIATE_AC = 2
    ASSOCIATE_RJ = 3
    DATA = 4
    RELEASE_RQ = 5
    ABORT = 7


class AbortReason(IntEnum):
    """Why the service provider aborts (PS3.8 table 9-26)."""

    NOT_SPECIFIED = 0
    UNRECOGNISED_PDU = 1
    UNEXPECTED_PDU = 2
    INVALID_PARAMETER = 6


class ProtocolError(Exception):
    """The other side broke the protocol; the association ends with an abort."""

    def __init__(self, reason: AbortReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class ConnectionEnded(Exception):
    """The other side closed the connection, or said nothing for too long."""


class TooSlow(ConnectionEnded):
    """A unit had begun and did not arrive in time."""


def abort(reason: AbortReason) -> bytes:
    """An A-ABORT from the service provider."""
    return bytes((7, 0, 0, 0, 0, 4, 0, 0, 2, reason))


def rejection(*, result: int, source: int, diagnostic: int) -> bytes:
    """An A-ASSOCIATE-RJ (PS3.8 table 9-21)."""
    return bytes((3, 0, 0, 0, 0, 4, 0, result, source, diagnostic))


class Wire:
    """What arrives on one connection.

    Parameters
    ----------
    connection
        Connected socket, plain or TLS.
    idle_s
        Seconds that the other side may say nothing between two units.
    unit_s
        Seconds within which a unit has to arrive once it has begun, however often a byte of it comes.
    """

    def __init__(self, connection: socket.socket, *, idle_s: float, unit_s: float) -> None:
        self._socket = connection
        self._buffer = bytearray()
        self._view = memoryview(self._buffer)
        self._begin = self._end = 0
        self._deadline: float | None = None
        self.patience(idle_s=idle_s, unit_s=unit_s)

    def patience(self, *, idle_s: float, unit_s: float) -> None:
        """Change how long it is waited."""
        self._unit_s = unit_s
        self._socket.settimeout(idle_s)

    def header(self) -> tuple[int, int]:
        """Type and length of the next unit; waits for it."""
        self._deadline = None
        self._fill(1)
        self._deadline = time.monotonic() + self._unit_s
        head = self.exactly(HEADER_BYTES)
        return head[0], _UINT32_BE.unpack_from(head, 2)[0]

    def exactly(self, count: int) -> memoryview:
        """The next `count` bytes, valid until the next call; `count` is at most half of the buffer.

        Raises
        ------
        ConnectionEnded
            If they do not come.
        """
        self._fill(count)
        begin = self._begin
        self._begin += count
        return self._view[begin : self._begin]

    def stream(self, count: int, sink: Callable[[memoryview], None]) -> None:
        """Hand the next `count` bytes on, piece by piece."""
        if count > len(self._buffer):
            self._make_room(min(count, _BUFFER_BYTES))
        while count:
            if self._begin == self._end:
                self._fill(1)
            piece = self._view[self._begin : min(self._end, self._begin + count)]
            sink(piece)
            self._begin += len(piece)
            count -= len(piece)

    def send(self, data: bytes | memoryview) -> None:
        """Send everything; raises `ConnectionEnded` when nobody takes it."""
        try:
            self._socket.sendall(data)
        except OSError as fault:
            raise ConnectionEnded(fault.strerror or type(fault).__name__) from fault

    def send_all(self, pieces: Sequence[bytes | memoryview]) -> None:
        """Send pieces one after the other, without putting them together first where the connection allows."""
        if isinstance(self._socket, ssl.SSLSocket):
            for piece in pieces:
                self.send(piece)
            return
        left = [memoryview(piece) for piece in pieces]
        try:
            while left:
                sent = self._socket.sendmsg(left)
                while left and sent >= len(left[0]):
                    sent -= len(left[0])
                    left.pop(0).release()
                if sent:
                    left[0] = left[0][sent:]
        except OSError as fault:
            raise ConnectionEnded(fault.strerror or type(fault).__name__) from fault
        finally:
            for view in left:
                view.release()

    def await_end(self, within_s: float) -> None:
        """Wait until the other side closes the connection; what it sends meanwhile is not looked at."""
        until = time.monotonic() + within_s
        with suppress(OSError):
            while (left := until - time.monotonic()) > 0:
                self._socket.settimeout(left)
                if not self._socket.recv(_SMALL_BUFFER_BYTES):
                    return

    def close(self) -> None:
        """Close the connection; whoever waits for something on it is woken."""
        # it may never have been connected, or the other side was faster
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _fill(self, count: int) -> None:
        """Wait until `count` bytes are in the buffer."""
        if self._end - self._begin >= count:
            return
        self._make_room(count)
        while self._end - self._begin < count:
            if self._deadline is not None and time.monotonic() > self._deadline:
                raise TooSlow("a unit did not arrive in time")
            try:
                got = self._socket.recv_into(self._view[self._end :])
            except TimeoutError as fault:
                raise (ConnectionEnded if self._deadline is None else TooSlow)("nothing came in time") from fault
            except OSError as fault:
                raise ConnectionEnded(fault.strerror or type(fault).__name__) from fault
            if not got:
                raise ConnectionEnded("the connection was closed")
            self._end += got

    def _make_room(self, count: int) -> None:
        left = self._end - self._begin
        if count > len(self._buffer):
            # an association that only waits keeps a small buffer; the first data makes it grow
            grown = bytearray(_SMALL_BUFFER_BYTES if count <= _SMALL_BUFFER_BYTES else _BUFFER_BYTES)
            grown[:left] = self._view[self._begin : self._end]
            self._buffer, self._view = grown, memoryview(grown)
        elif left == 0 or self._begin + count > len(self._buffer):
            self._view[:left] = bytes(self._view[self._begin : self._end])
        else:
            return
        self._begin, self._end = 0, left
