"""What the readers look for, as a dictionary for the fuzzer: tags, VRs, UIDs, types of units, coded strings."""

import struct
from pathlib import Path

from tests.hostile.mutations import WORDS

_TAGS = (
    0x00020010, 0x00080005, 0x00080008, 0x00080016, 0x00080018, 0x00080060, 0x00081115, 0x0008114A, 0x00081155,
    0x00081140, 0x00082112, 0x00089124, 0x00100020, 0x00100021, 0x0020000D, 0x0020000E, 0x00200032, 0x00200037,
    0x00200052, 0x00209113, 0x00209116, 0x00280008, 0x00280010, 0x00280011, 0x00280030, 0x00280100, 0x00281052,
    0x00281053, 0x00289110, 0x0040A010, 0x0040A040, 0x0040A043, 0x0040A168, 0x0040A300, 0x0040A730, 0x00620001,
    0x00620002, 0x00620004, 0x0062000A, 0x0062000B, 0x3006000A, 0x30060010, 0x30060014, 0x30060016, 0x30060020,
    0x30060039, 0x30060040, 0x30060050, 0x52009229, 0x52009230, 0x7FE00008, 0x7FE00010,
    0x00000002, 0x00000100, 0x00000110, 0x00000120, 0x00000800, 0x00000900, 0x00001000,
)  # fmt: skip
_VRS = "AEASATCSDADSDTFDFLISLOLTOBODOFOLOVOWPNSHSLSQSSSTSVTMUCUIULUNURUSUTUV"
_TEXTS = (
    "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.90", "1.2.840.10008.3.1.1.1",
    "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.481.3",
    "1.2.840.10008.5.1.4.1.1.88.33", "1.2.840.10008.5.1.4.1.1.66.7", "1.2.840.10008.1.1",
    "ISO_IR 100", "ISO_IR 192", "ISO 2022 IR 58", "ISO 2022 IR 87", "ISO 2022 IR 149", "ISO_IR 13", "GB18030", "GBK",
    "\x1b$B", "\x1b$)A", "\x1b$)C", "\x1b(J", "\x1b)I", "\x1b-F",
    "BINARY", "FRACTIONAL", "LABELMAP", "CLOSED_PLANAR", "LOCALIZER", "ORIGINAL\\PRIMARY", "CODE", "NUM", "CONTAINER",
    "COMPLETE", "PRELIMINARY", "MONOCHROME2", "multipart/related; boundary=", "\r\n--", "--\r\n", "application/dicom",
    "resourceType", "Patient", "Bundle", "MedicationAdministration", "patient_id", ":scrypt:",
)  # fmt: skip


def write_words(path: Path) -> None:
    """Write them in the form that libFuzzer reads."""
    words = [struct.pack("<HH", tag >> 16, tag & 0xFFFF) for tag in _TAGS]
    words += [struct.pack(">HH", tag >> 16, tag & 0xFFFF) for tag in _TAGS[:20]]
    words += [_VRS[at : at + 2].encode() for at in range(0, len(_VRS), 2)]
    words += [text.encode("latin-1") for text in _TEXTS]
    words += [bytes((kind, 0)) for kind in (*range(1, 8), 0x10, 0x20, 0x21, 0x30, 0x40, *range(0x50, 0x5A))]
    words += WORDS
    path.write_text("".join(f'"{_escaped(word)}"\n' for word in dict.fromkeys(words)), encoding="ascii")


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)
