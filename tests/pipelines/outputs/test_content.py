import math
import struct
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.filereader import read_dataset

from pipelines.domain.coding import NO_UNITS, Code
from pipelines.domain.identifiers import SopClassUID, SopInstanceUID
from pipelines.outputs.content import (
    CodeItem,
    Container,
    ContentItem,
    Encoder,
    ImageRef,
    Num,
    Relationship,
    Text,
    UidRef,
)

NAME = Code("TU9B", "IBSI", "Joint Entropy of GLCM")
CONTAINS = Relationship.CONTAINS


def read(*items: ContentItem) -> list[Dataset]:
    """What pydicom makes of the encoded items."""
    encoded = Encoder().content_sequence(items)
    return list(read_dataset(BytesIO(encoded), is_implicit_VR=False, is_little_endian=True).ContentSequence)


def number(value: float, *, digits: int | None = None) -> Dataset:
    return read(Num(CONTAINS, NAME, value, NO_UNITS, digits=digits))[0]


def test_each_kind_of_item_is_read_by_pydicom_as_it_was_meant() -> None:
    code, text, uid, image, container = read(
        CodeItem(CONTAINS, NAME, NO_UNITS),
        Text(CONTAINS, NAME, "王^小东"),
        UidRef(CONTAINS, NAME, "1.2.3"),
        ImageRef(CONTAINS, None, SopClassUID("1.2"), SopInstanceUID("1.3"), frame=4, segment=5),
        Container(CONTAINS, NAME, (Text(CONTAINS, NAME, "below"),), "1411"),
    )
    assert (code.ValueType, code.ConceptCodeSequence[0].CodeMeaning) == ("CODE", "no units")
    assert (code.RelationshipType, code.ConceptNameCodeSequence[0].CodingSchemeDesignator) == ("CONTAINS", "IBSI")
    assert (text.ValueType, text[0x0040A160].VR) == ("TEXT", "UT")
    assert (
        Encoder()
        .content_sequence([Text(CONTAINS, NAME, "王^小东")])
        .endswith("王^小东".encode() + b" " * (len("王^小东".encode()) % 2))
    )
    assert (uid.ValueType, uid.UID) == ("UIDREF", "1.2.3")
    reference = image.ReferencedSOPSequence[0]
    assert (reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID) == ("1.2", "1.3")
    assert (reference.ReferencedFrameNumber, reference.ReferencedSegmentNumber) == (4, 5)
    assert "ConceptNameCodeSequence" not in image
    assert container.ContinuityOfContent == "SEPARATE"
    assert container.ContentTemplateSequence[0].TemplateIdentifier == "1411"
    assert container.ContentSequence[0].TextValue == "below"


# the last step below the largest double is rounded to one above it
@given(st.floats(-1e300, 1e300))
def test_any_finite_number_comes_back_bit_by_bit_beside_a_decimal_string_of_16_characters(value: float) -> None:
    measured = number(value).MeasuredValueSequence[0]
    assert struct.pack("<d", measured.FloatingPointValue) == struct.pack("<d", value)
    assert len(str(measured.NumericValue)) <= 16
    assert float(measured.NumericValue) == pytest.approx(value, rel=1e-8, abs=1e-300)


@pytest.mark.parametrize(("value", "qualifier"), [(math.nan, "114000"), (-math.inf, "114001"), (math.inf, "114002")])
def test_what_is_no_number_has_a_qualifier_in_place_of_a_measured_value(value: float, qualifier: str) -> None:
    item = number(value)
    assert len(item.MeasuredValueSequence) == 0
    assert item.NumericValueQualifierCodeSequence[0].CodeValue == qualifier


def test_digits_shorten_the_decimal_string_only() -> None:
    measured = number(0.7310585786300049, digits=4).MeasuredValueSequence[0]
    assert (str(measured.NumericValue), measured.FloatingPointValue) == ("0.7311", 0.7310585786300049)


def test_whole_numbers_are_printed_without_a_point() -> None:
    assert str(number(1218.0).MeasuredValueSequence[0].NumericValue) == "1218"
