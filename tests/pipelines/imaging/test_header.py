import random
import struct
import zlib
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from pipelines.domain.instance import InstanceRef
from pipelines.domain.reasons import Rejected
from pipelines.imaging.header import parse_ref
from tests.dicom import as_bytes, ct_series, rtstruct_of, seg_of

CT = ct_series(slices=6)
SEG = seg_of(CT)


def written(dataset: Dataset, transfer_syntax: str) -> bytes:
    dataset = dcmread(BytesIO(as_bytes(dataset)))
    dataset.file_meta.TransferSyntaxUID = transfer_syntax
    buffer = BytesIO()
    little = transfer_syntax != ExplicitVRBigEndian
    if not little:
        dataset.PixelData = dataset.pixel_array.byteswap().tobytes() if "Rows" in dataset else b""
    dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()


def ref_of(data: bytes) -> InstanceRef:
    ref = parse_ref(data)
    assert isinstance(ref, InstanceRef), ref
    return ref


def why_rejected(data: bytes) -> str:
    outcome = parse_ref(data)
    assert isinstance(outcome, Rejected)
    assert outcome.code == "RCV-001"
    return outcome.detail


@pytest.mark.parametrize(
    "syntax",
    [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian],
)
def test_a_ct_header_is_read_in_every_uncompressed_transfer_syntax(syntax: str) -> None:
    ref = ref_of(written(CT[2], syntax))
    assert ref.sop_instance == CT[2].SOPInstanceUID
    assert ref.key.series == CT[2].SeriesInstanceUID
    assert ref.transfer_syntax == syntax
    assert ref.frame_of_reference == CT[2].FrameOfReferenceUID
    assert ref.plane is not None
    assert ref.plane.position_mm == tuple(CT[2].ImagePositionPatient)


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian])
def test_a_segmentation_names_its_series_and_the_images_of_its_frames(syntax: str) -> None:
    ref = ref_of(written(SEG, syntax))
    assert ref.references.series == (CT[0].SeriesInstanceUID,)
    assert set(ref.references.instances) <= {image.SOPInstanceUID for image in CT}
    assert ref.frames == SEG.NumberOfFrames
    assert len(ref.references.instances) >= ref.frames


def test_a_structure_set_names_series_images_and_frame_of_reference() -> None:
    ref = ref_of(as_bytes(rtstruct_of(CT)))
    assert ref.references.series == (CT[0].SeriesInstanceUID,)
    assert len(ref.references.instances) == len(CT)
    assert ref.frame_of_reference == CT[0].FrameOfReferenceUID


def test_two_encodings_of_one_patient_id_have_one_key() -> None:
    utf8, gb18030 = dcmread(BytesIO(as_bytes(CT[0]))), dcmread(BytesIO(as_bytes(CT[0])))
    for dataset, charset in ((utf8, "ISO_IR 192"), (gb18030, "GB18030")):
        dataset.SpecificCharacterSet = charset
        dataset.PatientID = "住院-17"
    assert ref_of(as_bytes(utf8)).patient_key == ref_of(as_bytes(gb18030)).patient_key


@pytest.mark.parametrize("cut", [1, 100, 1000, 2000])
def test_a_cut_instance_is_rejected_with_the_place(cut: int) -> None:
    assert "byte" in why_rejected(as_bytes(CT[0])[:-cut])


def test_a_missing_uid_is_named() -> None:
    nameless = dcmread(BytesIO(as_bytes(CT[0])))
    nameless.SeriesInstanceUID = ""
    assert "(0020,000E)" in why_rejected(as_bytes(nameless))


def test_a_path_in_place_of_a_uid_is_rejected() -> None:
    data = as_bytes(CT[0])
    uid = CT[0].SeriesInstanceUID.encode()
    evil = b"../../etc/passwd".ljust(len(uid), b"x")
    assert "no UID" in why_rejected(data.replace(uid, evil))


def _nested(depth: int) -> bytes:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = CT[0].SOPClassUID
    meta.MediaStorageSOPInstanceUID = CT[0].SOPInstanceUID
    empty = Dataset()
    empty.file_meta = meta
    buffer = BytesIO()
    dcmwrite(buffer, empty, enforce_file_format=True)
    sequence = struct.pack("<HH2sHI", 0x0008, 0x1140, b"SQ", 0, 0xFFFFFFFF)
    item = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    return buffer.getvalue() + (sequence + item) * depth


def test_sequences_nested_20000_deep_are_rejected_in_no_time() -> None:
    assert "deeper" in why_rejected(_nested(20_000))


