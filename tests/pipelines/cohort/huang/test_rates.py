"""The pattern of progression over time."""

from datetime import timedelta

import pytest

from pipelines.cohort.huang.rates import pattern_over_time
from tests.pipelines.cohort.huang.paper import START, patient


def test_a_bin_holds_its_lower_edge() -> None:
    # 243.5 days are 8 months: day 243 lies before, day 244 after
    people = [
        patient(row, progression=START + timedelta(days=days), pattern=pattern)
        for row, (days, pattern) in enumerate([(243, "systemic"), (244, "oligo"), (304, "oligo"), (305, "systemic")])
    ]
    found = pattern_over_time(people, (8.0, 10.0))
    assert [(one.systemic.numerator, one.systemic.denominator) for one in found.bins] == [(1, 1), (0, 2), (1, 1)]
    exact = pattern_over_time([patient(progression=START + timedelta(days=487))], (16.0, 20.0))
    assert [one.systemic.denominator for one in exact.bins] == [0, 1, 0]


def test_a_trend_is_found_where_late_progression_is_oligo() -> None:
    people = [
        patient(
            row, progression=START + timedelta(days=60 * (1 + row % 8)), pattern="oligo" if row % 8 > 3 else "systemic"
        )
        for row in range(80)
    ]
    found = pattern_over_time(people, (8.0, 10.0))
    assert found.trend is not None and found.trend.p < 0.001


def test_one_pattern_alone_has_no_trend() -> None:
    assert pattern_over_time([patient(2), patient(3)], (8.0, 10.0)).trend is None


@pytest.mark.parametrize("edges", [(6.0,), (3.0, 6.0, 9.0, 12.0)])
def test_every_patient_is_in_one_bin(edges: tuple[float, ...]) -> None:
    people = [patient(row, progression=START + timedelta(days=17 * row + 1)) for row in range(40)]
    found = pattern_over_time(people, edges)
    assert len(found.bins) == len(edges) + 1
    assert sum(one.systemic.denominator for one in found.bins) == 40
