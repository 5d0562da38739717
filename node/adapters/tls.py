"""TLS for DICOM: who we are, whom we trust, and contexts that follow the files when those are renewed.

The BCP 195 RFC 9325 profile of PS3.15 B.12: TLS 1.2 with forward secrecy and authenticated encryption, and TLS 1.3.
"""

import ssl
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_CIPHERS: Final = ":".join(
    (
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        "ECDHE-RSA-CHACHA20-POLY1305",
    )
)
"""For TLS 1.2; those of TLS 1.3 are all good."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Where certificates and keys lie, in PEM.

    Attributes
    ----------
    certificate
        Ours, with the chain up to the root.
    key
        Ours; readable for the node alone.
    authorities
        Certificates of those who vouch for peers.
    """

    certificate: Path
    key: Path
    authorities: Path

    def fingerprint(self) -> tuple[tuple[int, int], ...]:
        """Changes when one of the files does; raises `OSError` when one is gone."""
        seen = [path.stat() for path in (self.certificate, self.key, self.authorities)]
        return tuple((one.st_mtime_ns, one.st_size) for one in seen)


class Tls:
    """Contexts for both directions, made anew whenever a file has changed.

    A certificate is renewed while the node runs: the old one serves until the new files can be used together.

    Parameters
    ----------
    require_client_certificate
        Whether those who call must prove who they are as well.
    check_names
        Whether those whom we call must have a certificate for the name that we call them by.
    """

    def __init__(self, files: TlsFiles, *, require_client_certificate: bool = True, check_names: bool = True) -> None:
        self._files = files
        self._check_names = check_names
        self._require_client_certificate = require_client_certificate
        self._lock = threading.Lock()
        self._made: tuple[object, ssl.SSLContext, ssl.SSLContext] | None = None

    def server(self) -> ssl.SSLContext:
        """For connections that others open; raises `OSError` when it cannot be made and never could."""
        return self._contexts()[0]

    def client(self) -> ssl.SSLContext:
        """For connections that we open; checks the name of the host."""
        return self._contexts()[1]

    def _contexts(self) -> tuple[ssl.SSLContext, ssl.SSLContext]:
        with self._lock:
            try:
                fingerprint = self._files.fingerprint()
                if self._made is None or self._made[0] != fingerprint:
                    self._made = (fingerprint, self._server(), self._client())
            except OSError:  # ssl.SSLError is one; half of a renewal may have been written
                if self._made is None:
                    raise
            return self._made[1:]

    def _server(self) -> ssl.SSLContext:
        context = self._usual(ssl.PROTOCOL_TLS_SERVER)
        context.verify_mode = ssl.CERT_REQUIRED if self._require_client_certificate else ssl.CERT_NONE
        return context

    def _client(self) -> ssl.SSLContext:
        context = self._usual(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = self._check_names
        return context

    def _usual(self, protocol: "ssl._SSLMethod") -> ssl.SSLContext:
        context = ssl.SSLContext(protocol)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(_CIPHERS)
        context.load_cert_chain(self._files.certificate, self._files.key)
        context.load_verify_locations(self._files.authorities)
        return context
