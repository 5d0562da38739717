"""Tables of clinical data: every wrong cell is told by its place, and never by what stands in it."""

import io
from datetime import datetime

import pytest
from openpyxl import Workbook

from pipelines.clinical.tables import ReadTable, read_table
from pipelines.domain.clinical import Key, patient_key

RIGHT = "patient_id,ici_start,line2_start,death\n4711,2024-01-15,2024-09,\n4712,2024-02,,2025-01-03\n"


def told(table: ReadTable) -> list[tuple[int, str]]:
    return [(problem.row, problem.column) for problem in table.problems]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_a_table_is_read_whatever_divides_it(delimiter: str, encoding: str) -> None:
    data = RIGHT.replace(",", delimiter).encode(encoding)
    table = read_table(data, ".csv")
    assert table.problems == ()
    first, second = table.rows
    assert (first.row, first.patient) == (2, patient_key("4711"))
    assert first.entries == {Key("ici_start"): "2024-01-15", Key("line_start", 2): "2024-09"}
    assert second.entries == {Key("ici_start"): "2024-02", Key("death"): "2025-01-03"}


def test_chinese_text_of_either_encoding_means_the_same() -> None:
    text = "patient_id,line1_agents\n4711,信迪利单抗;培美曲塞\n"
    assert read_table(text.encode("gb18030"), ".csv") == read_table(text.encode(), ".csv")


def test_a_workbook_gives_its_days_numbers_and_texts() -> None:
    book = Workbook()
    sheet = book.active
    sheet.append(["Patient_ID", "issuer", "ici_start", "death", "line1_regimen"])
    sheet.append([4711, "SITE", datetime(2024, 1, 15), "2024-09", "PP + IO"])
    sheet.append([None, None, None, None, None])
    made = io.BytesIO()
    book.save(made)
    (row,) = read_table(made.getvalue(), ".XLSX").rows
    assert row.patient == patient_key("4711", "SITE")
    assert row.entries == {
        Key("ici_start"): "2024-01-15",
        Key("death"): "2024-09",
        Key("line_regimen", 1): "PP + IO",
    }


def test_every_wrong_cell_is_told_by_row_and_column_and_never_quoted() -> None:
    rows = "SENTINEL-1,SENTINEL,2024-09\n,2024-01,\nSENTINEL-2,2024-02-31,SENTINEL\nSENTINEL-3,2024-05,2024-04\n"
    table = read_table(f"patient_id,ici_start,death\n{rows}".encode(), ".csv")
    assert told(table) == [
        (2, "ici_start"),
        (3, "patient_id"),
        (4, "ici_start"),
        (4, "death"),
        (5, "death"),
    ]
    assert table.rows == ()
    said = " ".join(map(str, table.problems))
    assert "row 2, column ici_start: allowed is a date as YYYY-MM-DD" in said
    assert "SENTINEL" not in said


def test_a_row_that_is_right_is_read_beside_one_that_is_wrong() -> None:
    table = read_table(b"patient_id,death\n1,no\n2,2024\n", ".csv")
    assert (told(table), [row.row for row in table.rows]) == ([(2, "death")], [3])


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("", [(1, "1")]),
        ("patient_id,SENTINEL\n1,2\n", [(1, "2")]),
        ("death\n2024\n", [(1, "patient_id")]),
        ("patient_id,death,death\n1,2024,2024\n", [(1, "death")]),
        ("patient_id,death\n1,2024\n1,2025\n", [(3, "patient_id")]),
        ("patient_id,death\n1,2024,surplus\n", [(2, "3")]),
        ('patient_id,death\n"1,2024\n', [(1, "1")]),
    ],
)
def test_a_table_that_is_none_is_refused(text: str, problems: list[tuple[int, str]]) -> None:
    table = read_table(text.encode(), ".csv")
    assert told(table) == problems
    assert "SENTINEL" not in str(table.problems)


def test_a_file_that_is_no_workbook_is_told() -> None:
    assert told(read_table(b"PK no", ".xlsx")) == [(1, "1")]
    assert told(read_table(b"\xff\xff\xff", ".csv")) == [(1, "1")]


@pytest.mark.parametrize("place", range(0, 4600, 97))
def test_a_damaged_workbook_is_told_whatever_is_damaged(place: int) -> None:
    # checksums, compressed streams, XML: each fails in a way of its own
    book = Workbook()
    book.active.append(["patient_id", "death"])
    book.active.append(["4711", 2024])
    made = io.BytesIO()
    book.save(made)
    data = bytearray(made.getvalue())
    data[place : place + 16] = b"\xff" * 16
    assert isinstance(read_table(bytes(data), ".xlsx"), ReadTable)
