import math
import struct

import pytest

from pipelines.domain.coding import (
    EQUIVALENT_MEANING,
    IMAGING_MEASUREMENTS,
    MEASUREMENT_GROUP,
    NO_UNITS,
    REFERENCED_SEGMENT,
    TRACKING_UID,
    Code,
)
from pipelines.domain.identifiers import SopClassUID, SopInstanceUID
from pipelines.outputs.content import Container, ContentItem, Encoder, ImageRef, Num, Relationship, Text, UidRef
from pipelines.outputs.readback import ReadGroup, ReadNumber, read_groups

CONTAINS = Relationship.CONTAINS
NAME = Code("TU9B", "IBSI", "Joint Entropy of GLCM")


def encoded() -> bytes:
    numbers: tuple[ContentItem, ...] = tuple(
        Num(CONTAINS, NAME, value, NO_UNITS, (Text(Relationship.HAS_CONCEPT_MODIFIER, EQUIVALENT_MEANING, name),))
        for name, value in (("original_glcm_JointEntropy", 0.1), ("wavelet-LLH_glcm_JointEntropy", math.nan))
    )
    segment = ImageRef(CONTAINS, REFERENCED_SEGMENT, SopClassUID("1.2"), SopInstanceUID("1.2.4"), segment=3)
    items = (UidRef(CONTAINS, TRACKING_UID, "1.2.3"), segment, *numbers)
    group = Container(CONTAINS, MEASUREMENT_GROUP, items, "1411")
    tree = (Text(CONTAINS, NAME, "other"), Container(CONTAINS, IMAGING_MEASUREMENTS, (group,)))
    return Encoder().content_sequence(tree)[12:]


def test_groups_are_read_with_names_values_and_qualifiers() -> None:
    assert read_groups(encoded()) == [
        ReadGroup(
            "1.2.3",
            ("1.2.4", 3),
            (
                ReadNumber(("TU9B", "IBSI"), "original_glcm_JointEntropy", struct.pack("<d", 0.1), ""),
                ReadNumber(("TU9B", "IBSI"), "wavelet-LLH_glcm_JointEntropy", None, "114000"),
            ),
        )
    ]


@pytest.mark.parametrize("damage", ["cut short", "longer", "an item tag is gone"])
def test_damaged_bytes_are_refused(damage: str) -> None:
    content = encoded()
    damaged = {
        "cut short": content[:-3],
        "longer": content + b"\0\0\0\0\0\0\0\0",
        "an item tag is gone": content.replace(b"\xfe\xff\x00\xe0", b"\xfe\xff\x00\xe1", 1),
    }[damage]
    with pytest.raises(ValueError, match=r"item|read back|element"):
        read_groups(damaged)
