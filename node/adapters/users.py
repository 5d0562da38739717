"""Users who may ask for an association, with their passcodes as hashes in a file (User Identity, PS3.7 D.3.3.7)."""

import base64
import hashlib
import hmac
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pynetdicom.pdu_primitives import UserIdentityNegotiation

from node.errors import ConfigError

_USERNAME_AND_PASSCODE: Final = 2
_COST: Final = 2**14
_BLOCK: Final = 8
_SALT_BYTES: Final = 16
_HASH_BYTES: Final = 32
_LONGEST: Final = 256
"""Bytes of a name or a passcode that are looked at."""
_SCHEME: Final = "scrypt"


def line_of(name: str, passcode: str) -> str:
    """A line of the file for one user; raises `ValueError` for a name that a line cannot hold."""
    if not name or ":" in name or not name.isprintable() or len(name.encode()) > _LONGEST:
        raise ValueError("a name has 1 to 256 bytes and no colon")
    salt = os.urandom(_SALT_BYTES)
    return f"{name}:{_SCHEME}:{_text(salt)}:{_text(_hash(passcode.encode(), salt))}"


@dataclass(frozen=True, slots=True)
class _Known:
    salt: bytes
    hash: bytes


class Users:
    """Those in a file of lines `NAME:scrypt:SALT:HASH`, which may be changed while the node runs.

    Raises
    ------
    ConfigError
        If the file cannot be read, or others can read it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read()
        # who does not exist costs as much time as who does
        self._nobody = _Known(os.urandom(_SALT_BYTES), os.urandom(_HASH_BYTES))

    def allows(self, asked: UserIdentityNegotiation | None) -> bool:
        """True when a name and its passcode are given; any other kind of identity is none."""
        if asked is None or asked.user_identity_type != _USERNAME_AND_PASSCODE:
            return False
        name, passcode = asked.primary_field or b"", asked.secondary_field or b""
        if len(name) > _LONGEST or len(passcode) > _LONGEST:
            return False
        try:
            known = self._read()
        except ConfigError:
            return False
        one = known.get(name, self._nobody)
        return hmac.compare_digest(_hash(passcode, one.salt), one.hash)

    def _read(self) -> dict[bytes, _Known]:
        known = {}
        try:
            if self._path.stat().st_mode & 0o077:
                raise ConfigError([f"receive.users_file: {self._path} can be read by others; chmod 600 it"])
            lines = self._path.read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as fault:
            why = getattr(fault, "strerror", None) or "is not UTF-8 text"
            raise ConfigError([f"receive.users_file: {self._path}: {why}"]) from None
        for number, line in enumerate(lines, 1):
            if not line.strip() or line.startswith("#"):
                continue
            try:
                name, scheme, salt, digest = line.split(":")
                if scheme != _SCHEME:
                    raise ValueError
                known[name.encode()] = _Known(_bytes(salt), _bytes(digest))
            except ValueError:
                # without the line, which is a secret
                raise ConfigError([f"receive.users_file: {self._path}: line {number} is no user"]) from None
        return known


def asked_identity(primitive: Any) -> UserIdentityNegotiation | None:
    """Who asks for an association, as far as the request says so."""
    items = primitive.user_information or ()
    return next((item for item in items if isinstance(item, UserIdentityNegotiation)), None)


def confirmation(asked: UserIdentityNegotiation | None) -> list[UserIdentityNegotiation]:
    """What the acceptance says of a user who wants to hear that he was looked at; nothing to others."""
    if asked is None or not asked.positive_response_requested:
        return []
    answer = UserIdentityNegotiation()
    answer.server_response = b""
    return [answer]


def _hash(passcode: bytes, salt: bytes) -> bytes:
    return hashlib.scrypt(passcode, salt=salt, n=_COST, r=_BLOCK, p=1, dklen=_HASH_BYTES)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
