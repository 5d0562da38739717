"""From the scans that are kept of a patient to time points: what was replaced goes, what belongs together is joined."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import groupby
from typing import Final

import numpy as np

from pipelines.domain.history import Scan
from pipelines.domain.identifiers import SopInstanceUID, StudyUID, derived_uid
from pipelines.domain.identity import Followed, Gates, Match, MatchKind, Sighted, Sighting
from pipelines.domain.progression import Course
from pipelines.domain.readings import Read, Reading, read
from pipelines.domain.reasons import Rejected
from pipelines.domain.recist import LesionId, LesionNature, LesionObservation, LesionState, TimePoint
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
    segmentations
        What the scans were read from; several may be joined to one scan.
    """

    label: str
    scans: tuple[tuple[str, Scan], ...]
    segmentations: tuple[SopInstanceUID, ...]


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
    for day, grouped in groupby(kept, key=lambda scan: scan.scanned_on):
        of_day = list(grouped)
        joined = _joined(of_day)
        label = str(day)
        names = [label if at == 0 else f"{label} ({at + 1})" for at in range(len(joined))]
        segmentations = tuple(scan.segmentation for scan in of_day)
        visits.append(Visit(label, tuple(zip(names, joined, strict=True)), segmentations))
    return tuple(visits)


def _replaces(later: Scan, scan: Scan) -> bool:
    return later.ct == scan.ct and any(_same(one, other) for one in later.sightings for other in scan.sightings)


def _same(one: Sighting, other: Sighting) -> bool:
    if one.tracking_uid and other.tracking_uid:
        return one.tracking_uid == other.tracking_uid
    if not len(one.points_mm) or not len(other.points_mm):
        return False
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


def read_at(
    visits: Sequence[Visit], followed: Followed, readings: Sequence[Reading], *, later: frozenset[StudyUID]
) -> Read:
    """What readers decided, about the lesions as they are known now.

    A lesion bears the UID of the segment that showed it first. When an earlier scan arrives it gets another one, and
    what was decided about it stays true.

    Parameters
    ----------
    later
        Studies of later visits, about which this one knows nothing.
    """
    sightings = {name: scan for visit in visits for name, scan in visit.scans}
    known: dict[str, LesionId] = {}
    of_study: dict[tuple[StudyUID, str], LesionId] = {}
    for match in followed.matches:
        known.setdefault(match.lesion, match.lesion)
        for seen in sightings[match.time_point].sightings:
            if seen.number in match.segments:
                known.setdefault(seen.own_uid, match.lesion)
                known.setdefault(seen.tracking_uid, match.lesion)
                # one name may stand for two lesions where a reader set them apart
                of_study[sightings[match.time_point].ct.study, seen.own_uid] = match.lesion
    known.pop("", None)
    labels = {scan.ct.study: visit.label for visit in visits for _, scan in visit.scans}
    return read(
        [one for one in readings if one.decision.study not in later],
        lesion_of=lambda study, uid: of_study.get((study, uid)) or known.get(uid),
        label_of=labels.get,
    )


def set_apart(visits: Sequence[Visit], different: Sequence[tuple[StudyUID, str]]) -> tuple[Visit, ...]:
    """The visits where segments that a reader called another lesion than any before are one of their own.

    A Tracking UID that was sent with it names the new lesion from that visit on.

    Parameters
    ----------
    different
        Study of the visit, and Tracking UID of the segment there.
    """
    told = list(visits)
    for study, uid in different:
        at = next((n for n, visit in enumerate(told) if any(scan.ct.study == study for _, scan in visit.scans)), None)
        if at is not None:
            name = derived_uid("another lesion", uid, study)
            told[at:] = [_apart(visit, uid, name, study) for visit in told[at:]]
    return tuple(told)


def _apart(visit: Visit, uid: str, name: str, study: StudyUID) -> Visit:
    def named(scan: Scan, seen: Sighting) -> Sighting:
        if uid not in (seen.tracking_uid, seen.own_uid):
            return seen
        # what bears a name in one scan alone is known again by its place
        new_name = name if seen.tracking_uid else ""
        return replace(seen, tracking_uid=new_name, tracking_id="", apart=seen.apart or scan.ct.study == study)

    scans = tuple(
        (label, replace(scan, sightings=tuple(named(scan, seen) for seen in scan.sightings)))
        for label, scan in visit.scans
    )
    return replace(visit, scans=scans)


def named_anew(visits: Sequence[Visit], same: Sequence[tuple[str, str]]) -> tuple[Visit, ...]:
    """The visits where segments that a reader called the same lesion bear the same Tracking UID."""
    if not same:
        return tuple(visits)
    names: dict[str, str] = {}
    for one, other in same:
        first = names.get(other, other)
        names = {uid: first if name == one else name for uid, name in names.items()} | {one: first, other: first}

    def named(seen: Sighting) -> Sighting:
        name = names.get(seen.tracking_uid) if seen.tracking_uid else None
        name = name or names.get(seen.own_uid)
        return seen if name is None else replace(seen, tracking_uid=name)

    return tuple(
        replace(
            visit,
            scans=tuple(
                (name, replace(scan, sightings=tuple(map(named, scan.sightings)))) for name, scan in visit.scans
            ),
        )
        for visit in visits
    )


def with_natures(points: Sequence[TimePoint], natures: Mapping[LesionId, LesionNature]) -> tuple[TimePoint, ...]:
    """The time points where lesions are what a reader called them."""
    return tuple(
        replace(
            point,
            observations=tuple(
                replace(seen, nature=natures[seen.lesion]) if seen.lesion in natures else seen
                for seen in point.observations
            ),
        )
        for point in points
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
