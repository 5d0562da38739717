"""Dates of scans and events, which may be known to the month or the year only."""

import calendar
import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

DAYS_PER_MONTH: Final = 30.4375
"""365.25 / 12, the month of survival times."""

_WRITTEN: Final = re.compile(r"(\d{4})(?:-?(\d{2})(?:-?(\d{2}))?)?")


@dataclass(frozen=True, slots=True, order=True)
class ScanDate:
    """A day, or the span of days in which it lies.

    Attributes
    ----------
    earliest, latest
        The same day when the date is complete.
    """

    earliest: date
    latest: date

    def __post_init__(self) -> None:
        if self.latest < self.earliest:
            raise ValueError("a date does not end before it begins")

    @classmethod
    def on(cls, day: date) -> "ScanDate":
        return cls(day, day)

    @classmethod
    def parse(cls, text: str) -> "ScanDate":
        """Read `YYYYMMDD` (DICOM DA) or ISO 8601, where day and month may be missing.

        Raises
        ------
        ValueError
            If `text` is no such date.

        Examples
        --------
        >>> ScanDate.parse("2014-02").latest
        datetime.date(2014, 2, 28)
        """
        match = _WRITTEN.fullmatch(text.strip())
        if match is None:
            raise ValueError("a date is written YYYY-MM-DD, YYYY-MM or YYYY")
        year, month, day = (int(part) if part else None for part in match.groups())
        assert year is not None
        if month is None:
            return cls(date(year, 1, 1), date(year, 12, 31))
        if day is None:
            return cls(date(year, month, 1), date(year, month, calendar.monthrange(year, month)[1]))
        return cls.on(date(year, month, day))

    @property
    def complete(self) -> bool:
        return self.earliest == self.latest

    def __str__(self) -> str:
        return self.earliest.isoformat() if self.complete else f"{self.earliest}/{self.latest}"


@dataclass(frozen=True, slots=True)
class Days:
    """A time in days that is known exactly, or between two bounds when a date is not complete."""

    low: int
    high: int

    @property
    def exact(self) -> int | None:
        return self.low if self.low == self.high else None

    def at_least(self, days: int) -> bool | None:
        """Whether it is `days` or more; None when the dates leave that open."""
        if self.low >= days:
            return True
        return False if self.high < days else None


def days_between(start: ScanDate, end: ScanDate) -> Days:
    """Days from `start` to `end`.

    Examples
    --------
    >>> days_between(ScanDate.parse("2024-01-31"), ScanDate.parse("2024-02"))
    Days(low=1, high=29)
    """
    return Days((end.earliest - start.latest).days, (end.latest - start.earliest).days)


def mean_date(dates: tuple[ScanDate, ...]) -> ScanDate:
    """The middle of the scans of one visit, rounded down to a day; incomplete dates give incomplete ones."""

    def middle(days: list[date]) -> date:
        first = min(days)
        return first + timedelta(days=sum((day - first).days for day in days) // len(days))

    return ScanDate(middle([d.earliest for d in dates]), middle([d.latest for d in dates]))
