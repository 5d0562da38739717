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
from functools import lru_cache
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
_SHORT_LE: Final = struct.Struct("<I2sH")
"""Tag, VR and length of an element of a short VR; read as one number, the tag has its halves exchanged."""
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
_WANTED_LE: Final = {(tag & 0xFFFF) << 16 | tag >> 16: tag for tag in _WANTED}
"""The same, by the number that `_SHORT_LE` makes of them."""
_LONGEST_VALUE: Final = 4096
"""Of what is looked at."""


class _Malformed(Exception):
    """The bytes are not a DICOM data set; the message says where and why."""


class FileMeta(NamedTuple):
    """What stands before the data set of a file."""

    sop_class: SopClassUID
    sop_instance: SopInstanceUID
    transfer_syntax: str
    end: int
    """Offset of the data set."""


_Element = tuple[tuple[int, ...], int, bytes, bytes]
"""Tags of the sequences around it, outermost first; tag; VR, empty in implicit VR; value."""


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
    position, end = 132, len(data)
    found = {0x00020002: "", 0x00030002: "", 0x00100002: ""}
    while position + 8 <= end:
        tag, vr, length = _SHORT_LE.unpack_from(data, position)
        if tag & 0xFFFF != 0x0002:
            break
        value_at = position + 8
        if vr not in _SHORT_VRS:
            value_at, length = _explicit_length(data, position, "<")
        position = value_at + length
        if position > end:
            raise _Malformed("The file meta information is cut short")
        if tag in found:
            if vr != b"UI":
                raise _Malformed("The file meta information has a UID in another value representation")
            found[tag] = data[value_at:position].rstrip(b"\0 ").decode("ascii", "replace")
    syntax = found[0x00100002]
    if not _is_uid(syntax.encode()):
        raise _Malformed("The file meta information names no transfer syntax")
    return FileMeta(SopClassUID(found[0x00020002]), SopInstanceUID(found[0x00030002]), syntax, position)


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
    position, counted, unpack = start, 0, _SHORT_LE.unpack_from
    while counted < MAX_ELEMENTS:
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
            sequences, last = here.sequences, limit - 8
            while position <= last and counted < MAX_ELEMENTS:
                number, vr, length = unpack(data, position)
                following = position + 8 + length
                if vr not in _SHORT_VRS or following > limit or number & 0xFFFF == 0xFFFE:
                    break
                if number in _WANTED_LE:
                    value = data[position + 8 : following] if length <= _LONGEST_VALUE else b""
                    yield sequences, _WANTED_LE[number], vr, value
                position = following
                counted += 1
            else:
                continue
        counted += 1
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
                value = data[value_at : value_at + length] if length <= _LONGEST_VALUE else b""
                yield here.sequences, tag, b"" if here.encoding.implicit else vr, value
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
    sop_class = _required("sop_class", _repeated_uid(top.get("sop_class", b"")))
    sop_instance = _required("sop_instance", _uid(top.get("sop_instance", b"")))
    study = _required("study", _repeated_uid(top.get("study", b"")))
    of_series = _required("series", _repeated_uid(top.get("series", b"")))
    frame_of_reference = _repeated_uid(top.get("frame_of_reference") or rt_frame)
    image_type = _image_type(top.get("image_type", b""))
    return InstanceRef(
        sop_class=SopClassUID(sop_class),
        sop_instance=SopInstanceUID(sop_instance),
        key=SeriesKey(StudyUID(study), SeriesUID(of_series)),
        transfer_syntax=syntax,
        patient_key=_patient_key(top.get("patient_id", b""), top.get("issuer", b""), top.get("charset", b"")),
        modality=_text(top.get("modality", b"")[:16]).strip(),
        frame_of_reference=None if frame_of_reference is None else FrameOfReferenceUID(frame_of_reference),
        frames=_frames(top.get("frames", b"")),
        plane=_plane(top),
        localizer=b"LOCALIZER" in image_type,
        original=image_type[:2] == (b"ORIGINAL", b"PRIMARY"),
        frame_positions_mm=tuple(positions),
        references=References(tuple(SeriesUID(uid) for uid in series), tuple(SopInstanceUID(uid) for uid in instances)),
    )


def _required(name: str, uid: str | None) -> str:
    if uid is None:
        tag = _TOP_LEVEL[name]
        raise _Malformed(f"Attribute ({tag >> 16:04X},{tag & 0xFFFF:04X}) is missing or no UID")
    return uid


# what the instances of a series have in common is read once; the longest value bounds what is remembered


@lru_cache(maxsize=16)
def _patient_key(patient_id: bytes, issuer: bytes, charset: bytes) -> str:
    return patient_key_of(_decoded(patient_id, charset), _decoded(issuer, charset))


def _decoded(value: bytes, charset: bytes) -> str:
    """Text in the instance's character set, so that one ID has one key whatever it was encoded in."""
    text = decode(value, _text(charset).split("\\"))
    # bytes that cannot be told apart by what they mean are told apart as they are
    return (value.decode("latin-1") if text is None else text).strip()


def _uid(value: bytes) -> str | None:
    return _text(value) if _is_uid(value) else None


_repeated_uid: Final = lru_cache(maxsize=64)(_uid)


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


@lru_cache(maxsize=16)
def _image_type(value: bytes) -> tuple[bytes, ...]:
    return tuple(part.strip() for part in value.split(b"\\"))


def _position(value: bytes) -> tuple[float, float, float] | None:
    try:
        x, y, z = (float(part) for part in value.split(b"\\"))
    except ValueError:
        return None
    return (x, y, z) if math.isfinite(x) and math.isfinite(y) and math.isfinite(z) else None


def _plane(top: dict[str, bytes]) -> Plane | None:
    position, orientation = _position(top.get("position", b"")), _orientation(top.get("orientation", b""))
    return None if position is None or orientation is None else Plane(position, orientation)


@lru_cache(maxsize=16)
def _orientation(value: bytes) -> tuple[float, float, float, float, float, float] | None:
    try:
        a, b, c, d, e, f = (float(part) for part in value.split(b"\\"))
    except ValueError:
        return None
    return (a, b, c, d, e, f) if are_directions((a, b, c, d, e, f)) else None
