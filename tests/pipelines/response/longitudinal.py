"""The eight synthetic patients with known lesions, read and followed from their DICOM files."""

import ast
from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread

from pipelines.domain.case import Case
from pipelines.domain.identity import Followed, Sighted
from pipelines.domain.reasons import Rejected
from pipelines.domain.scan_date import ScanDate
from pipelines.imaging.case import read_case
from pipelines.imaging.diameter import diameters
from pipelines.imaging.registration import Rigid, register
from pipelines.response.identity import follow
from pipelines.response.sightings import sighted
from tests.pipelines.response.patients import rows


@dataclass(frozen=True, slots=True)
class TrueLesion:
    """A row of truth_lesions.csv."""

    name: str
    organ: str
    role: str
    is_node: bool
    segment: int | None
    long_mm: float
    short_mm: float
    recist_mm: float
    centre_mm: NDArray[np.float64] | None


@dataclass(frozen=True, slots=True)
class Read:
    """A time point as DICOM."""

    case: Case
    sighted: Sighted


def truth(root: Path, patient: str) -> dict[str, list[TrueLesion]]:
    """Lesions by label of the time point."""
    told: dict[str, list[TrueLesion]] = defaultdict(list)
    for row in rows(root / "truth_lesions.csv"):
        if row["patient"] == patient:
            told[f"tp{row['tp']}"].append(
                TrueLesion(
                    row["lesion"],
                    row["organ"],
                    row["role"],
                    row["is_node"] == "True",
                    int(row["segment"]) if row["segment"] else None,
                    float(row["longest_diameter_mm"]),
                    float(row["short_axis_mm"]),
                    float(row["recist_value_mm"]),
                    np.array(ast.literal_eval(row["center_lps"])) if row["center_lps"] else None,
                )
            )
    return told


def dates(root: Path, patient: str) -> dict[str, ScanDate]:
    return {
        f"tp{row['tp']}": ScanDate.parse(row["date"])
        for row in rows(root / "truth_timepoints.csv")
        if row["patient"] == patient
    }


def read(root: Path, patient: str) -> dict[str, Read]:
    """All time points of a patient, from the files."""
    found = {}
    for folder in sorted((root / patient).glob("tp*")):
        label, written = folder.name.split("_")
        images = [dcmread(path) for path in sorted((folder / "ct").glob("*.dcm"))]
        case = read_case(images, dcmread(folder / "seg.dcm"), inputs_digest="")
        assert not isinstance(case, Rejected), case
        measured = {lesion.number: diameters(lesion.mask, case.ct.grid) for lesion in case.lesions}
        on = ScanDate.on(date.fromisoformat(written))
        slice_mm = float(images[0].SliceThickness)
        found[label] = Read(case, sighted(case, measured, label=label, scanned_on=on, slice_mm=slice_mm))
    return found


def placed(time_points: dict[str, Read]) -> dict[str, Rigid]:
    """Every follow-up laid on the baseline."""
    first, *others = sorted(time_points)
    return {label: register(time_points[first].case.ct, time_points[label].case.ct) for label in others}


def followed(time_points: dict[str, Read], places: dict[str, Rigid]) -> Followed:
    result = follow([one.sighted for one in time_points.values()], places)
    assert not isinstance(result, Rejected), result
    return result
