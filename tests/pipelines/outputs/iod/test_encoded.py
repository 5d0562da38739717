import struct

import pytest

from pipelines.outputs.content import element, sequence
from pipelines.outputs.iod.encoded import fields, items


def test_elements_are_found_by_their_tags() -> None:
    data = element(0x00080060, "CS", b"CT") + element(0x0040A160, "UT", b"text")
    found = fields(data, 0, len(data))
    assert {tag: (data[start:end], vr) for tag, (start, end, vr) in found.items()} == {
        0x00080060: (b"CT", b"CS"),
        0x0040A160: (b"text", b"UT"),
    }


def test_items_are_found_one_after_the_other() -> None:
    inside = [element(0x00080060, "CS", b"CT"), element(0x00080060, "CS", b"MR")]
    data = sequence(0x0040A730, inside)
    ((start, end, _),) = fields(data, 0, len(data)).values()
    assert [data[first:stop] for first, stop in items(data, start, end)] == inside


def test_a_sequence_without_a_length_ends_at_its_delimiter() -> None:
    inner = element(0x00080060, "CS", b"CT")
    item = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF) + inner + struct.pack("<HHI", 0xFFFE, 0xE00D, 0)
    head = struct.pack("<HH2sHI", 0x0040, 0xA730, b"SQ", 0, 0xFFFFFFFF)
    data = head + item + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0) + element(0x00700022, "FL", bytes(4))
    found = fields(data, 0, len(data))
    assert list(found) == [0x0040A730, 0x00700022]
    start, end, _ = found[0x0040A730]
    assert [data[first:stop] for first, stop in items(data, start, end)] == [inner]


@pytest.mark.parametrize("cut", [1, 3, 9, 13])
def test_bytes_that_end_too_early_are_an_error(cut: int) -> None:
    data = sequence(0x0040A730, [element(0x00080060, "CS", b"CT")])
    short = data[:-cut]
    with pytest.raises((ValueError, struct.error)):
        found = fields(short, 0, len(short))
        for start, end, _ in found.values():
            for first, stop in items(short, start, end):
                fields(short, first, stop)


def test_something_else_where_an_item_should_be_is_an_error() -> None:
    data = element(0x00080060, "CS", b"CT" * 4)
    with pytest.raises(ValueError, match="no item"):
        list(items(data, 0, len(data)))


def test_a_sequence_that_never_ends_is_an_error() -> None:
    data = struct.pack("<HH2sHI", 0x0040, 0xA730, b"SQ", 0, 0xFFFFFFFF)
    with pytest.raises(ValueError, match="does not end"):
        fields(data, 0, len(data))
