"""From the scans that are kept of a patient to time points: what was replaced goes, what belongs together is joined."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import groupby
from typing import Final

import numpy as np

from pipelines.domain.history import Scan
from pipelines.domain.identity import Followed, Gates, Match, MatchKind, Sighted, Sighting
from pipelines.domain.progression import Course
from pipelines.domain.reasons import Rejected
from pipelines.domain.recist import Decisions, LesionId, LesionObservation, LesionState, TimePoint
from pipelines.domain.scan_date import ScanDate
from pipelines.imaging.registration import Rigid
from pipelines.response.identity import follow

_SHARED: Final = 0.5
"""Share of the smaller one's voxels from which on two segments of one CT are the same lesion."""

# of several CTs of one visit the one that shows most of a lesion tells about it
_TELLING: Final = {
    LesionState.MEASURED: 0,
    LesionState.SPLIT: 0,
    LesionState.PRESENT: 1,
    LesionState.TOO_SMALL: 1,
    LesionState.MERGED: 2,
    LesionState.ABSENT: 3,
    LesionState.NOT_ASSESSABLE: 4,
}


@dataclass(frozen=True, slots=True)
class Visit:
    """The scans of one day, in an order that does not depend on their arrival.

    Attributes
    ----------
    label
        The day, ISO 8601: it stays the same whatever else arrives.
    scans
        (name, scan), where the name tells two CTs of a day apart.
    """

    label: str
    scans: tuple[tuple[str, Scan], ...]


def visits_of(scans: Sequence[Scan]) -> tuple[Visit, ...]:
    """The visits of a patient, the earliest first.

    Parameters
    ----------
    scans
        In the order in which they became complete: of two segmentations of one CT that show a lesion both, the later
        one replaces the other.
    """
    kept = [scan for at, scan in enumerate(scans) if not any(_replaces(later, scan) for later in scans[at + 1 :])]
    kept.sort(key=lambda scan: (scan.scanned_on, scan.ct.series, scan.segmentation))
    visits = []
    for day, of_day in groupby(kept, key=lambda scan: scan.scanned_on):
        joined = list(_joined(list(of_day)))
        label = str(day)
        names = [label if at == 0 else f"{label} ({at + 1})" for at in range(len(joined))]
        visits.append(Visit(label, tuple(zip(names, joined, strict=True))))
    return tuple(visits)


def _replaces(later: Scan, scan: Scan) -> bool:
    return later.ct == scan.ct and any(_same(one, other) for one in later.sightings for other in scan.sightings)


def _same(one: Sighting, other: Sighting) -> bool:
    if one.tracking_uid and other.tracking_uid:
        return one.tracking_uid == other.tracking_uid
    here, there = ({tuple(row) for row in np.round(seen.points_mm, 3).tolist()} for seen in (one, other))
    return len(here & there) >= _SHARED * min(len(here), len(there))


def _joined(scans: Sequence[Scan]) -> list[Scan]:
    """Segmentations of one CT as one scan: some senders draw each lesion in an object of its own."""
    joined = []
    for _, of_ct in groupby(scans, key=lambda scan: scan.ct):
        first, *others = of_ct
        seen = [*first.sightings, *(one for other in others for one in other.sightings)]
        joined.append(
            first
            if not others
            else replace(first, sightings=tuple(replace(s, number=n) for n, s in enumerate(seen, 1)))
        )
    return joined


def followed_over(
    visits: Sequence[Visit], places: Mapping[str, Rigid], *, gates: Gates | None = None
) -> Followed | Rejected:
    """Know the lesions of all `visits` again; the time points bear the labels of the visits.

    Parameters
    ----------
    places
        By name of the scan, as `identity.follow` wants them.
    """
    sighted = [
        Sighted(name, (scan.scanned_on,), scan.sightings, scan.extent) for visit in visits for name, scan in visit.scans
    ]
    followed = follow(sighted, places, gates=gates)
    if isinstance(followed, Rejected):
        return followed
    by_name = {point.label: point for point in followed.time_points}
    points = tuple(_one(visit, [by_name[name] for name, _ in visit.scans]) for visit in visits)
    return replace(followed, time_points=points)


