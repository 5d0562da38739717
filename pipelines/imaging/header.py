"""Read and validate the header of a Part 10 file without decoding it, in bounded time and memory.

The receiver calls this for every instance before it acknowledges it, so nothing here may recurse, inflate without limit
or allocate by a length that the sender chose (PS3.5 sections 7 and 7.5).
"""

import math
import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from mmap import mmap
from typing import Final, NamedTuple

from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
)

from pipelines.domain.case import SeriesKey
from pipelines.domain.charsets import decode
from pipelines.domain.identifiers import (
    FrameOfReferenceUID,
    SeriesUID,
    SopClassUID,
    SopInstanceUID,
    StudyUID,
    patient_key_of,
)
from pipelines.domain.instance import MAX_FRAME_POSITIONS, InstanceRef, Plane, References, are_directions
from pipelines.domain.reasons import Rejected

Content = bytes | mmap
"""The bytes of a file, in memory or mapped into it."""

MAX_DEPTH: Final = 64
MAX_ELEMENTS: Final = 1_000_000
MAX_INFLATED_BYTES: Final = 64 * 2**20
_MAX_FRAMES: Final = 1_000_000

_TAG_LE, _TAG_BE = struct.Struct("<HH"), struct.Struct(">HH")
_SHORT_LE: Final = struct.Struct("<HH2sH")
_UNDEFINED: Final = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_PIXEL_DATA: Final = 0x7FE00010
_LONG_VRS: Final = frozenset(
    vr.encode() for vr in ("OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV")
)
_SHORT_VRS: Final = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())
_UID: Final = re.compile(rb"[0-9]+(\.[0-9]+)*")
_VR: Final = re.compile(rb"[A-Z]{2}")
_CODED_STRINGS: Final = re.compile(rb"[ -~]*")

_REFERENCED_SERIES = 0x00081115
_REFERENCED_INSTANCE = 0x0008114A
_SOURCE_IMAGE = 0x00082112
_PLANE_POSITION = 0x00209113
_RT_REFERENCED_FRAME = 0x30060010
_RT_REFERENCED_SERIES = 0x30060014
_CONTOUR_IMAGE = 0x30060016
# implicit VR does not say what is a sequence; these lead to the references, all others are stepped over by their length
_KNOWN_SEQUENCES: Final = frozenset(
    {
        _REFERENCED_SERIES,
        _REFERENCED_INSTANCE,
        _SOURCE_IMAGE,
        _PLANE_POSITION,
        _RT_REFERENCED_FRAME,
        0x30060012,  # RT Referenced Study Sequence
        _RT_REFERENCED_SERIES,
        _CONTOUR_IMAGE,
        0x00089124,  # Derivation Image Sequence
        0x52009229,  # Shared Functional Groups Sequence
        0x52009230,  # Per-Frame Functional Groups Sequence
    }
)
_TOP_LEVEL: Final = {
    "charset": 0x00080005,
    "image_type": 0x00080008,
    "sop_class": 0x00080016,
    "sop_instance": 0x00080018,
    "modality": 0x00080060,
    "patient_id": 0x00100020,
    "issuer": 0x00100021,
    "study": 0x0020000D,
    "series": 0x0020000E,
    "position": 0x00200032,
    "orientation": 0x00200037,
    "frame_of_reference": 0x00200052,
    "frames": 0x00280008,
}
_VR_OF: Final = {
    "charset": (b"CS", b"UN", b""),
    **dict.fromkeys(("sop_class", "sop_instance", "study", "series", "frame_of_reference"), (b"UI", b"UN", b"")),
}
"""Of what names an instance, and of what decides how its text is read: others would read the value by its VR."""
_WANTED_TOP: Final = {tag: name for name, tag in _TOP_LEVEL.items()}
_CHARACTER_SET = 0x00080005
_SERIES_INSTANCE_UID = 0x0020000E
_REFERENCED_SOP_INSTANCE_UID = 0x00081155
_WANTED: Final = frozenset(_WANTED_TOP) | {_REFERENCED_SOP_INSTANCE_UID}
"""Whose values are looked at, at whatever depth; of all others only the lengths are."""


class _Malformed(Exception):
    """The bytes are not a DICOM data set; the message says where and why."""


class FileMeta(NamedTuple):
    """What stands before the data set of a file."""

    sop_class: SopClassUID
    sop_instance: SopInstanceUID
    transfer_syntax: str
    end: int
    """Offset of the data set."""


class _Element(NamedTuple):
    sequences: tuple[int, ...]
    """Tags of the sequences around the element, outermost first."""
    tag: int
    vr: bytes
    """Empty in implicit VR."""
    value: bytes


@dataclass(frozen=True, slots=True)
class _Encoding:
    implicit: bool
    little: bool

    @property
    def order(self) -> str:
        return "<" if self.little else ">"


