"""Builders of DICOM objects for the tests: small, valid, and the same for the same arguments."""

import subprocess
import sysconfig
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from pipelines.domain.case import SeriesKey
from pipelines.domain.identifiers import (
    FrameOfReferenceUID,
    SeriesUID,
    SopInstanceUID,
    StudyUID,
    derived_uid,
    digest_of,
)
from pipelines.domain.volume import CtVolume, Grid, SliceRef
from pipelines.phantom.chest import CT_IMAGE_STORAGE
from pipelines.phantom.dicom import Identity, Segment, part10, segmentation
from pipelines.phantom.dicom import ct_series as written_series

RT_STRUCTURE_SET_STORAGE = "1.2.840.10008.5.1.4.1.1.481.3"
_DETACHED_STUDY_MANAGEMENT = "1.2.840.10008.3.1.2.3.1"
_COPIED = (
    "SpecificCharacterSet",
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "AccessionNumber",
    "ReferringPhysicianName",
    "PositionReferenceIndicator",
    "Manufacturer",
)
_AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)

Masks = Mapping[int, NDArray[np.generic]]
"""Mask of each segment by segment number; shape (slices, rows, columns) of the CT."""

Polygon = tuple[int, Sequence[tuple[float, float]]]
"""Index of the slice (from 0) and the corners (x, y) in mm."""


def ct_series(
    *,
    slices: int = 10,
    rows: int = 32,
    columns: int = 32,
    spacing_mm: tuple[float, float, float] = (1.0, 1.0, 2.0),
    origin_mm: tuple[float, float, float] = (-16.0, -16.0, -10.0),
    orientation: Sequence[float] = _AXIAL,
    without: int | Collection[int] = (),
    hu: NDArray[np.generic] | None = None,
    seed: int = 1,
    patient_id: str = "TEST-1",
    patient_name: str = "TEST^PATIENT",
    study_date: date = date(2026, 1, 15),
    study: str | None = None,
) -> list[Dataset]:
    """CT Image Storage instances in the order of their Instance Numbers (from 1).

    Parameters
    ----------
    spacing_mm
        Along (columns, rows, slices).
    orientation
        Image Orientation (Patient).
    without
        Instance Numbers of slices to leave out.
    hu
        Voxels of shape (slices, rows, columns) in place of `ball_in_lung`.
    seed
        Another seed gives other UIDs and other voxels.
    study
        Study Instance UID, to put the series into the study of another one.
    """
    made_of = digest_of(
        "test ct",
        repr((slices, rows, columns, spacing_mm, origin_mm, tuple(orientation), seed, patient_id, study_date)),
    )
    row, column = np.array(orientation[:3]), np.array(orientation[3:])
    direction = np.stack([row, column, np.cross(row, column)], axis=1)
    grid = Grid((slices, rows, columns), origin_mm, spacing_mm, tuple(float(v) for v in direction.ravel()))
    voxels = ball_in_lung((slices, rows, columns), seed=seed) if hu is None else hu
    refs = tuple(
        SliceRef(CT_IMAGE_STORAGE, SopInstanceUID(derived_uid(made_of, "instance", str(i)))) for i in range(slices)
    )
    volume = CtVolume(voxels, grid, FrameOfReferenceUID(derived_uid(made_of, "frame of reference")), refs)
    key = SeriesKey(StudyUID(study or derived_uid(made_of, "study")), SeriesUID(derived_uid(made_of, "series")))
    left_out = {without} if isinstance(without, int) else set(without)
    series = written_series(volume, key, Identity(patient_name, patient_id, study_date))
    return [instance for instance in series if instance.InstanceNumber not in left_out]


def ball_in_lung(shape: tuple[int, int, int], *, seed: int = 1) -> NDArray[np.int16]:
    """HU of a lung of about -850 with an uneven ball of about 30 where `centred_ball` is."""
    rng = np.random.default_rng(seed)
    tissue = np.where(centred_ball(shape), 30.0, -850.0)
    return np.rint(tissue + rng.normal(0.0, 30.0, shape)).astype(np.int16)


def centred_ball(shape: tuple[int, int, int], *, fraction: float = 0.6) -> NDArray[np.bool_]:
    """The ellipsoid in the middle of `shape` that reaches over `fraction` of each axis."""
    axes = np.meshgrid(*(np.linspace(-1.0, 1.0, size) for size in shape), indexing="ij")
    return np.asarray(sum(axis**2 for axis in axes) <= fraction**2)


