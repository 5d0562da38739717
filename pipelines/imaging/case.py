"""Read a CT series and a segmentation of it into one case."""

from collections.abc import Iterable, Sequence
from typing import Final

from pydicom import Dataset
from pydicom.datadict import keyword_for_tag, repeater_has_tag

from pipelines.domain.case import Case, SegmentationRef, SeriesKey
from pipelines.domain.charsets import UTF_8
from pipelines.domain.identifiers import SeriesUID, SopClassUID, SopInstanceUID, StudyUID, digest_of
from pipelines.domain.inherited import INHERITED
from pipelines.domain.lesion_rule import DEFAULT_RULE, LesionRule
from pipelines.domain.reasons import Rejected
from pipelines.domain.volume import UnreadableVoxels
from pipelines.imaging.acquisitions import named_images
from pipelines.imaging.charsets import UnreadableText, declared_in, decoded, text_of
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

_NOT_IN_HEADER: Final = frozenset(
    {
        "FloatPixelData",
        "DoubleFloatPixelData",
        "PerFrameFunctionalGroupsSequence",
        "PixelData",
        "SharedFunctionalGroupsSequence",
    }
)


def read_case(
    images: Sequence[Dataset],
    segmentation: Dataset,
    *,
    inputs_digest: str,
    rule: LesionRule = DEFAULT_RULE,
    assume_charset: str = "",
    tolerances: Tolerances = TOLERANCES,
    may_be_empty: bool = False,
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
    rule
        Which segments are lesions.
    assume_charset
        Character set of text that is in none of the declared ones: a key of `charsets.ASSUMABLE`, or empty.
    tolerances
        How exactly the slices of a CT have to stack up.
    may_be_empty
        True to read a segmentation in which no lesion has a voxel as a case without lesions: they are gone.
    """
    stranger = other_patient(images, segmentation, assume_charset=assume_charset)
    if stranger is not None:
        return stranger
    read = read_ct(images, named=lambda: named_images(segmentation), tolerances=tolerances)
    if isinstance(read, Rejected):
        return read
    ct = read.volume
    first = next(image for image in images if image.SOPInstanceUID == ct.slices[0].sop_instance)
    header = _header(first, assume_charset)
    if isinstance(header, Rejected):
        return header
    if any(note.code == "CT-008" for note in read.notes):
        _declare_loss(header, first)
    drawn = lesions_on(read, segmentation, rule=rule, assume_charset=assume_charset, may_be_empty=may_be_empty)
    if isinstance(drawn, Rejected):
        return drawn
    try:
        unmeasured = unmeasured_notes(read, drawn.lesions)
    except UnreadableVoxels as fault:
        return fault.reason
    return Case(
        ct=ct,
        ct_key=_key(first),
        header=header,
        segmentation=SegmentationRef(
            _key(segmentation),
            SopClassUID(str(segmentation.SOPClassUID)),
            SopInstanceUID(str(segmentation.SOPInstanceUID)),
            referable=drawn.referable,
        ),
        lesions=drawn.lesions,
        inputs_digest=_digest(inputs_digest, rule, assume_charset, tolerances),
        notes=(*read.notes, *unmeasured, *drawn.notes),
    )


def other_patient(images: Iterable[Dataset], segmentation: Dataset, *, assume_charset: str = "") -> Rejected | None:
    """`SEG-005` when an image carries another patient ID than the segmentation."""
    drawn_by = _patient(segmentation, assume_charset)
    if all(_patient(image, assume_charset) == drawn_by for image in images):
        return None
    return Rejected(
        "SEG-005",
        f"Segmentation {segmentation.SOPInstanceUID} and the CT carry different patient IDs.",
        "Correct the patient ID in the sending system, export the segmentation anew and send it.",
    )


def _patient(instance: Dataset, assume_charset: str) -> tuple[str, str]:
    return _identifier(instance, "PatientID", assume_charset), _identifier(
        instance, "IssuerOfPatientID", assume_charset
    )


def _identifier(instance: Dataset, keyword: str, assume_charset: str) -> str:
    try:
        return text_of(instance, keyword, assume=assume_charset).strip()
    except UnreadableText:
        # equal bytes are still equal identifiers
        return repr(instance.get_item(keyword).value)


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


def _digest(inputs_digest: str, rule: LesionRule, assume_charset: str, tolerances: Tolerances) -> str:
    """The digest of what was read and of how: another way to read the same instances gives results of their own."""
    if rule == DEFAULT_RULE and not assume_charset and tolerances == TOLERANCES:
        return inputs_digest
    return digest_of(inputs_digest, repr(rule), assume_charset, repr(tolerances))


def _header(instance: Dataset, assume_charset: str) -> Dataset | Rejected:
    """All attributes but the pixels and what describes single frames, text decoded."""
    tags = instance.keys()  # an iteration over the data set itself would decode all text
    # overlays and curves have a keyword that stands for the tags of many groups, and no result takes them over
    named = [keyword_for_tag(tag) for tag in tags if not repeater_has_tag(tag)]
    wanted = [keyword for keyword in named if keyword and keyword not in _NOT_IN_HEADER]
    header, unreadable = decoded(instance, wanted, assume=assume_charset)
    # text that no result takes over may be in any character set
    taken_over = [keyword for keyword in unreadable if keyword in INHERITED]
    if taken_over:
        declared = ", ".join(declared_in(instance)) or "none"
        return Rejected(
            "TXT-001",
            f"CT instance {instance.SOPInstanceUID}: {', '.join(taken_over)} cannot be decoded "
            f"(declared character set: {declared}).",
            "Set receive.assume_charset to the character set that the sending system uses and retry the case, or "
            "correct Specific Character Set there and send the series again.",
        )
    header.SpecificCharacterSet = UTF_8
    return header
