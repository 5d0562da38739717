"""Who takes part in the progression study, and how many were left at each step."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from pipelines.cohort.huang.patients import Patient


@dataclass(frozen=True, slots=True)
class Criterion:
    """One rule.

    Attributes
    ----------
    why_not
        Why a patient who does not meet it is left out, as the flow diagram says it.
    met
        None when the table does not tell; the patient then stays, and is counted as unknown.
    """

    why_not: str
    met: Callable[[Patient], bool | None]


CRITERIA: Final = (
    Criterion("Younger than 18 or older than 80 years", lambda one: 18 <= one.age <= 80),
    Criterion("Stage I to IIIB", lambda one: one.stage in ("IIIC", "IV")),
    Criterion("Neither squamous nor adenocarcinoma", lambda one: one.histology in ("squamous", "adenocarcinoma")),
    Criterion("First line without chemo-immunotherapy", lambda one: _is(one.first_line, "chemo-immunotherapy")),
    Criterion("Driver gene positive", lambda one: _is(one.driver, "negative")),
    Criterion("No measurable lesion", lambda one: _is(one.measurable, "yes")),
    Criterion("ECOG 2 or more", lambda one: None if one.ecog is None else one.ecog <= 1),
    Criterion("No progression", lambda one: one.progression is not None),
    Criterion("Pattern of progression not known", lambda one: one.pattern is not None),
)
"""Huang et al. 2025, section 1.1, in the order in which patients are counted out."""


def _is(found: str | None, wanted: str) -> bool | None:
    return None if found is None else found == wanted


@dataclass(frozen=True, slots=True)
class FlowStep:
    """One step of the flow of patients.

    Attributes
    ----------
    excluded, unknown, left
        Patients who did not meet the rule, of whom the table does not tell, and who stay.
    """

    why_not: str
    excluded: int
    unknown: int
    left: int


@dataclass(frozen=True, slots=True)
class Flow:
    """From all patients of the table to those of the study."""

    screened: int
    steps: tuple[FlowStep, ...]
    included: tuple[Patient, ...]


def screen(everyone: Sequence[Patient]) -> Flow:
    """Apply the criteria one after another; each patient is counted out once, at the first that fails."""
    left, steps = tuple(everyone), []
    for criterion in CRITERIA:
        answers = [criterion.met(one) for one in left]
        left = tuple(one for one, met in zip(left, answers, strict=True) if met is not False)
        steps.append(FlowStep(criterion.why_not, answers.count(False), answers.count(None), len(left)))
    return Flow(len(everyone), tuple(steps), left)