def seg_of(
    ct: Sequence[Dataset],
    masks: Masks | None = None,
    *,
    labels: Mapping[int, str] | None = None,
    frame_of_reference: str | None = None,
    referencing: Literal["series and frames", "series", "frames", "nothing"] = "series and frames",
    fractional: bool = False,
    labelmap: bool = False,
) -> Dataset:
    """A Segmentation Storage instance drawn on `ct`.

    Parameters
    ----------
    masks
        By segment number, in any numbering; without them one segment holds `centred_ball`.
    labels
        Segment Labels that differ from "Lesion N".
    frame_of_reference
        Frame of Reference UID in place of the CT's.
    referencing
        How it names the CT: Referenced Series Sequence, source images of the frames, both, or not at all.
    fractional, labelmap
        FRACTIONAL (of probability) or LABELMAP in place of BINARY.
    """
    wanted = {1: centred_ball((len(ct), ct[0].Rows, ct[0].Columns))} if masks is None else masks
    numbers = sorted(wanted)
    names = {number: f"Lesion {number}" for number in numbers} | dict(labels or {})
    segments = [
        Segment(
            names[number],
            names[number],
            derived_uid("test lesion", str(ct[0].PatientID), names[number]),
            wanted[number],
        )
        for number in numbers
    ]
    kind = "FRACTIONAL" if fractional else "LABELMAP" if labelmap else "BINARY"
    made = segmentation(ct, segments, segmentation_type=kind)
    _renumber(made, numbers)
    if frame_of_reference is not None:
        made.FrameOfReferenceUID = frame_of_reference
    if referencing in ("series", "nothing"):
        for frame in made.PerFrameFunctionalGroupsSequence:
            del frame.DerivationImageSequence
    if referencing in ("frames", "nothing"):
        del made.ReferencedSeriesSequence
    return made


def _renumber(seg: Dataset, numbers: Sequence[int]) -> None:
    """Give segments 1, 2, ... of `seg` the `numbers`; highdicom writes consecutive numbers only."""
    if list(numbers) == list(range(1, len(numbers) + 1)):
        return
    if seg.SegmentationType == "LABELMAP":
        raise ValueError("the builder numbers the segments of a LABELMAP from 1")
    for item, number in zip(seg.SegmentSequence, numbers, strict=True):
        item.SegmentNumber = number
    for frame in seg.PerFrameFunctionalGroupsSequence:
        identification = frame.SegmentIdentificationSequence[0]
        identification.ReferencedSegmentNumber = numbers[identification.ReferencedSegmentNumber - 1]


def rtstruct_of(
    ct: Sequence[Dataset],
    contours: Mapping[int, Sequence[Polygon]] | None = None,
    *,
    names: Mapping[int, str] | None = None,
    frame_of_reference: str | None = None,
) -> Dataset:
    """An RT Structure Set Storage instance drawn on the axial series `ct`.

    Parameters
    ----------
    contours
        Polygons by ROI number; without them one ROI holds a circle in each slice but the outer two at both ends.
    names
        ROI Names that differ from "Lesion N".
    frame_of_reference
        Frame of Reference UID in place of the CT's.
    """
    wanted = {1: [(index, circle_of(ct)) for index in range(2, len(ct) - 2)]} if contours is None else contours
    roi_names = {number: f"Lesion {number}" for number in wanted} | dict(names or {})
    frame = frame_of_reference or str(ct[0].FrameOfReferenceUID)
    made = _structure_set_of(ct, digest_of(str(ct[0].SeriesInstanceUID), repr(wanted), repr(roi_names), frame))
    made.FrameOfReferenceUID = frame
    made.ReferencedFrameOfReferenceSequence = [_referenced_frame(ct, frame)]
    made.StructureSetROISequence = [_roi(number, roi_names[number], frame) for number in wanted]
    made.ROIContourSequence = [_roi_contour(ct, number, polygons) for number, polygons in wanted.items()]
    made.RTROIObservationsSequence = [_observation(number) for number in wanted]
    return made


def circle_of(ct: Sequence[Dataset], *, fraction: float = 0.6, corners: int = 36) -> list[tuple[float, float]]:
    """Corners (x, y) in mm of a circle in the middle of an axial slice, over `fraction` of its shorter side."""
    first = ct[0]
    x0, y0, _ = (float(v) for v in first.ImagePositionPatient)
    dy, dx = (float(v) for v in first.PixelSpacing)
    centre = (x0 + dx * (first.Columns - 1) / 2, y0 + dy * (first.Rows - 1) / 2)
    radius = fraction / 2 * min(dx * first.Columns, dy * first.Rows)
    angles = 2.0 * np.pi * np.arange(corners) / corners
    return [(float(centre[0] + radius * np.cos(a)), float(centre[1] + radius * np.sin(a))) for a in angles]


