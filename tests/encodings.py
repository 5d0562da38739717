"""A CT image in every transfer syntax that the node takes: written by DCMTK, pydicom's plug-ins and OpenJPH."""

import subprocess
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Final

import imagecodecs
import numpy as np
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000, UID, ExplicitVRLittleEndian, JPEG2000Lossless

from tests.dicom import as_bytes
from tests.tools import tool

Encoder = Callable[[Dataset, Path], Dataset]

ENCAPSULATED_UNCOMPRESSED: Final = "1.2.840.10008.1.2.1.98"
DEFLATED_FRAMES: Final = "1.2.840.10008.1.2.8.1"


def plain(instance: Dataset) -> Dataset:
    """A copy in Explicit VR Little Endian, whatever the instance came in."""
    copy = dcmread(BytesIO(as_bytes(instance)))
    if copy.file_meta.TransferSyntaxUID.is_compressed:
        copy.decompress(generate_instance_uid=False)
    copy.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return dcmread(BytesIO(as_bytes(copy)))


def _dcmtk(program: str, *options: str) -> Encoder:
    def encode(instance: Dataset, folder: Path) -> Dataset:
        before, after = folder / "before.dcm", folder / "after.dcm"
        before.write_bytes(as_bytes(instance))
        subprocess.run([tool(program, "dcmtk"), *options, before, after], check=True, capture_output=True)
        return dcmread(BytesIO(after.read_bytes()))

    return encode


def _pydicom(transfer_syntax: UID, **options: object) -> Encoder:
    def encode(instance: Dataset, folder: Path) -> Dataset:
        copy = plain(instance)
        copy.compress(transfer_syntax, generate_instance_uid=False, **options)
        return dcmread(BytesIO(as_bytes(copy)))

    return encode


def _frames(transfer_syntax: str, of_frame: Callable[[bytes], bytes]) -> Encoder:
    """Each frame's bytes turned into something else and encapsulated."""

    def encode(instance: Dataset, folder: Path) -> Dataset:
        copy = plain(instance)
        count = int(copy.get("NumberOfFrames", 1))
        size = len(copy.PixelData) // count
        frames = [of_frame(copy.PixelData[at : at + size]) for at in range(0, count * size, size)]
        return _encapsulated(copy, frames, transfer_syntax)

    return encode


def _openjph(transfer_syntax: str, *, reversible: bool = True) -> Encoder:
    def encode(instance: Dataset, folder: Path) -> Dataset:
        copy = plain(instance)
        pixels = copy.pixel_array.reshape(-1, copy.Rows, copy.Columns)
        level = None if reversible else 0.001
        frames = [imagecodecs.htj2k_encode(np.ascontiguousarray(f), level, reversible=reversible) for f in pixels]
        return _encapsulated(copy, frames, transfer_syntax)

    return encode


def _deflated(frame: bytes) -> bytes:
    squeezer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    squeezed = squeezer.compress(frame) + squeezer.flush()
    return squeezed + b"\0" * (len(squeezed) % 2)


def _encapsulated(copy: Dataset, frames: list[bytes], transfer_syntax: str) -> Dataset:
    copy.PixelData = encapsulate(frames)
    copy["PixelData"].VR = "OB"
    copy["PixelData"].is_undefined_length = True
    copy.file_meta.TransferSyntaxUID = UID(transfer_syntax)
    buffer = BytesIO()
    # pydicom has not heard of every transfer syntax
    dcmwrite(buffer, copy, implicit_vr=False, little_endian=True, force_encoding=True)
    return dcmread(BytesIO(buffer.getvalue()))


LOSSLESS: Final[dict[str, Encoder]] = {
    "1.2.840.10008.1.2": _dcmtk("dcmconv", "+ti"),
    "1.2.840.10008.1.2.1": _dcmtk("dcmconv", "+te"),
    "1.2.840.10008.1.2.2": _dcmtk("dcmconv", "+tb"),
    "1.2.840.10008.1.2.1.99": _dcmtk("dcmconv", "+td"),
    ENCAPSULATED_UNCOMPRESSED: _frames(ENCAPSULATED_UNCOMPRESSED, bytes),
    DEFLATED_FRAMES: _frames(DEFLATED_FRAMES, _deflated),
    "1.2.840.10008.1.2.5": _dcmtk("dcmcrle"),
    "1.2.840.10008.1.2.4.57": _dcmtk("dcmcjpeg", "+el"),
    "1.2.840.10008.1.2.4.70": _dcmtk("dcmcjpeg", "+e1"),
    "1.2.840.10008.1.2.4.80": _dcmtk("dcmcjpls", "+el"),
    "1.2.840.10008.1.2.4.90": _pydicom(JPEG2000Lossless),
    "1.2.840.10008.1.2.4.201": _openjph("1.2.840.10008.1.2.4.201"),
    "1.2.840.10008.1.2.4.202": _openjph("1.2.840.10008.1.2.4.202"),
}
"""By transfer syntax: the same pixels."""

LOSSY: Final[dict[str, Encoder]] = {
    "1.2.840.10008.1.2.4.50": _dcmtk("dcmcjpeg", "+eb", "+un"),
    "1.2.840.10008.1.2.4.51": _dcmtk("dcmcjpeg", "+ee", "+bt", "+q", "98", "+un"),
    "1.2.840.10008.1.2.4.81": _dcmtk("dcmcjpls", "+en", "+md", "2", "+un"),
    "1.2.840.10008.1.2.4.91": _pydicom(JPEG2000, j2k_cr=[10]),
    "1.2.840.10008.1.2.4.203": _openjph("1.2.840.10008.1.2.4.203", reversible=False),
}
"""By transfer syntax: pixels that lost something."""
