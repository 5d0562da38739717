"""A patient of the progression study, with what contradicts itself found before anything is computed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import cast

from pipelines.cohort.dictionary import Record, Value
from pipelines.domain.reasons import Rejected


@dataclass(frozen=True, slots=True)
class Patient:
    """One row of the table; None where nothing is known.

    Attributes
    ----------
    row
        In the table, as a spreadsheet counts; names the patient in messages.
    """

    row: int
    patient: str
    age: float
    sex: str
    smoking: str | None
    ecog: int | None
    brain_metastases: str | None
    histology: str
    stage: str
    pd_l1: str | None
    driver: str | None
    measurable: str | None
    first_line: str | None
    treatment_start: date
    progression: date | None
    death: date | None
    last_contact: date | None
    immunotherapy_end: date | None
    best_response: str | None
    pattern: str | None
    resistance: str | None
    baseline_sites: tuple[str, ...] | None
    progression_sites: tuple[str, ...] | None
    local_therapy: str | None
    second_line: str | None
    second_line_start: date | None
    second_progression: date | None

    @property
    def alive_until(self) -> date:
        """The last day that anything is known of, without a cut-off."""
        known = (self.death, self.last_contact, self.second_progression, self.second_line_start, self.progression)
        return self.death or max(day for day in (*known, self.treatment_start) if day is not None)


Resistances = Callable[[Patient], str | None]
"""Derives the type of resistance of a patient from response and dates."""


def patients(records: Sequence[Record]) -> tuple[tuple[Patient, ...], tuple[Rejected, ...]]:
    """The patients of a checked table, and the rows whose dates contradict each other."""
    found, problems = [], []
    for record in records:
        one = _patient(record.row, record.values)
        faults = _contradictions(one)
        problems += faults
        if not faults:
            found.append(one)
    return tuple(found), tuple(problems)


def _patient(row: int, values: Mapping[str, Value]) -> Patient:
    return Patient(row=row, **{name: cast("str", values[name]) for name in values})  # type: ignore[arg-type]


def _contradictions(one: Patient) -> list[Rejected]:
    order = (
        ("treatment_start", one.treatment_start),
        ("progression", one.progression),
        ("second_line_start", one.second_line_start),
        ("second_progression", one.second_progression),
        ("death", one.death),
    )
    problems = []
    known = [(name, day) for name, day in order if day is not None]
    for (earlier, first), (later, second) in pairwise(known):
        if second < first:
            problems.append(_problem(one.row, f"`{later}` lies before `{earlier}`"))
    if one.death is None and one.last_contact is None:
        problems.append(_problem(one.row, "there is neither `death` nor `last_contact`"))
    if one.last_contact is not None and one.last_contact < one.treatment_start:
        problems.append(_problem(one.row, "`last_contact` lies before `treatment_start`"))
    if one.death is not None and one.last_contact is not None and one.last_contact > one.death:
        problems.append(_problem(one.row, "`last_contact` lies after `death`"))
    if one.pattern is not None and one.progression is None:
        problems.append(_problem(one.row, "there is a `pattern` without the day of `progression`"))
    if one.second_progression is not None and one.second_line_start is None:
        problems.append(_problem(one.row, "there is `second_progression` without `second_line_start`"))
    return problems


def _problem(row: int, what: str) -> Rejected:
    return Rejected("COH-001", f"Row {row}: {what}.", "Correct the dates of that row.")
