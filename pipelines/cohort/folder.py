"""Reading a cohort from two tables: what is known of the patients, and what `pulmonode extract` measured."""

import ast
import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np

from pipelines.domain.reasons import Rejected
from pipelines.domain.training_table import ClassCovariate, Covariate, NumberCovariate, TrainingTable
from pipelines.extraction.settings import PROFILES

CLINICAL: Final = "clinical.csv"
FEATURES: Final = "features.csv"
PATIENT: Final = "patient"
"""Column of the clinical table that names the patient."""
PATIENT_COLUMNS: Final = ("patient", "Patient", "PatientID", "case")
"""Columns of the feature table that may name the patient, the most wanted first."""
SITE: Final = "site"
STUDY_DATE: Final = "study_date"
TREATMENT_DATE: Final = "treatment_start_date"
ACQUISITION: Final = ("manufacturer", "scanner", "kernel", "slice_thickness_mm", "kvp")
"""Columns about the CT: described with the model, and never taken for facts about the patient."""

_FEATURE_STARTS: Final = ("original_", "log-sigma-", "wavelet-", "ibsi_", "square_", "squareroot_", "logarithm_")
_MORE_STARTS: Final = ("exponential_", "gradient_", "lbp-2D_", "lbp-3D-")
_SIZES: Final = ("diagnostics_Mask-original_VoxelNum", "original_shape_VoxelVolume", "original_shape_MeshVolume")
_SETTINGS: Final = "diagnostics_Configuration_Settings"
_MOST_LEVELS: Final = 10


@dataclass(frozen=True, slots=True)
class OutcomeChoice:
    """Which column is the outcome, and which of its values are the positive class.

    Attributes
    ----------
    positive, negative
        Values of the column; with an empty `negative` every other value is negative.
    positive_class, negative_class
        What the two sides are called.
    covariates
        Columns to use beside the features; None takes every other column that is neither a date nor a name.
    """

    column: str = "response"
    positive: tuple[str, ...] = ("CR", "PR")
    negative: tuple[str, ...] = ("SD", "PD")
    positive_class: str = "responder (CR/PR)"
    negative_class: str = "non-responder (SD/PD)"
    covariates: tuple[str, ...] | None = None


def read_cohort(clinical: str, features: str, choice: OutcomeChoice) -> TrainingTable | Rejected:
    """Join the two tables by patient.

    A patient with several lesions has the features of the largest; a patient without features, or without an outcome,
    is a fault and not left out in silence.

    Parameters
    ----------
    clinical
        Content of a CSV file with a column `patient`, the outcome and any covariates; `site` (hospital),
        `study_date` and `treatment_start_date` (YYYY-MM-DD) and those of `ACQUISITION` have a meaning of their own.
    features
        Content of a CSV file as `pulmonode extract` writes it, with a column that names the patient.

    Returns
    -------
    Rejected
        `TRAIN-001` with all that is wrong.
    """
    try:
        people, measured = _rows(clinical), _rows(features)
    except csv.Error as fault:
        return _rejected([f"a table is no CSV: {fault}"])
    faults = _missing_columns(people, measured, choice)
    if faults:
        return _rejected(faults)
    name_column = next(name for name in PATIENT_COLUMNS if name in measured[0])
    names = sorted(column for column in measured[0] if column.startswith(_FEATURE_STARTS + _MORE_STARTS))
    lesions = _largest(measured, name_column, faults)
    patients = [row[PATIENT] for row in people]
    faults += _faults_of_patients(people, lesions, choice)
    profile, digest = _extraction(measured, faults)
    if not names:
        faults.append(f"{FEATURES} has no feature columns")
    if faults:
        return _rejected(faults)
    values = np.array([[_number(lesions[patient][name]) for name in names] for patient in patients])
    studied = [_day(row.get(STUDY_DATE, "")) for row in people]
    treated = [_day(row.get(TREATMENT_DATE, "")) for row in people]
    return TrainingTable(
        patients=tuple(patients),
        features=tuple(names),
        values=values,
        outcome=choice.column,
        positive_class=choice.positive_class,
        negative_class=choice.negative_class,
        positive=np.array([row[choice.column] in choice.positive for row in people]),
        covariates=tuple(_covariate(name, [row[name] for row in people]) for name in _covariates(people[0], choice)),
        sites=tuple(row[SITE] for row in people) if SITE in people[0] else (),
        study_dates=tuple(studied) if STUDY_DATE in people[0] else (),
        acquisition=tuple(
            ClassCovariate(name, tuple(row[name] for row in people)) for name in ACQUISITION if name in people[0]
        ),
        days_before_therapy=tuple(
            (dose - day).days if day and dose else None for day, dose in zip(studied, treated, strict=True)
        ),
        profile=profile,
        settings_sha256=digest,
    )


