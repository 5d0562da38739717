"""When the next scan is due after a progression: decision support from a table that the site edits."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from pipelines.domain.progression import Course, FollowUp, Pattern, PatternFinding
from pipelines.domain.scan_date import DAYS_PER_MONTH, ScanDate, days_between

NOTICE: Final = (
    "Decision support: the windows follow the opinion of the authors of a retrospective study (Huang et al. 2025) and "
    "have not been tested. A physician decides when to scan."
)


@dataclass(frozen=True, slots=True)
class FollowUpRow:
    """One rule: the first row that fits applies.

    Attributes
    ----------
    before_months
        The row fits a progression earlier than this after the start of treatment; None for any.
    weeks
        First and last week after the latest scan.
    """

    name: str
    pattern: Pattern
    weeks: tuple[int, int]
    before_months: float | None = None

    def __post_init__(self) -> None:
        if not 0 < self.weeks[0] <= self.weeks[1]:
            raise ValueError("a window of follow-up does not end before it begins")


@dataclass(frozen=True, slots=True)
class FollowUpTable:
    """The rows in order; where none fits, the protocol of the site decides.

    Attributes
    ----------
    protocol_weeks
        Window of that protocol; None when the node is not told.
    """

    rows: tuple[FollowUpRow, ...]
    protocol_weeks: tuple[int, int] | None = None


HUANG_2025: Final = FollowUpTable(
    (
        FollowUpRow("early systemic progression", Pattern.SYSTEMIC, (4, 6), before_months=8.0),
        FollowUpRow("oligoprogression, otherwise controlled", Pattern.OLIGO, (8, 12)),
    )
)
"""Huang et al. 2025, discussion: scan every 4 to 6 weeks, or every 8 to 12."""


def follow_up(
    pattern: PatternFinding,
    progression: ScanDate | None,
    course: Course,
    last_scan: ScanDate,
    table: FollowUpTable = HUANG_2025,
) -> FollowUp:
    """The window in which the next scan is due.

    Parameters
    ----------
    last_scan
        Date of the latest scan, from which the weeks count.
    """
    for row in table.rows:
        if row.pattern is not pattern.pattern or progression is None:
            continue
        if row.before_months is not None:
            if course.start is None:
                return FollowUp(row.name, "the first dose is not known, so the time of progression is not either")
            late = days_between(course.start, progression).at_least(_whole_days(row.before_months))
            if late is None:
                return FollowUp(row.name, "the dates leave open how early the progression was")
            if late:
                continue
        return _window(row.name, last_scan, row.weeks)
    if table.protocol_weeks is None:
        return FollowUp("protocol", "no row of the table applies: the protocol of the site decides")
    return _window("protocol", last_scan, table.protocol_weeks)


def _whole_days(months: float) -> int:
    """The first whole day that is not before `months`."""
    return -int(-months * DAYS_PER_MONTH // 1)


def _window(name: str, last_scan: ScanDate, weeks: tuple[int, int]) -> FollowUp:
    why = f"{weeks[0]} to {weeks[1]} weeks after the latest scan"
    if not last_scan.complete:
        return FollowUp(name, f"{why}, whose date is not complete")
    first, last = (last_scan.earliest + timedelta(weeks=count) for count in weeks)
    return FollowUp(name, why, first, last)
