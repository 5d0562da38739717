"""Responses of one visit by RECIST 1.1: of target lesions, of non-target lesions, and overall."""

from collections.abc import Iterable, Mapping
from typing import Final

from pipelines.domain.assessment import SumOfDiameters
from pipelines.domain.recist import (
    Decisions,
    LesionId,
    LesionObservation,
    LesionState,
    NonTargetCall,
    Tenths,
    TimePoint,
)
from pipelines.domain.responses import NonTargetResponse, OverallResponse, TargetResponse
from pipelines.response.measurability import NORMAL_NODE_BELOW

TOO_SMALL: Final = Tenths(50)
"""What a lesion counts that is seen and too small to measure (Eisenhauer et al. 2009, section 4.1)."""
LEAST_GROWTH: Final = Tenths(50)
"""Growth of the sum that progression takes, whatever its share."""
_NOTHING: Final = Tenths(0)


def size_of(visit: TimePoint, lesion: LesionId) -> Tenths | None:
    """What a lesion adds to the sum of this visit; None when it could not be assessed.

    A lesion that is not mentioned was not assessed, and one said to be absent from an organ that was not scanned
    neither. A split lesion counts the sum of its parts. One that merged with another counts nothing, as long as that
    other one is assessed.
    """
    seen = visit.of(lesion)
    if seen is None:
        return None
    match seen.state:
        case LesionState.MEASURED:
            return seen.axis
        case LesionState.TOO_SMALL:
            return TOO_SMALL if seen.axis is None else seen.axis
        case LesionState.SPLIT:
            return Tenths(sum(seen.parts))
        case LesionState.ABSENT:
            return None if visit.covers(seen.organ) is False else _NOTHING
        case LesionState.MERGED:
            assert seen.merged_into is not None
            other = visit.of(seen.merged_into)
            assessed = other is not None and other.state is not LesionState.MERGED
            return _NOTHING if assessed and size_of(visit, seen.merged_into) is not None else None
        case LesionState.PRESENT | LesionState.NOT_ASSESSABLE:
            return None


def sum_of(visit: TimePoint, targets: Iterable[LesionId]) -> SumOfDiameters:
    """The sum of diameters: long axes, and short axes of nodes."""
    return SumOfDiameters({lesion: size_of(visit, lesion) for lesion in targets})


def is_gone(visit: TimePoint, lesion: LesionId) -> bool | None:
    """Whether a lesion has disappeared, which a node has below 10 mm; None when that cannot be told."""
    seen = visit.of(lesion)
    if seen is None or seen.state is LesionState.NOT_ASSESSABLE:
        return None
    if seen.state is LesionState.PRESENT:
        return False
    size = size_of(visit, lesion)
    if size is None:
        return None
    return (_largest(seen, size) < NORMAL_NODE_BELOW) if seen.is_node else size == 0


def _largest(seen: LesionObservation, size: Tenths) -> int:
    return max(seen.parts, default=size)


def target_response(
    visit: TimePoint,
    targets: tuple[LesionId, ...],
    *,
    baseline: Tenths | None,
    nadir: Tenths | None,
    partial_reached: bool = False,
) -> TargetResponse:
    """Response of the target lesions.

    Parameters
    ----------
    baseline
        Sum at baseline; None when it is incomplete.
    nadir
        Least complete sum before this visit.
    partial_reached
        A partial response was reached before and holds until progression.

    References
    ----------
    Eisenhauer et al. 2009, section 4.3.1. Progression comes before what is missing: when the part that was measured
    has already grown enough, the rest cannot change it.
    """
    if not targets:
        return TargetResponse.NONE
    sizes = sum_of(visit, targets)
    if not baseline:
        # a sum of nothing cannot shrink, yet disease can return over it
        return TargetResponse.PD if nadir is not None and grown(sizes.measured, nadir) else TargetResponse.NE
    if all(is_gone(visit, lesion) for lesion in targets):
        return TargetResponse.CR
    if nadir is not None and grown(sizes.measured, nadir):
        return TargetResponse.PD
    if sizes.total is None:
        return TargetResponse.NE
    if 10 * sizes.total <= 7 * baseline or partial_reached:
        return TargetResponse.PR
    return TargetResponse.SD


def grown(now: Tenths, nadir: Tenths) -> bool:
    """Whether a size has grown by 20 % and by 5 mm over its smallest.

    Examples
    --------
    >>> grown(Tenths(300), Tenths(250)), grown(Tenths(299), Tenths(249)), grown(Tenths(49), Tenths(0))
    (True, True, False)
    """
    return now - nadir >= LEAST_GROWTH and 10 * now >= 12 * nadir


def non_target_response(visit: TimePoint, non_targets: tuple[LesionId, ...], decisions: Decisions) -> NonTargetResponse:
    """Response of the non-target lesions; progression is a reader's call alone.

    References
    ----------
    Eisenhauer et al. 2009, sections 4.3.3 and 4.3.4.
    """
    raised = visit.label in decisions.raised_markers
    if not non_targets:
        return NonTargetResponse.NON_CR_NON_PD if raised else NonTargetResponse.NONE
    calls: Mapping[tuple[str, LesionId], NonTargetCall] = decisions.non_targets
    if any(calls.get((visit.label, lesion)) is NonTargetCall.UNEQUIVOCAL_PROGRESSION for lesion in non_targets):
        return NonTargetResponse.PD
    gone = [is_gone(visit, lesion) for lesion in non_targets]
    if None in gone:
        return NonTargetResponse.NE
    return NonTargetResponse.CR if all(gone) and not raised else NonTargetResponse.NON_CR_NON_PD


_WITHOUT_TARGETS: Final = {
    NonTargetResponse.CR: OverallResponse.CR,
    NonTargetResponse.NON_CR_NON_PD: OverallResponse.NON_CR_NON_PD,
    NonTargetResponse.NE: OverallResponse.NE,
    NonTargetResponse.NONE: OverallResponse.NE,
}


def overall_response(target: TargetResponse, non_target: NonTargetResponse, *, new: bool) -> OverallResponse:
    """Overall response of a visit.

    References
    ----------
    Eisenhauer et al. 2009, tables 1 and 2.
    """
    if new or target is TargetResponse.PD or non_target is NonTargetResponse.PD:
        return OverallResponse.PD
    match target:
        case TargetResponse.NONE:
            return _WITHOUT_TARGETS[non_target]
        case TargetResponse.CR if non_target in (NonTargetResponse.CR, NonTargetResponse.NONE):
            return OverallResponse.CR
        case TargetResponse.CR | TargetResponse.PR:
            return OverallResponse.PR
        case TargetResponse.SD:
            return OverallResponse.SD
        case _:
            return OverallResponse.NE