def _rows(text: str) -> list[dict[str, str]]:
    # spreadsheets begin a UTF-8 file with a byte order mark
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""), restval="")
    return [{name: (value or "").strip() for name, value in row.items() if name is not None} for row in reader]


def _missing_columns(
    people: Sequence[Mapping[str, str]], measured: Sequence[Mapping[str, str]], choice: OutcomeChoice
) -> list[str]:
    faults = [f"{name} has no rows" for name, rows in ((CLINICAL, people), (FEATURES, measured)) if not rows]
    if people:
        asked = (PATIENT, choice.column, *(choice.covariates or ()))
        faults += [f"{CLINICAL} has no column {column}" for column in asked if column not in people[0]]
    if measured and not any(name in measured[0] for name in PATIENT_COLUMNS):
        faults.append(f"{FEATURES} has none of the columns {', '.join(PATIENT_COLUMNS)}")
    return faults


def _largest(
    measured: Iterable[Mapping[str, str]], name_column: str, faults: list[str]
) -> dict[str, Mapping[str, str]]:
    lesions: dict[str, list[Mapping[str, str]]] = {}
    for row in measured:
        lesions.setdefault(row[name_column], []).append(row)
    chosen: dict[str, Mapping[str, str]] = {}
    unsized = 0
    for patient, rows in lesions.items():
        size = next((column for column in _SIZES if column in rows[0]), None)
        unsized += size is None and len(rows) > 1
        column = size or ""
        chosen[patient] = max(rows, key=lambda row: _number(row.get(column, "")) if row.get(column) else -math.inf)
    if unsized:
        faults.append(f"{unsized} patients have several lesions and no column says which is the largest")
    return chosen


def _faults_of_patients(
    people: Sequence[Mapping[str, str]], lesions: Mapping[str, Mapping[str, str]], choice: OutcomeChoice
) -> list[str]:
    patients = [row[PATIENT] for row in people]
    faults = []
    # rows are counted and numbered: a pseudonym may be less than a pseudonym
    unnamed = [line for line, patient in enumerate(patients, start=2) if not patient]
    twice = [line for line, patient in enumerate(patients, start=2) if patient and patient in patients[: line - 2]]
    bare = [line for line, patient in enumerate(patients, start=2) if patient and patient not in lesions]
    known = {*choice.positive, *choice.negative}
    other = [
        line
        for line, row in enumerate(people, start=2)
        if not row[choice.column] or (choice.negative and row[choice.column] not in known)
    ]
    for lines, what in (
        (unnamed, "name no patient"),
        (twice, "repeat a patient"),
        (bare, f"name a patient without features in {FEATURES}"),
        (other, f"have no {choice.column} among {', '.join(sorted(known))}" if choice.negative else "have no outcome"),
    ):
        if lines:
            faults.append(f"{len(lines)} rows of {CLINICAL} {what} (lines {_some(lines)})")
    return faults


def _some(lines: Sequence[int]) -> str:
    return ", ".join(map(str, lines[:10])) + (", ..." if len(lines) > 10 else "")


def _extraction(measured: Sequence[Mapping[str, str]], faults: list[str]) -> tuple[str | None, str | None]:
    """Profile and digest of the settings; (None, None) for a table that does not say them."""
    said = {row[_SETTINGS] for row in measured if row.get(_SETTINGS)}
    if not said:
        return None, None
    if len(said) > 1:
        faults.append(f"{FEATURES} mixes {len(said)} different extraction settings")
        return None, None
    try:
        described = tuple(ast.literal_eval(said.pop()).items())
    except (ValueError, SyntaxError, AttributeError):
        return None, None
    return next(
        (
            (settings.profile, settings.digest)
            for settings in PROFILES.values()
            if tuple(settings.described()) == described
        ),
        (None, None),
    )


def _covariates(columns: Mapping[str, str], choice: OutcomeChoice) -> tuple[str, ...]:
    if choice.covariates is not None:
        return choice.covariates
    apart = {PATIENT, SITE, choice.column, *ACQUISITION}
    return tuple(name for name in columns if name not in apart and not name.endswith("_date"))


def _covariate(name: str, texts: Sequence[str]) -> Covariate:
    known = [text for text in texts if text]
    numbers = [_number(text) for text in texts]
    numeric = all(math.isfinite(_number(text)) for text in known)
    # a few whole numbers are the codes of classes, such as ECOG 0, 1 and 2
    coded = len(set(known)) <= _MOST_LEVELS and all(text.lstrip("-").isdigit() for text in known)
    if known and numeric and not coded:
        return NumberCovariate(name, np.array(numbers))
    return ClassCovariate(name, tuple(texts))


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _rejected(faults: Sequence[str]) -> Rejected:
    return Rejected(
        "TRAIN-001",
        f"The cohort cannot be read: {'; '.join(faults)}.",
        f"Correct {CLINICAL} and {FEATURES}, or name the outcome with --outcome and --positive.",
    )
