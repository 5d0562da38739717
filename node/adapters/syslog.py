"""Bring audit messages to a repository: syslog over TLS with counted octets (RFC 5425), or over UDP (RFC 5426)."""

import socket
import ssl
from collections.abc import Sequence
from contextlib import suppress
from typing import Final
from urllib.parse import urlsplit

from node.adapters.tls import Tls
from node.errors import TransientError

_TIMEOUT_S: Final = 10.0
_LARGEST_DATAGRAM: Final = 65507


class SyslogSender:
    """Sends lines to one repository.

    Parameters
    ----------
    repository
        tls://HOST:PORT or udp://HOST:PORT.
    tls
        Who we are and whom we trust; needed for tls.
    """

    def __init__(self, repository: str, tls: Tls | None) -> None:
        parts = urlsplit(repository)
        self._secured = parts.scheme == "tls"
        self._address = (parts.hostname or "", parts.port or (6514 if self._secured else 514))
        self._tls = tls

    def send(self, lines: Sequence[bytes]) -> None:
        """Send all lines; raises `TransientError` MON-004 when the repository may not have all of them."""
        try:
            if self._secured:
                self._over_tls(lines)
            else:
                self._over_udp(lines)
        except OSError as fault:  # ssl.SSLError is one
            why = fault.strerror or str(fault)
            raise TransientError("MON-004", f"The audit repository cannot be reached: {why}.") from fault

    def _over_tls(self, lines: Sequence[bytes]) -> None:
        if self._tls is None:
            raise OSError(0, "there are no certificates to speak TLS with")
        with (
            socket.create_connection(self._address, timeout=_TIMEOUT_S) as plain,
            self._tls.client().wrap_socket(plain, server_hostname=self._address[0]) as connection,
        ):
            for line in lines:
                connection.sendall(b"%d %s" % (len(line), line))
            # syslog has no receipts: that the other side closes, in whatever form, and does not reset the connection
            # shows that it was there to the end
            with suppress(TimeoutError, ssl.SSLEOFError):
                connection.unwrap()

    def _over_udp(self, lines: Sequence[bytes]) -> None:
        family, kind, protocol, _, address = socket.getaddrinfo(*self._address, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind, protocol) as connection:
            for line in lines:
                connection.sendto(line[:_LARGEST_DATAGRAM], address)
