"""A phantom as DICOM: CT images and a segmentation of them.

Everything is a function of the phantom: dates are those of its settings, UIDs are derived, so that the same phantom
gives the same bytes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from io import BytesIO
from typing import Final

import highdicom
import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.sr.codedict import codes
from pydicom.uid import UID, ExplicitVRLittleEndian
from pydicom.valuerep import DT, TM

from pipelines.domain.case import SeriesKey
from pipelines.domain.identifiers import derived_uid, digest_of
from pipelines.domain.volume import CtVolume
from pipelines.phantom.chest import Phantom

MANUFACTURER: Final = "pulmonode"
MODEL_NAME: Final = "pulmonode phantom"
KERNEL: Final = "SYNTHETIC"
KVP: Final = "120"
_VERSION: Final = "1"
_TIME: Final = "090000"
_COMMENT: Final = "SYNTHETIC: computed phantom, not a patient"
_INTERCEPT: Final = -1024


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose images they are and when they were made, as the headers say it."""

    patient_name: str
    patient_id: str
    study_date: date
    series_description: str = "SYNTHETIC chest CT phantom"


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """One segment to write.

    Attributes
    ----------
    mask
        Boolean, or a fraction from 0 to 1 for a fractional segmentation; shape (slices, rows, columns) of the CT, in
        the order of the instances that the segmentation is made for.
    """

    label: str
    tracking_id: str
    tracking_uid: str
    mask: NDArray[np.generic]


def ct_instances(phantom: Phantom) -> list[Dataset]:
    """The CT Image Storage instances of `phantom`, from foot to head."""
    settings = phantom.settings
    identity = Identity(settings.patient_name, settings.patient_id, settings.study_date)
    return ct_series(phantom.ct, phantom.ct_key, identity)


def ct_series(ct: CtVolume, key: SeriesKey, identity: Identity) -> list[Dataset]:
    """Write `ct` as one CT Image Storage instance per slice (PS3.3 A.3), Explicit VR Little Endian.

    Instance Numbers count from 1 along the normal of the volume.
    """
    return [_ct_instance(ct, index, key, identity) for index in range(len(ct.slices))]


def phantom_segmentation(phantom: Phantom, ct: Sequence[Dataset]) -> Dataset:
    """The BINARY Segmentation Storage instance of `phantom`'s lesions, which refers to its CT instances `ct`."""
    segments = [
        Segment(lesion.label, lesion.tracking_id, lesion.tracking_uid, lesion.mask.on(phantom.ct.grid))
        for lesion in phantom.lesions
    ]
    return segmentation(ct, segments)


def segmentation(ct: Sequence[Dataset], segments: Sequence[Segment], *, segmentation_type: str = "BINARY") -> Dataset:
    """Write `segments`, numbered from 1, as one Segmentation Storage instance (PS3.3 A.51) without empty frames.

    Parameters
    ----------
    ct
        The instances drawn on, in the order of the masks' slices.
    segmentation_type
        BINARY, FRACTIONAL (probability) or LABELMAP; the segments of a LABELMAP must not overlap.
    """
    first = ct[0]
    stacked = np.stack([segment.mask for segment in segments], axis=-1)
    made_of = digest_of(
        segmentation_type,
        *(str(instance.SOPInstanceUID) for instance in ct),
        *(part for s in segments for part in (s.label, s.tracking_id, s.tracking_uid)),
        np.ascontiguousarray(stacked).tobytes().hex(),
    )
    made = highdicom.seg.Segmentation(
        source_images=ct,
        pixel_array=stacked.astype(np.float32 if segmentation_type == "FRACTIONAL" else np.uint8),
        segmentation_type=segmentation_type,
        segment_descriptions=[_description(number, segment) for number, segment in enumerate(segments, start=1)],
        series_instance_uid=derived_uid("phantom", "seg series", made_of),
        series_number=100,
        sop_instance_uid=derived_uid("phantom", "seg", made_of),
        instance_number=1,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=MODEL_NAME,
        software_versions=_VERSION,
        device_serial_number="1",
        content_description="SYNTHETIC lesions",
        content_creator_name="pulmonode^",
        series_description="SYNTHETIC lesions of a chest CT phantom",
    )
    made.SyntheticData = "YES"
    made.BodyPartExamined = first.BodyPartExamined
    # highdicom writes the time of the call and random UIDs; a phantom gives the same bytes on every day
    made.InstanceCreationDate = made.ContentDate = first.StudyDate
    made.InstanceCreationTime = made.ContentTime = TM(_TIME)
    for equipment in made.ContributingEquipmentSequence:
        equipment.ContributionDateTime = DT(f"{first.StudyDate}{_TIME}")
    organisation = derived_uid("phantom", "seg dimensions", made_of)
    for item in (*made.DimensionOrganizationSequence, *made.DimensionIndexSequence):
        item.DimensionOrganizationUID = organisation
    return made


