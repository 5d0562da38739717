"""Of identifiers that are partly damaged the sound part is used, or nothing."""

from io import BytesIO

import pytest
from pydicom import Dataset
from pynetdicom.dsutils import decode, encode

from node.adapters.identifiers import is_readable, readable


def damaged(at: bytes, by: bytes) -> Dataset:
    """An identifier with a study, an order in a sequence, and something broken."""
    item = Dataset()
    item.Modality, item.ScheduledProcedureStepStartDate = "CT", "20260115"
    made = Dataset()
    made.PatientID, made.StudyInstanceUID, made.ScheduledProcedureStepSequence = "P-1", "1.2.3", [item]
    data = encode(made, False, True)
    assert data is not None
    return decode(BytesIO(data.replace(at, by)), False, True)


@pytest.mark.parametrize(
    ("at", "by", "lost"),
    [
        (b"LO\x04\0P-1 ", b"XX\x04\0P-1 ", "PatientID"),
        (b"LO\x04\0P-1 ", b"FD\x04\0P-1 ", "PatientID"),
        (b"@\0\0\1SQ\0\0", b"@\0\0\1FD\4\0", "ScheduledProcedureStepSequence"),
    ],
)
def test_what_cannot_be_decoded_is_left_out(at: bytes, by: bytes, lost: str) -> None:
    identifier = damaged(at, by)
    assert not is_readable(damaged(at, by))
    found = readable(identifier)
    assert found.StudyInstanceUID == "1.2.3"
    assert lost not in found


def test_of_a_damaged_item_the_rest_is_kept() -> None:
    identifier = damaged(b"CS\x02\0CT", b"XX\x02\0CT")
    assert not is_readable(damaged(b"CS\x02\0CT", b"XX\x02\0CT"))
    (item,) = readable(identifier).ScheduledProcedureStepSequence
    assert item.ScheduledProcedureStepStartDate == "20260115"
    assert "Modality" not in item


def test_a_sound_identifier_is_kept_whole() -> None:
    identifier = damaged(b"", b"")
    assert is_readable(identifier)
    assert readable(identifier) == identifier