def test_a_deflate_bomb_is_inflated_to_a_limit_only() -> None:
    bomb = dcmread(BytesIO(as_bytes(CT[0])))
    head = written(bomb, DeflatedExplicitVRLittleEndian)
    start = head.index(b"DICM") + 4
    meta_length = struct.unpack_from("<I", head, start + 8)[0]
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = packer.compress(struct.pack("<HH2sHI", 0x0009, 0x1001, b"OB", 0, 2**31 - 2))
    for _ in range(200):
        body += packer.compress(bytes(2**20))
    # the announced value is cut at the limit, and so is what is known of the instance
    assert "missing" in why_rejected(head[: start + 12 + meta_length] + body + packer.flush())


@settings(max_examples=300, deadline=None)
@given(st.randoms(use_true_random=False), st.sampled_from([as_bytes(CT[0]), as_bytes(SEG)]))
def test_mutated_bytes_give_a_reference_or_a_reason_and_nothing_else(rng: random.Random, data: bytes) -> None:
    mutated = bytearray(data)
    for _ in range(rng.randint(1, 20)):
        where = rng.randrange(132, len(mutated))
        match rng.randrange(3):
            case 0:
                mutated[where] = rng.randrange(256)
            case 1:
                del mutated[where : where + rng.randrange(1, 40)]
            case _:
                mutated[where:where] = rng.randbytes(rng.randrange(1, 40))
    assert isinstance(parse_ref(bytes(mutated)), InstanceRef | Rejected)


def test_a_segmentation_tells_where_its_frames_lie_and_an_image_whether_it_is_original() -> None:
    ref = ref_of(as_bytes(SEG))
    positions = {
        tuple(float(v) for v in frame.PlanePositionSequence[0].ImagePositionPatient)
        for frame in SEG.PerFrameFunctionalGroupsSequence
    }
    assert set(ref.frame_positions_mm) == positions
    image = dcmread(BytesIO(as_bytes(CT[0])))
    assert ref_of(as_bytes(image)).original is (image.ImageType[:2] == ["ORIGINAL", "PRIMARY"])
    image.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    assert ref_of(as_bytes(image)).original
    image.ImageType = ["DERIVED", "SECONDARY", "MPR"]
    assert not ref_of(as_bytes(image)).original


@pytest.mark.parametrize("position", [b"nan\\1\\2 ", b"1\\2 ", b"x\\y\\z "])
def test_a_frame_that_lies_nowhere_is_passed_over(position: bytes) -> None:
    data = as_bytes(SEG)
    item = SEG.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence[0]
    there = "\\".join(str(value) for value in item.ImagePositionPatient).encode()
    assert there in data
    before, after = ref_of(data), ref_of(data.replace(there, position.ljust(len(there))[: len(there)]))
    assert len(after.frame_positions_mm) == len(before.frame_positions_mm) - 1


@pytest.mark.parametrize(
    "orientation", ["0\\0\\0\\0\\0\\0", "1\\0\\0\\1\\0\\0", "1e200\\0\\0\\0\\1e200\\0", "nan\\0\\0\\0\\1\\0"]
)
def test_a_plane_without_two_directions_is_none(orientation: str) -> None:
    data = as_bytes(CT[0])
    at = data.index(b"\x20\0\x37\0DS") + 8
    length = int.from_bytes(data[at - 2 : at], "little")
    written = orientation.encode().ljust(len(orientation) + len(orientation) % 2)
    data = data[: at - 2] + len(written).to_bytes(2, "little") + written + data[at + length :]
    assert ref_of(as_bytes(CT[0])).plane is not None
    assert ref_of(data).plane is None


@pytest.mark.parametrize(
    ("tag", "vr", "other"),
    [
        (b"\x08\0\x18\0", b"UI", b"OB"),
        (b"\x08\0\x16\0", b"UI", b"LO"),
        (b"\x20\0\x0d\0", b"UI", b"FD"),
        (b"\x20\0\x0e\0", b"UI", b"SH"),
        (b"\x08\0\x05\0", b"CS", b"PN"),
        (b"\x08\0\x05\0", b"CS", b"FD"),
    ],
)
def test_an_identity_in_another_value_representation_is_rejected(tag: bytes, vr: bytes, other: bytes) -> None:
    # pydicom would give bytes, numbers or an error in place of the UID
    data = written(CT[0], ExplicitVRLittleEndian)
    at = data.index(tag + vr, 144 + struct.unpack_from("<I", data, 140)[0])
    length = data[at + 6 : at + 8]
    # the longer head of OB counts its length in four bytes
    head = tag + other + (b"\0\0" + length + b"\0\0" if other == b"OB" else length)
    why = "no coded string" if vr == b"CS" else "has another value representation"
    assert why in why_rejected(data[:at] + head + data[at + 8 :])


