"""Everything that the progression study asks of a cohort, computed in one pass."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
from numpy.typing import NDArray

from pipelines.cohort.huang.balance import Row, is_oligo, table_one, unbalanced
from pipelines.cohort.huang.choices import Choices
from pipelines.cohort.huang.comparisons import (
    CIRCULAR,
    Comparison,
    alone,
    compare,
    compare_from_landmark,
    split,
)
from pipelines.cohort.huang.eligibility import Flow, screen
from pipelines.cohort.huang.endpoints import (
    overall_survival,
    pfs,
    pfs2_ema,
    pfs_2l,
    survival_after_progression,
)
from pipelines.cohort.huang.factors import Factors, factors
from pipelines.cohort.huang.imputed import Completed, PooledRow, complete_and_match, pooled_results
from pipelines.cohort.huang.lesions import History
from pipelines.cohort.huang.patients import Patient, Resistances
from pipelines.cohort.huang.rates import (
    PatternOverTime,
    ResponseRate,
    SiteFlow,
    SiteShare,
    pattern_over_time,
    response_rate,
    site_flows,
    sites_of_progression,
)
from pipelines.domain.reasons import Rejected
from pipelines.statistics.survival import Durations

PATTERNS = ("Oligoprogression", "Systemic progression")
RESISTANCES = ("Primary resistance", "Acquired resistance")
CONDITIONED = (
    "All patients have progressed: the cohort was chosen by an event that lies after its start. No time to progression "
    "is censored, and survival is that of patients who progress, not of all who are treated."
)

Endpoint = Callable[[Sequence[Patient], date], Durations]


@dataclass(frozen=True, slots=True)
class Findings:
    """The answers, with what stands in their way.

    Attributes
    ----------
    table
        Table 1 of all included patients, PD-L1 as it was found.
    completed
        The matched data sets; None where matching was not possible.
    notices
        What a reader must know, and what could not be done.
    alarms
        What makes the matched comparison unfit to be read as adjusted.
    """

    choices: Choices
    flow: Flow
    table: tuple[Row, ...]
    completed: Completed | None
    pooled: tuple[PooledRow, ...]
    factors: Factors
    comparisons: tuple[Comparison, ...]
    response: ResponseRate
    sites: tuple[SiteShare, ...]
    flows: tuple[SiteFlow, ...]
    over_time: PatternOverTime
    histories: tuple[History, ...]
    incomplete_visits: int
    notices: tuple[str, ...]
    alarms: tuple[Rejected, ...]


def analyse(
    everyone: Sequence[Patient],
    choices: Choices,
    resistance: Resistances,
    lesions: tuple[tuple[History, ...], int] = ((), 0),
) -> Findings | Rejected:
    """Analyse a cohort as Huang et al. 2025 did.

    Parameters
    ----------
    everyone
        All patients of the table.
    resistance
        Gives the type of resistance of a patient whose table does not tell.
    lesions
        Histories of lesions and the visits that lacked one, where the cohort has them.

    Returns
    -------
    Findings or Rejected
        Rejected when no patient, or only one group, meets the criteria.
    """
    flow = screen(everyone)
    included = tuple(
        one if one.resistance is not None else replace(one, resistance=resistance(one)) for one in flow.included
    )
    if len({one.pattern for one in included}) < 2:
        return Rejected(
            "COH-005",
            f"Of {flow.screened} patients {len(included)} meet the criteria, and they are not of two patterns.",
            "Check the columns pattern, progression, stage and first_line, and the criteria in the manual.",
        )
    completed = complete_and_match(included, choices)
    matched: tuple[Patient, ...] = ()
    alarms: tuple[Rejected, ...] = ()
    pooled: tuple[PooledRow, ...] = ()
    if isinstance(completed, Completed):
        # the first data set is the one that is drawn; the pooled numbers are of all
        drawn = completed.sets[0].matched
        resisting = {one.patient: one.resistance for one in included}
        matched = tuple(replace(one, resistance=resisting[one.patient]) for one in drawn)
        alarms = unbalanced(completed.sets, choices.balance)
        pooled = pooled_results(completed, choices)
    found, problems = split(_comparisons(included, matched, choices))
    notices = [CONDITIONED, *(str(problem) for problem in problems)]
    if isinstance(completed, Rejected):
        alarms = (completed,)
    elif completed.imputed:
        notices.append(
            f"PD-L1 was missing in {completed.imputed} patients and completed {len(completed.sets)} times; matching "
            "and survival were done in each data set and pooled by Rubin's rules. Figures after matching show data set "
            "1."
        )
    if isinstance(completed, Completed) and completed.left_out:
        notices.append(
            f"{completed.left_out} patients lack a covariate other than PD-L1 and took no part in the matching."
        )
    notices += [
        f"{step.unknown} patients stay although the table does not tell of them: {step.why_not.lower()}."
        for step in flow.steps
        if step.unknown
    ]
    return Findings(
        choices=choices,
        flow=replace(flow, included=included),
        table=table_one(included, choices.before),
        completed=completed if isinstance(completed, Completed) else None,
        pooled=pooled,
        factors=factors(included, choices.level),
        comparisons=found,
        response=response_rate(included, choices.level),
        sites=sites_of_progression(included, choices.level),
        flows=site_flows(included),
        over_time=pattern_over_time(included, choices.bin_edges, choices.level),
        histories=lesions[0],
        incomplete_visits=lesions[1],
        notices=tuple(notices),
        alarms=alarms,
    )


def _comparisons(
    included: tuple[Patient, ...], matched: tuple[Patient, ...], choices: Choices
) -> list[Comparison | Rejected]:
    populations = [("before", "before matching", included)]
    if matched:
        populations.append(("after", "after matching", matched))
    found: list[Comparison | Rejected] = []
    for key, name, people in populations:
        oligo = is_oligo(people)
        found += _both(f"pattern-{key}", name, PATTERNS, people, oligo, choices, warning=None)
        for pattern in ("oligo", "systemic"):
            group = [one for one in people if one.pattern == pattern and one.resistance in ("primary", "acquired")]
            primary = np.array([one.resistance == "primary" for one in group], dtype=np.bool_)
            if group:
                place = f"{pattern}, {name}"
                found += _both(
                    f"resistance-{pattern}-{key}", place, RESISTANCES, group, primary, choices, warning=CIRCULAR
                )
    found += _second_line(included, choices)
    found += _untreated(included, choices)
    return found


def _both(
    key: str,
    population: str,
    names: tuple[str, str],
    people: Sequence[Patient],
    first: NDArray[np.bool_],
    choices: Choices,
    *,
    warning: str | None,
) -> list[Comparison | Rejected]:
    survival = overall_survival(people, choices.cut_off)
    since = survival_after_progression(people, choices.cut_off)
    return [
        compare(f"pfs-{key}", "PFS", population, names, pfs(people, choices.cut_off), first, choices, warning=warning),
        compare(f"os-{key}", "OS", population, names, survival, first, choices, warning=warning and _GUARANTEED),
        compare_from_landmark(f"os-landmark-{key}", population, names, survival, first, choices),
        compare(f"os-from-pd-{key}", "OS from progression", population, names, since, first, choices),
    ]


_GUARANTEED = (
    "Acquired resistance needs six months or a response, which guarantees survival until then (immortal time): see "
    "overall survival from the landmark and from progression."
)


def _second_line(included: tuple[Patient, ...], choices: Choices) -> list[Comparison | Rejected]:
    found: list[Comparison | Rejected] = []
    for number, regimen in enumerate(("chemo-immunotherapy", "chemo-immunotherapy with antiangiogenic"), start=1):
        people = [one for one in included if one.second_line == regimen and one.second_line_start is not None]
        if not people:
            continue
        oligo = is_oligo(people)
        population = f"second line: {regimen}"
        endpoints: tuple[tuple[str, str, Endpoint], ...] = (
            ("pfs-2l", "PFS of the second line (pfs_2l)", pfs_2l),
            ("pfs2-ema", "PFS2 by EMA (pfs2_ema)", pfs2_ema),
            ("os", "OS", overall_survival),
        )
        for key, name, endpoint in endpoints:
            times = endpoint(people, choices.cut_off)
            found.append(compare(f"{key}-second-line-{number}", name, population, PATTERNS, times, oligo, choices))
    return found


def _untreated(included: tuple[Patient, ...], choices: Choices) -> list[Comparison | Rejected]:
    oligo = [one for one in included if one.pattern == "oligo"]
    people = [one for one in oligo if one.local_therapy == "no"]
    if not people:
        return []
    population = f"oligoprogression without local treatment ({len(people)} of {len(oligo)})"
    times = overall_survival(people, choices.cut_off)
    return [alone("os-no-local-therapy", "OS", population, "No local treatment", times, choices)]
