"""Part 10 files in Deflated Explicit VR Little Endian, made of those in Explicit VR Little Endian."""

import zlib
from pathlib import Path
from typing import IO, Final

from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_file_meta_info
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import DeflatedExplicitVRLittleEndian

_CHUNK: Final = 1 << 20
# preamble, prefix and the group length itself, which counts what follows it (PS3.10 7.1)
_BEFORE_META: Final = 128 + 4 + 12


def deflate(source: Path, target: IO[bytes]) -> None:
    """Write the object in `source` to `target`, its data set compressed (PS3.5 A.5).

    Raises
    ------
    OSError
        If `source` cannot be read.
    pydicom.errors.InvalidDicomError
        If it is no Part 10 file.
    """
    meta = read_file_meta_info(source)
    with source.open("rb") as file:
        file.seek(_BEFORE_META + meta.FileMetaInformationGroupLength)
        meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
        target.write(b"\0" * 128 + b"DICM")
        head = DicomBytesIO()
        head.is_little_endian, head.is_implicit_VR = True, False
        write_file_meta_info(head, meta)
        target.write(head.getvalue())
        # a raw stream, without the header and the checksum of zlib
        compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        written = 0
        while chunk := file.read(_CHUNK):
            written += target.write(compressor.compress(chunk))
        written += target.write(compressor.flush())
        if written % 2:
            target.write(b"\0")
