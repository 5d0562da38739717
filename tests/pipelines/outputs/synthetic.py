"""A small case made from nothing: CT slices, a segmentation of balls, features, a score and maps."""

from collections.abc import Sequence
from datetime import UTC, datetime
from io import BytesIO
from typing import Final

import highdicom
import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian, SegmentationStorage

from pipelines.domain.case import Case, Findings, Lesion, MeasuredLesion, Method, SegmentationRef, SeriesKey
from pipelines.domain.feature_codes import CONCEPTS
from pipelines.domain.features import FeatureMap, FeatureVector
from pipelines.domain.identifiers import (
    FrameOfReferenceUID,
    SeriesUID,
    SopClassUID,
    SopInstanceUID,
    StudyUID,
    derived_uid,
)
from pipelines.domain.outcome import Producer
from pipelines.domain.score import Contribution, ModelIdentity, Place, ScaledScore, Score, ScoreClass
from pipelines.domain.volume import CtVolume, Grid, Mask, SliceRef
from pipelines.extraction.customisation import DEPRECATED
from pipelines.imaging.diameter import diameters

Shape = tuple[int, int, int]

PRODUCER: Final = Producer(
    station="PULMONODE",
    device_uid=derived_uid("test installation"),
    software_version="0.1.0",
    produced_at=datetime(2026, 3, 1, 10, 20, 30, tzinfo=UTC),
)
MODEL: Final = ModelIdentity(
    name="Rad-signature NSCLC",
    version="1.0.0",
    sha256="ab" * 32,
    licence="CC-BY-4.0",
    intended_use="Research on the response of NSCLC to immunotherapy",
    demonstration=True,
)
_LEFT_OUT: Final = ("glcm_SumAverage", "glcm_MCC", *DEPRECATED)
_IMAGES: Final = (
    "original",
    *(f"log-sigma-{sigma}-0-mm-3D" for sigma in range(1, 6)),
    *(f"wavelet-{band}" for band in ("LLH", "LHL", "LHH", "HLL", "HLH", "HHL", "HHH", "LLL")),
)


def feature_names() -> tuple[str, ...]:
    """The 1,218 names of the published settings: 14 of shape and 86 on each of 14 images."""
    shape = [f"original_{key}" for key in CONCEPTS if key.startswith("shape_") and key not in _LEFT_OUT]
    families = ("firstorder", "glcm", "glrlm", "glszm", "gldm")
    other = [key for key in CONCEPTS if key not in _LEFT_OUT and key.split("_")[0] in families]
    return (*shape, *(f"{image}_{key}" for image in _IMAGES for key in other))


def ct_series(
    shape: Shape = (24, 64, 64), *, charset: str = "ISO_IR 192", name: str = "Doe^Jane", **changes: object
) -> list[Dataset]:
    """A CT series from foot to head, read back from bytes as a received one would be; `changes` set attributes."""
    series: list[Dataset] = []
    for index in range(shape[0]):
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = CTImageStorage
        meta.MediaStorageSOPInstanceUID = UID(derived_uid("test ct", str(index)))
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        image = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
        image.SpecificCharacterSet = charset
        image.SOPClassUID = CTImageStorage
        image.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
        image.PatientName = name
        image.PatientID = "P-1"
        image.IssuerOfPatientID = "HOSPITAL"
        image.PatientBirthDate = "19500102"
        image.PatientSex = "F"
        image.PatientAge = "075Y"
        image.PatientSize = "1.70"
        image.PatientWeight = "70.50"
        image.StudyInstanceUID = derived_uid("test study")
        image.StudyDate = "20260201"
        image.StudyTime = "101500"
        image.StudyID = "S1"
        image.StudyDescription = "CT chest"
        image.AccessionNumber = "A-1"
        image.ReferringPhysicianName = "Ref^Erring"
        image.Modality = "CT"
        image.SeriesInstanceUID = derived_uid("test ct series")
        image.SeriesNumber = 2
        image.BodyPartExamined = "CHEST"
        image.PatientPosition = "HFS"
        image.Manufacturer = "Scanner works"
        image.FrameOfReferenceUID = derived_uid("test frame of reference")
        image.PositionReferenceIndicator = ""
        image.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        image.InstanceNumber = index + 1
        image.AcquisitionNumber = 1
        image.ContentDate = image.StudyDate
        image.ContentTime = image.StudyTime
        image.KVP = "120"
        image.SliceThickness = "2.5"
        image.PixelSpacing = ["0.7", "0.8"]
        image.ImagePositionPatient = ["-20", "-30", f"{-100 + 2.5 * index:g}"]
        image.ImageOrientationPatient = ["1", "0", "0", "0", "1", "0"]
        image.SamplesPerPixel = 1
        image.PhotometricInterpretation = "MONOCHROME2"
        image.Rows, image.Columns = shape[1:]
        image.BitsAllocated = image.BitsStored = 16
        image.HighBit = 15
        image.PixelRepresentation = 1
        image.RescaleIntercept = "-1024"
        image.RescaleSlope = "1"
        image.PixelData = np.full(shape[1:], 174, dtype="<i2").tobytes()
        for keyword, value in changes.items():
            setattr(image, keyword, value)
        series.append(dcmread(BytesIO(part10(image))))
    return series


