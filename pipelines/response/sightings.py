"""The lesions of a case as sightings: what is measured of each, and where its voxels lie."""

from collections.abc import Mapping

import numpy as np

from pipelines.domain.case import Case, Lesion
from pipelines.domain.diameters import Diameters
from pipelines.domain.identity import Sighted, Sighting
from pipelines.domain.natures import nature_of
from pipelines.domain.organs import Organ, organ_of
from pipelines.domain.recist import LesionNature, Tenths, tenths
from pipelines.domain.scan_date import ScanDate
from pipelines.imaging.registration import places_of


def sighted(
    case: Case, diameters: Mapping[int, Diameters], *, label: str, scanned_on: ScanDate, slice_mm: float | None
) -> Sighted:
    """The lesions of one time point that have diameters.

    Parameters
    ----------
    diameters
        By segment number.
    slice_mm
        Slice Thickness of the CT; None when it does not tell.
    """
    modality = str(case.header.get("Modality") or "CT")
    thickness = None if slice_mm is None else tenths(slice_mm)
    seen = tuple(
        _sighting(case, lesion, diameters[lesion.number], thickness, modality)
        for lesion in case.lesions
        if lesion.number in diameters
    )
    return Sighted(label, (scanned_on,), seen, case.ct.grid)


def _sighting(case: Case, lesion: Lesion, measured: Diameters, thickness: Tenths | None, modality: str) -> Sighting:
    grid = case.ct.grid
    organ = organ_of(lesion.regions)
    indices = np.argwhere(lesion.mask.voxels) + np.array(lesion.mask.offset)
    return Sighting(
        number=lesion.number,
        tracking_id=lesion.tracking_id if lesion.tracking_id_sent else "",
        tracking_uid=lesion.tracking_uid if lesion.tracking_uid_sent else "",
        own_uid=lesion.tracking_uid,
        organ=organ,
        is_node=organ is Organ.LYMPH_NODE,
        long_axis=tenths(measured.long.length_mm),
        short_axis=tenths(measured.short.length_mm),
        volume_ml=lesion.mask.volume_ml(grid),
        points_mm=places_of(indices, grid),
        step_mm=max(grid.spacing_mm),
        slice_thickness=thickness,
        modality=modality,
        nature=nature_of(lesion.kind, lesion.label) or LesionNature.SOLID,
    )
