"""Which case goes first, and which may wait for the quiet hours of the site."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, time
from enum import StrEnum
from typing import Final

_HOURS: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")


class Priority(StrEnum):
    """How soon a case is computed."""

    URGENT = "urgent"
    """Before all others."""
    NORMAL = "normal"
    OFF_PEAK = "off-peak"
    """In the off-peak hours alone, and there after all others."""


@dataclass(frozen=True, slots=True)
class Hours:
    """A time of day, every day; one that ends before it begins goes past midnight."""

    begin: time
    end: time

    def hold(self, at: datetime) -> bool:
        """True when `at`, in the time of the site, is within them; the end is not.

        >>> Hours(time(20), time(6)).hold(datetime(2026, 3, 1, 5, 59))
        True
        """
        now = at.time()
        if self.begin < self.end:
            return self.begin <= now < self.end
        # from a time to the same time is the whole day
        return now >= self.begin or now < self.end


def read_hours(text: str) -> Hours:
    """Hours as the configuration writes them.

    Raises
    ------
    ValueError
        If `text` is not of the form HH:MM-HH:MM.
    """
    found = _HOURS.fullmatch(text)
    if found is None:
        raise ValueError("must be hours such as 20:00-06:00")
    first, second, third, fourth = (int(part) for part in found.groups())
    return Hours(time(first, second), time(third, fourth))


@dataclass(frozen=True, slots=True)
class Precedence:
    """The rule of a site.

    Attributes
    ----------
    urgent_from, off_peak_from
        AE titles of the senders whose cases go first, or wait; a sender in both is urgent.
    off_peak
        When cases of the second kind are computed.
    """

    urgent_from: frozenset[str] = frozenset()
    off_peak_from: frozenset[str] = frozenset()
    off_peak: Hours = Hours(time(20), time(6))

    def priority(self, calling_ae_title: str, chosen: Priority | None) -> Priority:
        """Priority of a case: what a person chose for it goes before who sent it."""
        if chosen is not None:
            return chosen
        if calling_ae_title in self.urgent_from:
            return Priority.URGENT
        return Priority.OFF_PEAK if calling_ae_title in self.off_peak_from else Priority.NORMAL

    def may_start(self, priority: Priority, at: datetime) -> bool:
        """True when a case of that priority may be computed at a time of the site's clock."""
        return priority is not Priority.OFF_PEAK or self.off_peak.hold(at)


def precedence(urgent_from: Collection[str], off_peak_from: Collection[str], off_peak_hours: str) -> Precedence:
    """The rule as the configuration writes it."""
    return Precedence(frozenset(urgent_from), frozenset(off_peak_from), read_hours(off_peak_hours))
