"""The stored values of a segmentation's frames, decoded one by one as they are needed."""

import zlib
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.encaps import generate_frames
from pydicom.pixels.utils import pixel_array
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from pipelines.imaging.rle import DamagedRle, decode_rle

MAX_FRAME_PIXELS: Final = 2**26
"""A frame of more pixels than 8192 x 8192 is a defect, or an attempt to exhaust the memory."""
DEFLATED_IMAGE_FRAME: Final = "1.2.840.10008.1.2.8.1"
_NATIVE: Final = frozenset({ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian})

Values = NDArray[np.uint8] | NDArray[np.uint16]
ReadFrame = Callable[[int], Values]
"""Gives the values of frame 0, 1, ..., shape (rows, columns)."""


class Undecodable(Exception):
    """The frames contradict the header; the message says how."""


def frame_reader(segmentation: Dataset) -> ReadFrame:
    """How to read single frames of `segmentation`.

    Native frames, RLE frames (of bits or bytes) and deflated frames are decoded here; JPEG and its kin by pydicom.

    Raises
    ------
    Undecodable
        If the header does not describe frames, here or when a frame is read.

    References
    ----------
    PS3.5 section 8.1.1 (frames of single bits), A.4.2 (RLE), annex G; 1.2.840.10008.1.2.8.1 of PS3.6.
    """
    shape = rows, columns = _number(segmentation, "Rows"), _number(segmentation, "Columns")
    bits, frames = _number(segmentation, "BitsAllocated"), _number(segmentation, "NumberOfFrames")
    pixels = rows * columns
    if not 0 < pixels <= MAX_FRAME_PIXELS:
        raise Undecodable(f"a frame of {rows} x {columns} pixels")
    if bits not in (1, 8, 16):
        raise Undecodable(f"{bits} bits allocated")
    data = segmentation.get("PixelData")
    if not data:
        raise Undecodable("there is no pixel data")
    syntax = transfer_syntax_of(segmentation)
    if syntax in _NATIVE:
        return _native(data, bits, frames, shape)
    if syntax in (RLELossless, DEFLATED_IMAGE_FRAME):
        encoded = list(generate_frames(data, number_of_frames=frames))
        if len(encoded) != frames:
            raise Undecodable(f"{len(encoded)} frames of pixel data in place of {frames}")
        unpack = _of_rle if syntax == RLELossless else _of_deflated
        return lambda index: unpack(encoded[index], bits, shape)
    return lambda index: _by_pydicom(segmentation, index, shape)


def transfer_syntax_of(segmentation: Dataset) -> str:
    """How the pixel data is encoded; Explicit VR Little Endian for a data set that was never in a file."""
    meta = getattr(segmentation, "file_meta", None)
    return str(meta.get("TransferSyntaxUID", ExplicitVRLittleEndian)) if meta else ExplicitVRLittleEndian


def _number(segmentation: Dataset, keyword: str) -> int:
    value = segmentation.get(keyword)
    if value is None and keyword == "NumberOfFrames":
        return 1
    if value is None or int(value) < 0:
        raise Undecodable(f"{keyword} is missing or wrong")
    return int(value)


def _native(data: bytes, bits: int, frames: int, shape: tuple[int, int]) -> ReadFrame:
    pixels = shape[0] * shape[1]
    needed = -(-frames * pixels * bits // 8)
    if len(data) < needed:
        raise Undecodable(f"{len(data)} bytes of pixel data in place of {needed}")
    if bits > 8:
        values = np.frombuffer(data, "<u2", frames * pixels).reshape((frames, *shape))
        return lambda index: values[index]
    stored = np.frombuffer(data, np.uint8, needed)
    if bits == 8:
        return lambda index: stored[index * pixels : (index + 1) * pixels].reshape(shape)

    def read(index: int) -> Values:
        # frames follow each other without padding bits between them
        first = index * pixels
        part = stored[first // 8 : -(-(first + pixels) // 8)]
        return _bits(part, first % 8, shape)

    return read


def _bits(packed: NDArray[np.uint8], skip: int, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Bits from the least significant one on, after `skip` of them."""
    pixels = shape[0] * shape[1]
    if not packed.any():
        return np.zeros(shape, dtype=np.uint8)
    return np.unpackbits(packed, count=skip + pixels, bitorder="little")[skip:].reshape(shape)


def _of_rle(frame: bytes, bits: int, shape: tuple[int, int]) -> Values:
    pixels = shape[0] * shape[1]
    # some writers spend a byte on each bit; a segment of odd length is padded
    wanted = {-(-pixels // 8), pixels} if bits == 1 else {pixels}
    try:
        planes = decode_rle(frame, tuple(sorted(wanted | {length + length % 2 for length in wanted})))
    except DamagedRle as fault:
        raise Undecodable(str(fault)) from fault
    if len(planes) != max(1, bits // 8):
        raise Undecodable(f"{len(planes)} RLE segments for {bits} bits")
    if bits == 1 and len(planes[0]) < pixels:
        return _bits(planes[0], 0, shape)
    if bits == 16:
        # the most significant byte comes first (PS3.5 G.2)
        both: NDArray[np.uint8] = np.stack([plane[:pixels] for plane in reversed(planes)], axis=-1)
        return both.view("<u2").reshape(shape)
    return planes[0][:pixels].reshape(shape)


def _of_deflated(frame: bytes, bits: int, shape: tuple[int, int]) -> Values:
    pixels = shape[0] * shape[1]
    needed = -(-pixels * bits // 8)
    try:
        inflated = zlib.decompressobj(-zlib.MAX_WBITS).decompress(frame, needed + 1)
    except zlib.error as fault:
        raise Undecodable("a deflated frame cannot be inflated") from fault
    if len(inflated) < needed:
        raise Undecodable(f"a frame inflates to {len(inflated)} bytes in place of {needed}")
    stored = np.frombuffer(inflated, np.uint8, needed)
    if bits == 1:
        return _bits(stored, 0, shape)
    return stored.reshape(shape) if bits == 8 else stored.view("<u2").reshape(shape)


def _by_pydicom(segmentation: Dataset, index: int, shape: Sequence[int]) -> Values:
    values: NDArray[Any] = pixel_array(segmentation, index=index, raw=True)
    if values.shape != tuple(shape) or values.dtype.kind not in "ui":
        raise Undecodable("a frame decodes to another shape than the header's")
    return np.asarray(values, dtype=np.uint16)
