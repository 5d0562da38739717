"""The command sets of C-STORE and C-ECHO, read and written as bytes (PS3.7 sections 6.3, 9.3 and annex E)."""

import struct
from dataclasses import dataclass
from typing import Final

from node.adapters.upper_layer import AbortReason, ProtocolError

C_STORE_RQ: Final = 0x0001
C_ECHO_RQ: Final = 0x0030
C_CANCEL_RQ: Final = 0x0FFF
_RESPONSE: Final = 0x8000
_NO_DATA_SET: Final = 0x0101

_SOP_CLASS, _COMMAND, _MESSAGE_ID, _DATA_SET_TYPE, _SOP_INSTANCE = 0x0002, 0x0100, 0x0110, 0x0800, 0x1000
_ELEMENT: Final = struct.Struct("<HHI")
_P_DATA: Final = struct.Struct(">BBIIBB")
_COMMAND_LAST: Final = 0x03


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came; the UIDs are what the sender wrote, valid or not."""

    command: int
    message_id: int
    has_data_set: bool
    sop_class: bytes
    sop_instance: bytes


def parse_request(data: bytes | bytearray) -> Request:
    """Read a command set.

    Raises
    ------
    ProtocolError
        If it is none, or lacks what every request has.
    """
    elements = _elements(data)
    return Request(
        command=_number(elements, _COMMAND),
        message_id=_number(elements, _MESSAGE_ID),
        has_data_set=_number(elements, _DATA_SET_TYPE) != _NO_DATA_SET,
        sop_class=elements.get(_SOP_CLASS, b"").rstrip(b"\0 "),
        sop_instance=elements.get(_SOP_INSTANCE, b"").rstrip(b"\0 "),
    )


def _elements(data: bytes | bytearray) -> dict[int, bytes]:
    elements: dict[int, bytes] = {}
    position = 0
    while position < len(data):
        if position + 8 > len(data):
            raise ProtocolError(AbortReason.INVALID_PARAMETER, "a command set is cut short")
        group, element, length = _ELEMENT.unpack_from(data, position)
        position += 8
        if group != 0x0000 or position + length > len(data):
            raise ProtocolError(AbortReason.INVALID_PARAMETER, "a command set is malformed")
        elements[element] = bytes(data[position : position + length])
        position += length
    return elements


def _number(elements: dict[int, bytes], element: int) -> int:
    value = elements.get(element, b"")
    if len(value) != 2:
        raise ProtocolError(AbortReason.INVALID_PARAMETER, f"a command set has no element (0000,{element:04X})")
    return int.from_bytes(value, "little")


def response(request: Request, context_id: int, status: int) -> bytes:
    """The response to a request as one P-DATA-TF unit."""
    body = b"".join(
        (
            _element(_SOP_CLASS, request.sop_class[:64]),
            _element(_COMMAND, struct.pack("<H", request.command | _RESPONSE)),
            _element(0x0120, struct.pack("<H", request.message_id)),
            _element(_DATA_SET_TYPE, struct.pack("<H", _NO_DATA_SET)),
            _element(0x0900, struct.pack("<H", status)),
            _element(_SOP_INSTANCE, request.sop_instance[:64]) if request.sop_instance else b"",
        )
    )
    command = _element(0x0000, struct.pack("<I", len(body))) + body
    return _P_DATA.pack(4, 0, len(command) + 6, len(command) + 2, context_id, _COMMAND_LAST) + command


def store_request(sop_class: str, sop_instance: str, message_id: int) -> bytes:
    """The command set of a C-STORE request of medium priority."""
    body = b"".join(
        (
            _element(_SOP_CLASS, sop_class.encode("ascii")),
            _element(_COMMAND, struct.pack("<H", C_STORE_RQ)),
            _element(_MESSAGE_ID, struct.pack("<H", message_id)),
            _element(0x0700, b"\0\0"),
            _element(_DATA_SET_TYPE, b"\1\0"),
            _element(_SOP_INSTANCE, sop_instance.encode("ascii")),
        )
    )
    return _element(0x0000, struct.pack("<I", len(body))) + body


def status_of(data: bytes | bytearray) -> tuple[int, int]:
    """(message ID that is answered, status) of a response; raises `ProtocolError` when it is none."""
    elements = _elements(data)
    return _number(elements, 0x0120), _number(elements, 0x0900)


def value_head(length: int, context_id: int, *, command: bool, last: bool) -> bytes:
    """What stands before a fragment of `length` bytes that fills a P-DATA-TF unit alone (PS3.8 9.3.5)."""
    return _P_DATA.pack(4, 0, length + 6, length + 2, context_id, command | last << 1)


def _element(element: int, value: bytes) -> bytes:
    if len(value) % 2:
        value += b"\0"
    return _ELEMENT.pack(0x0000, element, len(value)) + value
