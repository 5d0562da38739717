"""What stands for identifiers in an export: keyed, so that only the holder of the secret can make the same again."""

import base64
import hmac
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final

SECRET_BYTES: Final = 32
"""Length of a secret that is made; a shorter one is refused."""
_LONGEST_SHIFT: Final = 365


@dataclass(frozen=True, slots=True)
class Pseudonyms:
    """HMAC-SHA-256 of identifiers under the secret of a site.

    The same secret gives the same pseudonyms in every export, so that what is exported later belongs to what was
    exported before. Each purpose has a key of its own: nothing can be concluded from one to another.

    Raises
    ------
    ValueError
        If the secret is short.
    """

    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) < SECRET_BYTES:
            raise ValueError(f"a secret has at least {SECRET_BYTES} bytes")

    def patient(self, key: str) -> str:
        """Of a patient, from the ledger's key: `P-` and 16 letters or digits (80 bits)."""
        return f"P-{base64.b32encode(self._digest('patient', key)[:10]).decode('ascii')}"

    def site(self, name: str) -> str:
        """Of a hospital: `S-` and 8 letters or digits."""
        return f"S-{base64.b32encode(self._digest('site', name.strip().casefold())[:5]).decode('ascii')}"

    def shift(self, key: str) -> timedelta:
        """By how much all days of a patient are moved: 1 to 365 days back."""
        return -timedelta(days=1 + int.from_bytes(self._digest("days", key)[:8], "big") % _LONGEST_SHIFT)

    def moved(self, key: str, day: date) -> date:
        """A day of a patient, moved; days between two days of one patient stay as they are."""
        return day + self.shift(key)

    def uid(self, uid: str) -> str:
        """Of a UID: one under the root 2.25 (PS3.5 B.2), the same wherever the UID stood."""
        number = bytearray(self._digest("uid", uid)[:16])
        # a UUID of version 4 and variant 1, which the root asks for
        number[6] = number[6] & 0x0F | 0x40
        number[8] = number[8] & 0x3F | 0x80
        return f"2.25.{int.from_bytes(number, 'big')}"

    def text(self, purpose: str, text: str) -> str:
        """Of any other text: 16 letters or digits."""
        return base64.b32encode(self._digest(purpose, text)[:10]).decode("ascii")

    def _digest(self, purpose: str, text: str) -> bytes:
        own = hmac.digest(self.secret, purpose.encode("ascii"), "sha256")
        return hmac.digest(own, text.encode("utf-8"), "sha256")
