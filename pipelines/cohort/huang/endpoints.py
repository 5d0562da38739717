"""Times to the events of the progression study, in months."""

from collections.abc import Sequence
from datetime import date
from typing import Final

import numpy as np

from pipelines.cohort.huang.patients import Patient
from pipelines.statistics.survival import Durations

DAYS_A_MONTH: Final = 30.4375
CUT_OFF: Final = date(2025, 4, 8)
"""The paper's last day of follow-up."""


def pfs(everyone: Sequence[Patient], cut_off: date) -> Durations:
    """Start of first-line treatment to first progression or death."""
    return _durations([_first(one.treatment_start, (one.progression, one.death), one, cut_off) for one in everyone])


def overall_survival(everyone: Sequence[Patient], cut_off: date) -> Durations:
    """Start of first-line treatment to death."""
    return _durations([_first(one.treatment_start, (one.death,), one, cut_off) for one in everyone])


def survival_after_progression(everyone: Sequence[Patient], cut_off: date) -> Durations:
    """First progression to death; every patient needs a progression not after the cut-off."""
    return _durations([_first(_known(one.progression), (one.death,), one, cut_off) for one in everyone])


def pfs_2l(everyone: Sequence[Patient], cut_off: date) -> Durations:
    """Start of second-line treatment to second progression or death: what the paper calls PFS2."""
    return _durations(
        [_first(_known(one.second_line_start), (one.second_progression, one.death), one, cut_off) for one in everyone]
    )


def pfs2_ema(everyone: Sequence[Patient], cut_off: date) -> Durations:
    """Start of *first*-line treatment to second progression or death.

    References
    ----------
    EMA, Guideline on the evaluation of anticancer medicinal products, appendix 1 (EMA/CHMP/27994/2008): PFS2.
    """
    return _durations(
        [_first(one.treatment_start, (one.second_progression, one.death), one, cut_off) for one in everyone]
    )


def months(earlier: date, later: date) -> float:
    """Months between two days."""
    return (later - earlier).days / DAYS_A_MONTH


def _known(day: date | None) -> date:
    if day is None:
        raise ValueError("a patient lacks the day from which this end point counts")
    return day


def _first(start: date, events: tuple[date | None, ...], one: Patient, cut_off: date) -> tuple[float, bool]:
    happened = [day for day in events if day is not None and day <= cut_off]
    if happened:
        return months(start, min(happened)), True
    return max(months(start, min(one.alive_until, cut_off)), 0.0), False


def _durations(pairs: Sequence[tuple[float, bool]]) -> Durations:
    return Durations(np.array([time for time, _ in pairs]), np.array([event for _, event in pairs], dtype=np.bool_))
