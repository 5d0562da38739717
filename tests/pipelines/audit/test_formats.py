"""The same entries from each format of file, and files that are none."""

import io

import pytest
from openpyxl import Workbook

from pipelines.audit.formats import read_entries

HEAD = ["kind", "table", "row", "percent", "total", "counts", "p"]
ROWS = [
    ["percentage", "Table 1", "bone", "22.8", "290", "", ""],
    ["counts", "Table 1", "sex, training", "", "", "39/36; 10/13", "0.470"],
]
CSV = "\n".join([",".join(HEAD), "# told in section 2", *(",".join(f'"{c}"' for c in row) for row in ROWS), ",,,,,,"])
TOML = """
[[percentage]]
table = "Table 1"
row = "bone"
percent = 22.8
total = 290

[[counts]]
table = "Table 1"
row = "sex, training"
counts = [[39, 36], [10, 13]]
p = 0.470
"""


def workbook() -> bytes:
    book = Workbook()
    sheet = book.active
    sheet.append(HEAD)
    # a number of a workbook has lost its trailing zeros; as text it keeps them
    sheet.append(["percentage", "Table 1", "bone", 22.8, 290])
    second = book.create_sheet("more")
    second.append(HEAD)
    second.append(["counts", "Table 1", "sex, training", None, None, "39/36; 10/13", "0.470"])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def test_all_formats_give_the_same_entries() -> None:
    found = [
        read_entries(CSV.encode(), ".csv"),
        read_entries(CSV.replace(",", ";").replace('"sex; training"', '"sex, training"')
                     .replace("36; 10", "36; 10").encode("utf-8-sig"), ".CSV"),
        read_entries(TOML.encode(), ".toml"),
        read_entries(workbook(), ".xlsx"),
    ]  # fmt: skip
    assert found[0].problems == ()
    assert len(found[0].entries) == 2
    assert found[1:] == [found[0]] * 3


def test_the_digits_of_a_number_in_toml_are_kept() -> None:
    _, counts = read_entries(TOML.encode(), ".toml").entries
    assert counts.p.text == "0.470"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("data", "suffix", "problem"),
    [
        (b"", ".csv", "there is no entry"),
        (b"kind,row\n", ".csv", "there is no entry"),
        (b"\xff\xfe", ".csv", "no UTF-8"),
        (b"kind,row\ntotal,a,b\n", ".csv", "line 2: there are more cells"),
        (b"kind,row\ntotal,a\n", ".csv", "line 2: `parts` is missing"),
        (b"not a workbook", ".xlsx", "no workbook"),
        (b"[[total", ".toml", "no TOML"),
        (b"total = 3", ".toml", "[[total]]"),
        (b"[[totals]]\nrow = 'a'", ".toml", "totals 1: `kind` is totals"),
        (b"", ".docx", "a file ends in .csv, .xlsx, .toml, not in .docx"),
    ],
)
def test_what_is_wrong_with_a_file_is_told_with_its_place(data: bytes, suffix: str, problem: str) -> None:
    found = read_entries(data, suffix)
    assert any(problem in one for one in found.problems), found.problems