@dataclass(slots=True)
class _Open:
    """A sequence or an item that is being walked."""

    is_item: bool
    end: int | None
    limit: int
    """Where it ends at the latest, by its own length or by one around it."""
    sequences: tuple[int, ...]
    encoding: _Encoding
    explicit_little: bool = field(init=False)

    def __post_init__(self) -> None:
        self.explicit_little = self.encoding.little and not self.encoding.implicit


def parse_ref(data: Content) -> InstanceRef | Rejected:
    """Read the identity, the geometry and the references of one instance.

    Parameters
    ----------
    data
        A whole Part 10 file: preamble, `DICM`, file meta information, data set.

    Returns
    -------
    InstanceRef
        When the data set is well-formed to its last byte and names itself.
    Rejected
        `RCV-001` with the place and the reason.
    """
    try:
        meta = _file_meta(data)
        return _collect(meta.transfer_syntax, *_dataset(data, meta.end, meta.transfer_syntax))
    except _Malformed as fault:
        return Rejected("RCV-001", f"{fault}.", "Check the sending system and send the instance again.")


def file_meta(data: Content) -> FileMeta | Rejected:
    """Read the file meta information of a Part 10 file (PS3.10 7.1); `RCV-001` when it has none."""
    try:
        return _file_meta(data)
    except _Malformed as fault:
        return Rejected("RCV-001", f"{fault}.", "Check the sending system and send the instance again.")


def _file_meta(data: Content) -> FileMeta:
    if data[128:132] != b"DICM":
        raise _Malformed("The file has no DICM prefix")
    position, found = 132, {0x0002: "", 0x0003: "", 0x0010: ""}
    while position + 8 <= len(data):
        group, element = struct.unpack_from("<HH", data, position)
        if group != 0x0002:
            break
        value_at, length = _explicit_length(data, position, "<")
        if value_at + length > len(data):
            raise _Malformed("The file meta information is cut short")
        if element in found:
            found[element] = data[value_at : value_at + length].rstrip(b"\0 ").decode("ascii", "replace")
        position = value_at + length
    if not _is_uid(found[0x0010].encode()):
        raise _Malformed("The file meta information names no transfer syntax")
    return FileMeta(SopClassUID(found[0x0002]), SopInstanceUID(found[0x0003]), found[0x0010], position)


def _dataset(data: Content, start: int, syntax: str) -> tuple[Content, int, bool]:
    """The data set's bytes, where they begin, and whether they were cut at the inflation limit."""
    if syntax != DeflatedExplicitVRLittleEndian:
        return data, start, False
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        inflated = inflater.decompress(data[start:], MAX_INFLATED_BYTES)
    except zlib.error as fault:
        raise _Malformed("The deflated data set cannot be inflated") from fault
    cut = bool(inflater.unconsumed_tail)
    if not cut and not inflater.eof:
        raise _Malformed("The deflated data set is cut short")
    return inflated, 0, cut


def _explicit_length(data: Content, position: int, order: str) -> tuple[int, int]:
    """(offset of the value, its length) of the explicit VR element at `position`."""
    vr = data[position + 4 : position + 6]
    if vr in _LONG_VRS:
        if position + 12 > len(data):
            raise _Malformed(f"The element at byte {position} is cut short")
        return position + 12, struct.unpack_from(f"{order}I", data, position + 8)[0]
    if vr not in _SHORT_VRS and _VR.fullmatch(vr) is None:
        raise _Malformed(f"The element at byte {position} has no value representation")
    return position + 8, struct.unpack_from(f"{order}H", data, position + 6)[0]


