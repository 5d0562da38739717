import itertools
import time

import pytest
from pydicom import Dataset

from node.adapters.matching import answer, matches


def step(**attributes: object) -> Dataset:
    made = Dataset()
    for keyword, value in attributes.items():
        setattr(made, keyword, value)
    return made


HELD = step(
    SpecificCharacterSet="ISO_IR 192",
    PatientName="Wang^XiaoDong=王^小东",
    PatientID="P-1",
    StudyDate="20260301",
    StudyTime="101500",
    ModalitiesInStudy=["CT", "SEG"],
    StudyInstanceUID="1.2.3",
    ScheduledStationNameCodeSequence=[step(CodeValue="PULMONODE", CodingSchemeDesignator="99X")],
)


@pytest.mark.parametrize(
    ("keyword", "asked", "expected"),
    [
        ("PatientID", "P-1", True),
        ("PatientID", "P-2", False),
        ("PatientID", "P-?", True),
        ("PatientID", "*1", True),
        ("PatientID", "P", False),
        ("PatientID", "", True),
        ("PatientName", "wang*", True),
        ("PatientName", "*小东", True),
        ("PatientName", "Wang.XiaoDong*", False),
        ("StudyDate", "20260301", True),
        ("StudyDate", "20260201-20260331", True),
        ("StudyDate", "20260302-", False),
        ("StudyDate", "-20260301", True),
        ("StudyDate", "-20260228", False),
        ("StudyTime", "1000-1100", True),
        ("ModalitiesInStudy", "SEG", True),
        ("ModalitiesInStudy", "MR", False),
        ("StudyInstanceUID", ["1.2.4", "1.2.3"], True),
        ("StudyInstanceUID", "1.2.*", False),
        ("AccessionNumber", "", True),
        ("AccessionNumber", "A", False),
        ("ScheduledStationNameCodeSequence", [], True),
        ("ScheduledStationNameCodeSequence", [Dataset()], True),
        ("ScheduledStationNameCodeSequence", [step(CodeValue="PULMONODE")], True),
        ("ScheduledStationNameCodeSequence", [step(CodeValue="OTHER")], False),
        ("ScheduledWorkitemCodeSequence", [step(CodeValue="X")], False),
        ("SpecificCharacterSet", "GB18030", True),
    ],
)
def test_a_key_matches_as_its_value_representation_says(keyword: str, asked: object, expected: bool) -> None:
    assert matches(step(**{keyword: asked}), HELD) is expected


def test_the_answer_has_what_was_asked_for_and_leaves_empty_what_is_not_there() -> None:
    found = answer(step(PatientID="", AccessionNumber="", ScheduledWorkitemCodeSequence=[]), HELD)
    assert (found.PatientID, found.AccessionNumber) == ("P-1", None)
    assert len(found.ScheduledWorkitemCodeSequence) == 0
    assert "StudyDate" not in found
    assert found.SpecificCharacterSet == "ISO_IR 192"


def test_a_sequence_asks_in_vain_for_what_is_no_sequence() -> None:
    held = Dataset()
    held.add_new(0x00404025, "LO", "1\\2")
    assert not matches(step(ScheduledStationNameCodeSequence=[step(CodeValue="1")]), held)


def _meets(pattern: str, value: str) -> bool:
    """Wild cards by their definition, one character after the other."""
    if not pattern:
        return not value
    if pattern[0] == "*":
        return any(_meets(pattern[1:], value[start:]) for start in range(len(value) + 1))
    return bool(value) and pattern[0] in ("?", value[0]) and _meets(pattern[1:], value[1:])


def test_wild_cards_match_as_they_are_defined_in_every_short_combination() -> None:
    values = ["".join(letters) for count in range(1, 4) for letters in itertools.product("ab", repeat=count)]
    patterns = ["".join(letters) for count in range(1, 5) for letters in itertools.product("ab*?", repeat=count)]
    for value, pattern in itertools.product(values, patterns):
        assert matches(step(PatientID=pattern), step(PatientID=value)) is _meets(pattern, value), (pattern, value)


@pytest.mark.parametrize("pattern", ["*a" * 30 + "b", "*?" * 30 + "b", "*a" * 3000 + "b", "?" * 60_000])
@pytest.mark.parametrize("value", ["a" * 64, "a" * 10_000])
def test_no_combination_of_wild_cards_keeps_the_process_busy(pattern: str, value: str) -> None:
    query, held = Dataset(), Dataset()
    query.add_new(0x00104000, "LT", pattern)
    held.add_new(0x00104000, "LT", value)
    start = time.thread_time()
    assert not matches(query, held)
    assert time.thread_time() - start < 5
