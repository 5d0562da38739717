"""Match the segments of one time point with the lesions that are known: by identifiers first, then by place."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree

from pipelines.domain.identity import Gates, MatchKind, Sighting
from pipelines.domain.organs import Organ
from pipelines.domain.reasons import Rejected
from pipelines.domain.recist import LesionId
from pipelines.imaging.registration import Rigid

_MOST_POINTS: Final = 4000
"""Points of a lesion that are compared; more say no more about its place."""
_FAR: Final = 1e6
_REACH: Final = 0.87
"""Half the diagonal of a cube: two grids that lie anyhow on each other have their points no further apart."""


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """A lesion as it was last seen, at the places of the baseline CT.

    Attributes
    ----------
    points_mm
        None when its last time point could not be laid on the baseline.
    """

    lesion: LesionId
    uids: frozenset[str]
    ids: frozenset[str]
    organ: Organ
    points_mm: NDArray[np.float64] | None
    step_mm: float


@dataclass(frozen=True, slots=True)
class Found:
    """A known lesion among the segments.

    Attributes
    ----------
    segments
        Indices into the sightings; the first is the one that matched, the others are parts that split off.
    """

    known: Known
    segments: tuple[int, ...]
    kind: MatchKind
    distance_mm: float | None = None
    overlap: float | None = None


@dataclass(frozen=True, slots=True)
class Matched:
    """What became of the lesions and the segments of one time point.

    Attributes
    ----------
    merged
        (lesion that is no longer seen by itself, lesion whose segment covers its place).
    """

    found: tuple[Found, ...]
    merged: tuple[tuple[Known, LesionId], ...]
    new: tuple[int, ...]


def match(
    known: Sequence[Known], seen: Sequence[Sighting], place: Rigid | None, gates: Gates, label: str
) -> Matched | Rejected:
    """Find the known lesions among the segments of a time point.

    A Tracking UID decides; a Tracking ID does when it names one lesion and one segment of the same organ. What is left
    is matched by place: every lesion with one segment at most, such that the distances over all are least. Lesions of
    different organs never match, nor do two that came with different Tracking UIDs.

    Parameters
    ----------
    place
        Lays this CT on the baseline; None when that is not known, which leaves identifiers only.

    Returns
    -------
    Matched
        Each segment in one place of it.
    Rejected
        `RSP-001` when a Tracking UID names lesions of two organs.
    """
    by_uid = _by_uid(known, seen, label)
    if isinstance(by_uid, Rejected):
        return by_uid
    found = by_uid
    found += _by_id(_left(known, found), seen, _free(seen, found))
    points = [None if place is None or not len(one.points_mm) else place.to_fixed(one.points_mm) for one in seen]
    found += _by_place(_left(known, found), seen, points, _free(seen, found), gates)
    found, free = _with_parts(found, seen, points, _free(seen, found), gates)
    merged = _merged(_left(known, found), found, seen, points, gates)
    return Matched(tuple(found), tuple(merged), tuple(free))


def _left(known: Sequence[Known], found: Sequence[Found]) -> list[Known]:
    names = {one.known.lesion for one in found}
    return [one for one in known if one.lesion not in names]


def _free(seen: Sequence[Sighting], found: Sequence[Found]) -> list[int]:
    taken = {index for one in found for index in one.segments}
    return [index for index in range(len(seen)) if index not in taken]


def _compatible(one: Organ, other: Organ) -> bool:
    return one is other or Organ.UNKNOWN in (one, other)


def _by_uid(known: Sequence[Known], seen: Sequence[Sighting], label: str) -> list[Found] | Rejected:
    named: dict[str, list[int]] = defaultdict(list)
    for index, one in enumerate(seen):
        if one.tracking_uid:
            named[one.tracking_uid].append(index)
    found = []
    lesion_of = {uid: one for one in known for uid in one.uids}
    for uid, indices in named.items():
        lesion = lesion_of.get(uid)
        organs = {seen[index].organ for index in indices} | ({lesion.organ} if lesion else set())
        if len(organs - {Organ.UNKNOWN}) > 1:
            return Rejected(
                "RSP-001",
                f"Tracking UID {uid} names lesions in {' and '.join(sorted(organs))} (time point {label}).",
                "Give each lesion a Tracking UID of its own in the system that draws them, and send them again.",
            )
        if lesion is not None:
            found.append(Found(lesion, tuple(indices), MatchKind.TRACKING_UID))
    return found


def _by_id(known: Sequence[Known], seen: Sequence[Sighting], free: Sequence[int]) -> list[Found]:
    found = []
    for one in known:
        lesions = [other for other in known if other.ids & one.ids]
        indices = [index for index in free if seen[index].tracking_id in one.ids]
        if len(lesions) == len(indices) == 1 and _may_match(one, seen[indices[0]]):
            found.append(Found(one, (indices[0],), MatchKind.TRACKING_ID))
    return found


def _may_match(one: Known, other: Sighting) -> bool:
    return not other.apart and _compatible(one.organ, other.organ) and not (one.uids and other.tracking_uid)


def _thinned(points: NDArray[np.float64]) -> NDArray[np.float64]:
    return points[:: max(1, -(-len(points) // _MOST_POINTS))]


def _share(points: NDArray[np.float64], of: NDArray[np.float64], reach_mm: float) -> float:
    """Share of `points` that lie within reach of a point of `of`."""
    distances, _ = cKDTree(of).query(_thinned(points), distance_upper_bound=reach_mm)
    return float(np.isfinite(distances).mean())


def _overlap(one: NDArray[np.float64], one_step: float, other: NDArray[np.float64], other_step: float) -> float:
    smaller, larger, step = (one, other, other_step) if len(one) * one_step**3 <= len(other) * other_step**3 else (
        other, one, one_step
    )  # fmt: skip
    return _share(smaller, larger, _REACH * step)


def _radius(points: NDArray[np.float64]) -> float:
    return float(np.linalg.norm(points - points.mean(axis=0), axis=1).max())


def _by_place(
    known: Sequence[Known],
    seen: Sequence[Sighting],
    points: Sequence[NDArray[np.float64] | None],
    free: Sequence[int],
    gates: Gates,
) -> list[Found]:
    costs = np.full((len(known), len(free)), _FAR)
    details: dict[tuple[int, int], tuple[float, float]] = {}
    for row, one in enumerate(known):
        for column, index in enumerate(free):
            there = points[index]
            if one.points_mm is None or there is None or not _may_match(one, seen[index]):
                continue
            distance = float(np.linalg.norm(one.points_mm.mean(axis=0) - there.mean(axis=0)))
            overlap = _overlap(one.points_mm, one.step_mm, there, seen[index].step_mm)
            reach = max(gates.distance_mm, _radius(one.points_mm), _radius(there))
            if distance <= reach:
                # a lesion that overlaps comes before one that is only near
                costs[row, column] = distance + reach * (1 - overlap)
                details[row, column] = distance, overlap
    if not details:
        return []
    found = []
    for row, column in zip(*linear_sum_assignment(costs), strict=True):
        if (row, column) in details:
            distance, overlap = details[row, column]
            kind = MatchKind.OVERLAP if overlap > 0 else MatchKind.NEAREST
            found.append(Found(known[row], (free[column],), kind, distance, overlap))
    return found


def _with_parts(
    found: Sequence[Found],
    seen: Sequence[Sighting],
    points: Sequence[NDArray[np.float64] | None],
    free: Sequence[int],
    gates: Gates,
) -> tuple[list[Found], list[int]]:
    """Give segments that lie on a lesion which was matched already to that lesion, as parts of it."""
    parts: dict[int, list[int]] = defaultdict(list)
    left = []
    for index in free:
        there = points[index]
        shares = [
            0.0
            if there is None or one.known.points_mm is None or not _may_match(one.known, seen[index])
            else _share(there, one.known.points_mm, _REACH * one.known.step_mm)
            for one in found
        ]
        best = int(np.argmax(shares)) if shares else -1
        if best >= 0 and shares[best] >= gates.part:
            parts[best].append(index)
        else:
            left.append(index)
    whole = [
        Found(one.known, (*one.segments, *parts[at]), one.kind, one.distance_mm, one.overlap)
        for at, one in enumerate(found)
    ]
    return whole, left


def _merged(
    known: Sequence[Known],
    found: Sequence[Found],
    seen: Sequence[Sighting],
    points: Sequence[NDArray[np.float64] | None],
    gates: Gates,
) -> list[tuple[Known, LesionId]]:
    merged = []
    for one in known:
        for other in found:
            there = points[other.segments[0]]
            step = seen[other.segments[0]].step_mm
            if one.points_mm is None or there is None or not _compatible(one.organ, other.known.organ):
                continue
            if _share(one.points_mm, there, _REACH * step) >= gates.part:
                merged.append((one, other.known.lesion))
                break
    return merged
