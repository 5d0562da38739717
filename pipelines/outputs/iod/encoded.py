"""Finds data elements and items in bytes of Explicit VR Little Endian without decoding them."""

import struct
from collections.abc import Iterator
from typing import Final

_HEADER: Final = struct.Struct("<HH2sH")
_ITEM: Final = struct.Struct("<HHI")
_LENGTH: Final = struct.Struct("<I")
_LONG_VRS: Final = frozenset(
    (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")
)
_ITEM_START: Final = (0xFFFE, 0xE000)
_ITEM_END: Final = (0xFFFE, 0xE00D)
_SEQUENCE_END: Final = (0xFFFE, 0xE0DD)
_UNDEFINED: Final = 0xFFFFFFFF

Span = tuple[int, int]
Fields = dict[int, tuple[int, int, bytes]]
"""By tag: where the value starts, where it ends, and its VR."""


def fields(data: bytes, start: int, end: int) -> Fields:
    """Where the value of each data element between `start` and `end` lies, by tag.

    Raises
    ------
    ValueError
        If the bytes are no data elements that end where they should.
    struct.error
        If they end too early.
    """
    found, position = _elements(data, start, end)
    if position != end:
        raise ValueError("an element is longer than what holds it")
    return found


def items(data: bytes, position: int, end: int) -> Iterator[Span]:
    """Where the content of each item of a sequence between `position` and `end` lies; raises as `fields` does."""
    while position < end:
        group, element, length = _ITEM.unpack_from(data, position)
        if (group, element) != _ITEM_START:
            raise ValueError("no item where one should be")
        position += _ITEM.size
        if length == _UNDEFINED:
            _, stop = _elements(data, position, end)
            yield position, stop
            position = stop + _ITEM.size
        else:
            yield position, position + length
            position += length
    if position != end:
        raise ValueError("an item is longer than its sequence")


def _elements(data: bytes, position: int, end: int) -> tuple[Fields, int]:
    """The elements from `position` up to `end` or to the end of an item without a length, and where that is."""
    found: Fields = {}
    while position < end:
        group, element, vr, length = _HEADER.unpack_from(data, position)
        if (group, element) == _ITEM_END:
            return found, position
        position += _HEADER.size
        if vr in _LONG_VRS:
            (length,) = _LENGTH.unpack_from(data, position)
            position += _LENGTH.size
        stop = _sequence_end(data, position, end) if length == _UNDEFINED else position + length
        found[group << 16 | element] = position, stop, vr
        position = stop + _ITEM.size if length == _UNDEFINED else stop
    return found, position


def _sequence_end(data: bytes, position: int, end: int) -> int:
    """Where the items of a sequence without a length end; its delimiter follows there."""
    while position < end:
        group, element, length = _ITEM.unpack_from(data, position)
        if (group, element) == _SEQUENCE_END:
            return position
        if (group, element) != _ITEM_START:
            raise ValueError("no item where one should be")
        position += _ITEM.size
        if length == _UNDEFINED:
            _, position = _elements(data, position, end)
            position += _ITEM.size
        else:
            position += length
    raise ValueError("a sequence does not end")
