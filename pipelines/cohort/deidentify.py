"""CT images and segmentations without what identifies a patient (PS3.15 Annex E), for research.

The table of the Basic Application Level Confidentiality Profile is that of dicom-anonymizer. What it does not name, or
names at the top level alone, is settled here: every sequence is gone through, and text stays only where it is known to
be none of a person's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any, Final

from dicomanonymizer.dicomfields_selector import dicom_anonymization_database_selector
from pydicom import DataElement, Dataset
from pydicom.multival import MultiValue
from pydicom.uid import UID

from pipelines.cohort.pseudonyms import Pseudonyms
from pipelines.domain.charsets import UTF_8
from pipelines.domain.identifiers import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME, SopClassUID
from pipelines.domain.reasons import Rejected
from pipelines.domain.sop_classes import CT_IMAGES, SEGMENTATIONS
from pipelines.imaging.damaged import READ_FAULTS

METHOD: Final = "pulmonode: PS3.15 Annex E Basic Profile, dates shifted"
_CODES: Final = (
    ("113100", "Basic Application Confidentiality Profile"),
    ("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
)
"""CID 7050."""
_TABLE: Final = "dicomfields_2024b"
_TIME: Final = "000000"
_KEPT_TEXT: Final = frozenset(
    {
        # what the images were made with
        "Manufacturer", "ManufacturerModelName", "ConvolutionKernel", "RescaleType", "AcquisitionType",
        # coded concepts, and what tells how they are coded
        "CodeValue", "CodingSchemeDesignator", "CodingSchemeVersion", "CodeMeaning", "LongCodeValue",
        "PixelPresentation", "DimensionDescriptionLabel",
    }
)  # fmt: skip
"""Attributes of text that are copied; any other text is removed, or replaced where the standard asks for a value."""
_REPLACED_TEXT: Final[Mapping[str, str]] = {
    "SegmentLabel": "Lesion",
    "SegmentAlgorithmName": "not disclosed",
    "ContentLabel": "SEGMENTATION",
    "ROIName": "Lesion",
    "StructureSetLabel": "STRUCTURES",
    "SeriesDescription": "",
    "SoftwareVersions": "not disclosed",
    "DeviceSerialNumber": "not disclosed",
    "AlgorithmName": "not disclosed",
    "AlgorithmVersion": "not disclosed",
}
"""Text that an IOD asks for."""
_EMPTY_IF_THERE: Final = frozenset(
    {
        "AccessionNumber", "ReferringPhysicianName", "StudyID", "PatientBirthDate", "PatientSex", "ContentCreatorName",
        "ContentDescription", "PositionReferenceIndicator", "ROIInterpreter", "PatientOrientation",
    }
)  # fmt: skip
"""Attributes of type 2 in these IODs: they stay, without a value."""
_TEXT_VRS: Final = frozenset({"AE", "AS", "LO", "LT", "PN", "SH", "ST", "UC", "UN", "UR", "UT"})
_ASCII_VRS: Final = frozenset({"CS", "DS", "IS", "UI"})
"""No character set changes what these are written in (PS3.5 section 6.1.2.3); other characters are damage."""
_SEQUENCES_REMOVED: Final = frozenset({"RequestAttributesSequence", "OriginalAttributesSequence"})
# removed by the table as a whole, although the pixels mean nothing without them; what is in them is gone through
_SEQUENCES_KEPT: Final = frozenset({"SourceImageSequence", "ReferencedImageSequence", "ReferencedStudySequence"})
_DATE_VRS: Final = frozenset({"DA", "DT", "TM"})


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose images they are.

    Attributes
    ----------
    key
        The ledger's digest, from which everything of the patient is derived.
    """

    key: str
    pseudonyms: Pseudonyms

    @property
    def pseudonym(self) -> str:
        return self.pseudonyms.patient(self.key)


def deidentified(dataset: Dataset, subject: Subject) -> Dataset | Rejected:
    """A copy without what identifies a patient; pixels as they are.

    UIDs are keyed, so that a segmentation still refers to its CT. Dates are moved by the days of the patient, times of
    day are 00:00:00. Free text, names, private attributes, overlays and curves are gone, and so is what cannot be
    decoded. Methods are named in Patient Identity Removed (0012,0062) and De-identification Method Code Sequence
    (0012,0064).

    Returns
    -------
    Rejected
        `COH-008` for anything but CT and segmentation, and for pixels that say that text is burned into them.
    """
    sop_class = SopClassUID(str(dataset.get("SOPClassUID", "")))
    if sop_class not in CT_IMAGES | SEGMENTATIONS:
        return _refused("is neither a CT image nor a segmentation")
    if _is_screenshot(dataset):
        return _refused("may have text burned into its pixels")
    made = _cleaned(dataset, subject)
    made.PatientName = subject.pseudonym
    made.PatientID = subject.pseudonym
    made.PatientIdentityRemoved = "YES"
    made.DeidentificationMethod = METHOD
    made.DeidentificationMethodCodeSequence = [_code(value, meaning) for value, meaning in _CODES]
    made.LongitudinalTemporalInformationModified = "MODIFIED"
    made.BurnedInAnnotation = "NO"
    # the kind of scanner and the meaning of a code may be written in any script
    if any(element.VR in _TEXT_VRS and not str(element.value).isascii() for element in made.iterall()):
        made.SpecificCharacterSet = UTF_8
    elif "SpecificCharacterSet" in made:
        del made.SpecificCharacterSet
    made.file_meta = _file_meta(dataset, made)
    return made


