"""The secret of a site, from which pseudonyms are made."""

import os
import secrets
from pathlib import Path
from typing import Final

from node.errors import ConfigError
from pipelines.cohort.pseudonyms import SECRET_BYTES, Pseudonyms
from pipelines.domain.reasons import Rejected

FILE: Final = "cohort-secret"
"""Name of the file in the data folder."""


def make_secret(path: Path) -> bool:
    """Write a new secret that its owner alone can read; False when there is one already.

    Raises
    ------
    ConfigError
        If the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    except OSError as fault:
        raise ConfigError([f"{path} cannot be written: {fault.strerror}"]) from fault
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_bytes(SECRET_BYTES).hex().encode("ascii") + b"\n")
        file.flush()
        os.fsync(file.fileno())
    return True


def read_pseudonyms(path: Path) -> Pseudonyms | Rejected:
    """The pseudonyms of the secret in a file that nobody but its owner may read."""
    try:
        if path.stat().st_mode & 0o077:
            return _unusable("can be read by others than its owner", f"Run `chmod 600 {path}`.")
        return Pseudonyms(bytes.fromhex(path.read_text("ascii").strip()))
    except FileNotFoundError:
        return _unusable("is not there", "Make it with `pulmonode cohort keygen`.")
    except (OSError, ValueError):
        return _unusable("cannot be read or is too short", "Restore it from its backup.")


def _unusable(why: str, remedy: str) -> Rejected:
    return Rejected("COH-006", f"The secret for pseudonyms {why}.", remedy)
