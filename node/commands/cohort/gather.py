"""Bring together what the node knows of the patients of a cohort: cases, features, and the headers of their CTs."""

import csv
import io
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydicom import Dataset, dcmread

from node.adapters.ledger_cohorts import CohortCase
from node.bootstrap.stores import Stores
from pipelines.cohort.acquisition import Acquisition, acquisition_of
from pipelines.cohort.eligibility import Candidate, Ct
from pipelines.cohort.exported import Included, MeasuredVolume
from pipelines.cohort.members import Member
from pipelines.domain.identifiers import patient_key_of
from pipelines.domain.reasons import Rejected
from pipelines.extraction.settings import PROFILES

_DIGEST: Final = re.compile(rb"settings SHA-256 = ([0-9a-f]{64})")
_PATIENT_COLUMNS: Final = ("PatientID", "Patient", "patient")
_VOLUMES: Final = ("original_shape_VoxelVolume", "original_shape_MeshVolume")
_SETTINGS: Final = "diagnostics_Configuration_Settings"


@dataclass(frozen=True, slots=True)
class Gathered:
    """Patients with their CTs.

    Attributes
    ----------
    included
        Makes of a patient and a chosen CT what is exported.
    cases
        Cases of the ledger by number; none when the features come from a file.
    settings_of
        Settings with which the cases of these numbers were measured; None where that is not known.
    """

    candidates: tuple[Candidate, ...]
    included: Callable[[Member, Ct], Included]
    cases: Mapping[int, CohortCase]
    settings_of: Callable[[Sequence[int]], Mapping[str, str] | Rejected | None]


def from_ledger(stores: Stores, members: Sequence[Member]) -> Gathered:
    """Cases of the node's own ledger; days and scanners stand in the CT files alone, and are read now."""
    cases = {one.case: one for one in stores.cohorts.cases([member.key for member in members])}
    headers = {number: _header(stores, one) for number, one in cases.items()}
    acquisitions = {number: None if header is None else acquisition_of(header) for number, header in headers.items()}
    cts: dict[str, list[Ct]] = {}
    for number, one in cases.items():
        cts.setdefault(one.patient_key, []).append(_ct(one, acquisitions[number]))

    def included(member: Member, ct: Ct) -> Included:
        lesions = tuple(
            MeasuredVolume(one.volume_ml, dict(one.features)) for one in cases[ct.case].lesions if one.features
        )
        return Included(member, ct.study_date, acquisitions[ct.case], lesions)

    return Gathered(
        tuple(Candidate(member, tuple(cts.get(member.key, ()))) for member in members),
        included,
        cases,
        lambda numbers: _settings(stores, [cases[number] for number in numbers]),
    )


def from_file(features: Path, members: Sequence[Member]) -> Gathered | Rejected:
    """Rows that `pulmonode extract --with-patient-id` wrote; days of the CTs stand in the cohort's table."""
    reader = csv.DictReader(io.StringIO(features.read_text("utf-8-sig")))
    rows = list(reader)
    column = next((name for name in _PATIENT_COLUMNS if name in (reader.fieldnames or ())), None)
    if column is None:
        return Rejected(
            "COH-007",
            f"The table of features has none of the columns {', '.join(_PATIENT_COLUMNS)}.",
            "Write it with `pulmonode extract --with-patient-id`.",
        )
    names = [name for name in reader.fieldnames or () if re.match(r"(original|log-sigma|wavelet|ibsi)[-_]", name)]
    volume = next((name for name in _VOLUMES if name in names), None)
    lesions: dict[str, list[MeasuredVolume]] = {}
    for row in rows:
        values = {name: _number(row[name]) for name in names}
        size = values[volume] / 1000 if volume else math.nan
        lesions.setdefault(patient_key_of(row[column]), []).append(MeasuredVolume(size, values))
    if volume is None and any(len(found) > 1 for found in lesions.values()):
        return Rejected(
            "COH-007",
            "Patients have several lesions, and no column tells which is the largest.",
            f"Extract with the shape features ({_VOLUMES[0]}).",
        )
    said = {row.get(_SETTINGS, "") for row in rows}

    def settings_of(_: Sequence[int]) -> Mapping[str, str] | Rejected | None:
        if len(said) > 1:
            return _mixed(len(said))
        return next((dict(one.described()) for one in PROFILES.values() if str(dict(one.described())) in said), None)

    candidates = []
    for number, member in enumerate(members, start=1):
        there = (
            [
                Ct(
                    number,
                    "",
                    member.day("study_date"),
                    member.number("slice_thickness_mm"),
                    any(math.isfinite(value) for lesion in lesions[member.key] for value in lesion.features.values()),
                )
            ]
            if member.key in lesions
            else []
        )
        candidates.append(Candidate(member, tuple(there)))
    return Gathered(
        tuple(candidates),
        lambda member, ct: Included(member, ct.study_date, None, tuple(lesions[member.key])),
        {},
        settings_of,
    )


def _ct(one: CohortCase, acquisition: Acquisition | None) -> Ct:
    return Ct(
        one.case,
        one.series,
        None if acquisition is None else acquisition.study_date,
        None if acquisition is None else acquisition.number("slice_thickness_mm"),
        any(lesion.features for lesion in one.lesions),
        one.notes,
    )


def _header(stores: Stores, one: CohortCase) -> Dataset | None:
    for file in one.images[:1]:
        path = stores.spool.path(file)
        if path.is_file():
            return dcmread(path, stop_before_pixels=True)
    return None


def _settings(stores: Stores, cases: Sequence[CohortCase]) -> Mapping[str, str] | Rejected | None:
    """What the measurement reports say; the ledger itself does not keep it."""
    digests = set[str]()
    for one in cases:
        path = None if one.report is None else stores.spool.path(one.report)
        found = _DIGEST.search(path.read_bytes()) if path is not None and path.is_file() else None
        if found is not None:
            digests.add(found.group(1).decode("ascii"))
    if len(digests) > 1:
        return _mixed(len(digests))
    return next((dict(one.described()) for one in PROFILES.values() if one.digest in digests), None)


def _mixed(count: int) -> Rejected:
    return Rejected(
        "COH-007",
        f"The cases were measured with {count} different extraction settings.",
        "Measure them again with the present ones (`pulmonode retry CASE`).",
    )


def _number(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return math.nan
