"""What makes a file of the data set of a C-STORE request, with nothing of it changed (PS3.10 7.1)."""

import struct
from functools import lru_cache
from typing import Final

from node.services.receive import Announced
from pipelines.domain.identifiers import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

_SHORT: Final = struct.Struct("<HH2sH")
_PREAMBLE: Final = bytes(128) + b"DICM"
_VERSION: Final = struct.pack("<HH2sHI", 0x0002, 0x0001, b"OB", 0, 2) + b"\0\1"


def part10_head(announced: Announced, transfer_syntax: str) -> bytes:
    """Preamble and file meta information.

    They say nothing of the sender, so that an instance that two systems send is the same file.
    """
    meta = b"".join(
        (
            _VERSION,
            _element(0x0002, b"UI", announced.sop_class, b"\0"),
            _element(0x0003, b"UI", announced.sop_instance, b"\0"),
            _encoding_and_writer(transfer_syntax),
        )
    )
    return _PREAMBLE + _SHORT.pack(0x0002, 0x0000, b"UL", 4) + struct.pack("<I", len(meta)) + meta


@lru_cache(maxsize=64)
def _encoding_and_writer(transfer_syntax: str) -> bytes:
    return b"".join(
        (
            _element(0x0010, b"UI", transfer_syntax, b"\0"),
            _element(0x0012, b"UI", IMPLEMENTATION_CLASS_UID, b"\0"),
            _element(0x0013, b"SH", IMPLEMENTATION_VERSION_NAME, b" "),
        )
    )


def part10(announced: Announced, transfer_syntax: str, dataset: bytes) -> bytes:
    """The data set as it came, as a file."""
    return part10_head(announced, transfer_syntax) + dataset


def _element(element: int, vr: bytes, text: str, padding: bytes) -> bytes:
    value = text.encode("ascii")
    if len(value) % 2:
        value += padding
    return _SHORT.pack(0x0002, element, vr, len(value)) + value
