"""Which patients of a cohort are eligible, which of their CTs counts, and how many were left at each step."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from pipelines.cohort.members import ADVANCED, START, Member
from pipelines.figures.flow import FlowStep

ALTERED: Final = ("CT-006", "CT-007", "CT-008", "CT-011")
"""Notes on a case that speak against its CT: shifted onto an upright grid, interpolated, lossy, no Hounsfield units."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What is asked of a patient and a CT; the defaults are those of Dong & Chen 2025, section 1.1.

    Attributes
    ----------
    earliest_day, latest_day
        Study Date of the CT in days from the first dose; both count.
    thinnest_mm, thickest_mm
        Limits of the slice thickness; both count. A CT that does not tell its thickness does not pass.
    stages
        Empty for any.
    least_doses
        At least 1.
    refused_notes
        Codes of messages that a case must not carry.
    """

    earliest_day: int = -28
    latest_day: int = 0
    thinnest_mm: float = 0.4
    thickest_mm: float = 5.0
    stages: tuple[str, ...] = ADVANCED
    least_doses: int = 1
    refused_notes: tuple[str, ...] = ALTERED

    def __post_init__(self) -> None:
        if self.earliest_day > self.latest_day or self.thinnest_mm > self.thickest_mm:
            raise ValueError("a lower limit lies above its upper one")


@dataclass(frozen=True, slots=True)
class Ct:
    """A CT with a segmentation, as a case of the ledger.

    Attributes
    ----------
    study_date, slice_thickness_mm
        None where the header does not tell, or the file was given up.
    measured
        True when at least one lesion has features.
    notes
        Codes of what was noted on the case.
    """

    case: int
    series: str
    study_date: date | None
    slice_thickness_mm: float | None
    measured: bool
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A patient with the CTs among which the rules choose."""

    member: Member
    cts: tuple[Ct, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One rule, and what became of the patients.

    Attributes
    ----------
    label, why_not
        What those who stay have, and why the others do not stay.
    """

    label: str
    why_not: str
    excluded: int
    left: int


@dataclass(frozen=True, slots=True)
class Screened:
    """The flow of patients, and who is left with which CT.

    Attributes
    ----------
    reasons
        Of each patient who was left out: the ledger's key and why.
    """

    screened: int
    steps: tuple[Step, ...]
    chosen: tuple[tuple[Member, Ct], ...]
    reasons: tuple[tuple[str, str], ...]

    def flow(self) -> tuple[FlowStep, ...]:
        """As the flow diagram draws it."""
        counts = [self.screened, *(step.left for step in self.steps)]
        labels = ["Patients of the cohort", *(step.label for step in self.steps)]
        left_out = [*(((step.why_not, step.excluded),) if step.excluded else () for step in self.steps), ()]
        return tuple(
            FlowStep(label, n, excluded=excluded) for label, n, excluded in zip(labels, counts, left_out, strict=True)
        )

    def rows(self) -> tuple[tuple[object, ...], ...]:
        """As a table: what is asked, why patients left, how many, how many stayed."""
        first = ("Patients of the cohort", "", 0, self.screened)
        return (first, *((step.label, step.why_not, step.excluded, step.left) for step in self.steps))


@dataclass(frozen=True, slots=True)
class _Rule:
    """What is asked: of the patient, whose CTs then all stay or all go, or of each CT."""

    label: str
    why_not: str
    passes: Callable[[Member, Ct | None], bool]
    of_ct: bool = False


def screen(candidates: Sequence[Candidate], rules: Rules) -> Screened:
    """Apply the rules one after another.

    A patient is counted out once, at the first rule that fails: a rule about CTs fails when none of the CTs that came
    so far passes. Of the CTs that pass all rules the last before the first dose is taken, and of several segmentations
    of it the one that arrived first; the later ones are those of further readers.
    """
    left, steps, reasons = list(candidates), [], []
    for rule in _rules(rules):
        stay = []
        for one in left:
            passed = _passed(one, rule)
            if passed is None:
                reasons.append((one.member.key, rule.why_not))
            else:
                stay.append(passed)
        steps.append(Step(rule.label, rule.why_not, len(left) - len(stay), len(stay)))
        left = stay
    chosen = tuple((one.member, max(one.cts, key=_preference)) for one in left)
    return Screened(len(candidates), tuple(steps), chosen, tuple(reasons))


def _passed(one: Candidate, rule: _Rule) -> Candidate | None:
    if not rule.of_ct:
        return one if rule.passes(one.member, None) else None
    cts = tuple(ct for ct in one.cts if rule.passes(one.member, ct))
    return replace(one, cts=cts) if cts else None


def _preference(ct: Ct) -> tuple[date, int]:
    return ct.study_date or date.min, -ct.case


def _rules(rules: Rules) -> tuple[_Rule, ...]:
    days = f"day {rules.earliest_day} to {rules.latest_day}"
    limits = f"{rules.thinnest_mm:g} to {rules.thickest_mm:g} mm"
    doses = "1 dose" if rules.least_doses == 1 else f"{rules.least_doses} doses"
    asked = (
        _Rule(
            f"At least {doses} of immunotherapy",
            f"Fewer than {doses}, or no day of the first one",
            lambda member, _: _treated(member, rules.least_doses),
        ),
        _Rule(
            f"Stage {rules.stages[0]} to {rules.stages[-1]}" if rules.stages else "Any stage",
            "Another stage, or not known",
            lambda member, _: not rules.stages or member.word("stage") in rules.stages,
        ),
        _Rule("Response known", "No follow-up from which a response is known", lambda member, _: bool(member.outcome)),
        _Rule("CT with a segmentation", "No CT with a segmentation", lambda _, ct: ct is not None, of_ct=True),
        _Rule("Day of the CT known", "Day of the CT not known", lambda _, ct: _dated(ct), of_ct=True),
        _Rule(
            f"CT on {days} of treatment",
            f"No CT on {days}",
            lambda member, ct: _in_time(member, ct, rules),
            of_ct=True,
        ),
        _Rule(
            f"Slice thickness {limits}",
            f"Slice thickness not {limits}, or not known",
            lambda _, ct: _thin(ct, rules),
            of_ct=True,
        ),
        _Rule(
            "CT measured as it was acquired",
            "Quality: " + ", ".join(rules.refused_notes),
            lambda _, ct: ct is not None and not set(ct.notes) & set(rules.refused_notes),
            of_ct=True,
        ),
        _Rule("Features extracted", "Extraction failed", lambda _, ct: ct is not None and ct.measured, of_ct=True),
    )
    return asked if rules.refused_notes else (*asked[:-2], asked[-1])


def _treated(member: Member, least: int) -> bool:
    doses = member.number("doses")
    # whoever has a day of the first dose has had one
    return member.day(START) is not None and (doses if doses is not None else 1) >= least


def _dated(ct: Ct | None) -> bool:
    return ct is not None and ct.study_date is not None


def _in_time(member: Member, ct: Ct | None, rules: Rules) -> bool:
    start = member.day(START)
    if ct is None or ct.study_date is None or start is None:
        return False
    return rules.earliest_day <= (ct.study_date - start).days <= rules.latest_day


def _thin(ct: Ct | None, rules: Rules) -> bool:
    thickness = None if ct is None else ct.slice_thickness_mm
    return thickness is not None and rules.thinnest_mm <= thickness <= rules.thickest_mm
