"""Identifiers as distinct types, and UIDs derived from what an object is made of."""

import hashlib
import re
import uuid
from typing import Final, NewType

StudyUID = NewType("StudyUID", str)
SeriesUID = NewType("SeriesUID", str)
SopInstanceUID = NewType("SopInstanceUID", str)
SopClassUID = NewType("SopClassUID", str)
FrameOfReferenceUID = NewType("FrameOfReferenceUID", str)
CaseId = NewType("CaseId", int)

IMPLEMENTATION_CLASS_UID: Final = "2.25.191239639320153146865608559875189663488"
"""Who wrote a file or speaks in an association (PS3.7 D.3.3.2); `derived_uid("implementation class")`."""
IMPLEMENTATION_VERSION_NAME: Final = "PULMONODE"
"""Stays the same over all versions, so that the same data set received twice is the same file."""

_UID: Final = re.compile(r"[0-9]+(\.[0-9]+)*")
_NAMESPACE = uuid.UUID("5f2f1d3e-6a5b-5d8e-9a50-70756c6d6f6e")


def is_uid(text: str) -> bool:
    """True for a UID as PS3.5 9.1 has it, but for leading zeros, which some senders write."""
    return len(text) <= 64 and _UID.fullmatch(text) is not None


def digest_of(*parts: str) -> str:
    """SHA-256 (hex) over `parts`, each with its length so that no two lists of parts collide."""
    sha = hashlib.sha256()
    for part in parts:
        data = part.encode()
        sha.update(len(data).to_bytes(8, "big"))
        sha.update(data)
    return sha.hexdigest()


def patient_key_of(patient_id: str, issuer: str = "") -> str:
    """The digest by which the ledger knows a patient, from Patient ID and Issuer of Patient ID as decoded."""
    return digest_of(patient_id.strip(), issuer.strip())


def derived_uid(*parts: str) -> str:
    """Make a UID that is the same whenever `parts` are the same.

    References
    ----------
    PS3.5 B.2: a UUID as a decimal integer under the root 2.25 is a valid UID.

    Examples
    --------
    >>> derived_uid("report", "1.2.3") == derived_uid("report", "1.2.3")
    True
    >>> derived_uid("report", "1.2.3").startswith("2.25.")
    True
    """
    return f"2.25.{uuid.uuid5(_NAMESPACE, digest_of(*parts)).int}"
