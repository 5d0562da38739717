"""Keys of models as files: public ones for everybody to read, private ones for nobody but their owner."""

import os
from collections.abc import Sequence
from pathlib import Path

from pipelines.domain.reasons import Rejected
from pipelines.scoring.keys import SigningKey, TrustedKey, read_private_key, read_public_key

_OWNER_ONLY = 0o600


def public_keys(paths: Sequence[Path]) -> list[TrustedKey | Rejected]:
    """The keys in files, and in the files `*.pub` of folders; `MODEL-010` in the place of one that cannot be used."""
    found: list[TrustedKey | Rejected] = []
    for path in paths:
        files = sorted(path.glob("*.pub")) if path.is_dir() else [path]
        if not files:
            found.append(_unusable(path, "holds no file *.pub", "Put public keys there, or name their files."))
        found += [_public_key(file) for file in files]
    return found


def private_key(path: Path) -> SigningKey | Rejected:
    """The key in a file that nobody but its owner can read; `MODEL-010` otherwise."""
    try:
        if path.stat().st_mode & 0o077:
            return _unusable(path, "can be read by others", f"Make it yours alone: chmod 600 {path}")
        pem = path.read_bytes()
    except OSError as fault:
        return _unusable(path, f"cannot be read: {fault.strerror}", "Make a key with pulmonode model keygen.")
    return read_private_key(pem)


def write_keys(path: Path, key: SigningKey) -> Path:
    """Write the private half to `path`, the public one beside it with `.pub` in its name; neither may exist.

    Raises
    ------
    OSError
        If a file exists or cannot be written.
    """
    public = path.with_name(f"{path.stem}.pub")
    if public.exists():
        raise FileExistsError(17, "exists already", str(public))
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # the mode belongs to the file from its first moment
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key.private_pem())
        file.flush()
        os.fsync(file.fileno())
    public.write_bytes(key.public_pem())
    return public


def _public_key(path: Path) -> TrustedKey | Rejected:
    try:
        pem = path.read_bytes()
    except OSError as fault:
        return _unusable(path, f"cannot be read: {fault.strerror}", "Name the file of a public key.")
    return read_public_key(pem, name=str(path))


def _unusable(path: Path, why: str, remedy: str) -> Rejected:
    return Rejected("MODEL-010", f"{path} {why}.", remedy)
