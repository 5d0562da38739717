"""The iRECIST layer: progression counts once it is confirmed, and may turn out to be none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from pipelines.domain.recist import LesionId, RecistRules, Tenths, TimePoint
from pipelines.domain.responses import ImmuneResponse, NonTargetResponse, OverallResponse, TargetResponse
from pipelines.domain.scan_date import ScanDate, days_between
from pipelines.response.measurability import LEAST_LONG_AXIS, LEAST_NODE
from pipelines.response.recist import LEAST_GROWTH, overall_response
from pipelines.response.targets import counted_organ

CONFIRM_FROM_DAYS: Final = 28
"""Confirmation takes four weeks at least; those who come after eight weeks confirm as well."""

_AS_IMMUNE: Final = {
    OverallResponse.CR: ImmuneResponse.ICR,
    OverallResponse.PR: ImmuneResponse.IPR,
    OverallResponse.SD: ImmuneResponse.ISD,
    OverallResponse.NON_CR_NON_PD: ImmuneResponse.NON_ICR_NON_IUPD,
    OverallResponse.PD: ImmuneResponse.IUPD,
    OverallResponse.NE: ImmuneResponse.NE,
}


@dataclass(frozen=True, slots=True)
class Components:
    """What RECIST 1.1 says of one visit, from which iRECIST starts.

    Attributes
    ----------
    total
        Sum of the target lesions that were measured.
    further_non_target
        A non-target lesion grew, unequivocally or not.
    new
        Unequivocal new lesions that are seen here, with their sizes.
    relapsed
        A lesion is back after a complete response.
    """

    on: ScanDate
    total: Tenths
    target: TargetResponse
    non_target: NonTargetResponse
    further_non_target: bool
    new: Mapping[LesionId, Tenths | None]
    relapsed: bool = False


def new_targets(
    visits: Sequence[TimePoint], new: Sequence[Sequence[LesionId]], rules: RecistRules
) -> frozenset[LesionId]:
    """New lesions that are measured: five at most, two of an organ, kept out of the sum of the old ones.

    Parameters
    ----------
    new
        Unequivocal new lesions of each visit. The first visits choose first, there the largest lesions.
    """
    chosen: list[tuple[LesionId, str]] = []
    for visit, seen_new in zip(visits, new, strict=True):
        measured = []
        for lesion in seen_new:
            seen = visit.of(lesion)
            if seen is None or seen.axis is None or any(lesion == other for other, _ in chosen):
                continue
            if seen.axis >= (LEAST_NODE if seen.is_node else LEAST_LONG_AXIS):
                measured.append((-seen.axis, lesion, counted_organ(seen).value))
        for _, lesion, organ in sorted(measured):
            if len(chosen) < rules.most_targets and [o for _, o in chosen].count(organ) < rules.most_per_organ:
                chosen.append((lesion, organ))
    return frozenset(lesion for lesion, _ in chosen)


@dataclass(frozen=True, slots=True)
class _Pending:
    """A progression that waits for its confirmation, with the smallest sizes since: increases add up."""

    since: ScanDate
    target: bool
    non_target: bool
    total: Tenths
    known: frozenset[LesionId]
    new_sum: Tenths
    others: Mapping[LesionId, Tenths | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _State:
    pending: _Pending | None = None
    confirmed: bool = False


def immune_responses(visits: Sequence[Components], measured_new: frozenset[LesionId]) -> tuple[ImmuneResponse, ...]:
    """Responses of the visits after the baseline, in their order.

    Progression (iUPD) is confirmed four weeks later or more by another 5 mm in the sum or in the sum of the new target
    lesions, by any growth of a non-target or a new non-target lesion that progressed, by a further new lesion, or by
    progression of a kind that had not progressed before. Growth adds up over the visits since. Without it the visit
    stays iUPD, and when no sign of progression is left the next one begins anew.

    References
    ----------
    Seymour et al. 2017, table 2 and box; the EORTC's answers on new lesions (4 mm and then 2 mm confirm).
    """
    said = []
    state = _State()
    for visit in visits:
        response, state = _next(visit, state, measured_new)
        said.append(response)
    return tuple(said)


def _next(visit: Components, state: _State, measured_new: frozenset[LesionId]) -> tuple[ImmuneResponse, _State]:
    overall = overall_response(visit.target, visit.non_target, new=bool(visit.new) or visit.relapsed)
    if state.confirmed:
        return ImmuneResponse.ICPD, state
    if state.pending is None:
        if overall is OverallResponse.PD:
            return ImmuneResponse.IUPD, _State(_begun(visit, measured_new))
        return _AS_IMMUNE[overall], state
    waited = days_between(state.pending.since, visit.on).at_least(CONFIRM_FROM_DAYS)
    if waited and _confirms(visit, state.pending, measured_new):
        return ImmuneResponse.ICPD, _State(state.pending, confirmed=True)
    if overall is OverallResponse.PD:
        return ImmuneResponse.IUPD, _State(_followed(visit, state.pending, measured_new, waited=bool(waited)))
    if overall is OverallResponse.NE:
        return ImmuneResponse.NE, state
    return _AS_IMMUNE[overall], _State()


def _begun(visit: Components, measured_new: frozenset[LesionId]) -> _Pending:
    return _Pending(
        since=visit.on,
        target=visit.target is TargetResponse.PD,
        non_target=visit.non_target is NonTargetResponse.PD,
        total=visit.total,
        known=frozenset(visit.new),
        new_sum=_new_sum(visit, measured_new),
        others=_others(visit, measured_new),
    )


def _followed(visit: Components, pending: _Pending, measured_new: frozenset[LesionId], *, waited: bool) -> _Pending:
    total = pending.total if visit.target is TargetResponse.NE else Tenths(min(pending.total, visit.total))
    seen = _others(visit, measured_new)
    followed = replace(
        pending,
        total=total,
        new_sum=Tenths(min(pending.new_sum, _new_sum(visit, measured_new))),
        others={**pending.others, **{k: _least(pending.others.get(k, v), v) for k, v in seen.items()}},
    )
    if waited:
        return followed
    # what appears before the four weeks have passed belongs to the same unconfirmed progression
    return replace(
        followed,
        target=pending.target or visit.target is TargetResponse.PD,
        non_target=pending.non_target or visit.non_target is NonTargetResponse.PD,
        known=pending.known | frozenset(visit.new),
    )


def _confirms(visit: Components, pending: _Pending, measured_new: frozenset[LesionId]) -> bool:
    further_target = (
        visit.total - pending.total >= LEAST_GROWTH if pending.target else visit.target is TargetResponse.PD
    )
    further_non_target = visit.further_non_target if pending.non_target else visit.non_target is NonTargetResponse.PD
    return (
        further_target
        or further_non_target
        or bool(set(visit.new) - pending.known)
        or _new_sum(visit, measured_new & pending.known) - pending.new_sum >= LEAST_GROWTH
        or any(_more(size, pending.others.get(lesion)) for lesion, size in _others(visit, measured_new).items())
    )


def _new_sum(visit: Components, measured_new: frozenset[LesionId]) -> Tenths:
    return Tenths(sum(size or 0 for lesion, size in visit.new.items() if lesion in measured_new))


def _others(visit: Components, measured_new: frozenset[LesionId]) -> dict[LesionId, Tenths | None]:
    return {lesion: size for lesion, size in visit.new.items() if lesion not in measured_new}


def _least(one: Tenths | None, other: Tenths | None) -> Tenths | None:
    sizes = [size for size in (one, other) if size is not None]
    return min(sizes) if sizes else None


def _more(now: Tenths | None, before: Tenths | None) -> bool:
    return now is not None and before is not None and now > before
