"""New lesions: which there are at each visit, and since when."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipelines.domain.recist import (
    Decisions,
    LesionId,
    LesionObservation,
    LesionState,
    NewLesionCall,
    TimePoint,
)
from pipelines.response.measurability import LEAST_LONG_AXIS, NORMAL_NODE_BELOW

_SEEN = frozenset({LesionState.MEASURED, LesionState.PRESENT, LesionState.TOO_SMALL, LesionState.SPLIT})


@dataclass(frozen=True, slots=True)
class NewLesions:
    """New lesions of one visit.

    Attributes
    ----------
    unequivocal
        Those that count as progression here.
    equivocal
        Those that may, and are watched.
    proposed
        Those of either kind that no reader has looked at.
    """

    unequivocal: tuple[LesionId, ...]
    equivocal: tuple[LesionId, ...]
    proposed: tuple[LesionId, ...]


def new_lesions(
    visits: Sequence[TimePoint], candidates: Sequence[LesionId], decisions: Decisions
) -> tuple[NewLesions, ...]:
    """New lesions of each of `visits`, which are in order and begin with the baseline.

    A lesion that becomes unequivocal counts from the first visit that showed it, unless a reader ruled it out in
    between: progression is dated back. Where no reader spoke, a lesion of measurable size is proposed as unequivocal
    and a smaller one as equivocal. A node counts from 10 mm on and stays equivocal until a reader confirms it.

    References
    ----------
    Eisenhauer et al. 2009, section 4.3.5; the EORTC's answers on nodes that grow to 10 mm.
    """
    onset: dict[LesionId, int] = {}
    calls: dict[LesionId, list[NewLesionCall | None]] = {}
    for lesion in candidates:
        calls[lesion] = [_call(visit, lesion, decisions) if index else None for index, visit in enumerate(visits)]
        since: int | None = None
        for index, call in enumerate(calls[lesion]):
            match call:
                case NewLesionCall.REFUTED:
                    since = None
                case NewLesionCall.EQUIVOCAL if since is None:
                    since = index
                case NewLesionCall.UNEQUIVOCAL:
                    onset[lesion] = index if since is None else since
                    break
                case _:
                    pass
    return tuple(_at(index, visit, candidates, onset, calls, decisions) for index, visit in enumerate(visits))


def _at(
    index: int,
    visit: TimePoint,
    candidates: Sequence[LesionId],
    onset: Mapping[LesionId, int],
    calls: Mapping[LesionId, Sequence[NewLesionCall | None]],
    decisions: Decisions,
) -> NewLesions:
    called = [lesion for lesion in candidates if calls[lesion][index] not in (None, NewLesionCall.REFUTED)]
    sure = tuple(lesion for lesion in called if onset.get(lesion, index + 1) <= index)
    return NewLesions(
        unequivocal=sure,
        equivocal=tuple(lesion for lesion in called if lesion not in sure),
        proposed=tuple(lesion for lesion in called if _is_proposal(visit, lesion, decisions)),
    )


def _is_proposal(visit: TimePoint, lesion: LesionId, decisions: Decisions) -> bool:
    return not (
        (visit.label, lesion) in decisions.new_lesions
        or lesion in decisions.roles
        or lesion in decisions.confirmed_nodes
    )


def _call(visit: TimePoint, lesion: LesionId, decisions: Decisions) -> NewLesionCall | None:
    """How a new lesion is seen at a visit; None when it is not."""
    seen = visit.of(lesion)
    said = decisions.new_lesions.get((visit.label, lesion))
    if said is NewLesionCall.REFUTED or seen is None or seen.state not in _SEEN:
        return said if said is NewLesionCall.REFUTED else None
    if said is not None:
        return said
    if lesion in decisions.roles and not seen.is_node:
        return NewLesionCall.UNEQUIVOCAL
    return _proposal(seen, confirmed=lesion in decisions.confirmed_nodes or lesion in decisions.roles)


def _proposal(seen: LesionObservation, *, confirmed: bool) -> NewLesionCall | None:
    size = max(seen.parts, default=seen.axis or 0)
    if not seen.is_node:
        return NewLesionCall.UNEQUIVOCAL if size >= LEAST_LONG_AXIS else NewLesionCall.EQUIVOCAL
    if seen.state is LesionState.MEASURED and size < NORMAL_NODE_BELOW:
        return None
    return NewLesionCall.UNEQUIVOCAL if confirmed else NewLesionCall.EQUIVOCAL