def _elements(data: Content, start: int, encoding: _Encoding, *, cut: bool) -> Iterator[_Element]:
    """Walk all elements, nested ones included, without recursion; gives those of `_WANTED`, others are stepped over."""
    stack = [_Open(is_item=True, end=len(data), limit=len(data), sequences=(), encoding=encoding)]
    position = start
    for _ in range(MAX_ELEMENTS):
        while len(stack) > 1 and stack[-1].end is not None and position >= stack[-1].end:
            if position > stack[-1].end:
                raise _Malformed(f"A sequence ends inside an element at byte {position}")
            stack.pop()
        here = stack[-1]
        limit = here.limit
        if position >= len(data):
            if len(stack) == 1 or cut:
                return
            raise _Malformed("The data set ends inside a sequence")
        if position + 8 > limit:
            if cut:
                return
            raise _Malformed(f"The element at byte {position} is cut short")
        if here.explicit_little and here.is_item:
            # nearly all elements of nearly all instances; whatever is special about others is dealt with below
            group, element, vr, length = _SHORT_LE.unpack_from(data, position)
            value_at = position + 8
            if vr in _SHORT_VRS and group != 0xFFFE and value_at + length <= limit:
                position = value_at + length
                tag = group << 16 | element
                if tag in _WANTED:
                    yield _Element(here.sequences, tag, vr, data[value_at:position] if length <= 4096 else b"")
                continue
        group, element = (_TAG_LE if here.encoding.little else _TAG_BE).unpack_from(data, position)
        tag = group << 16 | element
        if group == 0xFFFE:
            length = struct.unpack_from(f"{here.encoding.order}I", data, position + 4)[0]
            position += 8
            _step_delimiter(stack, tag, position, length, limit)
            continue
        if not here.is_item:
            raise _Malformed(f"A sequence holds something else than items at byte {position}")
        vr = data[position + 4 : position + 6]
        if here.encoding.implicit:
            value_at, length = position + 8, struct.unpack_from(f"{here.encoding.order}I", data, position + 4)[0]
            is_sequence = tag in _KNOWN_SEQUENCES or (length == _UNDEFINED and tag != _PIXEL_DATA)
        else:
            value_at, length = _explicit_length(data, position, here.encoding.order)
            # an unknown VR of undefined length is a sequence in implicit VR little endian (PS3.5 section 6.2.2, note 4)
            is_sequence = vr == b"SQ" or (vr == b"UN" and length == _UNDEFINED)
        if length != _UNDEFINED and value_at + length > limit:
            if cut:
                return
            raise _Malformed(
                f"Element ({group:04X},{element:04X}) at byte {position} announces {length} bytes, "
                f"{limit - value_at} follow"
            )
        if is_sequence:
            if tag in _WANTED:
                raise _Malformed(f"Attribute ({group:04X},{element:04X}) is a sequence at byte {position}")
            if len(stack) >= 2 * MAX_DEPTH:
                raise _Malformed(f"Sequences are nested deeper than {MAX_DEPTH}")
            inner = _Encoding(implicit=True, little=True) if vr == b"UN" else here.encoding
            end = None if length == _UNDEFINED else value_at + length
            within = limit if end is None else end
            stack.append(_Open(is_item=False, end=end, limit=within, sequences=(*here.sequences, tag), encoding=inner))
            position = value_at
        elif length == _UNDEFINED:
            if tag != _PIXEL_DATA:
                raise _Malformed(f"Element ({group:04X},{element:04X}) at byte {position} has no length")
            position = _after_fragments(data, value_at, cut=cut)
        else:
            if tag in _WANTED:
                value = data[value_at : value_at + length] if length <= 4096 else b""
                yield _Element(here.sequences, tag, b"" if here.encoding.implicit else vr, value)
            position = value_at + length
    raise _Malformed(f"The data set has more than {MAX_ELEMENTS} elements")


def _step_delimiter(stack: list[_Open], tag: int, position: int, length: int, limit: int) -> None:
    here = stack[-1]
    if tag == _ITEM and not here.is_item:
        if length != _UNDEFINED and position + length > limit:
            raise _Malformed(f"The item at byte {position - 8} is longer than what follows")
        end = None if length == _UNDEFINED else position + length
        within = limit if end is None else end
        stack.append(_Open(is_item=True, end=end, limit=within, sequences=here.sequences, encoding=here.encoding))
    elif (tag == _ITEM_END and here.is_item and here.end is None) or (
        tag == _SEQUENCE_END and not here.is_item and here.end is None
    ):
        stack.pop()
    else:
        raise _Malformed(f"A delimiter stands where none may be, at byte {position - 8}")


def _after_fragments(data: Content, position: int, *, cut: bool) -> int:
    """Offset behind encapsulated pixel data (PS3.5 A.4)."""
    while position + 8 <= len(data):
        group, element, length = struct.unpack_from("<HHI", data, position)
        position += 8
        if (group << 16 | element) == _SEQUENCE_END:
            return position
        if (group << 16 | element) != _ITEM or position + length > len(data):
            break
        position += length
    if cut:
        return len(data)
    raise _Malformed("The encapsulated pixel data is cut short")


