"""Scans and references to documents as rows of the ledger."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, null, update

from node.adapters import clinical_schema as c
from node.history import CaseInputs
from pipelines.domain.case import SeriesKey
from pipelines.domain.history import DocumentRef, Scan, packed, unpacked
from pipelines.domain.identifiers import CaseId, FrameOfReferenceUID, SeriesUID, SopClassUID, SopInstanceUID, StudyUID
from pipelines.domain.identity import Sighting
from pipelines.domain.organs import Organ
from pipelines.domain.reasons import Rejected
from pipelines.domain.recist import LesionNature, Tenths
from pipelines.domain.scan_date import ScanDate
from pipelines.domain.volume import Grid


def scan_values(inputs: CaseInputs, scan: Scan | Rejected, at: datetime) -> dict[str, object]:
    """A scan, or why there is none, as a row of `time_point`."""
    values: dict[str, object] = {
        "case": inputs.case,
        "inputs": inputs.inputs,
        "patient_key": inputs.patient,
        "ct_study": inputs.ct.study,
        "ct_series": inputs.ct.series,
        "segmentation": inputs.segmentation.sop_instance,
        "at": at,
    }
    if isinstance(scan, Rejected):
        empty = {"scanned_on": "", "frame_of_reference": "", "grid": {}, "digest": ""}
        return values | empty | {"rejected": asdict(scan)}
    day = scan.scanned_on
    return values | {
        "rejected": null(),
        "scanned_on": f"{day.earliest.isoformat()}/{day.latest.isoformat()}",
        "frame_of_reference": scan.frame_of_reference,
        "grid": asdict(scan.extent),
        "digest": scan.digest,
    }


def lesion_values(case: CaseId, scan: Scan) -> list[dict[str, object]]:
    """The lesions of a scan as rows of `time_point_lesion`."""
    return [
        {
            "case": case,
            "number": seen.number,
            "tracking_id": seen.tracking_id,
            "tracking_uid": seen.tracking_uid,
            "own_uid": seen.own_uid,
            "organ": seen.organ,
            "is_node": seen.is_node,
            "long_axis": seen.long_axis,
            "short_axis": seen.short_axis,
            "slice_thickness": seen.slice_thickness,
            "volume_ml": seen.volume_ml,
            "centre_mm": [round(float(value), 3) for value in seen.centre_mm],
            "step_mm": seen.step_mm,
            "modality": seen.modality,
            "nature": seen.nature,
            "voxels": packed(seen.points_mm, scan.extent),
        }
        for seen in scan.sightings
    ]


def scan_of(row: Any, lesions: Sequence[Any]) -> Scan:
    """The scan that the rows tell of."""
    grid = row.grid
    extent = Grid(tuple(grid["shape"]), tuple(grid["origin_mm"]), tuple(grid["spacing_mm"]), tuple(grid["direction"]))
    first, _, last = row.scanned_on.partition("/")
    return Scan(
        ScanDate(ScanDate.parse(first).earliest, ScanDate.parse(last).latest),
        SeriesKey(StudyUID(row.ct_study), SeriesUID(row.ct_series)),
        SopInstanceUID(row.segmentation),
        FrameOfReferenceUID(row.frame_of_reference),
        tuple(_sighting(lesion, extent) for lesion in lesions),
        extent,
        row.digest,
    )


def _sighting(row: Any, extent: Grid) -> Sighting:
    return Sighting(
        number=row.number,
        tracking_id=row.tracking_id,
        tracking_uid=row.tracking_uid,
        own_uid=row.own_uid,
        organ=Organ(row.organ),
        is_node=row.is_node,
        long_axis=Tenths(row.long_axis),
        short_axis=Tenths(row.short_axis),
        volume_ml=row.volume_ml,
        points_mm=unpacked(row.voxels, extent),
        step_mm=row.step_mm,
        slice_thickness=None if row.slice_thickness is None else Tenths(row.slice_thickness),
        modality=row.modality,
        nature=LesionNature(row.nature),
    )


def document_values(named: DocumentRef | None) -> object:
    """A reference to a document as JSON."""
    if named is None:
        return null()
    return [named.key.study, named.key.series, named.sop_class, named.sop_instance]


def document(values: Sequence[str] | None) -> DocumentRef | None:
    """The reference that `document_values` wrote."""
    if values is None:
        return None
    study, series, sop_class, sop_instance = values
    return DocumentRef(
        SeriesKey(StudyUID(study), SeriesUID(series)), SopClassUID(sop_class), SopInstanceUID(sop_instance)
    )


def ask(connection: Connection, patient: str, at: datetime) -> None:
    """Ask for a patient's assessment."""
    mine = c.reassessment.c.patient_key == patient
    if connection.execute(update(c.reassessment).where(mine).values(asked_at=at)).rowcount == 0:
        connection.execute(insert(c.reassessment).values(patient_key=patient, asked_at=at))
