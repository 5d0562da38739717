"""A connection whose first bytes have been read already, for a library that wants to read them itself."""

import os
import select
import socket
import ssl
import weakref
from contextlib import suppress


class Signals:
    """Two descriptors for a library that asks select() what can be read: one always can, the other never.

    select() knows no descriptor beyond 1023 (select(2)), so these are made before there are many connections, and stand
    for all of them.
    """

    def __init__(self) -> None:
        self.always = os.eventfd(1)
        self.never = os.eventfd(0)
        # a thread may ask for them as long as its connection knows them
        for descriptor in (self.always, self.never):
            weakref.finalize(self, os.close, descriptor)


class Replayed:
    """What pynetdicom uses of a socket; `recv` gives `first` before anything new.

    Parameters
    ----------
    connection
        Connected socket, plain or TLS.
    first
        Bytes that were taken from it.
    signals
        Of the process, made before its connections.
    """

    def __init__(self, connection: socket.socket, first: bytes, signals: Signals) -> None:
        self._connection = connection
        self._left = first
        self._signals = signals
        self._poll = select.poll()
        self._poll.register(connection, select.POLLIN)

    def fileno(self) -> int:
        """What select() is to look at in place of the connection; negative when that is closed."""
        if self._connection.fileno() < 0:
            return -1
        return self._signals.always if self._readable() else self._signals.never

    def _readable(self) -> bool:
        # the connection itself knows neither of bytes that were read nor of those that TLS has decrypted
        decrypted = isinstance(self._connection, ssl.SSLSocket) and self._connection.pending() > 0
        return bool(self._left) or decrypted or bool(self._poll.poll(0))

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
        self._connection.close()

    def setsockopt(self, level: int, option: int, value: int) -> None:
        self._connection.setsockopt(level, option, value)

    def settimeout(self, seconds: float | None) -> None:
        self._connection.settimeout(seconds)
