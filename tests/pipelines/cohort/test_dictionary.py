"""The check of a table's cells: what is understood, and how it is said what is not."""

from datetime import date, datetime

import pytest

from pipelines.cohort.dictionary import Cell, Column, Dictionary, Fault, Kind, Value, check_table, parse_cell

TABLE = Dictionary(
    (
        Column("patient", "A pseudonym.", "text", required=True, aliases=("编号",)),
        Column("age", "Age in years.", "number", least=18, most=80),
        Column("sex", "Sex.", "category", {"male": ("m", "1", "男"), "female": ("f", "2", "女")}),
        Column("start", "First day.", "date", required=True),
        Column("sites", "Organs.", "categories", {"lung": ("肺",), "lymph node": ("ln",)}),
    ),
    key=("patient",),
)


@pytest.mark.parametrize(
    ("kind", "cell", "value"),
    [
        ("number", "６４.５", 64.5),
        ("number", 64, 64.0),
        ("whole", "3.0", 3),
        ("date", "2021-03-09", date(2021, 3, 9)),
        ("date", "2021/3/9", date(2021, 3, 9)),
        ("date", "20210309", date(2021, 3, 9)),
        ("date", "2021年3月9日", date(2021, 3, 9)),
        ("date", datetime(2021, 3, 9, 0, 0), date(2021, 3, 9)),
        ("number", "NA", None),
        ("date", "未知", None),
        ("text", "NA", "NA"),
        ("text", 17.0, "17"),
    ],
)
def test_a_cell_is_understood_as_hospitals_write_it(kind: Kind, cell: Cell, value: Value) -> None:
    assert parse_cell(Column("c", "A column.", kind), cell) == value


@pytest.mark.parametrize(
    ("kind", "cell", "why"),
    [
        ("number", "sixty", "is no number"),
        ("number", "inf", "is no number"),
        ("number", "17", "is out of range"),
        ("whole", "3.5", "is no whole number"),
        ("date", "2021-02-30", "is a day that does not exist"),
        ("date", "2021-03", "is no complete date"),
        ("date", "09.03.2021", "is no complete date"),
    ],
)
def test_a_cell_that_is_not_understood_says_why(kind: Kind, cell: Cell, why: str) -> None:
    bound = 18.0 if kind == "number" else None
    assert parse_cell(Column("c", "A column.", kind, least=bound), cell) == Fault(why)


def test_levels_are_known_by_all_their_names_and_in_one_order() -> None:
    sites = TABLE.columns[4]
    assert parse_cell(sites, "LN；肺") == ("lung", "lymph node")
    assert parse_cell(sites, "no") == ()
    assert parse_cell(sites, "") is None
    assert parse_cell(sites, "lung; spleen") == Fault("names a level that is not known")
    assert parse_cell(TABLE.columns[2], 1.0) == "male"


def test_every_wrong_cell_is_named_with_its_row_and_column_and_what_is_allowed() -> None:
    checked = check_table(
        TABLE,
        ["编号", "Age", "sex", "start"],
        [["A", "64", "male", "2021-01-01"], ["B", "200", "unclear", ""], [], ["C", "", "", "2021-01-02"]],
    )
    assert [record.row for record in checked.records] == [2, 5]
    assert [str(problem) for problem in checked.problems] == [
        "COH-001 Row 3, column `age`, is out of range. Write a number from 18 to 80, or nothing. Age in years.",
        "COH-001 Row 3, column `sex`, is not a known level. Write one of male, female, or nothing. Sex.",
        "COH-001 Row 3, column `start`, is empty. Write a day such as 2021-03-09. First day.",
    ]


def test_the_content_of_a_wrong_cell_is_never_repeated() -> None:
    checked = check_table(TABLE, ["patient", "sex", "start"], [["A", "ZZ^SENTINEL", "ZZ^SENTINEL"]])
    assert len(checked.problems) == 2
    assert "SENTINEL" not in "".join(map(str, checked.problems))


def test_a_missing_and_a_doubled_column_are_named() -> None:
    checked = check_table(TABLE, ["patient", "sex", "SEX", "colour"], [["A", "male", "male", "blue"]])
    assert [problem.code for problem in checked.problems] == ["COH-002", "COH-002"]
    assert "Columns 2 and 3 are both `sex`" in str(checked.problems[0])
    assert "no column `start`" in str(checked.problems[1])
    assert checked.unused == ("colour",)


def test_a_patient_who_comes_twice_is_named_by_both_rows() -> None:
    checked = check_table(TABLE, ["patient", "start"], [["A", "2021-01-01"], ["A", "2021-01-02"]])
    assert "Row 3 repeats row 2" in str(checked.problems[0])


def test_a_category_without_levels_cannot_be_declared() -> None:
    with pytest.raises(ValueError, match="levels"):
        Column("c", "A column.", "category")
