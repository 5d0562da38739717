"""Nothing that names a patient survives, whatever attribute it stood in; what the images are stays readable."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from pydicom import DataElement, Dataset, config, dcmread
from pydicom.datadict import DicomDictionary
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag

from pipelines.cohort.deidentify import Subject, deidentified
from pipelines.cohort.pseudonyms import Pseudonyms
from pipelines.domain.case import Case
from pipelines.domain.reasons import Rejected
from pipelines.imaging.case import read_case
from tests.dicom import as_bytes, ct_series, errors_of_dciodvfy, seg_of

SUBJECT = Subject("ab" * 32, Pseudonyms(b"s" * 32))
TEXTS = {
    "AE": "ZZSENTINEL", "CS": "ZZSENTINEL", "LO": "ZZSENTINEL", "LT": "ZZSENTINEL", "PN": "ZZSENTINEL^A",
    "SH": "ZZSENTINEL", "ST": "ZZSENTINEL", "UC": "ZZSENTINEL", "UR": "http://zz/ZZSENTINEL", "UT": "ZZSENTINEL",
    "UN": b"ZZSENTINEL", "OB": b"ZZSENTINEL", "AS": "077Y", "DA": "19770707", "DT": "19770707070707", "TM": "070707.77",
    "UI": "1.2.77.77777",
}  # fmt: skip
MARKS = (b"ZZSENTINEL", b"077Y", b"19770707", b"070707.77", b"1.2.77.77777")
CODED = {"CodeValue", "CodingSchemeDesignator", "CodingSchemeVersion", "CodeMeaning", "LongCodeValue"}


def clean(dataset: Dataset) -> Dataset:
    made = deidentified(dataset, SUBJECT)
    assert isinstance(made, Dataset)
    return made


def identifying() -> list[tuple[int, str, str]]:
    """Every attribute of the profile's table with a value that can be marked: tag, VR, keyword."""
    from dicomanonymizer.dicomfields_selector import dicom_anonymization_database_selector

    table = {tag for tag in dicom_anonymization_database_selector("dicomfields_2024b")["ALL_TAGS"] if len(tag) == 2}
    wanted = []
    for tag, (vr, _, _, _, keyword) in DicomDictionary.items():
        number = Tag(tag)
        # every name, date, time and free text of the dictionary, and all that the profile lists
        text = vr in TEXTS and vr not in ("CS", "UI", "OB") and keyword not in CODED
        if keyword and number.group > 2 and vr in TEXTS and (text or (number.group, number.element) in table):
            wanted.append((tag, vr, keyword))
    return wanted


TORTURED = identifying()
SPARED = {
    "Manufacturer", "ManufacturerModelName", "ConvolutionKernel", "RescaleType", "AcquisitionType", "PixelPresentation",
    "DimensionDescriptionLabel", "SpecificCharacterSet", "SOPClassUID",
}  # fmt: skip


def test_no_value_of_any_identifying_attribute_remains_neither_at_the_top_nor_in_a_sequence() -> None:
    image = ct_series(slices=1)[0]
    item = Dataset()
    for tag, vr, keyword in TORTURED:
        if keyword not in SPARED and keyword != "BurnedInAnnotation" and keyword != "ConversionType":
            image.add(DataElement(tag, vr, TEXTS[vr]))
            item.add(DataElement(tag, vr, TEXTS[vr]))
    image.SharedFunctionalGroupsSequence = [item]
    image.ReferencedImageSequence = [item]
    image.add_new(0x00090010, "LO", "ZZSENTINEL")
    image.add_new(0x00091001, "LO", "ZZSENTINEL")
    image.add_new(0x60003000, "OW", b"ZZSENTINEL")
    image.SOPClassUID = image.file_meta.MediaStorageSOPClassUID
    assert len(TORTURED) > 1000
    written = as_bytes(clean(image))
    assert [mark for mark in MARKS if mark in written] == []


@pytest.mark.parametrize("kind", ["ct", "seg"])
def test_what_is_made_is_a_valid_object_that_says_how_it_was_made(kind: str, tmp_path: Path) -> None:
    ct = ct_series(slices=4, patient_id="ZZSENTINEL", patient_name="ZZ^SENTINEL")
    made = clean(ct[0] if kind == "ct" else seg_of(ct))
    assert errors_of_dciodvfy(made, tmp_path) == []
    assert (made.PatientIdentityRemoved, made.LongitudinalTemporalInformationModified) == ("YES", "MODIFIED")
    assert [code.CodeValue for code in made.DeidentificationMethodCodeSequence] == ["113100", "113107"]
    assert made.PatientID == made.PatientName == SUBJECT.pseudonym
    assert b"SENTINEL" not in as_bytes(made)


def test_the_segmentation_still_lies_on_its_ct_with_the_same_pixels() -> None:
    ct = ct_series(slices=4)
    seg = seg_of(ct)
    before = read_case(ct, seg, inputs_digest="")
    after = read_case([clean(image) for image in ct], clean(seg), inputs_digest="")
    assert isinstance(before, Case) and isinstance(after, Case)
    assert np.array_equal(before.lesions[0].mask.voxels, after.lesions[0].mask.voxels)
    assert np.array_equal(np.asarray(before.ct.hu), np.asarray(after.ct.hu))
    assert before.ct_key != after.ct_key
    assert before.lesions[0].mask.offset == after.lesions[0].mask.offset


def test_days_between_two_studies_of_a_patient_stay_and_their_dates_do_not() -> None:
    from datetime import date

    days = [date(2024, 2, 1), date(2024, 3, 1)]
    made = [clean(ct_series(slices=1, study_date=day)[0]) for day in days]
    moved = [date.fromisoformat(one.StudyDate) for one in made]
    assert (moved[1] - moved[0]).days == 29
    assert moved[0] != days[0] and 1 <= (days[0] - moved[0]).days <= 365


def test_pixels_with_burned_in_text_and_other_objects_are_refused() -> None:
    image = ct_series(slices=1)[0]
    image.BurnedInAnnotation = "YES"
    assert isinstance(deidentified(image, SUBJECT), Rejected)
    image.BurnedInAnnotation = "NO"
    image.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    refused = deidentified(image, SUBJECT)
    assert isinstance(refused, Rejected) and refused.code == "COH-008"


def test_a_scanner_whose_name_is_chinese_keeps_it() -> None:
    ct = ct_series(slices=1)[0]
    ct.SpecificCharacterSet = "GB18030"
    ct.Manufacturer = "联影医疗"
    made = dcmread(BytesIO(as_bytes(clean(dcmread(BytesIO(as_bytes(ct)))))))
    assert (made.Manufacturer, made.SpecificCharacterSet) == ("联影医疗", "ISO_IR 192")


def test_what_cannot_be_decoded_or_written_is_left_out() -> None:
    ct = ct_series(slices=1)[0]
    tag = Tag("SamplesPerPixelUsed")
    ct[tag] = RawDataElement(tag, "US", 1, b"\1", 0, False, True)
    ct[Tag("PatientPosition")] = DataElement(Tag("PatientPosition"), "CS", "\udcff", validation_mode=config.IGNORE)
    ct.add_new(0x00001000, "UI", "1.2.3")
    made = clean(ct)
    assert 0x00001000 not in made
    assert "SamplesPerPixelUsed" not in made and "PatientPosition" not in made
    assert dcmread(BytesIO(as_bytes(made))).Rows == ct.Rows