def part10(dataset: Dataset) -> bytes:
    """`dataset` as a DICOM file."""
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def balls(shape: Shape, count: int) -> list[NDArray[np.bool_]]:
    """`count` balls of different size beside each other."""
    axes = np.meshgrid(*(np.arange(size) for size in shape), indexing="ij")
    volumes = []
    for number in range(count):
        centre = (shape[0] // 2, shape[1] // 2, int((number + 0.5) * shape[2] / count))
        radius = min(shape[0], shape[2] / count) * (0.28 + 0.1 * number / count)
        distance = sum((axis - c) ** 2 for axis, c in zip(axes, centre, strict=True))
        volumes.append(np.asarray(distance <= radius**2))
    return volumes


def seg_of(ct: Sequence[Dataset], masks: Sequence[NDArray[np.bool_]]) -> Dataset:
    """A BINARY segmentation made by another maker."""
    segments = [
        highdicom.seg.SegmentDescription(
            segment_number=number,
            segment_label=f"Lesion {number}",
            segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
            segmented_property_type=codes.SCT.Neoplasm,
            algorithm_type=highdicom.seg.SegmentAlgorithmTypeValues.MANUAL,
            tracking_id=f"lesion-{number}",
            tracking_uid=derived_uid("test lesion", str(number)),
        )
        for number in range(1, len(masks) + 1)
    ]
    return highdicom.seg.Segmentation(
        source_images=list(ct),
        pixel_array=np.stack(masks, axis=-1).astype(np.uint8),
        segmentation_type="BINARY",
        segment_descriptions=segments,
        series_instance_uid=derived_uid("test seg series"),
        series_number=100,
        sop_instance_uid=derived_uid("test seg"),
        instance_number=1,
        manufacturer="Segment works",
        manufacturer_model_name="Drawer",
        software_versions="1",
        device_serial_number="1",
        series_description="Lesions",
    )


def case_of(ct: Sequence[Dataset], masks: Sequence[NDArray[np.bool_]], *, referable: bool = True) -> Case:
    """The domain's case of `ct` with one lesion for each of `masks`."""
    first = ct[0]
    shape = (len(ct), int(first.Rows), int(first.Columns))
    row_mm, column_mm = (float(v) for v in first.PixelSpacing)
    x, y, z = (float(v) for v in first.ImagePositionPatient)
    grid = Grid(shape, (x, y, z), (column_mm, row_mm, 2.5), (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0))
    volume = CtVolume(
        hu=np.full(shape, -850, dtype=np.int16),
        grid=grid,
        frame_of_reference=FrameOfReferenceUID(str(first.FrameOfReferenceUID)),
        slices=tuple(SliceRef(SopClassUID(str(i.SOPClassUID)), SopInstanceUID(str(i.SOPInstanceUID))) for i in ct),
    )
    study = StudyUID(str(first.StudyInstanceUID))
    header = Dataset()
    header.update({element.tag: element for element in first if element.keyword != "PixelData"})
    return Case(
        ct=volume,
        ct_key=SeriesKey(study, SeriesUID(str(first.SeriesInstanceUID))),
        header=header,
        segmentation=SegmentationRef(
            SeriesKey(study, SeriesUID(derived_uid("test seg series"))),
            SopClassUID(SegmentationStorage),
            SopInstanceUID(derived_uid("test seg")),
            referable=referable,
        ),
        lesions=tuple(_lesion(number, mask) for number, mask in enumerate(masks, start=1)),
        inputs_digest="00" * 32,
    )


def _lesion(number: int, volume: NDArray[np.bool_]) -> Lesion:
    mask = Mask.of(volume)
    assert mask is not None
    return Lesion(number, f"Lesion {number}", f"lesion-{number}", derived_uid("test lesion", str(number)), None, mask)


def findings_of(case: Case, names: tuple[str, ...] | None = None, *, with_nan: bool = True) -> Findings:
    """Features of many magnitudes for each lesion, a positive score and a map of lesion 1."""
    rng = np.random.default_rng(7)
    names = feature_names() if names is None else names
    measured = []
    for lesion in case.lesions:
        values = rng.normal(size=len(names)) * 10.0 ** rng.integers(-12, 13, size=len(names))
        if with_nan:
            values[len(names) // 2] = np.nan
        measured.append(MeasuredLesion(lesion, FeatureVector(names, values), diameters(lesion.mask, case.ct.grid)))
    mask = case.lesions[0].mask
    texture = np.where(mask.voxels, rng.normal(4.0, 1.0, mask.voxels.shape), 0.0).astype(np.float32)
    return Findings(
        case=case,
        lesions=tuple(measured),
        score=score_of(names),
        maps=(FeatureMap("original_glcm_JointEntropy", 1, 1, mask.offset, texture),),
        method=Method(
            pipeline="nsclc-immunotherapy",
            pipeline_version="1.0",
            profile="seed-a",
            settings_digest="cd" * 32,
            settings=(("binWidth", "25"), ("resampledPixelSpacing", "1, 1, 1")),
            software=(("PyRadiomics", "3.1.0"), ("SimpleITK", "2.5.7")),
        ),
    )


def score_of(names: Sequence[str]) -> Score:
    """A score of twelve features, or as many as there are."""
    contributions = tuple(
        Contribution(name, value=2.0 + i, standardised=0.5 - 0.1 * i, term=(-1) ** i * 0.1 * (i + 1))
        for i, name in enumerate(names[:12])
    )
    return Score(
        model=MODEL,
        signature=1.0,
        probability=0.7310585786300049,
        cut_off=0.41,
        cut_off_rule="Youden index in the training cohort",
        outcome=ScoreClass.POSITIVE,
        outcome_label="Responder (CR/PR)",
        lesion_number=1,
        contributions=contributions,
        place=Place(61.64, 96.98, 30, 28, -2.8, 2.7),
        scaled=ScaledScore("Rad-score", 5.8),
    )