def _one(visit: Visit, points: Sequence[TimePoint]) -> TimePoint:
    if len(points) == 1:
        return points[0]
    seen: dict[LesionId, LesionObservation] = {}
    for point in points:
        for one in point.observations:
            known = seen.get(one.lesion)
            if known is None or _rank(one) < _rank(known):
                seen[one.lesion] = one
    scans = tuple(scan for point in points for scan in point.scans)
    return TimePoint(visit.label, scans, tuple(seen[lesion] for lesion in sorted(seen)))


def _rank(seen: LesionObservation) -> tuple[int, int]:
    return _TELLING[seen.state], seen.slice_thickness or 10_000


def names_of(visits: Sequence[Visit], followed: Followed) -> dict[LesionId, str]:
    """What people call each lesion: its Tracking ID where one was sent, else its place in the order of first sight."""
    numbered = {lesion: number for number, lesion in enumerate(_lesions(followed.matches), 1)}
    names = {lesion: f"Lesion {number}" for lesion, number in numbered.items()}
    sightings = {name: scan.sightings for visit in visits for name, scan in visit.scans}
    for match in reversed(followed.matches):
        sent = [
            seen.tracking_id
            for seen in sightings[match.time_point]
            if seen.number in match.segments and seen.tracking_id
        ]
        if sent:
            names[match.lesion] = sent[0]
    return names


def _lesions(matches: Sequence[Match]) -> list[LesionId]:
    return list(dict.fromkeys(match.lesion for match in matches if match.kind is MatchKind.FIRST_SEEN))


def in_terms_of(decisions: Decisions, visits: Sequence[Visit], followed: Followed) -> Decisions:
    """Decisions about the lesions as they are known now, and about these visits alone.

    A lesion bears the UID of the segment that showed it first. When an earlier scan arrives it gets another one, and
    what was decided about it stays true.
    """
    sightings = {name: scan.sightings for visit in visits for name, scan in visit.scans}
    known: dict[str, LesionId] = {}
    for match in followed.matches:
        known.setdefault(match.lesion, match.lesion)
        for seen in sightings[match.time_point]:
            if seen.number in match.segments:
                known.setdefault(seen.own_uid, match.lesion)
                known.setdefault(seen.tracking_uid, match.lesion)
    labels = {visit.label for visit in visits}

    def of(lesion: LesionId) -> LesionId | None:
        return known.get(lesion)

    return replace(
        decisions,
        roles={now: role for lesion, role in decisions.roles.items() if (now := of(lesion))},
        non_targets={
            (label, now): call
            for (label, lesion), call in decisions.non_targets.items()
            if label in labels and (now := of(lesion))
        },
        new_lesions={
            (label, now): call
            for (label, lesion), call in decisions.new_lesions.items()
            if label in labels and (now := of(lesion))
        },
        irradiated=frozenset(now for lesion in decisions.irradiated if (now := of(lesion))),
        confirmed_nodes=frozenset(now for lesion in decisions.confirmed_nodes if (now := of(lesion))),
        raised_markers=decisions.raised_markers & labels,
    )


def as_of(course: Course, day: date) -> Course:
    """What of a course had happened by `day`: the report of a visit does not change with what comes after it."""

    def by_then(when: ScanDate | None) -> ScanDate | None:
        return when if when is not None and when.earliest <= day else None

    last_dose = by_then(course.last_dose)
    stopped = course.last_dose is None or last_dose is not None
    return replace(
        course,
        last_dose=last_dose,
        ongoing=course.ongoing if stopped else True,
        stopped_for=course.stopped_for if stopped else None,
        second_line=by_then(course.second_line),
        second_progression=by_then(course.second_progression),
        death=by_then(course.death),
        last_contact=by_then(course.last_contact),
    )
