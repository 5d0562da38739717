"""Read a CT series and a segmentation of it into one case."""

from collections.abc import Sequence
from typing import Final

from pydicom import Dataset
from pydicom.datadict import keyword_for_tag

from pipelines.domain.case import Case, SegmentationRef, SeriesKey
from pipelines.domain.charsets import UTF_8
from pipelines.domain.identifiers import SeriesUID, SopClassUID, SopInstanceUID, StudyUID, digest_of
from pipelines.domain.inherited import INHERITED
from pipelines.domain.lesion_rule import DEFAULT_RULE, LesionRule
from pipelines.domain.reasons import Rejected
from pipelines.domain.sop_classes import RT_STRUCTURE_SET
from pipelines.imaging.charsets import UnreadableText, declared_in, decoded, text_of
from pipelines.imaging.ct import read_ct
from pipelines.imaging.rtstruct import read_structures
from pipelines.imaging.seg import read_segmentation

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
) -> Case | Rejected:
    """Read a case, or tell why it is none.

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
    """
    drawn_by = _patient(segmentation, assume_charset)
    if any(_patient(image, assume_charset) != drawn_by for image in images):
        return Rejected(
            "SEG-005",
            f"Segmentation {segmentation.SOPInstanceUID} and the CT carry different patient IDs.",
            "Correct the patient ID in the sending system, export the segmentation anew and send it.",
        )
    ct = read_ct(images)
    if isinstance(ct, Rejected):
        return ct
    first = next(image for image in images if image.SOPInstanceUID == ct.slices[0].sop_instance)
    header = _header(first, assume_charset)
    if isinstance(header, Rejected):
        return header
    is_structure_set = segmentation.SOPClassUID == RT_STRUCTURE_SET
    read = read_structures if is_structure_set else read_segmentation
    drawn = read(segmentation, ct, rule=rule, assume_charset=assume_charset)
    if isinstance(drawn, Rejected):
        return drawn
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
        inputs_digest=_digest(inputs_digest, rule, assume_charset),
        notes=drawn.notes,
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


def _digest(inputs_digest: str, rule: LesionRule, assume_charset: str) -> str:
    """The digest of what was read and of how: another way to read the same instances gives results of their own."""
    if rule == DEFAULT_RULE and not assume_charset:
        return inputs_digest
    return digest_of(inputs_digest, repr(rule), assume_charset)


def _header(instance: Dataset, assume_charset: str) -> Dataset | Rejected:
    """All attributes but the pixels and what describes single frames, text decoded."""
    tags = instance.keys()  # an iteration over the data set itself would decode all text
    wanted = [keyword for keyword in map(keyword_for_tag, tags) if keyword and keyword not in _NOT_IN_HEADER]
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
