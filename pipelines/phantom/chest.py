"""A synthetic chest CT with lung lesions, made from its settings alone."""

import json
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipelines.domain.case import Lesion, SeriesKey
from pipelines.domain.coding import Code
from pipelines.domain.identifiers import (
    FrameOfReferenceUID,
    SeriesUID,
    SopClassUID,
    SopInstanceUID,
    StudyUID,
    derived_uid,
    digest_of,
)
from pipelines.domain.volume import CtVolume, Grid, Mask, SliceRef
from pipelines.phantom.anatomy import paint_chest
from pipelines.phantom.lesion import paint_lesion
from pipelines.phantom.noise import smoothed_noise
from pipelines.phantom.settings import LesionSettings, PhantomSettings
from pipelines.phantom.space import blend, mesh_of

CT_IMAGE_STORAGE: Final = SopClassUID("1.2.840.10008.5.1.4.1.1.2")
NEOPLASM: Final = Code("108369006", "SCT", "Neoplasm")

# which part of the phantom a stream of random numbers is for: a change of one part leaves the others as they were
_ANATOMY, _NOISE, _LESION = range(3)


@dataclass(frozen=True, slots=True, eq=False)
class Phantom:
    """A CT volume with its lesions, and the UIDs it bears as DICOM."""

    settings: PhantomSettings
    ct_key: SeriesKey
    ct: CtVolume
    lesions: tuple[Lesion, ...]


def chest_phantom(settings: PhantomSettings) -> Phantom:
    """Make the CT and the lesions that `settings` describe.

    Returns
    -------
    Phantom
        HU as int16; lesions numbered from 1 in the order of the settings. The same settings give the same voxels and
        UIDs; a lesion keeps its tracking UID in other studies of the same patient.

    Raises
    ------
    ValueError
        If a lesion lies outside the volume.
    """
    grid = _grid(settings)
    mesh = mesh_of(grid)
    hu = paint_chest(mesh, np.random.default_rng((settings.seed, _ANATOMY)))
    lesions = []
    for number, wanted in enumerate(settings.lesions, start=1):
        painted = paint_lesion(mesh, wanted, np.random.default_rng((settings.seed, _LESION, number)))
        mask = None if painted is None else Mask.of(painted.mask, _start(painted.box))
        if painted is None or mask is None:
            raise ValueError(f"lesion {number} of the phantom lies outside its volume")
        hu[painted.box] = blend(hu[painted.box], painted.hu, painted.weight)
        lesions.append(_lesion(settings, number, wanted, mask))
    # neighbouring pixels of a slice share noise through the reconstruction kernel, slices do not
    hu += settings.noise_sd_hu * smoothed_noise(
        grid.shape, (0.0, 0.7, 0.7), np.random.default_rng((settings.seed, _NOISE))
    )
    return _identified(settings, grid, np.clip(np.rint(hu), -1024, 3071).astype(np.int16), tuple(lesions))


def _grid(settings: PhantomSettings) -> Grid:
    shape = (settings.slices, settings.rows, settings.columns)
    # few decimals, so that a DS value holds the number exactly
    x, y, z = (
        round(centre - (count - 1) / 2 * step, 4)
        for centre, count, step in zip(settings.field_centre_mm, reversed(shape), settings.spacing_mm, strict=True)
    )
    return Grid(shape, (x, y, z), settings.spacing_mm, (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0))


def _start(box: tuple[slice, slice, slice]) -> tuple[int, int, int]:
    a, b, c = (part.start for part in box)
    return a, b, c


def _lesion(settings: PhantomSettings, number: int, wanted: LesionSettings, mask: Mask) -> Lesion:
    return Lesion(
        number=number,
        label=wanted.label,
        tracking_id=wanted.label,
        tracking_uid=derived_uid("phantom", "lesion", settings.patient_id, wanted.label),
        kind=NEOPLASM,
        mask=mask,
    )


def _identified(settings: PhantomSettings, grid: Grid, hu: NDArray[np.int16], lesions: tuple[Lesion, ...]) -> Phantom:
    made_of = digest_of(json.dumps(asdict(settings), sort_keys=True, default=str))
    key = SeriesKey(
        StudyUID(derived_uid("phantom", "study", settings.patient_id, settings.study_date.isoformat(), made_of)),
        SeriesUID(derived_uid("phantom", "ct", made_of)),
    )
    slices = tuple(
        SliceRef(CT_IMAGE_STORAGE, SopInstanceUID(derived_uid("phantom", "ct", made_of, str(i))))
        for i in range(settings.slices)
    )
    frame_of_reference = FrameOfReferenceUID(derived_uid("phantom", "frame of reference", made_of))
    return Phantom(settings, key, CtVolume(hu, grid, frame_of_reference, slices), lesions)
