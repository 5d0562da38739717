"""Decode one frame of a CT image to its stored values, whatever its transfer syntax."""

import zlib
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.encaps import get_frame
from pydicom.pixels.utils import pixel_array

from pipelines.imaging import jpeg_extended

_DEFLATED_FRAMES: Final = "1.2.840.10008.1.2.8.1"
_ENCAPSULATED_UNCOMPRESSED: Final = "1.2.840.10008.1.2.1.98"
_JPEG_EXTENDED: Final = "1.2.840.10008.1.2.4.51"
_RLE: Final = "1.2.840.10008.1.2.5"
# pixels stand one after the other in these, so their number tells whether any is missing
_NATIVE: Final = frozenset(
    {"1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"}
)
# the only ones that leave bits above those of the pixel, where old equipment put its overlays (PS3.5 section 8.1.1)
_WITH_UNUSED_BITS: Final = _NATIVE | {_DEFLATED_FRAMES, _ENCAPSULATED_UNCOMPRESSED, _RLE}


class Undecodable(Exception):
    """A frame cannot be decoded; the message says why."""


@dataclass(frozen=True, slots=True, eq=False)
class StoredFrame:
    """One frame as stored.

    Attributes
    ----------
    values
        Integers, shape (rows, columns), without the bits that do not belong to the pixel.
    padding
        True where the frame says that no value was measured; None when it declares no padding value.
    """

    values: NDArray[np.integer[Any]]
    padding: NDArray[np.bool_] | None


def missing_bytes(instance: Dataset) -> int:
    """How many bytes of uncompressed pixel data are missing; 0 for compressed data, which only decoding tells."""
    if _transfer_syntax(instance) not in _NATIVE or "PixelData" not in instance:
        return 0
    frames = int(instance.get("NumberOfFrames") or 1)
    expected = frames * int(instance.Rows) * int(instance.Columns) * (int(instance.BitsAllocated) // 8)
    return max(0, expected - len(instance.PixelData))


def stored_frame(instance: Dataset, index: int) -> StoredFrame:
    """Decode frame `index` (from 0) of `instance`.

    Raises
    ------
    Undecodable
        If there is no decoder or the data is damaged.

    References
    ----------
    PS3.5 section 8 and annex A; PS3.3 C.7.6.3 (Image Pixel), C.7.5.1.1.2 (Pixel Padding Value).
    """
    try:
        cells = _cells(instance, index)
        if cells.shape != (instance.Rows, instance.Columns) or not np.issubdtype(cells.dtype, np.integer):
            raise Undecodable(f"a frame of {cells.shape} {cells.dtype} values")
        used = _pixel_bits(cells, instance) if _transfer_syntax(instance) in _WITH_UNUSED_BITS else cells
        return StoredFrame(used, _padding(cells, instance))
    except Undecodable:
        raise
    except Exception as fault:  # decoders of many plug-ins: each has exceptions of its own
        raise Undecodable(type(fault).__name__) from fault


def _transfer_syntax(instance: Dataset) -> str:
    return str(instance.file_meta.TransferSyntaxUID)


def _cells(instance: Dataset, index: int) -> NDArray[np.integer[Any]]:
    """Values as they lie in the allocated bits."""
    syntax = _transfer_syntax(instance)
    with_12_bits = syntax == _JPEG_EXTENDED and int(instance.BitsStored) > 8
    if not with_12_bits and syntax not in (_DEFLATED_FRAMES, _ENCAPSULATED_UNCOMPRESSED):
        # pydicom takes the bits from the lowest up, whatever High Bit says
        return np.asarray(pixel_array(instance, index=index, correct_unused_bits=syntax not in _WITH_UNUSED_BITS))
    data = get_frame(instance.PixelData, index, number_of_frames=int(instance.get("NumberOfFrames") or 1))
    if with_12_bits:
        return jpeg_extended.decoded(data, instance)
    kind = "i" if instance.PixelRepresentation else "u"
    cell = np.dtype(f"<{kind}{int(instance.BitsAllocated) // 8}")
    size = int(instance.Rows) * int(instance.Columns) * cell.itemsize
    if syntax == _DEFLATED_FRAMES:
        # no more than a frame and its padding is inflated, whatever the sender deflated
        data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, size + 1)
    if len(data) < size:
        raise Undecodable(f"{size - len(data)} bytes are missing")
    return np.frombuffer(data[:size], dtype=cell).reshape(instance.Rows, instance.Columns)


def _pixel_bits(cells: NDArray[np.integer[Any]], instance: Dataset) -> NDArray[np.integer[Any]]:
    """The bits from High Bit down, Bits Stored of them, with their sign."""
    stored, high = int(instance.BitsStored), int(instance.get("HighBit", instance.BitsStored - 1))
    allocated = cells.dtype.itemsize * 8
    if not 1 <= stored <= high + 1 <= allocated:
        raise Undecodable(f"bits stored {stored} and high bit {high} of {allocated} allocated")
    if stored == allocated:
        return cells
    # the shift up drops what is above the pixel, the shift down what is below; of signed values it keeps the sign
    raised = cells << cells.dtype.type(allocated - 1 - high)
    lowered: NDArray[np.integer[Any]] = raised >> cells.dtype.type(allocated - stored)
    return lowered


def _padding(cells: NDArray[np.integer[Any]], instance: Dataset) -> NDArray[np.bool_] | None:
    value = instance.get("PixelPaddingValue")
    if value is None:
        return None
    # writers confuse signed and unsigned here; only the bits count
    ends = [_as_cell(int(end), cells.dtype) for end in (value, instance.get("PixelPaddingRangeLimit", value))]
    return (cells >= min(ends)) & (cells <= max(ends))


def _as_cell(value: int, dtype: np.dtype[Any]) -> int:
    bits = dtype.itemsize * 8
    value &= (1 << bits) - 1
    return value - (1 << bits) if dtype.kind == "i" and value >= 1 << (bits - 1) else value
