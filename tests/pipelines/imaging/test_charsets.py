"""Names and other text from the bytes of a CT to the bytes of a report."""

import subprocess
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from pipelines.domain.case import Case
from pipelines.domain.reasons import Rejected
from pipelines.imaging.case import read_case
from pipelines.imaging.charsets import decoded, text_of
from pipelines.outputs.case_report import case_report
from pipelines.outputs.check import check
from tests.dicom import as_bytes, ct_series, seg_of
from tests.pipelines.outputs import synthetic
from tests.tools import tool

CT = ct_series(slices=5)
SEG = seg_of(CT)


def received(
    text: dict[str, bytes], declared: Sequence[str], syntax: str = ExplicitVRLittleEndian
) -> tuple[list[Dataset], Dataset]:
    """A CT series and its segmentation as they arrive, with these bytes in the CT's attributes."""
    images = []
    for plain in CT:
        image = dcmread(BytesIO(as_bytes(plain)))
        image.SpecificCharacterSet = list(declared)
        image.file_meta.TransferSyntaxUID = syntax
        # pydicom would encode text in its own way: it writes letters of the same length, which give way to the bytes
        letters = {
            keyword: letter * (len(text[keyword]) // 2 * 2 + 2) for keyword, letter in zip(text, "QXZ", strict=False)
        }
        for keyword, placeholder in letters.items():
            setattr(image, keyword, placeholder)
        buffer = BytesIO()
        image.save_as(buffer, implicit_vr=syntax == ImplicitVRLittleEndian, enforce_file_format=True)
        data = buffer.getvalue()
        for keyword, placeholder in letters.items():
            assert data.count(placeholder.encode()) == 1
            data = data.replace(placeholder.encode(), text[keyword].ljust(len(placeholder)))
        images.append(dcmread(BytesIO(data)))
    return images, dcmread(BytesIO(as_bytes(SEG)))


def report(case: Case | Rejected) -> bytes:
    assert isinstance(case, Case), case
    findings = synthetic.findings_of(case, synthetic.feature_names()[:3])
    (made,) = case_report(findings, synthetic.PRODUCER)
    assert check(made, findings) is None
    return made.data


def dumped(data: bytes, folder: Path, program: str) -> str:
    path = folder / "report.dcm"
    path.write_bytes(data)
    command = [tool(program, "dcmtk"), *(["+U8"] if program == "dcmdump" else []), str(path)]
    return subprocess.run(command, capture_output=True, check=True).stdout.decode("utf-8")


NAMES = {
    "GB18030": (["GB18030"], "Wang^XiaoMing=王^小明", "gb18030"),
    "GBK": (["GBK"], "王^小明", "gbk"),
    "four bytes": (["GB18030"], "𠮷^𬱖", "gb18030"),
    "UTF-8": (["ISO_IR 192"], "王^小明", "utf-8"),
    "UTF-8 undeclared": ([""], "王^小明", "utf-8"),
    "UTF-8 as Latin-1": (["ISO_IR 100"], "Müller^Jürgen", "utf-8"),
    "Latin-1": (["ISO_IR 100"], "Müller^Jürgen", "latin-1"),
    "Cyrillic": (["ISO_IR 144"], "Иванов^Пётр", "iso8859-5"),
}


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
@pytest.mark.parametrize("which", NAMES)
def test_names_arrive_intact_in_the_report(tmp_path: Path, which: str, syntax: str) -> None:
    declared, name, codec = NAMES[which]
    text = {"PatientName": name.encode(codec), "StudyDescription": f"CT {name[-2:]}".encode(codec)}
    images, segmentation = received(text, declared, syntax)
    data = report(read_case(images, segmentation, inputs_digest="d"))
    read = dcmread(BytesIO(data))
    assert read.SpecificCharacterSet == "ISO_IR 192"
    assert (str(read.PatientName), read.StudyDescription) == (name, f"CT {name[-2:]}")
    assert name.encode() in data
    for program in ("dcmdump", "dsrdump"):
        assert name in dumped(data, tmp_path, program)


@pytest.mark.parametrize(
    ("declared", "value", "name"),
    [
        (["", "ISO 2022 IR 58"], b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab", "Zhang^XiaoDong=张^小东"),
        (["", "ISO 2022 IR 87"], b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B", "Yamada^Tarou=山田^太郎"),
        (["ISO 2022 IR 13", "ISO 2022 IR 87"], b"\xd4\xcf\xc0\xde=\x1b$B;3ED\x1b(J", "ﾔﾏﾀﾞ=山田"),
        (["", "ISO 2022 IR 149"], b"Hong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7", "Hong=洪^吉洞"),
        (["", "ISO 2022 IR 149"], b"Hong=\x1b$)C\xfb\xf3^\xd1\xce\xd4\xd7", "Hong=洪^吉洞"),
    ],
)
def test_names_with_escape_sequences_arrive_intact(
    tmp_path: Path, declared: list[str], value: bytes, name: str
) -> None:
    images, segmentation = received({"PatientName": value, "InstitutionName": value}, declared)
    data = report(read_case(images, segmentation, inputs_digest="d"))
    assert str(dcmread(BytesIO(data)).PatientName) == name
    assert name in dumped(data, tmp_path, "dcmdump")


@pytest.mark.parametrize("declared", [["ISO_IR 100"], [""], ["ISO_IR 192"]])
def test_gbk_that_is_not_declared_rejects_the_case_until_the_site_says_so(declared: list[str]) -> None:
    images, segmentation = received({"PatientName": "王^小明".encode("gbk")}, declared)
    outcome = read_case(images, segmentation, inputs_digest="d")
    assert isinstance(outcome, Rejected)
    assert outcome.code == "TXT-001"
    assert "PatientName" in outcome.detail
    assert not any(char in str(outcome) for char in "王小明Íõ")
    images, segmentation = received({"PatientName": "王^小明".encode("gbk")}, declared)
    again = read_case(images, segmentation, inputs_digest="d", assume_charset="GB18030")
    assert str(dcmread(BytesIO(report(again))).PatientName) == "王^小明"


def test_text_that_no_result_takes_over_rejects_nothing() -> None:
    images, segmentation = received({"Manufacturer": "联影".encode("gbk")}, ["ISO_IR 100"])
    assert isinstance(read_case(images, segmentation, inputs_digest="d"), Case)


def test_another_way_to_read_the_same_instances_gives_other_uids() -> None:
    plain = read_case(*received({}, ["ISO_IR 192"]), inputs_digest="d")
    assumed = read_case(*received({}, ["ISO_IR 192"]), inputs_digest="d", assume_charset="GB18030")
    assert isinstance(plain, Case)
    assert isinstance(assumed, Case)
    assert plain.inputs_digest == "d" != assumed.inputs_digest


@pytest.mark.parametrize("variant", ["charset_gb18030", "charset_utf8"])
def test_the_collected_chinese_cases_go_through_to_the_report(shared_data: Path, tmp_path: Path, variant: str) -> None:
    folder = shared_data / "variants" / variant
    images = [dcmread(file) for file in sorted((folder / "ct").glob("*.dcm"))]
    data = report(read_case(images, dcmread(folder / "seg.dcm"), inputs_digest="d"))
    assert str(dcmread(BytesIO(data)).PatientName) == "Wang^XiaoMing=王^小明"
    assert "Wang^XiaoMing=王^小明" in dumped(data, tmp_path, "dcmdump")


@pytest.mark.parametrize(("file", "name"), [("chrX1", "Wang^XiaoDong=王^小東="), ("chrX2", "Wang^XiaoDong=王^小东=")])
def test_the_collected_headers_are_decoded(shared_data: Path, file: str, name: str) -> None:
    dataset = dcmread(shared_data / f"objects/charset/{file}.dcm")
    assert text_of(dataset, "PatientName") == name
    made, unreadable = decoded(dataset)
    assert (str(made.PatientName), unreadable) == (name.rstrip("="), ())


def test_a_japanese_ct_is_decoded(shared_data: Path) -> None:
    _, unreadable = decoded(dcmread(shared_data / "objects/charset/J2K_pixelrep_mismatch.dcm"))
    assert unreadable == ()


def test_a_sequence_item_has_the_character_set_of_what_is_around_it_or_its_own() -> None:
    outer, inner, other = Dataset(), Dataset(), Dataset()
    outer.SpecificCharacterSet = "GB18030"
    other.SpecificCharacterSet = "ISO_IR 192"
    for item, codec in ((inner, "gb18030"), (other, "utf-8")):
        value = "医院".encode(codec)
        tag = Tag("IssuerOfPatientID")
        item[tag] = RawDataElement(tag, "LO", len(value), value, 0, False, True)
    outer.OtherPatientIDsSequence = [inner, other]
    made, unreadable = decoded(outer)
    assert [item.IssuerOfPatientID for item in made.OtherPatientIDsSequence] == ["医院", "医院"]
    assert unreadable == ()


def test_values_are_divided_after_they_are_decoded() -> None:
    dataset = Dataset()
    dataset.SpecificCharacterSet = "GB18030"
    # the second byte of the first character is that of a backslash
    value = b"\x81\x5c\\" + "丁".encode("gb18030")
    tag = Tag("OtherPatientNames")
    dataset[tag] = RawDataElement(tag, "PN", len(value), value, 0, False, True)
    made, _ = decoded(dataset)
    assert [str(name) for name in made.OtherPatientNames] == [b"\x81\x5c".decode("gb18030"), "丁"]