def part10(dataset: Dataset) -> bytes:
    """The bytes of `dataset` as a DICOM file (PS3.10)."""
    buffer = BytesIO()
    dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()


def _description(number: int, segment: Segment) -> highdicom.seg.SegmentDescription:
    return highdicom.seg.SegmentDescription(
        segment_number=number,
        segment_label=segment.label,
        segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
        segmented_property_type=codes.SCT.Neoplasm,
        algorithm_type=highdicom.seg.SegmentAlgorithmTypeValues.MANUAL,
        anatomic_regions=[codes.SCT.Lung],
        tracking_id=segment.tracking_id,
        tracking_uid=segment.tracking_uid,
    )


def _ct_instance(ct: CtVolume, index: int, key: SeriesKey, identity: Identity) -> Dataset:
    source = ct.slices[index]
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(source.sop_class)
    meta.MediaStorageSOPInstanceUID = UID(source.sop_instance)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    made.SpecificCharacterSet = "ISO_IR 192"
    made.SOPClassUID = source.sop_class
    made.SOPInstanceUID = source.sop_instance
    made.SyntheticData = "YES"
    _patient_and_study(made, key, identity)
    _series_and_equipment(made, ct, key, identity)
    _image(made, ct, index)
    return made


def _patient_and_study(made: Dataset, key: SeriesKey, identity: Identity) -> None:
    made.PatientName = identity.patient_name
    made.PatientID = identity.patient_id
    made.PatientBirthDate = ""
    made.PatientSex = ""
    made.StudyInstanceUID = key.study
    made.StudyDate = identity.study_date.strftime("%Y%m%d")
    made.StudyTime = _TIME
    made.StudyID = "1"
    made.StudyDescription = "SYNTHETIC chest CT"
    made.AccessionNumber = ""
    made.ReferringPhysicianName = ""


def _series_and_equipment(made: Dataset, ct: CtVolume, key: SeriesKey, identity: Identity) -> None:
    made.Modality = "CT"
    made.SeriesInstanceUID = key.series
    made.SeriesNumber = 1
    made.SeriesDate = made.StudyDate
    made.SeriesTime = _TIME
    made.SeriesDescription = identity.series_description
    made.BodyPartExamined = "CHEST"
    made.PatientPosition = "HFS"
    made.FrameOfReferenceUID = ct.frame_of_reference
    made.PositionReferenceIndicator = ""
    made.Manufacturer = MANUFACTURER
    made.ManufacturerModelName = MODEL_NAME
    made.SoftwareVersions = _VERSION


def _image(made: Dataset, ct: CtVolume, index: int) -> None:
    grid = ct.grid
    made.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    made.InstanceNumber = index + 1
    made.AcquisitionNumber = 1
    made.AcquisitionDate = made.ContentDate = made.StudyDate
    made.AcquisitionTime = made.ContentTime = _TIME
    made.ImageComments = _COMMENT
    made.BurnedInAnnotation = "NO"
    made.KVP = KVP
    made.ConvolutionKernel = KERNEL
    made.SliceThickness = _decimal(grid.spacing_mm[2])
    made.PixelSpacing = [_decimal(grid.spacing_mm[1]), _decimal(grid.spacing_mm[0])]
    made.ImagePositionPatient = [_decimal(value) for value in grid.slice_position_mm(index)]
    made.ImageOrientationPatient = [_decimal(value) for value in (*grid.row_cosines, *grid.column_cosines)]
    made.SamplesPerPixel = 1
    made.PhotometricInterpretation = "MONOCHROME2"
    made.Rows, made.Columns = grid.shape[1], grid.shape[2]
    made.BitsAllocated = made.BitsStored = 16
    made.HighBit = 15
    made.PixelRepresentation = 1
    made.RescaleIntercept = str(_INTERCEPT)
    made.RescaleSlope = "1"
    made.RescaleType = "HU"
    made.WindowCenter = "-600"
    made.WindowWidth = "1200"
    made.PixelData = (ct.hu[index].astype(np.int16) - _INTERCEPT).astype("<i2").tobytes()


def _decimal(value: float) -> str:
    """A DS value: ten decimals or as many as 16 characters hold, without negative zero."""
    text = f"{value:.10f}"[:16].rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
