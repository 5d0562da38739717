"""Dates that are complete or not."""

import pytest

from pipelines.domain.scan_date import ScanDate, days_between, mean_date


@pytest.mark.parametrize("text", ["20240229", "2024-02-29"])
def test_both_ways_of_writing_a_day_are_read(text: str) -> None:
    assert str(ScanDate.parse(text)) == "2024-02-29"


@pytest.mark.parametrize(
    ("text", "span"), [("2024-02", "2024-02-01/2024-02-29"), ("202402", "2024-02-01/2024-02-29"),
                       ("2024", "2024-01-01/2024-12-31")]
)  # fmt: skip
def test_what_is_missing_is_a_span(text: str, span: str) -> None:
    assert str(ScanDate.parse(text)) == span


@pytest.mark.parametrize("text", ["", "2023-02-29", "2024-13", "24-01-01", "yesterday"])
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        ScanDate.parse(text)


def test_days_know_what_the_dates_leave_open() -> None:
    days = days_between(ScanDate.parse("2024-01-01"), ScanDate.parse("2024-07"))
    assert (days.exact, days.at_least(182), days.at_least(183), days.at_least(213)) == (None, True, None, False)


def test_the_middle_of_two_scans_rounds_down() -> None:
    pair = ScanDate.parse("2024-01-01"), ScanDate.parse("2024-01-04")
    assert str(mean_date(pair)) == str(mean_date(pair[::-1])) == "2024-01-02"