def test_uids_of_unknown_value_representation_are_taken_as_uids() -> None:
    data = written(CT[0], ExplicitVRLittleEndian)
    tag = b"\x20\0\x0e\0"
    at = data.index(tag + b"UI")
    unknown = data[:at] + tag + b"UN\0\0" + data[at + 6 : at + 8] + b"\0\0" + data[at + 8 :]
    assert ref_of(unknown).key.series == CT[0].SeriesInstanceUID
    assert dcmread(BytesIO(unknown)).SeriesInstanceUID == CT[0].SeriesInstanceUID


def test_a_character_set_that_is_no_coded_string_is_rejected() -> None:
    # Python looks the name up, and fails on the zero
    data = written(CT[0], ExplicitVRLittleEndian)
    at = data.index(b"\x08\0\x05\0CS") + 8
    assert "(0008,0005)" in why_rejected(data[:at] + b"ISO\0" + data[at + 4 :])


def test_a_character_set_of_an_item_is_looked_at_too() -> None:
    copy = dcmread(BytesIO(written(SEG, ExplicitVRLittleEndian)))
    copy.SegmentSequence[0].SpecificCharacterSet = "GB18030"
    data = written(copy, ExplicitVRLittleEndian)
    ref_of(data)
    at = data.rindex(b"\x08\0\x05\0CS") + 8
    assert "(0008,0005)" in why_rejected(data[:at] + b"GB\x0018030" + data[at + 8 :])


def test_a_sequence_in_place_of_a_character_set_is_rejected() -> None:
    data = written(CT[0], ExplicitVRLittleEndian)
    at = data.index(b"\x08\0\x05\0CS")
    end = at + 8 + data[at + 6]
    sequence = b"\x08\0\x05\0SQ\0\0\x08\0\0\0" + b"\xfe\xff\x00\xe0\0\0\0\0"
    assert "(0008,0005) is a sequence" in why_rejected(data[:at] + sequence + data[end:])


def test_a_uid_of_the_file_meta_information_in_another_value_representation_is_rejected() -> None:
    # pydicom opens no file whose transfer syntax is of a representation that it does not know
    data = as_bytes(CT[0])
    for number in (2, 3, 16):
        element = struct.pack("<HH2s", 2, number, b"UI")
        assert data.count(element) == 1
        assert "value representation" in why_rejected(data.replace(element, element[:4] + b"UY"))


def test_a_transfer_syntax_that_is_no_uid_is_rejected() -> None:
    data = written(CT[0], ExplicitVRLittleEndian)
    assert "transfer syntax" in why_rejected(data.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.1000\xc9.1.2.1\0", 1))


def private_elements(number: int) -> bytes:
    return struct.pack("<HH2sH", 0x0009, 0x1001, b"LO", 0) * number


@pytest.mark.parametrize("in_items", [False, True], ids=["side by side", "one in each item"])
def test_elements_up_to_a_million_are_walked_and_not_one_more(in_items: bool) -> None:
    data = as_bytes(ct_series(slices=1, rows=2, columns=2)[0])
    own = sum(1 for _ in dcmread(BytesIO(data)))
    left = 999_999 - own
    if in_items:
        # the sequence, then an item and its element in turns
        items = struct.pack("<HHI", 0xFFFE, 0xE000, 8) + private_elements(1)
        many = items * ((left - 1) // 2) + struct.pack("<HHI", 0xFFFE, 0xE000, 0) * ((left - 1) % 2)
        added = struct.pack("<HH2sHI", 0x7FE1, 0x1001, b"SQ", 0, len(many)) + many
    else:
        added = private_elements(left)
    ref_of(data + added)
    assert "more than 1000000 elements" in why_rejected(data + added + private_elements(1))


def test_what_a_series_has_in_common_is_told_apart_from_what_another_one_has() -> None:
    # what was read of one instance is remembered for the next
    other = dcmread(BytesIO(as_bytes(CT[0])))
    other.PatientID, other.IssuerOfPatientID = "another", "hospital"
    other.SeriesInstanceUID, other.StudyInstanceUID, other.FrameOfReferenceUID = "1.2.3", "1.2.4", "1.2.5"
    other.ImageType = ["DERIVED", "SECONDARY", "LOCALIZER"]
    other.ImageOrientationPatient = [0, 1, 0, 1, 0, 0]
    one, another, again = (ref_of(as_bytes(image)) for image in (CT[0], other, CT[0]))
    assert one == again
    assert one.patient_key != another.patient_key
    assert another.key.series == "1.2.3"
    assert another.key.study == "1.2.4"
    assert another.frame_of_reference == "1.2.5"
    assert another.localizer
    assert not another.original
    assert another.plane is not None
    assert another.plane.orientation == (0, 1, 0, 1, 0, 0)
