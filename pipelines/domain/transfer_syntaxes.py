"""The transfer syntaxes that the node takes and its workers decode: the one table, most wanted first."""

from enum import StrEnum
from typing import Final


class Compression(StrEnum):
    """What a transfer syntax does to the pixels."""

    NONE = "none"
    LOSSLESS = "lossless"
    LOSSY = "lossy"
    EITHER = "lossless or lossy"


TRANSFER_SYNTAXES: Final[dict[str, Compression]] = {
    "1.2.840.10008.1.2.1": Compression.NONE,  # Explicit VR Little Endian
    "1.2.840.10008.1.2": Compression.NONE,  # Implicit VR Little Endian
    "1.2.840.10008.1.2.1.99": Compression.LOSSLESS,  # Deflated Explicit VR Little Endian
    "1.2.840.10008.1.2.2": Compression.NONE,  # Explicit VR Big Endian
    "1.2.840.10008.1.2.1.98": Compression.NONE,  # Encapsulated Uncompressed Explicit VR Little Endian
    "1.2.840.10008.1.2.5": Compression.LOSSLESS,  # RLE Lossless
    "1.2.840.10008.1.2.8.1": Compression.LOSSLESS,  # Deflated Image Frame Compression
    "1.2.840.10008.1.2.4.50": Compression.LOSSY,  # JPEG Baseline
    "1.2.840.10008.1.2.4.51": Compression.LOSSY,  # JPEG Extended
    "1.2.840.10008.1.2.4.57": Compression.LOSSLESS,  # JPEG Lossless
    "1.2.840.10008.1.2.4.70": Compression.LOSSLESS,  # JPEG Lossless, first-order prediction
    "1.2.840.10008.1.2.4.80": Compression.LOSSLESS,  # JPEG-LS Lossless
    "1.2.840.10008.1.2.4.81": Compression.LOSSY,  # JPEG-LS Near-lossless
    "1.2.840.10008.1.2.4.90": Compression.LOSSLESS,  # JPEG 2000 Lossless
    "1.2.840.10008.1.2.4.91": Compression.EITHER,  # JPEG 2000
    "1.2.840.10008.1.2.4.201": Compression.LOSSLESS,  # High-Throughput JPEG 2000 Lossless
    "1.2.840.10008.1.2.4.202": Compression.LOSSLESS,  # High-Throughput JPEG 2000 with RPCL
    "1.2.840.10008.1.2.4.203": Compression.EITHER,  # High-Throughput JPEG 2000
}
"""By UID (PS3.5 section 10 and annex A, PS3.6 table A-1)."""
