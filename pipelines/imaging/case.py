"""Read a CT series and a segmentation of it into one case."""

from collections.abc import Sequence
from typing import Final

from pydicom import Dataset

from pipelines.domain.case import Case, SegmentationRef, SeriesKey
from pipelines.domain.identifiers import SeriesUID, SopClassUID, SopInstanceUID, StudyUID
from pipelines.domain.reasons import Rejected
from pipelines.domain.sop_classes import LABEL_MAP_SEGMENTATION, RT_STRUCTURE_SET
from pipelines.domain.volume import UnreadableVoxels
from pipelines.imaging.acquisitions import named_images
from pipelines.imaging.ct import read_ct
from pipelines.imaging.drawing import lesions_on, unmeasured_notes
from pipelines.imaging.geometry import TOLERANCES, Tolerances

_LOSSY_METHODS: Final = {
    "1.2.840.10008.1.2.4.50": "ISO_10918_1",
    "1.2.840.10008.1.2.4.51": "ISO_10918_1",
    "1.2.840.10008.1.2.4.81": "ISO_14495_1",
    "1.2.840.10008.1.2.4.91": "ISO_15444_1",
    "1.2.840.10008.1.2.4.203": "ISO_15444_15",
}
"""Lossy Image Compression Method by transfer syntax."""


def read_case(
    images: Sequence[Dataset], segmentation: Dataset, *, inputs_digest: str, tolerances: Tolerances = TOLERANCES
) -> Case | Rejected:
    """Read a case, or tell why it is none.

    The CT is read by its headers first; pixels are decoded where lesions lie, and later where they are measured.

    Parameters
    ----------
    images
        All instances of the CT series, with pixel data.
    segmentation
        A SEG, label map or RT Structure Set of that series.
    inputs_digest
        SHA-256 over the UIDs and bytes of `images` and `segmentation`.
    """
    if any(_patient(image) != _patient(segmentation) for image in images):
        return Rejected(
            "SEG-005",
            f"Segmentation {segmentation.SOPInstanceUID} and the CT carry different patient IDs.",
            "Correct the patient ID in the sending system, export the segmentation anew and send it.",
        )
    read = read_ct(images, named=lambda: named_images(segmentation), tolerances=tolerances)
    if isinstance(read, Rejected):
        return read
    drawn = lesions_on(read, segmentation)
    if isinstance(drawn, Rejected):
        return drawn
    try:
        unmeasured = unmeasured_notes(read, drawn.lesions)
    except UnreadableVoxels as fault:
        return fault.reason
    ct = read.volume
    first = next(image for image in images if image.SOPInstanceUID == ct.slices[0].sop_instance)
    referable = drawn.on_ct_grid and segmentation.SOPClassUID not in (RT_STRUCTURE_SET, LABEL_MAP_SEGMENTATION)
    header = _without_pixels(first)
    if any(note.code == "CT-008" for note in read.notes):
        _declare_loss(header, first)
    return Case(
        ct=ct,
        ct_key=_key(first),
        header=header,
        segmentation=SegmentationRef(
            _key(segmentation),
            SopClassUID(str(segmentation.SOPClassUID)),
            SopInstanceUID(str(segmentation.SOPInstanceUID)),
            referable=referable,
        ),
        lesions=drawn.lesions,
        inputs_digest=inputs_digest,
        notes=(*read.notes, *unmeasured, *drawn.notes),
    )


def _patient(instance: Dataset) -> tuple[str, str]:
    return str(instance.get("PatientID", "")).strip(), str(instance.get("IssuerOfPatientID", "")).strip()


def _key(instance: Dataset) -> SeriesKey:
    return SeriesKey(StudyUID(str(instance.StudyInstanceUID)), SeriesUID(str(instance.SeriesInstanceUID)))


def _declare_loss(header: Dataset, image: Dataset) -> None:
    """Say what the transfer syntax lost where the image does not: results inherit it (PS3.3 C.7.6.1.1.5)."""
    header.LossyImageCompression = "01"
    method = _LOSSY_METHODS.get(str(image.file_meta.TransferSyntaxUID))
    if method is None:
        return
    if "LossyImageCompressionMethod" not in header:
        header.LossyImageCompressionMethod = method
    if "LossyImageCompressionRatio" not in header:
        frames = int(image.get("NumberOfFrames") or 1)
        size = image.Rows * image.Columns * image.BitsAllocated // 8 * frames
        header.LossyImageCompressionRatio = f"{size / max(1, len(image.PixelData)):.2f}"


def _without_pixels(instance: Dataset) -> Dataset:
    header = Dataset()
    header.update(
        {
            element.tag: element
            for element in instance
            if element.keyword not in ("PixelData", "PerFrameFunctionalGroupsSequence")
        }
    )
    return header