def _cleaned(dataset: Dataset, subject: Subject) -> Dataset:
    made = Dataset()
    # an iteration over the data set itself ends at what cannot be decoded
    for tag in tuple(dataset.keys()):
        try:
            kept = _element(dataset[tag], subject)
        except READ_FAULTS:
            continue
        if kept is not None and (kept.VR not in _ASCII_VRS or str(kept.value).isascii()):
            made.add(kept)
    return made


def _element(element: DataElement, subject: Subject) -> DataElement | None:
    tag, keyword = element.tag, element.keyword
    # without a keyword it is private, of a repeating group, or newer than what is known here; groups below 8 belong to
    # messages and to the head of a file
    if tag.is_private or not keyword or tag.group < 0x0008 or tag.group in (0x0400, 0x4000, 0xFFFA, 0xFFFC):
        return None
    if 0x5000 <= tag.group <= 0x50FF or 0x6000 <= tag.group <= 0x60FF:
        return None
    action = _actions().get((tag.group, tag.element), "")
    if element.VR == "SQ":
        if keyword in _SEQUENCES_REMOVED or (action.startswith("X") and keyword not in _SEQUENCES_KEPT):
            return None
        return DataElement(tag, "SQ", [_cleaned(item, subject) for item in element.value])
    if keyword in _EMPTY_IF_THERE:
        return DataElement(tag, element.VR, "")
    if element.VR == "UI":
        return DataElement(tag, "UI", _uids(element.value, subject))
    if element.VR in _DATE_VRS:
        return _moved(element, subject)
    if element.VR in _TEXT_VRS:
        return _text(element, subject)
    # numbers, codes and pixels that the table wants gone or replaced
    return None if action else element


def _text(element: DataElement, subject: Subject) -> DataElement | None:
    keyword = element.keyword
    if keyword in _KEPT_TEXT:
        return element
    if keyword == "TrackingID":
        return DataElement(element.tag, element.VR, subject.pseudonyms.text("tracking", str(element.value)))
    if keyword in _REPLACED_TEXT:
        return DataElement(element.tag, element.VR, _REPLACED_TEXT[keyword])
    return None


def _uids(value: Any, subject: Subject) -> Any:
    if isinstance(value, MultiValue | list):
        return [_uids(one, subject) for one in value]
    # what the standard defines (SOP classes, transfer syntaxes, coding schemes) is nobody's
    uid = str(value)
    return uid if not uid or uid.startswith("1.2.840.10008.") else subject.pseudonyms.uid(uid)


def _moved(element: DataElement, subject: Subject) -> DataElement | None:
    if isinstance(element.value, MultiValue):
        return None
    text = str(element.value or "")
    if element.VR == "TM":
        return DataElement(element.tag, "TM", _TIME if text else "")
    try:
        day = date(int(text[:4]), int(text[4:6]), int(text[6:8]))
        moved = subject.pseudonyms.moved(subject.key, day).strftime("%Y%m%d")
    except (ValueError, OverflowError):
        return DataElement(element.tag, element.VR, "")
    return DataElement(element.tag, element.VR, moved + (_TIME if element.VR == "DT" else ""))


@cache
def _actions() -> Mapping[tuple[int, int], str]:
    """What the profile does with an attribute: D, Z, X, U or several of them."""
    kinds = dicom_anonymization_database_selector(_TABLE)
    return {
        (tag[0], tag[1]): kind.removesuffix("_TAGS").replace("_", "/")
        for kind, tags in kinds.items()
        if kind != "ALL_TAGS"
        for tag in tags
        if len(tag) == 2
    }


def _file_meta(dataset: Dataset, made: Dataset) -> Any:
    meta = type(dataset.file_meta)()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = UID(str(made.SOPClassUID))
    meta.MediaStorageSOPInstanceUID = UID(str(made.SOPInstanceUID))
    meta.TransferSyntaxUID = dataset.file_meta.TransferSyntaxUID
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    return meta


def _is_screenshot(dataset: Dataset) -> bool:
    """True for pixels that were not made by a scanner; a segmentation has no picture of anything."""
    return str(dataset.get("BurnedInAnnotation", "NO")).upper() == "YES" or "ConversionType" in dataset


def _code(value: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
    return item


def _refused(why: str) -> Rejected:
    return Rejected("COH-008", f"An image {why}.", "Leave the images of that patient out of the export.")
