"""Ed25519 keys that sign model packages: who has which, and the one that everybody has for demonstrations."""

import hashlib
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from pipelines.domain.reasons import Rejected

_DEMONSTRATION_SECRET: Final = "pulmonode demonstration key: everybody knows it, so its signature proves nothing"


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """A public key whose signatures this site believes.

    Attributes
    ----------
    raw
        The 32 bytes of the key (RFC 8032).
    name
        Where it came from, for people.
    demonstration
        True for the key that everybody has: it can sign demonstration models and no others.
    """

    raw: bytes
    name: str
    demonstration: bool = False

    @property
    def key_id(self) -> str:
        return key_id(self.raw)

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """True if `signature` over `message` was made with the private half of this key."""
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, message)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class SigningKey:
    """The private half of a key; its text form shows nothing of the secret."""

    private: Ed25519PrivateKey

    @property
    def public(self) -> bytes:
        """The 32 bytes of the public half."""
        return self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    @property
    def key_id(self) -> str:
        return key_id(self.public)

    def sign(self, message: bytes) -> bytes:
        """The 64 bytes of the signature; the same message always has the same one (RFC 8032)."""
        return self.private.sign(message)

    def private_pem(self) -> bytes:
        """The private half as PKCS #8, without a password: its file is what guards it."""
        return self.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def public_pem(self) -> bytes:
        """The public half as SubjectPublicKeyInfo, to be given to every node that shall trust it."""
        return self.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def key_id(raw: bytes) -> str:
    """Short name of a public key: the first 32 hexadecimal digits of its SHA-256."""
    return hashlib.sha256(raw).hexdigest()[:32]


def new_key() -> SigningKey:
    """Make a key from the randomness of the operating system."""
    return SigningKey(Ed25519PrivateKey.generate())


def demonstration_key() -> SigningKey:
    """The key that signs demonstration models: it is in this source, and no other model may be signed with it."""
    return SigningKey(Ed25519PrivateKey.from_private_bytes(hashlib.sha256(_DEMONSTRATION_SECRET.encode()).digest()))


def demonstration_trust() -> TrustedKey:
    """What every node trusts for demonstrations."""
    return TrustedKey(demonstration_key().public, "demonstration", demonstration=True)


def read_private_key(pem: bytes) -> SigningKey | Rejected:
    """Read what `SigningKey.private_pem` wrote; `MODEL-010` when it is no such key."""
    try:
        private = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        private = None
    if not isinstance(private, Ed25519PrivateKey):
        return Rejected(
            "MODEL-010",
            "The file holds no private Ed25519 key in PEM without a password.",
            "Make one with pulmonode model keygen.",
        )
    return SigningKey(private)


def read_public_key(pem: bytes, *, name: str) -> TrustedKey | Rejected:
    """Read what `SigningKey.public_pem` wrote; `MODEL-010` when it is no such key, or the demonstration key."""
    try:
        public = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        public = None
    if not isinstance(public, Ed25519PublicKey):
        return Rejected(
            "MODEL-010",
            f"{name} holds no public Ed25519 key in PEM.",
            "Ask the maker of the model for the file that pulmonode model keygen wrote beside the private key.",
        )
    raw = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
    if raw == demonstration_trust().raw:
        return Rejected(
            "MODEL-010",
            f"{name} holds the demonstration key, whose private half everybody has.",
            "Remove it from scoring.trusted_keys: demonstration models need no trusted key.",
        )
    return TrustedKey(raw, name)
