"""Primary or acquired resistance to immunotherapy, by named definitions."""

from collections.abc import Sequence
from typing import Final

from pipelines.domain.progression import Course, Resistance, ResistanceFinding, ResistanceRules, Stop
from pipelines.domain.responses import OverallResponse
from pipelines.domain.scan_date import Days, ScanDate, days_between

SIX_MONTHS_DAYS: Final = 183

SEED_B: Final = ResistanceRules(
    name="seed-b",
    version="1",
    source="Huang et al. 2025 (doi 10.3969/j.issn.2095-1264.2025.05.07), section 1.3",
    early_days=SIX_MONTHS_DAYS,
    response_is_acquired=True,
    boundary_open=True,
    least_exposure_days=0,
    late_exposure_days=0,
    late_needs_benefit=True,
    off_treatment_days=84,
    off_treatment=Resistance.INDETERMINATE,
    confirmed=False,
)
"""Primary: progression within six months and no response. Acquired: after a response, or stable for six months."""
SITC_2020: Final = ResistanceRules(
    name="sitc-2020",
    version="1",
    source="Kluger et al. 2020 (doi 10.1136/jitc-2019-000398), table 1",
    early_days=180,
    response_is_acquired=False,
    boundary_open=False,
    least_exposure_days=42,
    late_exposure_days=180,
    late_needs_benefit=True,
    off_treatment_days=85,
    off_treatment=Resistance.OFF_TREATMENT,
    confirmed=True,
)
"""Single-agent PD-1 blockade: six weeks of treatment for primary and six months for acquired resistance.

The table says six months; those who applied it counted 180 days, and 12 weeks after the last dose.
"""
SITC_COMBO_2023: Final = ResistanceRules(
    name="sitc-combo-2023",
    version="1",
    source="Rizvi et al. 2023 (doi 10.1136/jitc-2022-005920), table 3",
    early_days=SIX_MONTHS_DAYS + 1,
    response_is_acquired=False,
    boundary_open=False,
    least_exposure_days=42,
    late_exposure_days=SIX_MONTHS_DAYS + 1,
    late_needs_benefit=False,
    off_treatment_days=None,
    off_treatment=Resistance.OFF_TREATMENT,
    confirmed=False,
)
"""Checkpoint inhibitors with chemotherapy: only the time of progression counts, whatever came before."""
RULE_SETS: Final = {rules.name: rules for rules in (SEED_B, SITC_2020, SITC_COMBO_2023)}

_RESPONDED: Final = frozenset({OverallResponse.CR, OverallResponse.PR})
_BENEFIT: Final = _RESPONDED | {OverallResponse.SD, OverallResponse.NON_CR_NON_PD}


def resistance_of(
    course: Course,
    progression: ScanDate | None,
    best: OverallResponse,
    before: Sequence[OverallResponse],
    rules: ResistanceRules,
    *,
    confirmed: bool | None = None,
) -> ResistanceFinding:
    """Which resistance the first progression shows; indeterminate, with the reason, where facts are missing.

    Parameters
    ----------
    progression
        Date of the scan of the first progression.
    best
        Best overall response.
    before
        Overall responses of the visits between the baseline and the first progression.
    confirmed
        Whether a scan four weeks later or more confirmed the progression; None when there was none.
    """
    resistance, why = _decide(course, progression, best, before, rules, confirmed)
    return ResistanceFinding(resistance, f"{rules.name} {rules.version}", why)


