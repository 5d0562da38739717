"""Command sets: what pynetdicom writes is read, what we write pynetdicom reads, and rubbish is told."""

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import CTImageStorage
from pynetdicom.dsutils import decode

from node.adapters.dimse import C_ECHO_RQ, C_STORE_RQ, Request, parse_request, response
from node.adapters.upper_layer import ProtocolError


def command(**elements: object) -> bytes:
    """A command set as pydicom writes it."""
    values = {
        "AffectedSOPClassUID": CTImageStorage,
        "CommandField": C_STORE_RQ,
        "MessageID": 17,
        "Priority": 2,
        "CommandDataSetType": 1,
        "AffectedSOPInstanceUID": "1.2.3",
    } | elements
    dataset = Dataset()
    for name, value in values.items():
        if value is not None:
            setattr(dataset, name, value)
    dataset.CommandGroupLength = 0
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, True
    write_dataset(buffer, dataset)
    return buffer.getvalue()


def test_a_store_request_is_read() -> None:
    assert parse_request(command()) == Request(C_STORE_RQ, 17, True, str(CTImageStorage).encode(), b"1.2.3")


def test_an_echo_request_has_no_data_set() -> None:
    asked = parse_request(command(CommandField=C_ECHO_RQ, CommandDataSetType=0x0101, AffectedSOPInstanceUID=None))
    assert (asked.has_data_set, asked.sop_instance) == (False, b"")


@pytest.mark.parametrize("missing", ["CommandField", "MessageID", "CommandDataSetType"])
def test_a_command_without_what_every_request_has_is_an_error(missing: str) -> None:
    with pytest.raises(ProtocolError, match="no element"):
        parse_request(command(**{missing: None}))


@given(st.binary(max_size=300))
def test_rubbish_is_an_error_and_nothing_else(data: bytes) -> None:
    try:
        parse_request(data)
    except ProtocolError:
        return


@given(st.data())
def test_a_damaged_command_is_read_or_an_error(data: st.DataObject) -> None:
    whole = bytearray(command())
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        parse_request(whole[: data.draw(st.integers(0, len(whole)))])
    except ProtocolError:
        return


def test_pynetdicom_reads_the_response() -> None:
    unit = response(Request(C_STORE_RQ, 17, True, str(CTImageStorage).encode(), b"1.2.3"), 5, 0xA700)
    assert unit[0] == 4
    assert int.from_bytes(unit[2:6], "big") == len(unit) - 6
    assert int.from_bytes(unit[6:10], "big") == len(unit) - 10
    assert unit[10:12] == bytes((5, 3))
    told = decode(BytesIO(unit[12:]), True, True)
    assert told.CommandGroupLength == len(unit) - 12 - 12
    assert told.CommandField == 0x8001
    assert told.MessageIDBeingRespondedTo == 17
    assert told.Status == 0xA700
    assert (told.AffectedSOPClassUID, told.AffectedSOPInstanceUID) == (CTImageStorage, "1.2.3")
