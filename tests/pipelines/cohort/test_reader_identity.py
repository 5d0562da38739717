"""Drawings of one reader are not compared as if they were of two."""

import pytest
from pydicom import Dataset

from pipelines.cohort.reader_identity import Drawing, TwoReaders, drawing_of, two_readers


def drawn(case: int, *, series: str = "1.2", **names: object) -> Drawing:
    made = Dataset()
    made.SeriesInstanceUID = series
    for keyword, value in names.items():
        setattr(made, keyword, value)
    return drawing_of(case, made)


def test_names_that_programs_write_differently_are_one_reader() -> None:
    one = drawn(1, ContentCreatorName="Wang^Xiaodong=王^小东")
    assert one.reader == drawn(2, ContentCreatorName="WANG^XIAODONG^^").reader
    assert one.reader != drawn(2, ContentCreatorName="Wang^Xiaodan").reader
    # nothing of the name is kept
    assert "wang" not in repr(one).lower()


def test_the_name_is_looked_for_where_each_kind_of_object_has_it() -> None:
    reader = drawn(1, ContentCreatorName="A^B").reader
    assert drawn(2, ContentCreatorName="", OperatorsName=["A^B", "C^D"]).reader == reader
    assert drawn(2, ContentCreatorName=None, ReviewerName="A^B").reader == reader
    observed = Dataset()
    observed.ROIInterpreter = "A^B"
    assert drawn(2, RTROIObservationsSequence=[observed]).reader == reader
    assert drawn(2).reader == ""


def test_a_reader_who_drew_twice_is_no_second_reader() -> None:
    first, again = drawn(1, ContentCreatorName="A^B"), drawn(2, series="1.3", ContentCreatorName="A^B")
    other = drawn(3, series="1.4", ContentCreatorName="C^D")
    assert two_readers([first, again]) is None
    assert two_readers([first, again, other]) == TwoReaders(1, 3, named=True)
    assert two_readers([first, again], whoever=True) == TwoReaders(1, 2, named=False)


def test_who_is_not_named_is_another_reader_unless_it_is_the_same_series() -> None:
    unnamed, later = drawn(1), drawn(2, series="1.3")
    assert two_readers([unnamed, drawn(2)]) is None
    assert two_readers([unnamed, later]) == TwoReaders(1, 2, named=False)
    # of three, those who are told are surer
    told = [drawn(3, series="1.4", ContentCreatorName="A^B"), drawn(4, series="1.5", ContentCreatorName="C^D")]
    assert two_readers([unnamed, *told]) == TwoReaders(3, 4, named=True)


@pytest.mark.parametrize("drawings", [[], [drawn(1)]])
def test_one_drawing_is_nobodys_second(drawings: list[Drawing]) -> None:
    assert two_readers(drawings) is None
