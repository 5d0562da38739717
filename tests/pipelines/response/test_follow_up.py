"""When the next scan is due."""

from dataclasses import replace
from datetime import timedelta

import pytest

from pipelines.domain.progression import Course, Pattern, PatternFinding
from pipelines.domain.scan_date import ScanDate
from pipelines.response.follow_up import HUANG_2025, NOTICE, FollowUpRow, FollowUpTable, follow_up
from tests.pipelines.response.patients import TREATED, day


def due(pattern: Pattern, progression: int, table: FollowUpTable = HUANG_2025) -> tuple[int, int] | None:
    finding = PatternFinding(pattern, "", "")
    window = follow_up(finding, day(progression), TREATED, day(progression), table)
    if window.due_from is None or window.due_until is None:
        return None
    return (window.due_from - day(progression).earliest).days, (window.due_until - day(progression).earliest).days


@pytest.mark.parametrize(
    ("pattern", "progression", "expected"),
    [
        # eight months are 243.5 days
        (Pattern.SYSTEMIC, 243, (28, 42)),
        (Pattern.SYSTEMIC, 244, None),
        (Pattern.OLIGO, 100, (56, 84)),
        (Pattern.OLIGO, 400, (56, 84)),
        (Pattern.INDETERMINATE, 100, None),
    ],
)
def test_the_window_follows_pattern_and_time(
    pattern: Pattern, progression: int, expected: tuple[int, int] | None
) -> None:
    assert due(pattern, progression) == expected


def test_where_no_row_applies_the_protocol_decides() -> None:
    assert due(Pattern.SYSTEMIC, 300, replace(HUANG_2025, protocol_weeks=(8, 9))) == (56, 63)


def test_a_site_can_have_rows_of_its_own() -> None:
    assert due(Pattern.OLIGO, 100, FollowUpTable((FollowUpRow("ours", Pattern.OLIGO, (2, 3)),))) == (14, 21)
    with pytest.raises(ValueError, match="window"):
        FollowUpRow("wrong", Pattern.OLIGO, (3, 2))


def test_the_weeks_count_from_the_latest_scan() -> None:
    finding = PatternFinding(Pattern.OLIGO, "", "")
    window = follow_up(finding, day(100), TREATED, day(150))
    assert window.due_from == day(150).earliest + timedelta(weeks=8)


def test_what_is_not_known_gives_no_window_and_says_why() -> None:
    finding = PatternFinding(Pattern.SYSTEMIC, "", "")
    assert "not known" in follow_up(finding, day(100), Course(), day(100)).why
    month = ScanDate.parse("2024")
    assert "leave open" in follow_up(finding, month, TREATED, month).why
    oligo = PatternFinding(Pattern.OLIGO, "", "")
    assert "not complete" in follow_up(oligo, month, TREATED, month).why


def test_it_is_marked_as_decision_support() -> None:
    assert "Decision support" in NOTICE
