"""Changes of a data set element by element, after which the lengths are right again: these get past every parser.

Files in Explicit VR Little Endian are understood; of others nothing is made.
"""

import random
import struct
from dataclasses import dataclass, field

_LONG = frozenset((b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"))
_UNDEFINED = 0xFFFFFFFF
_ITEM = 0xE000FFFE
_HEAD = struct.Struct("<HH2s")
_VRS = (b"UI", b"DS", b"IS", b"CS", b"LO", b"PN", b"US", b"FD", b"SQ", b"UN", b"OB", b"DA", b"AT", b"UT", b"SH", b"OW")
_VALUES = (
    b"",
    b" ",
    b"\0",
    b"0",
    b"-1",
    b"1",
    b"1\\2",
    b"\\\\",
    b"1e400",
    b"nan ",
    b"inf ",
    b"1.5",
    b"65536",
    b"999999999999",
    b"BINARY",
    b"FRACTIONAL",
    b"LABELMAP",
    b"MONOCHROME1",
    b"RGB ",
    b"COMPLETE",
    b"CONTAINER ",
    b"NUM ",
    b"\xff\xff",
    b"\0\0\0\0",
    b"\x1b$)C",
    b"GB18030",
    b"1.2.3.4 ",
    b"..",
    b"20260230",
    b"\x80\x81",
)


class _NoDataSet(Exception):
    """The bytes are not understood here."""


@dataclass(slots=True)
class _Element:
    tag: int
    vr: bytes
    value: bytes = b""
    items: list[list["_Element"]] | None = field(default=None)


def changed(data: bytes, dice: random.Random) -> bytes | None:
    """The Part 10 file `data` with some elements changed; None when it is not understood."""
    try:
        start = _start(data)
        elements = _read(data, start, len(data))[0]
    except (_NoDataSet, struct.error, IndexError):
        return None
    for _ in range(dice.choice((1, 1, 1, 2, 3))):
        _change(elements, dice)
    return data[:start] + _written(elements)


def _start(data: bytes) -> int:
    if data[128:132] != b"DICM" or data[132:140] != b"\2\0\0\0UL\4\0":
        raise _NoDataSet
    start: int = 144 + struct.unpack_from("<I", data, 140)[0]
    if not 144 <= start <= len(data) or b"1.2.840.10008.1.2.1\0" not in data[144:start]:
        raise _NoDataSet
    return start


def _read(data: bytes, at: int, end: int, depth: int = 0) -> tuple[list[_Element], int]:
    """Elements up to `end` or to a delimiter, and where that was."""
    found = []
    while at + 8 <= end and depth < 20:
        group, number, vr = _HEAD.unpack_from(data, at)
        if group == 0xFFFE:
            return found, at + 8
        if vr in _LONG:
            (length,) = struct.unpack_from("<I", data, at + 8)
            at += 12
        else:
            (length,) = struct.unpack_from("<H", data, at + 6)
            at += 8
        element = _Element(group << 16 | number, vr)
        if vr == b"SQ":
            element.items, at = _items(data, at, end if length == _UNDEFINED else at + length, depth)
        elif length == _UNDEFINED or at + length > end:
            raise _NoDataSet
        else:
            element.value = data[at : at + length]
            at += length
        found.append(element)
    return found, at


def _items(data: bytes, at: int, end: int, depth: int) -> tuple[list[list[_Element]], int]:
    items = []
    while at + 8 <= end:
        tag, length = struct.unpack_from("<II", data, at)
        at += 8
        if tag != _ITEM:
            return items, at
        stop = end if length == _UNDEFINED else at + length
        elements, after = _read(data, at, stop, depth + 1)
        at = after if length == _UNDEFINED else stop
        items.append(elements)
    return items, at


def _written(elements: list[_Element]) -> bytes:
    made = bytearray()
    for element in elements:
        value = element.value if element.items is None else b"".join(_item(item) for item in element.items)
        value += b"\0" * (len(value) % 2)
        made += _HEAD.pack(element.tag >> 16, element.tag & 0xFFFF, element.vr)
        if element.vr in _LONG:
            made += struct.pack("<HI", 0, len(value))
        else:
            value = value[:0xFFFE]
            made += struct.pack("<H", len(value))
        made += value
    return bytes(made)


def _item(elements: list[_Element]) -> bytes:
    value = _written(elements)
    return struct.pack("<II", _ITEM, len(value)) + value


def _change(elements: list[_Element], dice: random.Random) -> None:
    level, at = _picked(elements, dice)
    if not level:
        return
    element = level[at]
    match dice.randrange(10):
        case 0:
            del level[at]
        case 1:
            level.insert(at, element)
        case 2:
            element.vr = dice.choice(_VRS)
            if element.items is not None and element.vr != b"SQ":
                element.items = None
        case 3 | 4:
            _set(element, dice.choice(_VALUES))
        case 5:
            if element.items:
                element.items = dice.choice(([], element.items[:1], element.items * 2, [*element.items, []]))
            else:
                _set(element, element.value + dice.choice((b"\\", b"")) + element.value)
        case 6:
            # of another element, as a writer may mix them up
            other, where = _picked(elements, dice)
            element.value, element.items = other[where].value, None
        case 7:
            element.tag = _picked_tag(elements, dice)
        case 8:
            value = bytearray(element.value)
            if value:
                value[dice.randrange(len(value))] = dice.randrange(256)
            _set(element, bytes(value))
        case 9:
            _set(element, element.value[: dice.randrange(len(element.value) + 1)])


def _set(element: _Element, value: bytes) -> None:
    if element.items is None:
        element.value = value


def _picked(elements: list[_Element], dice: random.Random) -> tuple[list[_Element], int]:
    """The level at which an element lies, and its place there; deeper ones as often as those on top."""
    level = elements
    while level:
        at = dice.randrange(len(level))
        inner = [item for item in level[at].items or () if item]
        if not inner or dice.random() < 0.2:
            return level, at
        level = dice.choice(inner)
    return level, 0


def _picked_tag(elements: list[_Element], dice: random.Random) -> int:
    level, at = _picked(elements, dice)
    return level[at].tag