def _collect(syntax: str, data: Content, start: int, cut: bool) -> InstanceRef:
    encoding = _Encoding(implicit=syntax == ImplicitVRLittleEndian, little=syntax != ExplicitVRBigEndian)
    top: dict[str, bytes] = {}
    series: dict[str, None] = {}
    instances: dict[str, None] = {}
    positions: dict[tuple[float, float, float], None] = {}
    rt_frame = b""
    for sequences, tag, vr, value in _elements(data, start, encoding, cut=cut):
        # the readers of an instance look it up wherever it stands, and fail over what is no name
        if tag == _CHARACTER_SET and (
            vr not in _VR_OF["charset"] or _CODED_STRINGS.fullmatch(value.rstrip(b"\0 ")) is None
        ):
            raise _Malformed("Specific Character Set (0008,0005) is no coded string")
        if not sequences:
            name = _WANTED_TOP.get(tag)
            if name is not None:
                if vr not in _VR_OF.get(name, (vr,)):
                    raise _Malformed(f"Attribute ({tag >> 16:04X},{tag & 0xFFFF:04X}) has another value representation")
                top[name] = value.rstrip(b"\0 ")
        elif tag == _SERIES_INSTANCE_UID and sequences[-1] in (_REFERENCED_SERIES, _RT_REFERENCED_SERIES):
            _keep(series, value)
        elif tag == _REFERENCED_SOP_INSTANCE_UID and (
            sequences[-1] in (_SOURCE_IMAGE, _CONTOUR_IMAGE)
            or sequences[-2:] == (_REFERENCED_SERIES, _REFERENCED_INSTANCE)
        ):
            _keep(instances, value)
        elif tag == 0x00200052 and sequences == (_RT_REFERENCED_FRAME,):
            rt_frame = value.rstrip(b"\0 ")
        elif tag == 0x00200032 and sequences[-1] == _PLANE_POSITION and len(positions) < MAX_FRAME_POSITIONS:
            position = _position(value.rstrip(b"\0 "))
            if position is not None:
                positions[position] = None
    for name in ("sop_class", "sop_instance", "study", "series"):
        value = top.get(name, b"")
        if not _is_uid(value):
            tag = _TOP_LEVEL[name]
            raise _Malformed(f"Attribute ({tag >> 16:04X},{tag & 0xFFFF:04X}) is missing or no UID")
    frame_of_reference = top.get("frame_of_reference") or rt_frame
    return InstanceRef(
        sop_class=SopClassUID(_text(top["sop_class"])),
        sop_instance=SopInstanceUID(_text(top["sop_instance"])),
        key=SeriesKey(StudyUID(_text(top["study"])), SeriesUID(_text(top["series"]))),
        transfer_syntax=syntax,
        patient_key=patient_key_of(_decoded(top, "patient_id"), _decoded(top, "issuer")),
        modality=_text(top.get("modality", b"")[:16]).strip(),
        frame_of_reference=FrameOfReferenceUID(_text(frame_of_reference)) if _is_uid(frame_of_reference) else None,
        frames=_frames(top.get("frames", b"")),
        plane=_plane(top),
        localizer=b"LOCALIZER" in _image_type(top),
        original=_image_type(top)[:2] == [b"ORIGINAL", b"PRIMARY"],
        frame_positions_mm=tuple(positions),
        references=References(tuple(SeriesUID(uid) for uid in series), tuple(SopInstanceUID(uid) for uid in instances)),
    )


def _decoded(top: dict[str, bytes], name: str) -> str:
    """Text in the instance's character set, so that one ID has one key whatever it was encoded in."""
    value = top.get(name, b"")
    text = decode(value, _text(top.get("charset", b"")).split("\\"))
    # bytes that cannot be told apart by what they mean are told apart as they are
    return (value.decode("latin-1") if text is None else text).strip()


def _keep(uids: dict[str, None], value: bytes) -> None:
    uid = value.rstrip(b"\0 ")
    if _is_uid(uid):
        uids[_text(uid)] = None


def _is_uid(value: bytes) -> bool:
    """True for a UID as PS3.5 9.1 has it, but for leading zeros, which some senders write."""
    return len(value) <= 64 and _UID.fullmatch(value) is not None


def _text(value: bytes) -> str:
    return value.rstrip(b"\0 ").decode("ascii", "replace").replace("\0", "")


def _frames(value: bytes) -> int:
    if not value:
        return 1
    if not value.isdigit() or len(value) > len(str(_MAX_FRAMES)) or int(value) > _MAX_FRAMES:
        raise _Malformed("Number of Frames (0028,0008) is no number of frames")
    return max(1, int(value))


def _image_type(top: dict[str, bytes]) -> list[bytes]:
    return [part.strip() for part in top.get("image_type", b"").split(b"\\")]


def _position(value: bytes) -> tuple[float, float, float] | None:
    try:
        x, y, z = (float(part) for part in value.split(b"\\"))
    except ValueError:
        return None
    return (x, y, z) if math.isfinite(x) and math.isfinite(y) and math.isfinite(z) else None


def _plane(top: dict[str, bytes]) -> Plane | None:
    position = _position(top.get("position", b""))
    try:
        orientation = [float(part) for part in top.get("orientation", b"").split(b"\\")]
    except ValueError:
        return None
    if position is None or len(orientation) != 6 or not are_directions(orientation):
        return None
    a, b, c, d, e, f = orientation
    return Plane(position, (a, b, c, d, e, f))
