"""What pydicom raises over a data set that is damaged, or that contradicts itself."""

import struct
import zlib
from typing import Final

from pydicom.errors import BytesLengthException, InvalidDicomError

READ_FAULTS: Final = (
    InvalidDicomError,
    ArithmeticError,
    AttributeError,
    BytesLengthException,
    EOFError,
    LookupError,
    NotImplementedError,
    OSError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
"""When a file is read, and when a value is looked at for the first time: pydicom decodes it only then."""