def _decide(
    course: Course,
    progression: ScanDate | None,
    best: OverallResponse,
    before: Sequence[OverallResponse],
    rules: ResistanceRules,
    confirmed: bool | None,
) -> tuple[Resistance, str]:
    if progression is None:
        if course.death is not None:
            return Resistance.INDETERMINATE, "died without a scan that shows progression"
        return Resistance.NONE, "no progression"
    if course.start is None:
        return Resistance.INDETERMINATE, "the first dose is not known"
    stopped = _off_treatment(course, progression, rules)
    if stopped is not None:
        return stopped
    if rules.confirmed and not confirmed and not course.rapid:
        said = "no later scan" if confirmed is None else "the later scan does not"
        return Resistance.INDETERMINATE, f"the definition asks for a scan that confirms progression: {said}"
    time = days_between(course.start, progression)
    if rules.response_is_acquired and best in _RESPONDED:
        return Resistance.ACQUIRED, f"progression on day {_said(time)} after {best.value}"
    if rules.boundary_open and time.low <= rules.early_days <= time.high:
        return Resistance.INDETERMINATE, f"progression on day {_said(time)}, on the boundary of both definitions"
    late = time.at_least(rules.early_days)
    if late is None:
        return Resistance.INDETERMINATE, f"progression on day {_said(time)}: the dates leave open whether it was early"
    if late:
        return _late(course, progression, time, before, rules)
    return _early(course, progression, time, rules)


def _off_treatment(course: Course, progression: ScanDate, rules: ResistanceRules) -> tuple[Resistance, str] | None:
    """What is to be said when treatment had ended before; None when that changes nothing."""
    if rules.off_treatment_days is None:
        if course.ongoing or course.stopped_for in (Stop.PROGRESSION, Stop.TOXICITY):
            return None
        if course.stopped_for is None:
            return Resistance.INDETERMINATE, "whether and why treatment had ended is not known"
        return rules.off_treatment, f"treatment had ended ({course.stopped_for.value}); no definition applies"
    if course.last_dose is None or course.ongoing:
        return None
    since = days_between(course.last_dose, progression)
    after = since.at_least(rules.off_treatment_days)
    if after is None:
        return (
            Resistance.INDETERMINATE,
            f"progression {_said(since)} days after the last dose: its date is not complete",
        )
    return (rules.off_treatment, f"progression {_said(since)} days after the last dose") if after else None


def _exposure(course: Course, progression: ScanDate) -> Days | None:
    """Days of treatment until progression; None when not known."""
    assert course.start is not None
    if course.last_dose is not None and not course.ongoing:
        return days_between(course.start, min(course.last_dose, progression))
    if course.ongoing or course.stopped_for is Stop.PROGRESSION:
        return days_between(course.start, progression)
    return None


def _early(course: Course, progression: ScanDate, time: Days, rules: ResistanceRules) -> tuple[Resistance, str]:
    said = f"progression on day {_said(time)}, before day {rules.early_days}"
    if not rules.least_exposure_days or (course.rapid and rules.off_treatment_days is None):
        return Resistance.PRIMARY, said
    exposure = _exposure(course, progression)
    enough = None if exposure is None else exposure.at_least(rules.least_exposure_days)
    if enough is None:
        return Resistance.INDETERMINATE, f"{said}; how long treatment was given is not known"
    if not enough:
        return Resistance.NOT_EVALUABLE, f"{said}, after less than {rules.least_exposure_days} days of treatment"
    return Resistance.PRIMARY, said


def _late(
    course: Course,
    progression: ScanDate,
    time: Days,
    before: Sequence[OverallResponse],
    rules: ResistanceRules,
) -> tuple[Resistance, str]:
    said = f"progression on day {_said(time)}, not before day {rules.early_days}"
    if rules.late_needs_benefit and not any(response in _BENEFIT for response in before):
        return Resistance.INDETERMINATE, f"{said}, and no evaluable scan before it shows stable disease or better"
    if rules.late_exposure_days:
        exposure = _exposure(course, progression)
        enough = None if exposure is None else exposure.at_least(rules.late_exposure_days)
        if enough is None:
            return Resistance.INDETERMINATE, f"{said}; how long treatment was given is not known"
        if not enough:
            return Resistance.INDETERMINATE, f"{said}, after less than {rules.late_exposure_days} days of treatment"
    return Resistance.ACQUIRED, said


def _said(time: Days) -> str:
    return str(time.low) if time.exact is not None else f"{time.low} to {time.high}"
