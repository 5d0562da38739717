"""Tables read from CSV and workbooks as hospitals save them."""

import io
from datetime import date, datetime

import pytest
from openpyxl import Workbook

from pipelines.cohort.table_file import RawTable, read_csv, read_workbook, sheets, write_csv
from pipelines.domain.reasons import Rejected


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_encodings_and_separators_are_told_apart(encoding: str, separator: str) -> None:
    data = f"编号{separator}性别\r\nA{separator}男\r\n".encode(encoding)
    assert read_csv(data) == RawTable(("编号", "性别"), (("A", "男"),))


def test_a_workbook_gives_its_sheets_dates_and_numbers() -> None:
    book = Workbook()
    first = book.active
    assert first is not None
    first.title = "Patients"
    first.append(["patient", "start", "age"])
    first.append(["A", datetime(2021, 3, 9), 64])
    book.create_sheet("lesions").append(["patient", "lesion"])
    out = io.BytesIO()
    book.save(out)
    assert sheets(out.getvalue()) == ("patients", "lesions")
    assert read_workbook(out.getvalue(), "patients") == RawTable(
        ("patient", "start", "age"), (("A", datetime(2021, 3, 9), 64),)
    )
    assert read_workbook(out.getvalue(), "lesions") == RawTable(("patient", "lesion"), ())
    assert isinstance(read_workbook(out.getvalue(), "other"), Rejected)


@pytest.mark.parametrize("data", [b"", b"\xff\xfe\x00\xd8", b'a,b\n"open,1\n'])
def test_what_is_no_table_is_refused(data: bytes) -> None:
    found = read_csv(data)
    assert isinstance(found, Rejected) and found.code == "COH-003"


def test_what_is_no_workbook_is_refused() -> None:
    found = read_workbook(b"PK\x03\x04 not a workbook")
    assert isinstance(found, Rejected) and found.code == "COH-003"


def test_numbers_are_written_short_and_missing_ones_empty() -> None:
    data = write_csv(["a", "b", "c", "d"], [[0.1 + 0.2, None, float("nan"), date(2021, 3, 9)]])
    assert data == b"a,b,c,d\n0.3,,,2021-03-09\n"


def test_a_damaged_workbook_is_refused_whatever_is_damaged() -> None:
    # checksums, compressed streams, XML: each fails in a way of its own
    book = Workbook()
    assert book.active is not None
    book.active.append(["patient", "age"])
    out = io.BytesIO()
    book.save(out)
    refused = 0
    for place in range(0, len(out.getvalue()), 29):
        data = bytearray(out.getvalue())
        data[place : place + 16] = b"\xff" * 16
        found = read_workbook(bytes(data))
        refused += isinstance(found, Rejected)
        assert isinstance(found, Rejected | RawTable)
        assert isinstance(sheets(bytes(data)), tuple)
    assert refused > 20
