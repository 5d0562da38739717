"""Requests for an association without the items of the future: whoever does not know a type skips it (PS3.8 9.3.1)."""

from collections.abc import Iterator, Mapping
from typing import Final

_ITEMS_AT: Final = 74
"""Where the items of an A-ASSOCIATE-RQ begin (PS3.8 table 9-11)."""
_HEAD: Final = 4
_USER_INFORMATION: Final = 0x50

Known = Mapping[int, tuple[int, "Known"]]
"""Types that are known, each with the bytes before its own items and what is known of those."""

_PLAIN: Final[tuple[int, Known]] = (0, {})
_KNOWN: Final[Known] = {
    0x10: _PLAIN,
    0x20: (4, {0x30: _PLAIN, 0x40: _PLAIN}),
    # maximum length to user identity (PS3.8 annex D, PS3.7 annex D.3.3)
    _USER_INFORMATION: (0, dict.fromkeys(range(0x51, 0x59), _PLAIN)),
}


def with_known_items(unit: bytes) -> bytes:
    """An A-ASSOCIATE-RQ with those items alone that DICOM describes; one whose lengths lie is left as it is."""
    items = b"".join(_known_items(unit[_ITEMS_AT:], _KNOWN))
    kept = unit[6:_ITEMS_AT] + items
    return unit[:2] + len(kept).to_bytes(4, "big") + kept


def _known_items(data: bytes, known: Known) -> Iterator[bytes]:
    at = 0
    while at + _HEAD <= len(data):
        end = at + _HEAD + int.from_bytes(data[at + 2 : at + _HEAD], "big")
        if end > len(data):
            break
        if data[at] in known:
            fixed, inner = known[data[at]]
            begin = at + _HEAD + fixed
            body = data[at + _HEAD : end] if not inner else data[at + _HEAD : begin] + _inner(data[begin:end], inner)
            yield data[at : at + 2] + len(body).to_bytes(2, "big") + body
        at = end
    # what is cut short is for the parser to refuse
    yield data[at:]


def _inner(data: bytes, known: Known) -> bytes:
    return b"".join(_known_items(data, known))
