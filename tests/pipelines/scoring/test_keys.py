from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from pipelines.domain.reasons import Rejected
from pipelines.scoring.keys import (
    SigningKey,
    TrustedKey,
    demonstration_key,
    demonstration_trust,
    new_key,
    read_private_key,
    read_public_key,
)


def test_a_key_survives_its_files() -> None:
    key = new_key()
    again = read_private_key(key.private_pem())
    public = read_public_key(key.public_pem(), name="site.pub")
    assert isinstance(again, SigningKey)
    assert isinstance(public, TrustedKey)
    assert again.key_id == public.key_id == key.key_id
    assert public.verifies(again.sign(b"message"), b"message")
    assert not public.verifies(again.sign(b"message"), b"another")
    assert not public.verifies(b"", b"message")


def test_the_signature_of_rfc_8032_is_reproduced() -> None:
    # RFC 8032, section 7.1, test 2
    secret = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
    key = SigningKey(Ed25519PrivateKey.from_private_bytes(secret))
    assert key.public.hex() == "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    assert key.sign(b"\x72").hex() == (
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )


def test_two_keys_differ_and_their_text_hides_the_secret() -> None:
    first, second = new_key(), new_key()
    assert first.key_id != second.key_id
    secret = first.private.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    assert secret.hex() not in repr(first)
    assert repr(secret) not in repr(first)


def test_other_files_are_no_keys() -> None:
    rsa = generate_private_key(65537, 2048)
    private = rsa.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = rsa.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for pem in (b"", b"-----BEGIN", private, public, new_key().public_pem()):
        outcome = read_private_key(pem)
        assert isinstance(outcome, Rejected)
        assert outcome.code == "MODEL-010"
    for pem in (b"", b"-----BEGIN", private, public, new_key().private_pem()):
        read = read_public_key(pem, name="x.pub")
        assert isinstance(read, Rejected)
        assert read.code == "MODEL-010"


def test_the_key_that_everybody_has_cannot_be_trusted_for_more() -> None:
    outcome = read_public_key(demonstration_key().public_pem(), name="demo.pub")
    assert isinstance(outcome, Rejected)
    assert "everybody has" in outcome.detail
    assert demonstration_trust().demonstration


@pytest.mark.parametrize("folder", ["config", "node"])
def test_no_private_key_is_part_of_the_project(folder: str) -> None:
    root = Path(__file__).parents[3]
    holding = [path for path in (root / folder).rglob("*") if path.is_file() and b"PRIVATE KEY--" in path.read_bytes()]
    assert holding == []
