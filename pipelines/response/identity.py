"""Know every lesion of a patient again at every time point."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pipelines.domain.identity import Followed, Gates, Match, MatchKind, Sighted, Sighting
from pipelines.domain.organs import Organ
from pipelines.domain.reasons import Rejected
from pipelines.domain.recist import LesionId, LesionObservation, LesionState, TimePoint
from pipelines.imaging.registration import IDENTITY, Rigid
from pipelines.response.matching import Found, Known, Matched, match


def follow(
    time_points: Sequence[Sighted], places: Mapping[str, Rigid], *, gates: Gates | None = None
) -> Followed | Rejected:
    """Give the segments of all time points of one patient to lesions.

    Lesions are matched with where they were seen last, at the places of the baseline CT. A known lesion that is not
    drawn is absent where the scan covers its place, and not assessable where it does not or where that is not known.

    Parameters
    ----------
    time_points
        In any order; the earliest is the baseline.
    places
        By label: lays the CT of a time point (moving) on that of the baseline (fixed). The baseline needs none.

    Returns
    -------
    Followed
        Time points with lesions that bear the same identity throughout.
    Rejected
        `RSP-001` when one Tracking UID names lesions of two organs.
    """
    gates = Gates() if gates is None else gates
    known: list[Known] = []
    followed: list[TimePoint] = []
    matches: list[Match] = []
    notes: list[Rejected] = []
    for at, point in enumerate(sorted(time_points, key=lambda one: (min(one.scans), one.label))):
        place = IDENTITY if at == 0 else places.get(point.label)
        result = match(known, point.sightings, place, gates, point.label)
        if isinstance(result, Rejected):
            return result
        begun = _begun(point, result, place)
        followed.append(_time_point(point, known, result, begun, place))
        matches.extend(_matches(point, result, begun))
        notes.extend(_notes(point, followed[-1], result, place))
        known = _remembered(known, point, result, place) + begun
    return Followed(tuple(followed), tuple(matches), tuple(notes))


def shared_between_patients(uids: Mapping[str, Iterable[str]]) -> Rejected | None:
    """`RSP-001` when a Tracking UID occurs in more than one patient.

    Parameters
    ----------
    uids
        Tracking UIDs as sent, by patient; the key is not told.
    """
    owner: dict[str, str] = {}
    for patient, sent in sorted(uids.items()):
        for uid in sorted(sent):
            if owner.setdefault(uid, patient) != patient:
                return Rejected(
                    "RSP-001",
                    f"Tracking UID {uid} names lesions of two patients.",
                    "Give each lesion a Tracking UID of its own in the system that draws them, and send them again.",
                )
    return None


def _places(sighting: Sighting, place: Rigid | None) -> NDArray[np.float64] | None:
    return None if place is None or not len(sighting.points_mm) else place.to_fixed(sighting.points_mm)


def _begun(point: Sighted, result: Matched, place: Rigid | None) -> list[Known]:
    """Lesions that are seen here first; segments that share a Tracking UID are one."""
    begun: dict[str, Known] = {}
    for index in result.new:
        one = point.sightings[index]
        name = one.tracking_uid or one.own_uid
        begun.setdefault(
            name,
            Known(
                LesionId(name),
                frozenset({one.tracking_uid} - {""}),
                frozenset({one.tracking_id} - {""}),
                one.organ,
                _places(one, place),
                one.step_mm,
            ),
        )
    return list(begun.values())


def _of(point: Sighted, result: Matched, lesion: Known) -> list[Sighting]:
    """The segments of a lesion that is seen first."""
    return [
        point.sightings[index]
        for index in result.new
        if (point.sightings[index].tracking_uid or point.sightings[index].own_uid) == lesion.lesion
    ]


def _time_point(
    point: Sighted, known: Sequence[Known], result: Matched, begun: Sequence[Known], place: Rigid | None
) -> TimePoint:
    seen = {one.known.lesion: _observed(one.known, [point.sightings[i] for i in one.segments]) for one in result.found}
    seen |= {one.lesion: _observed(one, _of(point, result, one)) for one in begun}
    for one, into in result.merged:
        seen[one.lesion] = LesionObservation(
            one.lesion, one.organ, one.organ is Organ.LYMPH_NODE, LesionState.MERGED, merged_into=into
        )
    for one in known:
        if one.lesion not in seen:
            covered = _covered(one, point, place)
            state = LesionState.ABSENT if covered else LesionState.NOT_ASSESSABLE
            seen[one.lesion] = LesionObservation(one.lesion, one.organ, one.organ is Organ.LYMPH_NODE, state)
    return TimePoint(point.label, point.scans, tuple(seen[lesion] for lesion in sorted(seen)))


def _observed(lesion: Known, parts: Sequence[Sighting]) -> LesionObservation:
    largest = max(parts, key=lambda part: (part.axis, -part.number))
    organ = lesion.organ if lesion.organ is not Organ.UNKNOWN else largest.organ
    seen = LesionObservation(
        lesion.lesion,
        organ,
        largest.is_node,
        LesionState.MEASURED,
        long_axis=largest.long_axis,
        short_axis=largest.short_axis,
        volume_ml=_sum_of([part.volume_ml for part in parts]),
        nature=largest.nature,
        slice_thickness=largest.slice_thickness,
        modality=largest.modality,
    )
    if len(parts) == 1:
        return seen
    return replace(seen, state=LesionState.SPLIT, parts=tuple(part.axis for part in parts))


def _sum_of(volumes: Sequence[float | None]) -> float | None:
    known = [volume for volume in volumes if volume is not None]
    return sum(known) if len(known) == len(volumes) else None


def _covered(lesion: Known, point: Sighted, place: Rigid | None) -> bool:
    """Whether all of the place where a lesion was seen last lies within the scan."""
    if place is None or lesion.points_mm is None:
        return False
    grid = point.extent
    there = place.to_moving(lesion.points_mm) - np.array(grid.origin_mm)
    indices = (there @ np.array(grid.direction).reshape(3, 3)) / np.array(grid.spacing_mm)
    return bool(((indices > -0.5) & (indices < np.array(grid.shape[::-1]) - 0.5)).all())


def _remembered(known: Sequence[Known], point: Sighted, result: Matched, place: Rigid | None) -> list[Known]:
    found: dict[LesionId, Found] = {one.known.lesion: one for one in result.found}
    return [_seen_again(one, point, found.get(one.lesion), place) for one in known]


def _seen_again(lesion: Known, point: Sighted, found: Found | None, place: Rigid | None) -> Known:
    if found is None:
        return lesion
    parts = [point.sightings[index] for index in found.segments]
    places = [there for part in parts if (there := _places(part, place)) is not None]
    return replace(
        lesion,
        uids=lesion.uids | ({part.tracking_uid for part in parts} - {""}),
        ids=lesion.ids | ({part.tracking_id for part in parts} - {""}),
        organ=lesion.organ if lesion.organ is not Organ.UNKNOWN else parts[0].organ,
        points_mm=np.concatenate(places) if places else lesion.points_mm,
        step_mm=parts[0].step_mm if places else lesion.step_mm,
    )


def _matches(point: Sighted, result: Matched, begun: Sequence[Known]) -> list[Match]:
    def numbers(indices: Sequence[int]) -> tuple[int, ...]:
        return tuple(point.sightings[index].number for index in indices)

    again = [
        Match(point.label, one.known.lesion, numbers(one.segments), one.kind, one.distance_mm, one.overlap)
        for one in result.found
    ]
    first = [
        Match(point.label, one.lesion, tuple(s.number for s in _of(point, result, one)), MatchKind.FIRST_SEEN)
        for one in begun
    ]
    return sorted([*again, *first], key=lambda one: one.segments)


def _notes(point: Sighted, made: TimePoint, result: Matched, place: Rigid | None) -> list[Rejected]:
    said = []
    by_place = sum(one.kind in (MatchKind.OVERLAP, MatchKind.NEAREST) for one in result.found)
    if by_place:
        said.append((f"lesions known again by their place: {by_place}.", "Confirm which lesion each of them is."))
    gone = sum(seen.state is LesionState.ABSENT for seen in made.observations)
    if gone:
        said.append(
            (f"known lesions not drawn, taken for gone: {gone}.", "Confirm that they are, or draw and send them.")
        )
    unseen = sum(seen.state is LesionState.NOT_ASSESSABLE for seen in made.observations)
    if unseen:
        why = "outside the scan" if place is not None else "and the CT could not be laid on the baseline"
        said.append((f"known lesions not drawn, {why}: {unseen}.", "Tell whether they are there or gone."))
    split = sum(len(one.segments) > 1 for one in result.found)
    if split:
        said.append((f"lesions that have split, whose parts are added: {split}.", "Confirm the parts."))
    if result.merged:
        said.append((f"lesions that have merged with another: {len(result.merged)}.", "Confirm the merger."))
    return [Rejected("RSP-005", f"Time point {point.label}, {what}", remedy) for what, remedy in said]