def write_files(datasets: Sequence[Dataset], folder: Path) -> list[Path]:
    """Write each dataset as a DICOM file into `folder` (made if needed): 0000.dcm, 0001.dcm, ..."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{index:04}.dcm" for index in range(len(datasets))]
    for path, dataset in zip(paths, datasets, strict=True):
        path.write_bytes(as_bytes(dataset))
    return paths


def as_bytes(dataset: Dataset) -> bytes:
    """The dataset as a DICOM file."""
    return part10(dataset)


def errors_of_dciodvfy(dataset: Dataset, folder: Path) -> list[str]:
    """What David Clunie's validator calls an error in `dataset`, which is written into `folder` for it."""
    file = folder / "validated.dcm"
    file.write_bytes(as_bytes(dataset))
    tool = Path(sysconfig.get_path("scripts")) / "dciodvfy"
    said = subprocess.run([tool, "-new", file], capture_output=True, text=True, check=False)
    return [line for line in (said.stdout + said.stderr).splitlines() if line.startswith("Error")]


def _structure_set_of(ct: Sequence[Dataset], made_of: str) -> Dataset:
    first = ct[0]
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(RT_STRUCTURE_SET_STORAGE)
    meta.MediaStorageSOPInstanceUID = UID(derived_uid("test rtstruct", made_of))
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    made.SOPClassUID = meta.MediaStorageSOPClassUID
    made.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    for keyword in _COPIED:
        setattr(made, keyword, first[keyword].value)
    made.Modality = "RTSTRUCT"
    made.SeriesInstanceUID = derived_uid("test rtstruct series", made_of)
    made.SeriesNumber = 101
    made.OperatorsName = ""
    made.InstanceNumber = 1
    made.StructureSetLabel = "SYNTHETIC"
    made.StructureSetDate = first.StudyDate
    made.StructureSetTime = first.StudyTime
    made.ApprovalStatus = "UNAPPROVED"
    return made


def _image_reference(instance: Dataset) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = instance.SOPClassUID
    item.ReferencedSOPInstanceUID = instance.SOPInstanceUID
    return item


def _referenced_frame(ct: Sequence[Dataset], frame_of_reference: str) -> Dataset:
    series = Dataset()
    series.SeriesInstanceUID = ct[0].SeriesInstanceUID
    series.ContourImageSequence = [_image_reference(instance) for instance in ct]
    study = Dataset()
    study.ReferencedSOPClassUID = _DETACHED_STUDY_MANAGEMENT
    study.ReferencedSOPInstanceUID = ct[0].StudyInstanceUID
    study.RTReferencedSeriesSequence = [series]
    item = Dataset()
    item.FrameOfReferenceUID = frame_of_reference
    item.RTReferencedStudySequence = [study]
    return item


def _roi(number: int, name: str, frame_of_reference: str) -> Dataset:
    item = Dataset()
    item.ROINumber = number
    item.ReferencedFrameOfReferenceUID = frame_of_reference
    item.ROIName = name
    item.ROIGenerationAlgorithm = "MANUAL"
    return item


def _roi_contour(ct: Sequence[Dataset], number: int, polygons: Sequence[Polygon]) -> Dataset:
    item = Dataset()
    item.ReferencedROINumber = number
    item.ROIDisplayColor = [255, 0, 0]
    item.ContourSequence = [_contour(ct[index], corners) for index, corners in polygons]
    return item


def _contour(instance: Dataset, corners: Sequence[tuple[float, float]]) -> Dataset:
    z = float(instance.ImagePositionPatient[2])
    item = Dataset()
    item.ContourImageSequence = [_image_reference(instance)]
    item.ContourGeometricType = "CLOSED_PLANAR"
    item.NumberOfContourPoints = len(corners)
    item.ContourData = [f"{value:.4f}" for x, y in corners for value in (x, y, z)]
    return item


def _observation(number: int) -> Dataset:
    item = Dataset()
    item.ObservationNumber = number
    item.ReferencedROINumber = number
    item.RTROIInterpretedType = "GTV"
    item.ROIInterpreter = ""
    return item
