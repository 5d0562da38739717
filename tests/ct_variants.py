"""CT series as the world sends them: tilted, uneven, multi-frame, several acquisitions, each made from `ct_series`."""

from collections.abc import Sequence
from copy import deepcopy

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.uid import UID

from pipelines.domain.identifiers import derived_uid
from pipelines.domain.volume import Grid
from tests.dicom import ct_series, seg_of

ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"


def ramp(points_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """HU that are linear in the patient's coordinates, so that linear interpolation makes them anew exactly."""
    return np.asarray(points_mm @ np.array([3.0, -2.0, 4.0]) - 100.0)


def points_of(grid: Grid) -> NDArray[np.float64]:
    """Patient coordinates of all voxels, shape (slices, rows, columns, 3)."""
    k, r, c = np.meshgrid(*(np.arange(size) for size in grid.shape), indexing="ij")
    direction = np.reshape(grid.direction, (3, 3))
    return np.asarray(np.stack([c, r, k], axis=-1) * grid.spacing_mm @ direction.T + grid.origin_mm)


def painted(ct: Sequence[Dataset]) -> list[Dataset]:
    """The series with `ramp` in it, at the places that its headers say."""
    made = []
    for instance in ct:
        copy = deepcopy(instance)
        position = np.array(copy.ImagePositionPatient, dtype=float)
        row, column = np.reshape(np.array(copy.ImageOrientationPatient, dtype=float), (2, 3))
        row_spacing, column_spacing = (float(v) for v in copy.PixelSpacing)
        r, c = np.meshgrid(np.arange(copy.Rows), np.arange(copy.Columns), indexing="ij")
        points = position + c[..., None] * column_spacing * row + r[..., None] * row_spacing * column
        set_hu(copy, ramp(points))
        made.append(copy)
    return made


def set_hu(instance: Dataset, hu: NDArray[np.generic]) -> None:
    """Store `hu`, rounded, by the rescale of the instance."""
    stored = (np.rint(hu) - float(instance.RescaleIntercept)) / float(instance.RescaleSlope)
    instance.PixelData = stored.astype("<i2").tobytes()


def stored_unsigned(instance: Dataset) -> Dataset:
    """The same HU as 12 bits without a sign."""
    made = deepcopy(instance)
    hu = made.pixel_array * float(made.RescaleSlope) + float(made.RescaleIntercept)
    made.PixelRepresentation, made.BitsStored, made.HighBit = 0, 12, 11
    made.RescaleSlope, made.RescaleIntercept = 1, -1024
    made.PixelData = np.clip(hu + 1024, 0, 4095).astype("<u2").tobytes()
    return made


def tilted(ct: Sequence[Dataset], degrees: float) -> list[Dataset]:
    """The slices leaning by `degrees` about the rows' direction, the table still moving straight."""
    angle = np.radians(degrees)
    made = [deepcopy(instance) for instance in ct]
    for instance in made:
        instance.ImageOrientationPatient = [1, 0, 0, 0, round(float(np.cos(angle)), 9), round(float(-np.sin(angle)), 9)]
    return made


def at_heights(ct: Sequence[Dataset], heights_mm: Sequence[float]) -> list[Dataset]:
    """The first slices of an axial series moved to `heights_mm`."""
    made = [deepcopy(instance) for instance, _ in zip(ct, heights_mm, strict=False)]
    for instance, height in zip(made, heights_mm, strict=True):
        x, y, _ = instance.ImagePositionPatient
        instance.ImagePositionPatient = [x, y, round(float(height), 6)]
    return made


def renamed(ct: Sequence[Dataset], name: str, **attributes: object) -> list[Dataset]:
    """The same series with other SOP Instance UIDs and `attributes`, as a second acquisition in it."""
    made = [deepcopy(instance) for instance in ct]
    for instance in made:
        instance.SOPInstanceUID = derived_uid(name, str(instance.SOPInstanceUID))
        instance.file_meta.MediaStorageSOPInstanceUID = instance.SOPInstanceUID
        for keyword, value in attributes.items():
            setattr(instance, keyword, value)
    return made


def enhanced(ct: Sequence[Dataset], order: Sequence[int] | None = None, *, shared: bool = False) -> Dataset:
    """One Enhanced CT image whose frames are the slices of `ct` in any `order`.

    Parameters
    ----------
    shared
        Whether what all frames have in common stands in the shared functional groups.
    """
    order = range(len(ct)) if order is None else order
    made = deepcopy(ct[0])
    made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = UID(ENHANCED_CT)
    made.SOPInstanceUID = derived_uid("enhanced", str(ct[0].SOPInstanceUID), repr(list(order)))
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    made.NumberOfFrames = len(order)
    made.PixelData = b"".join(ct[index].PixelData for index in order)
    for keyword in (
        "ImagePositionPatient",
        "ImageOrientationPatient",
        "PixelSpacing",
        "SliceThickness",
        "RescaleSlope",
        "RescaleIntercept",
        "RescaleType",
    ):
        if keyword in made:
            delattr(made, keyword)
    common = _common_groups(ct[0])
    made.SharedFunctionalGroupsSequence = [common if shared else Dataset()]
    groups = []
    for index in order:
        group = Dataset() if shared else deepcopy(common)
        group.PlanePositionSequence = [_item(ImagePositionPatient=ct[index].ImagePositionPatient)]
        groups.append(group)
    made.PerFrameFunctionalGroupsSequence = groups
    return made


def _common_groups(instance: Dataset) -> Dataset:
    group = Dataset()
    group.PlaneOrientationSequence = [_item(ImageOrientationPatient=instance.ImageOrientationPatient)]
    group.PixelMeasuresSequence = [_item(PixelSpacing=instance.PixelSpacing)]
    group.PixelValueTransformationSequence = [
        _item(RescaleSlope=instance.RescaleSlope, RescaleIntercept=instance.RescaleIntercept, RescaleType="HU")
    ]
    return group


def _item(**attributes: object) -> Dataset:
    item = Dataset()
    for keyword, value in attributes.items():
        setattr(item, keyword, value)
    return item


def small_series(slices: int = 8, **options: object) -> list[Dataset]:
    """A series that is quick to write: 8 slices of 16 x 20 pixels."""
    return ct_series(slices=slices, rows=16, columns=20, **options)  # type: ignore[arg-type]


def seg_of_slices(ct: Sequence[Dataset]) -> Dataset:
    """A segmentation of `ct`'s own slices: drawn on upright ones, then told to lie where these do."""
    straight = ct_series(slices=len(ct))
    made = seg_of(straight)
    made.FrameOfReferenceUID = ct[0].FrameOfReferenceUID
    made.StudyInstanceUID = ct[0].StudyInstanceUID
    by_uid = {str(i.SOPInstanceUID): ct[k] for k, i in enumerate(straight)}
    shared = made.SharedFunctionalGroupsSequence[0]
    shared.PlaneOrientationSequence[0].ImageOrientationPatient = ct[0].ImageOrientationPatient
    for group in made.PerFrameFunctionalGroupsSequence:
        source = group.DerivationImageSequence[0].SourceImageSequence[0]
        instance = by_uid[str(source.ReferencedSOPInstanceUID)]
        group.PlanePositionSequence[0].ImagePositionPatient = instance.ImagePositionPatient
        source.ReferencedSOPInstanceUID = instance.SOPInstanceUID
    return made
