from io import BytesIO
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag

from pipelines.domain.inherited import INHERITED
from pipelines.domain.outcome import ResultObject
from pipelines.outputs.case_report import case_report
from pipelines.outputs.check import check
from pipelines.outputs.inherited import inherited
from pipelines.outputs.measurement_report import feature_report
from pipelines.outputs.parametric_map import map_objects
from pipelines.outputs.segmentation import segmentation_objects
from tests.pipelines.outputs import synthetic
from tests.pipelines.outputs.tools import dcentvfy_errors, dciodvfy_errors


def report_for(**of_ct: object) -> ResultObject:
    ct = synthetic.ct_series((4, 16, 16), **of_ct)  # type: ignore[arg-type]
    case = synthetic.case_of(ct, synthetic.balls((4, 16, 16), 1))
    (made,) = feature_report(synthetic.findings_of(case, synthetic.feature_names()[:3]), synthetic.PRODUCER)
    return made


def test_a_chinese_name_in_gb18030_arrives_intact_in_utf_8() -> None:
    name = "Wang^XiaoDong=王^小东"
    made = report_for(charset="GB18030", name=name)
    read = dcmread(BytesIO(made.data))
    assert read.SpecificCharacterSet == "ISO_IR 192"
    assert str(read.PatientName) == name
    assert name.encode() in made.data


@pytest.mark.parametrize(
    ("charset", "name"),
    [
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        ("ISO_IR 100", "Müller^Jürgen"),
        ("ISO_IR 144", "Иванов^Пётр"),
    ],
)
def test_names_in_other_character_sets_arrive_intact(charset: str | list[str], name: str) -> None:
    assert str(dcmread(BytesIO(report_for(charset=charset, name=name).data)).PatientName) == name


def test_attributes_of_type_2_are_there_even_when_the_ct_has_none() -> None:
    made = inherited(Dataset())
    assert [element.keyword for element in made] == [
        "StudyDate",
        "StudyTime",
        "AccessionNumber",
        "ReferringPhysicianName",
        "PatientName",
        "PatientID",
        "PatientBirthDate",
        "PatientSex",
        "StudyID",
    ]
    assert all(element.is_empty for element in made)


def test_decimal_strings_keep_the_form_in_which_the_ct_has_them() -> None:
    assert str(dcmread(BytesIO(report_for().data)).PatientWeight) == "70.50"


def test_sequences_are_taken_over_with_their_text_decoded() -> None:
    header = Dataset()
    header.SpecificCharacterSet = "GB18030"
    other = Dataset()
    other.PatientID = "编号"
    other.IssuerOfPatientID = "医院"
    header.OtherPatientIDsSequence = [other]
    taken = inherited(header).OtherPatientIDsSequence[0]
    assert (taken.PatientID, taken.IssuerOfPatientID) == ("编号", "医院")


def test_private_and_pixel_attributes_are_not_taken_over() -> None:
    header = Dataset()
    header.add_new(0x00091001, "LO", "vendor")
    header.KVP = "120"
    header.PatientID = "1"
    assert {element.keyword for element in inherited(header)} <= set(INHERITED)
    assert "KVP" not in inherited(header)


@pytest.mark.parametrize(
    ("keyword", "vr", "value"), [("PregnancyStatus", "US", b"123"), ("PatientSize", "XX", b"1.70")]
)
def test_a_value_that_cannot_be_decoded_counts_as_absent(keyword: str, vr: str, value: bytes) -> None:
    header = Dataset()
    tag = Tag(keyword)
    header[tag] = RawDataElement(tag, vr, len(value), value, 0, False, True)
    assert keyword not in inherited(header)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_values_that_the_ct_should_not_have_are_passed_on_as_they_are() -> None:
    ct = synthetic.ct_series((4, 16, 16))
    for keyword, vr, value in (
        ("PatientWeight", "DS", b"70,5"),
        ("PatientAge", "AS", b"75"),
        ("StudyDate", "DA", b"2026"),
    ):
        tag = Tag(keyword)
        ct[0][tag] = RawDataElement(tag, vr, len(value), value, 0, False, True)
    findings = synthetic.findings_of(
        synthetic.case_of(ct, synthetic.balls((4, 16, 16), 1)), synthetic.feature_names()[:3]
    )
    (made,) = feature_report(findings, synthetic.PRODUCER)
    assert check(made, findings) is None
    read = dcmread(BytesIO(made.data))
    assert (str(read.PatientWeight), read.PatientAge, read.StudyDate) == ("70,5", "75", "2026")


def test_a_header_with_much_in_it_passes_the_checks_of_others_and_our_own(tmp_path: Path) -> None:
    other = Dataset()
    other.PatientID = "OLD-1"
    other.IssuerOfPatientID = "CLINIC"
    other.TypeOfPatientID = "TEXT"
    procedure = Dataset()
    procedure.CodeValue = "CTCH"
    procedure.CodingSchemeDesignator = "99LOCAL"
    procedure.CodeMeaning = "CT of the chest"
    ct = synthetic.ct_series(
        (4, 16, 16),
        TimezoneOffsetFromUTC="-0330",
        OtherPatientIDsSequence=[other],
        OtherPatientNames=["Maiden^Name", "Nick^Name"],
        ProcedureCodeSequence=[procedure],
        PhysiciansOfRecord=["One^Doctor", "Two^Doctor"],
        AdmissionID="",
        SmokingStatus="YES",
        ClinicalTrialSponsorName="Sponsor",
        ClinicalTrialProtocolID="NCT1",
        ClinicalTrialProtocolName="Trial",
        ClinicalTrialSiteID="1",
        ClinicalTrialSiteName="Site",
        ClinicalTrialSubjectID="S1",
        ClinicalTrialTimePointID="T0",
        LongitudinalTemporalInformationModified="UNMODIFIED",
    )
    masks = synthetic.balls((4, 16, 16), 1)
    findings = synthetic.findings_of(synthetic.case_of(ct, masks, referable=False), synthetic.feature_names()[:3])
    paths = []
    for number, received in enumerate((*ct, synthetic.seg_of(ct, masks))):
        paths.append(tmp_path / f"received-{number}.dcm")
        paths[-1].write_bytes(synthetic.part10(received))
    for build in (feature_report, case_report, map_objects, segmentation_objects):
        (made,) = build(findings, synthetic.PRODUCER)
        assert check(made, findings) is None
        paths.append(tmp_path / f"{made.kind}.dcm")
        paths[-1].write_bytes(made.data)
        assert dciodvfy_errors(paths[-1]) == []
    assert dcentvfy_errors(paths) == []
