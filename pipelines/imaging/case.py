"""Read a CT series and a segmentation of it into one case."""

from collections.abc import Iterable, Sequence

from pydicom import Dataset

from pipelines.domain.case import Case, SegmentationRef, SeriesKey
from pipelines.domain.identifiers import SeriesUID, SopClassUID, SopInstanceUID, StudyUID
from pipelines.domain.reasons import Rejected
from pipelines.domain.sop_classes import LABEL_MAP_SEGMENTATION, RT_STRUCTURE_SET
from pipelines.domain.volume import CtVolume
from pipelines.imaging.ct import read_ct
from pipelines.imaging.rtstruct import read_structures
from pipelines.imaging.seg import Drawn, read_segmentation


def read_case(images: Sequence[Dataset], segmentation: Dataset, *, inputs_digest: str) -> Case | Rejected:
    """Read a case, or tell why it is none.

    Parameters
    ----------
    images
        All instances of the CT series, with pixel data.
    segmentation
        A SEG, label map or RT Structure Set of that series.
    inputs_digest
        SHA-256 over the UIDs and bytes of `images` and `segmentation`.
    """
    stranger = other_patient(images, segmentation)
    if stranger is not None:
        return stranger
    ct = read_ct(images)
    if isinstance(ct, Rejected):
        return ct
    drawn = read_drawn(segmentation, ct)
    if isinstance(drawn, Rejected):
        return drawn
    first = next(image for image in images if image.SOPInstanceUID == ct.slices[0].sop_instance)
    referable = drawn.on_ct_grid and segmentation.SOPClassUID not in (RT_STRUCTURE_SET, LABEL_MAP_SEGMENTATION)
    return Case(
        ct=ct,
        ct_key=_key(first),
        header=_without_pixels(first),
        segmentation=SegmentationRef(
            _key(segmentation),
            SopClassUID(str(segmentation.SOPClassUID)),
            SopInstanceUID(str(segmentation.SOPInstanceUID)),
            referable=referable,
        ),
        lesions=drawn.lesions,
        inputs_digest=inputs_digest,
        notes=drawn.notes,
    )


def other_patient(images: Iterable[Dataset], segmentation: Dataset) -> Rejected | None:
    """`SEG-005` when an image carries another patient ID than the segmentation."""
    if all(_patient(image) == _patient(segmentation) for image in images):
        return None
    return Rejected(
        "SEG-005",
        f"Segmentation {segmentation.SOPInstanceUID} and the CT carry different patient IDs.",
        "Correct the patient ID in the sending system, export the segmentation anew and send it.",
    )


def read_drawn(segmentation: Dataset, ct: CtVolume) -> Drawn | Rejected:
    """Read the lesions of a SEG, label map or RT Structure Set on `ct`."""
    is_structure_set = segmentation.SOPClassUID == RT_STRUCTURE_SET
    return read_structures(segmentation, ct) if is_structure_set else read_segmentation(segmentation, ct)


def _patient(instance: Dataset) -> tuple[str, str]:
    return str(instance.get("PatientID", "")).strip(), str(instance.get("IssuerOfPatientID", "")).strip()


def _key(instance: Dataset) -> SeriesKey:
    return SeriesKey(StudyUID(str(instance.StudyInstanceUID)), SeriesUID(str(instance.SeriesInstanceUID)))


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
