"""Pattern of the first progression: oligo or systemic (Huang et al. 2025)."""

from collections.abc import Mapping, Sequence
from typing import Final

from pipelines.domain.organs import Organ
from pipelines.domain.progression import Evidence, Pattern, PatternFinding, PatternRules, ProgressingLesion
from pipelines.domain.recist import (
    DIFFUSE,
    Decisions,
    LesionId,
    LesionRole,
    NonTargetCall,
    Tenths,
    TimePoint,
)
from pipelines.domain.responses import TargetResponse
from pipelines.response.recist import grown, is_gone, size_of

_ORDER: Final = {
    Evidence.NEW: 0,
    Evidence.REAPPEARED: 1,
    Evidence.NON_TARGET: 2,
    Evidence.GROWN: 3,
    Evidence.SHARE_OF_SUM: 4,
}


def pattern_of(
    visits: Sequence[TimePoint],
    roles: Mapping[LesionId, LesionRole],
    decisions: Decisions,
    new: Sequence[LesionId],
    *,
    target: TargetResponse,
    rules: PatternRules,
    reappeared: Sequence[LesionId] = (),
) -> PatternFinding:
    """Pattern at the last of `visits`, which is the one of first progression.

    What progresses are the target lesions that grew by 20 % and 5 mm over their own smallest size, the non-target
    lesions that a reader calls progressing, and the new lesions. When the sum progressed and no single lesion did, the
    lesions that grew share it, which `by_sum_alone` tells. Disease that cannot be counted is systemic. Few progressing
    lesions are oligoprogression only where the others are controlled; one that was not assessed leaves that open.

    Parameters
    ----------
    visits
        From the baseline to the first progression, in order.
    new
        Unequivocal new lesions at the last of them.
    target
        Response of the target lesions there.
    reappeared
        Lesions that are back there after a complete response.
    """
    last = visits[-1]
    found = _progressing(visits, roles, decisions, new)
    known = {one.lesion for one in found}
    found += [_grown(visits, lesion, Evidence.REAPPEARED) for lesion in reappeared if lesion not in known]
    by_sum = not found and target is TargetResponse.PD
    if by_sum:
        found = _shares(visits, _with(roles, LesionRole.TARGET))
    found.sort(key=lambda one: (_ORDER[one.evidence], -(one.growth or 0), one.lesion))
    named = frozenset(one.lesion for one in found)
    diffuse = any((seen := last.of(lesion)) is not None and seen.nature in DIFFUSE for lesion in named)
    uncontrolled, unseen = _others(visits, roles, decisions, named, rules)

    def under(limit: int) -> tuple[Pattern, str]:
        return _decide(found, limit, rules, diffuse=diffuse, uncontrolled=uncontrolled, unseen=unseen)

    pattern, why = under(rules.most_lesions)
    return PatternFinding(
        pattern=pattern,
        rules=f"{rules.name} {rules.version}",
        why=why,
        time_point=last.label,
        lesions=tuple(found),
        by_sum_alone=by_sum,
        diffuse=diffuse,
        brain_only=bool(found) and all(one.organ is Organ.BRAIN for one in found),
        compared=tuple((limit, under(limit)[0]) for limit in rules.compared),
    )


def no_pattern(rules: PatternRules) -> PatternFinding:
    """What is told of a patient without progression."""
    return PatternFinding(Pattern.NONE, f"{rules.name} {rules.version}", "no progression")


def _decide(
    found: Sequence[ProgressingLesion],
    limit: int,
    rules: PatternRules,
    *,
    diffuse: bool,
    uncontrolled: Sequence[LesionId],
    unseen: Sequence[LesionId],
) -> tuple[Pattern, str]:
    organs = {one.organ for one in found}
    counted = f"{len(found)} progressing lesion{'' if len(found) == 1 else 's'} in {', '.join(sorted(organs))}"
    if diffuse:
        return Pattern.SYSTEMIC, "disease that cannot be counted in lesions progresses"
    if len(found) > limit:
        return Pattern.SYSTEMIC, f"{counted}: more than {limit}"
    if rules.most_organs is not None and len(organs) > rules.most_organs:
        return Pattern.SYSTEMIC, f"{counted}: more than {rules.most_organs} organs"
    if uncontrolled:
        return Pattern.SYSTEMIC, f"{counted}, and {len(uncontrolled)} more that grow"
    if not found:
        return Pattern.INDETERMINATE, "no lesion can be named that progresses"
    if unseen:
        return (
            Pattern.INDETERMINATE,
            f"{counted}; whether the others are controlled is open: {len(unseen)} not assessed",
        )
    return Pattern.OLIGO, f"{counted}, the others controlled: at most {limit}"


