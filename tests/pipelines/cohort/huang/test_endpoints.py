"""Times to events, with what censors them."""

from datetime import date, timedelta

import pytest

from pipelines.cohort.huang.endpoints import (
    CUT_OFF,
    DAYS_A_MONTH,
    overall_survival,
    pfs,
    pfs2_ema,
    pfs_2l,
    survival_after_progression,
)
from tests.pipelines.cohort.huang.paper import START, patient


def day(number: int) -> date:
    return START + timedelta(days=number)


ONE = patient(progression=day(150), death=day(400), second_line_start=day(170), second_progression=day(260))


def test_each_end_point_counts_from_its_own_start() -> None:
    for endpoint, days in (
        (pfs, 150),
        (overall_survival, 400),
        (survival_after_progression, 250),
        (pfs_2l, 90),
        (pfs2_ema, 260),
    ):
        found = endpoint([ONE], CUT_OFF)
        assert found.time[0] * DAYS_A_MONTH == pytest.approx(days), endpoint
        assert found.event[0]


def test_death_without_a_second_progression_ends_both_kinds_of_pfs2() -> None:
    one = patient(progression=day(150), death=day(400), second_line_start=day(170))
    assert pfs_2l([one], CUT_OFF).time[0] * DAYS_A_MONTH == pytest.approx(230)
    assert pfs2_ema([one], CUT_OFF).time[0] * DAYS_A_MONTH == pytest.approx(400)


def test_an_unknown_fate_is_censored_at_the_last_contact() -> None:
    one = patient(death=None, last_contact=day(300))
    found = overall_survival([one], CUT_OFF)
    assert not found.event[0] and found.time[0] * DAYS_A_MONTH == pytest.approx(300)


def test_what_happens_after_the_cut_off_has_not_happened() -> None:
    found = overall_survival([patient(death=day(400))], day(399))
    assert not found.event[0] and found.time[0] * DAYS_A_MONTH == pytest.approx(399)


def test_an_event_on_the_day_of_the_cut_off_counts() -> None:
    assert overall_survival([patient(death=day(400))], day(400)).event[0]


def test_an_end_point_without_its_start_is_refused() -> None:
    with pytest.raises(ValueError, match="lacks the day"):
        pfs_2l([patient()], CUT_OFF)
