"""Decode frames that are RLE compressed (PS3.5 annex G), of eight and sixteen bits or of single bits, eight to a byte.

Single bits are what viewers have begun to write for BINARY segmentations; pydicom and dcmqi know RLE frames of whole
bytes only.
"""

import struct
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

_HEADER: Final = 64


class DamagedRle(Exception):
    """The frame is no RLE frame, or does not hold what it should."""


def decode_rle(frame: bytes, lengths: tuple[int, ...]) -> list[NDArray[np.uint8]]:
    """Decode one frame into its segments.

    Parameters
    ----------
    frame
        Header of 64 bytes and PackBits segments.
    lengths
        Numbers of bytes that a segment may decode to; all segments decode to the same.

    Raises
    ------
    DamagedRle
        If an offset lies outside `frame`, or a segment decodes to another number of bytes.
    """
    if len(frame) < _HEADER:
        raise DamagedRle("a frame is shorter than its RLE header")
    count, *offsets = struct.unpack_from("<16L", frame)
    if not 1 <= count <= 15:
        raise DamagedRle(f"a frame announces {count} RLE segments")
    bounds = [*offsets[:count], len(frame)]
    if bounds[0] < _HEADER or any(start > end for start, end in pairwise(bounds)):
        raise DamagedRle("the RLE segments of a frame overlap")
    segments = [_unpacked(frame, start, end, max(lengths)) for start, end in pairwise(bounds)]
    if len({len(segment) for segment in segments}) != 1 or len(segments[0]) not in lengths:
        raise DamagedRle(f"an RLE segment holds {len(segments[0])} bytes in place of {lengths[0]}")
    return [np.frombuffer(segment, np.uint8) for segment in segments]


def _unpacked(data: bytes, position: int, end: int, limit: int) -> bytes:
    """PackBits (PS3.5 G.3.2) up to `limit` bytes; what follows may only be padding."""
    out = bytearray()
    while position < end and len(out) < limit:
        control = data[position]
        position += 1
        if control < 128:
            run = data[position : min(position + control + 1, end)]
            position += control + 1
        elif control > 128:
            run = data[position : min(position + 1, end)] * (257 - control)
            position += 1
        else:
            continue
        out += run
    if len(out) > limit:
        raise DamagedRle("an RLE segment decodes to more than a frame")
    return bytes(out)