def _progressing(
    visits: Sequence[TimePoint],
    roles: Mapping[LesionId, LesionRole],
    decisions: Decisions,
    new: Sequence[LesionId],
) -> list[ProgressingLesion]:
    last = visits[-1]
    found = [ProgressingLesion(lesion, organ_at(visits, lesion), Evidence.NEW) for lesion in new]
    for lesion in _with(roles, LesionRole.NON_TARGET):
        if decisions.non_targets.get((last.label, lesion)) is NonTargetCall.UNEQUIVOCAL_PROGRESSION:
            found.append(_grown(visits, lesion, Evidence.NON_TARGET))
    for lesion in _with(roles, LesionRole.TARGET):
        now, least = _sizes(visits, lesion)
        if now is not None and least is not None and grown(now, least):
            found.append(_grown(visits, lesion, Evidence.GROWN))
    return found


def _shares(visits: Sequence[TimePoint], targets: Sequence[LesionId]) -> list[ProgressingLesion]:
    """Target lesions that grew at all over their smallest size."""
    shares = []
    for lesion in targets:
        now, least = _sizes(visits, lesion)
        if now is not None and least is not None and now > least:
            shares.append(_grown(visits, lesion, Evidence.SHARE_OF_SUM))
    return shares


def _grown(visits: Sequence[TimePoint], lesion: LesionId, evidence: Evidence) -> ProgressingLesion:
    now, least = _sizes(visits, lesion)
    if now is None or least is None:
        return ProgressingLesion(lesion, organ_at(visits, lesion), evidence)
    growth = Tenths(now - least)
    return ProgressingLesion(
        lesion, organ_at(visits, lesion), evidence, growth, 100 * growth / least if least else None
    )


def _sizes(visits: Sequence[TimePoint], lesion: LesionId) -> tuple[Tenths | None, Tenths | None]:
    """Size at the last visit, and the smallest before it."""
    before = [size for visit in visits[:-1] if (size := size_of(visit, lesion)) is not None]
    return size_of(visits[-1], lesion), min(before) if before else None


def _others(
    visits: Sequence[TimePoint],
    roles: Mapping[LesionId, LesionRole],
    decisions: Decisions,
    named: frozenset[LesionId],
    rules: PatternRules,
) -> tuple[list[LesionId], list[LesionId]]:
    """Lesions besides those named that grow, and those that were not assessed."""
    uncontrolled, unseen = [], []
    last = visits[-1]
    known = (*_with(roles, LesionRole.TARGET), *_with(roles, LesionRole.NON_TARGET))
    for lesion in known:
        if lesion in named:
            continue
        now, least = _sizes(visits, lesion)
        worse = decisions.non_targets.get((last.label, lesion)) is NonTargetCall.WORSE
        if worse or (now is not None and least is not None and now - least > rules.tolerated_growth):
            uncontrolled.append(lesion)
        elif is_gone(last, lesion) is None:
            unseen.append(lesion)
    return uncontrolled, unseen


def _with(roles: Mapping[LesionId, LesionRole], role: LesionRole) -> list[LesionId]:
    return sorted(lesion for lesion, given in roles.items() if given is role)


def organ_at(visits: Sequence[TimePoint], lesion: LesionId) -> Organ:
    """The organ of a lesion, as the first visit tells that knows it."""
    organs = [
        Organ.LYMPH_NODE if seen.is_node else seen.organ for visit in visits if (seen := visit.of(lesion)) is not None
    ]
    return next((organ for organ in organs if organ is not Organ.UNKNOWN), Organ.UNKNOWN)
