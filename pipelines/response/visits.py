"""The responses of every visit of a patient, one after the other: each depends on those before it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from pipelines.domain.assessment import VisitAssessment
from pipelines.domain.recist import Decisions, LesionId, LesionRole, NonTargetCall, RecistRules, Tenths, TimePoint
from pipelines.domain.responses import ImmuneResponse, OverallResponse, TargetResponse
from pipelines.domain.scan_date import ScanDate, days_between
from pipelines.response.irecist import Components, immune_responses, new_targets
from pipelines.response.new_lesions import NewLesions
from pipelines.response.recist import is_gone, non_target_response, overall_response, size_of, sum_of, target_response
from pipelines.response.roles import Roles


@dataclass(slots=True)
class _Before:
    """What the visits so far leave for the next one."""

    baseline: Tenths | None
    nadir: Tenths | None
    partial: list[ScanDate] = field(default_factory=list)
    complete: bool = False


def assess_visits(
    visits: Sequence[TimePoint],
    roles: Roles,
    new: Sequence[NewLesions],
    decisions: Decisions,
    rules: RecistRules,
) -> tuple[VisitAssessment, ...]:
    """Responses of the visits after the first of `visits`, the baseline.

    Parameters
    ----------
    new
        New lesions of each of `visits`.
    """
    targets, non_targets = roles.having(LesionRole.TARGET), roles.having(LesionRole.NON_TARGET)
    at_baseline = sum_of(visits[0], targets).total if targets else None
    before = _Before(at_baseline, at_baseline)
    assessed: list[VisitAssessment] = []
    for visit, found in zip(visits[1:], new[1:], strict=True):
        sizes = sum_of(visit, targets)
        target = target_response(
            visit,
            targets,
            baseline=before.baseline,
            nadir=before.nadir,
            partial_reached=rules.pr_carry and _reached(before.partial, rules),
        )
        non_target = non_target_response(visit, non_targets, decisions)
        back = _present(visit, (*targets, *non_targets)) if rules.relapse_after_cr and before.complete else ()
        overall = overall_response(target, non_target, new=bool(found.unequivocal or back))
        assessed.append(
            VisitAssessment(
                label=visit.label,
                assessed_on=visit.assessed_on,
                progressed_on=visit.progressed_on,
                sum=sizes,
                baseline=before.baseline,
                nadir=before.nadir,
                target=target,
                non_target=non_target,
                new_lesions=found.unequivocal,
                equivocal=found.equivocal,
                reappeared=back,
                overall=overall,
                immune=ImmuneResponse.NE,
            )
        )
        _remember(before, assessed[-1])
    return _with_immune(visits, assessed, non_targets, new, decisions, rules)


def _with_immune(
    visits: Sequence[TimePoint],
    assessed: Sequence[VisitAssessment],
    non_targets: tuple[LesionId, ...],
    new: Sequence[NewLesions],
    decisions: Decisions,
    rules: RecistRules,
) -> tuple[VisitAssessment, ...]:
    parts = [
        Components(
            on=said.progressed_on,
            total=said.sum.measured,
            target=said.target,
            non_target=said.non_target,
            further_non_target=_worse(visit, non_targets, decisions),
            new={lesion: size_of(visit, lesion) for lesion in said.new_lesions},
            relapsed=bool(said.reappeared),
        )
        for visit, said in zip(visits[1:], assessed, strict=True)
    ]
    measured = new_targets(visits, [found.unequivocal for found in new], rules)
    responses = immune_responses(parts, measured)
    return tuple(replace(said, immune=immune) for said, immune in zip(assessed, responses, strict=True))


def _worse(visit: TimePoint, non_targets: Sequence[LesionId], decisions: Decisions) -> bool:
    calls = (decisions.non_targets.get((visit.label, lesion)) for lesion in non_targets)
    return any(call in (NonTargetCall.WORSE, NonTargetCall.UNEQUIVOCAL_PROGRESSION) for call in calls)


def _remember(before: _Before, visit: VisitAssessment) -> None:
    total = visit.sum.total if visit.sum.sizes else None
    if total is not None:
        before.nadir = total if before.nadir is None else min(before.nadir, total)
    if visit.overall is OverallResponse.PD:
        before.partial = []
    elif visit.target in (TargetResponse.PR, TargetResponse.CR):
        before.partial.append(visit.assessed_on)
    if visit.overall is not OverallResponse.NE:
        before.complete = visit.overall is OverallResponse.CR


def _reached(partial: Sequence[ScanDate], rules: RecistRules) -> bool:
    """Whether a partial response was reached; where rules ask for it, one that was seen again."""
    if not rules.confirm:
        return bool(partial)
    return bool(partial) and bool(days_between(partial[0], partial[-1]).at_least(rules.confirm_days))


def _present(visit: TimePoint, lesions: Sequence[LesionId]) -> tuple[LesionId, ...]:
    return tuple(lesion for lesion in lesions if is_gone(visit, lesion) is False)
