"""A connection whose first bytes have been read already, for a library that wants to read them itself."""

import os
import socket
import ssl
from contextlib import suppress


class Replayed:
    """What pynetdicom uses of a socket; `recv` gives `first` before anything new.

    Parameters
    ----------
    connection
        Connected socket, plain or TLS.
    first
        Bytes that were taken from it.
    """

    def __init__(self, connection: socket.socket, first: bytes) -> None:
        self._connection = connection
        self._left = first
        # select() looks at a descriptor, and knows neither of bytes that were read nor of those that TLS has decrypted
        self._always_readable = os.eventfd(1)

    def fileno(self) -> int:
        pending = isinstance(self._connection, ssl.SSLSocket) and self._connection.pending() > 0
        return self._always_readable if self._left or pending else self._connection.fileno()

    def recv(self, count: int) -> bytes:
        if self._left:
            part, self._left = self._left[:count], self._left[count:]
            return part
        return self._connection.recv(count)

    def send(self, data: bytes) -> int:
        return self._connection.send(data)

    def shutdown(self, how: int) -> None:
        # pynetdicom closes only what it could shut down, and the other side may have been faster
        with suppress(OSError):
            self._connection.shutdown(how)

    def close(self) -> None:
        if self._always_readable >= 0:
            os.close(self._always_readable)
            self._always_readable = -1
        self._connection.close()

    def setsockopt(self, level: int, option: int, value: int) -> None:
        self._connection.setsockopt(level, option, value)

    def settimeout(self, seconds: float | None) -> None:
        self._connection.settimeout(seconds)
