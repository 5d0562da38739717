"""Times to progression, to death and to response of one patient."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from pipelines.domain.endpoints import Censoring, Endpoint, TimeToEvent, Undetermined
from pipelines.domain.progression import Course
from pipelines.domain.responses import OverallResponse
from pipelines.domain.scan_date import ScanDate
from pipelines.response.best_response import Visited


@dataclass(frozen=True, slots=True)
class CensoringRules:
    """When observation for progression ends without an event.

    Attributes
    ----------
    interval_days
        Planned time between two scans; two missed visits cannot be told without it.
    """

    censoring: Censoring = Censoring.LAST_ASSESSMENT
    interval_days: int | None = None


class _Incomplete(Exception):
    """A date that a time is counted from or to is not known to the day."""


def endpoints(
    course: Course,
    visits: Sequence[Visited],
    progression: ScanDate | None,
    first_response: ScanDate | None,
    rules: CensoringRules,
) -> tuple[TimeToEvent | Undetermined, ...]:
    """All end points of a patient; those that facts are missing for say which.

    Parameters
    ----------
    visits
        Overall responses after the baseline, in order.
    progression
        Date of the scan of the first progression, not of its reading.
    first_response
        Date of the visit of best response, where that is complete or partial.

    References
    ----------
    FDA, Clinical Trial Endpoints for the Approval of Cancer Drugs and Biologics (2018), appendix;
    EMA/CHMP/27994/2008/Rev.1 for PFS2.
    """
    told: list[TimeToEvent | Undetermined] = []
    for endpoint, begin in (
        (Endpoint.PFS, course.start),
        (Endpoint.DURATION_OF_RESPONSE, first_response),
    ):
        told.append(_progression_free(endpoint, begin, course, visits, progression, rules))
    told.append(_overall_survival(course, visits))
    told.append(_second(Endpoint.PFS_2L, course.second_line, course, visits))
    told.append(_second(Endpoint.PFS2_EMA, course.start, course, visits))
    told.append(_time_to_response(course, first_response))
    return tuple(sorted(told, key=lambda one: list(Endpoint).index(one.endpoint)))


def _day(when: ScanDate) -> date:
    if not when.complete:
        raise _Incomplete(f"the date {when} is not complete")
    return when.earliest


def _day_or_none(when: ScanDate | None) -> date | None:
    return None if when is None else _day(when)


def _missing_start(endpoint: Endpoint) -> Undetermined:
    said = {
        Endpoint.DURATION_OF_RESPONSE: "no response",
        Endpoint.TIME_TO_RESPONSE: "no response",
        Endpoint.PFS_2L: "no second line of treatment",
    }
    return Undetermined(endpoint, said.get(endpoint, "the first dose is not known"))


def _progression_free(
    endpoint: Endpoint,
    begin: ScanDate | None,
    course: Course,
    visits: Sequence[Visited],
    progression: ScanDate | None,
    rules: CensoringRules,
) -> TimeToEvent | Undetermined:
    if begin is None:
        return _missing_start(endpoint)
    if rules.censoring is Censoring.FDA and rules.interval_days is None:
        return Undetermined(endpoint, "the planned time between scans is not known, so missed visits cannot be counted")
    try:
        start = _day(begin)
        progressed, died = _day_or_none(progression), _day_or_none(course.death)
        therapy = _day_or_none(course.second_line)
        adequate = [
            _day(seen.on)
            for seen in visits
            if seen.response is not OverallResponse.NE and (progression is None or seen.on <= progression)
        ]
    except _Incomplete as fault:
        return Undetermined(endpoint, str(fault))
    cut = course.data_cut or date.max
    events = [(day, why) for day, why in ((progressed, "progression"), (died, "death")) if day is not None]
    event = min((one for one in events if one[0] <= cut), default=None)
    until, why = cut, "last adequate assessment"
    if (
        rules.censoring is not Censoring.LAST_ASSESSMENT
        and therapy is not None
        and (event is None or therapy < event[0])
    ):
        event, until, why = None, min(cut, therapy), "last adequate assessment before the next treatment"
    if event is not None and rules.censoring is Censoring.FDA:
        assert rules.interval_days is not None
        last = max((day for day in adequate if day < event[0]), default=start)
        if (event[0] - last).days > 2 * rules.interval_days:
            event, until, why = None, last, "last adequate assessment before two or more missed visits"
    if event is not None:
        return TimeToEvent(endpoint, (event[0] - start).days, True, event[1])
    last = max((day for day in adequate if start <= day <= until), default=start)
    return TimeToEvent(endpoint, (last - start).days, False, why if last > start else "no adequate assessment")


def _last_known_alive(course: Course, visits: Sequence[Visited]) -> date | None:
    known = [seen.on for seen in visits]
    if course.last_contact is not None:
        known.append(course.last_contact)
    # of an incomplete date, the patient was surely alive on its first day
    return max((when.earliest for when in known), default=None)


def _until_death(
    endpoint: Endpoint, start: date, event: tuple[date, str] | None, course: Course, visits: Sequence[Visited]
) -> TimeToEvent | Undetermined:
    cut = course.data_cut or date.max
    if event is not None and event[0] <= cut:
        return TimeToEvent(endpoint, (event[0] - start).days, True, event[1])
    # an event after the data cut tells that there was none before it
    last = event[0] if event is not None else _last_known_alive(course, visits)
    if last is None:
        return Undetermined(endpoint, "neither an event nor a last contact is known")
    last = min(last, cut)
    if last < start:
        return Undetermined(endpoint, "the last contact lies before the start")
    return TimeToEvent(endpoint, (last - start).days, False, "data cut" if last == cut else "last contact")


def _overall_survival(course: Course, visits: Sequence[Visited]) -> TimeToEvent | Undetermined:
    if course.start is None:
        return _missing_start(Endpoint.OS)
    try:
        died = _day_or_none(course.death)
        event = None if died is None else (died, "death")
        return _until_death(Endpoint.OS, _day(course.start), event, course, visits)
    except _Incomplete as fault:
        return Undetermined(Endpoint.OS, str(fault))


def _second(
    endpoint: Endpoint, begin: ScanDate | None, course: Course, visits: Sequence[Visited]
) -> TimeToEvent | Undetermined:
    if begin is None:
        return _missing_start(endpoint)
    try:
        start = _day(begin)
        progressed, died = _day_or_none(course.second_progression), _day_or_none(course.death)
    except _Incomplete as fault:
        return Undetermined(endpoint, str(fault))
    events = [(day, why) for day, why in ((progressed, "second progression"), (died, "death")) if day is not None]
    return _until_death(endpoint, start, min(events, default=None), course, visits)


def _time_to_response(course: Course, first_response: ScanDate | None) -> TimeToEvent | Undetermined:
    endpoint = Endpoint.TIME_TO_RESPONSE
    if first_response is None or course.start is None:
        return (
            _missing_start(endpoint)
            if first_response is None
            else Undetermined(endpoint, "the first dose is not known")
        )
    try:
        return TimeToEvent(endpoint, (_day(first_response) - _day(course.start)).days, True, "first response")
    except _Incomplete as fault:
        return Undetermined(endpoint, str(fault))
