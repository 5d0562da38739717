"""From a patient's lesions over time to responses, pattern, resistance and follow-up, by one set of rules."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from pipelines.domain.assessment import Assessment, Baseline, VisitAssessment
from pipelines.domain.progression import Course, PatternRules, ResistanceRules
from pipelines.domain.reasons import Rejected
from pipelines.domain.recist import Decisions, LesionRole, RecistRules, TimePoint
from pipelines.domain.responses import ImmuneResponse, OverallResponse
from pipelines.domain.scan_date import ScanDate, days_between
from pipelines.response.best_response import Visited, best_response
from pipelines.response.endpoints import CensoringRules, endpoints
from pipelines.response.follow_up import HUANG_2025, FollowUpTable, follow_up
from pipelines.response.new_lesions import NewLesions, new_lesions
from pipelines.response.pattern import no_pattern, pattern_of
from pipelines.response.recist import sum_of
from pipelines.response.resistance import SEED_B, resistance_of
from pipelines.response.roles import Roles, roles_of
from pipelines.response.time_points import in_order, notes_on
from pipelines.response.visits import assess_visits


@dataclass(frozen=True, slots=True)
class RuleSet:
    """All rules that an assessment follows, each with its name and version."""

    recist: RecistRules = field(default_factory=RecistRules)
    pattern: PatternRules = field(default_factory=PatternRules)
    resistance: ResistanceRules = SEED_B
    follow_up: FollowUpTable = HUANG_2025
    censoring: CensoringRules = field(default_factory=CensoringRules)


def assess(
    time_points: Sequence[TimePoint], decisions: Decisions, course: Course, rules: RuleSet | None = None
) -> Assessment | Rejected:
    """Assess all time points of one patient; the order in which they are given does not matter.

    Parameters
    ----------
    decisions
        What readers decided; the rest is proposed, and a note says so.
    course
        What is known of the treatment.

    Returns
    -------
    Assessment
        One visit for each time point from the baseline on.
    Rejected
        `RSP-002` or `RSP-003` when time points or decisions contradict each other.
    """
    rules = RuleSet() if rules is None else rules
    visits = in_order(time_points, decisions)
    if isinstance(visits, Rejected):
        return visits
    roles = roles_of(visits, decisions, rules.recist)
    if isinstance(roles, Rejected):
        return roles
    new = new_lesions(visits, roles.having(LesionRole.NEW), decisions)
    assessed = assess_visits(visits, roles, new, decisions, rules.recist)
    return _patient(visits, roles, new, assessed, decisions, course, rules)


_CONFIRMED_AFTER_DAYS: Final = 28

_FROM_IMMUNE: Final = {
    ImmuneResponse.ICR: OverallResponse.CR,
    ImmuneResponse.IPR: OverallResponse.PR,
    ImmuneResponse.ISD: OverallResponse.SD,
    ImmuneResponse.NON_ICR_NON_IUPD: OverallResponse.NON_CR_NON_PD,
    ImmuneResponse.ICPD: OverallResponse.PD,
    ImmuneResponse.IUPD: OverallResponse.NE,
    ImmuneResponse.NE: OverallResponse.NE,
}
_TO_IMMUNE: Final = {overall: immune for immune, overall in reversed(_FROM_IMMUNE.items())} | {
    OverallResponse.NE: ImmuneResponse.NE
}


def _patient(
    visits: Sequence[TimePoint],
    roles: Roles,
    new: Sequence[NewLesions],
    assessed: tuple[VisitAssessment, ...],
    decisions: Decisions,
    course: Course,
    rules: RuleSet,
) -> Assessment:
    first = next((index for index, said in enumerate(assessed) if said.overall is OverallResponse.PD), None)
    progression = None if first is None else assessed[first]
    visited = [Visited(_date(said, said.overall), said.overall) for said in assessed]
    best = best_response(visited, rules.recist, start=course.start, new_therapy=course.second_line, death=course.death)
    pattern = no_pattern(rules.pattern)
    if first is not None and progression is not None:
        pattern = pattern_of(
            visits[: first + 2],
            roles.by_lesion,
            decisions,
            progression.new_lesions,
            target=progression.target,
            rules=rules.pattern,
            reappeared=progression.reappeared,
        )
    progressed_on = None if progression is None else progression.progressed_on
    responded = best.response in (OverallResponse.CR, OverallResponse.PR)
    return Assessment(
        rules=rules.recist,
        roles=roles.by_lesion,
        baseline=Baseline(visits[0].label, visits[0].assessed_on, sum_of(visits[0], roles.having(LesionRole.TARGET))),
        visits=assessed,
        best=best,
        immune_best=_immune_best(assessed, course, rules.recist),
        first_progression=progression,
        immune_progression=_immune_progression(assessed),
        pattern=pattern,
        resistance=resistance_of(
            course,
            progressed_on,
            best.response,
            [said.overall for said in assessed[:first]],
            rules.resistance,
            confirmed=None if first is None else _confirmed(assessed, first),
        ),
        follow_up=follow_up(pattern, progressed_on, course, visits[-1].progressed_on, rules.follow_up),
        endpoints=endpoints(course, visited, progressed_on, best.on if responded else None, rules.censoring),
        notes=(*notes_on(visits, course.start), *roles.notes, *_unread(visits, new)),
    )


def _date(said: VisitAssessment, response: OverallResponse) -> ScanDate:
    return said.progressed_on if response is OverallResponse.PD else said.assessed_on


def _confirmed(assessed: Sequence[VisitAssessment], first: int) -> bool | None:
    """Whether the next scan that was late enough shows progression as well; None when there was none."""
    began = assessed[first].progressed_on
    for said in assessed[first + 1 :]:
        if said.overall is not OverallResponse.NE and days_between(began, said.progressed_on).at_least(
            _CONFIRMED_AFTER_DAYS
        ):
            return said.overall is OverallResponse.PD
    return None


def _immune_best(assessed: Sequence[VisitAssessment], course: Course, rules: RecistRules) -> ImmuneResponse:
    said = [Visited(_date(visit, _FROM_IMMUNE[visit.immune]), _FROM_IMMUNE[visit.immune]) for visit in assessed]
    best = best_response(said, rules, start=course.start, new_therapy=course.second_line, death=course.death)
    unconfirmed = any(visit.immune is ImmuneResponse.IUPD for visit in assessed)
    if best.response is OverallResponse.NE and unconfirmed:
        return ImmuneResponse.IUPD
    return _TO_IMMUNE[best.response]


def _immune_progression(assessed: Sequence[VisitAssessment]) -> VisitAssessment | None:
    """The visit that first showed the progression which a later one confirmed."""
    confirmed = next((at for at, said in enumerate(assessed) if said.immune is ImmuneResponse.ICPD), None)
    if confirmed is None:
        return None
    first = confirmed
    while first and assessed[first - 1].immune in (ImmuneResponse.IUPD, ImmuneResponse.NE):
        first -= 1
    return next(said for said in assessed[first:] if said.immune is not ImmuneResponse.NE)


def _unread(visits: Sequence[TimePoint], new: Sequence[NewLesions]) -> list[Rejected]:
    return [
        Rejected(
            "RSP-005",
            f"Time point {visit.label}, lesions that look new and that no reader has judged: {len(found.proposed)}.",
            "Confirm each as new and unequivocal, as equivocal, or rule it out.",
        )
        for visit, found in zip(visits, new, strict=True)
        if found.proposed
    ]
