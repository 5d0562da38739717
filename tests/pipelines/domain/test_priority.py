"""Which case goes first, and when the off-peak hours are."""

from datetime import datetime, time

import pytest

from pipelines.domain.priority import Hours, Precedence, Priority, precedence, read_hours

NIGHT = read_hours("20:00-06:00")


@pytest.mark.parametrize(
    ("hour", "minute", "within"),
    [(19, 59, False), (20, 0, True), (23, 59, True), (0, 0, True), (5, 59, True), (6, 0, False), (12, 0, False)],
)
def test_hours_past_midnight_hold_their_beginning_and_not_their_end(hour: int, minute: int, within: bool) -> None:
    assert NIGHT.hold(datetime(2026, 3, 1, hour, minute)) is within


@pytest.mark.parametrize(("hour", "within"), [(11, False), (12, True), (13, False)])
def test_hours_within_a_day(hour: int, within: bool) -> None:
    assert read_hours("12:00-13:00").hold(datetime(2026, 3, 1, hour)) is within


def test_from_a_time_to_the_same_time_is_the_whole_day() -> None:
    assert all(Hours(time(7), time(7)).hold(datetime(2026, 3, 1, hour)) for hour in range(24))


@pytest.mark.parametrize("text", ["", "20-6", "20:00", "24:00-06:00", "20:00-06:60", "20:00 - 06:00"])
def test_what_is_no_hours_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="hours such as"):
        read_hours(text)


def test_a_choice_goes_before_the_sender_and_urgent_before_off_peak() -> None:
    rule = precedence(["ER", "BOTH"], ["STUDY", "BOTH"], "20:00-06:00")
    senders = ("ER", "STUDY", "BOTH", "OTHER")
    assert [rule.priority(sender, None) for sender in senders] == ["urgent", "off-peak", "urgent", "normal"]
    assert {rule.priority(sender, Priority.NORMAL) for sender in senders} == {Priority.NORMAL}


def test_only_off_peak_cases_wait_for_their_hours() -> None:
    noon, night = datetime(2026, 3, 1, 12), datetime(2026, 3, 1, 23)
    rule = Precedence(off_peak=NIGHT)
    assert [rule.may_start(one, noon) for one in Priority] == [True, True, False]
    assert all(rule.may_start(one, night) for one in Priority)
