import random
import struct
import zlib
from collections.abc import Callable, Sequence
from io import BytesIO

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.encaps import encapsulate
from pydicom.pixels import get_encoder
from pydicom.uid import RLELossless

from pipelines.domain.lesion_rule import LesionRule
from pipelines.domain.reasons import Rejected
from pipelines.domain.volume import CtVolume
from pipelines.imaging.ct import ReadCt, read_ct
from pipelines.imaging.seg import Drawn, read_segmentation
from pipelines.imaging.seg_pixels import DEFLATED_IMAGE_FRAME, MAX_FRAME_PIXELS
from tests.dicom import as_bytes, centred_ball, ct_series, seg_of

SHAPE = (10, 32, 32)
BALL = centred_ball(SHAPE)
SMALL = centred_ball(SHAPE, fraction=0.3)


def volume(ct: Sequence[Dataset]) -> CtVolume:
    read = read_ct(ct)
    assert isinstance(read, ReadCt)
    return read.volume


CT = ct_series()
VOLUME = volume(CT)


def drawn(segmentation: Dataset, ct: CtVolume = VOLUME, **options: LesionRule) -> Drawn:
    outcome = read_segmentation(segmentation, ct, **options)
    assert isinstance(outcome, Drawn), outcome
    return outcome


def masks(found: Drawn, ct: CtVolume = VOLUME) -> dict[int, NDArray[np.bool_]]:
    return {lesion.number: lesion.mask.on(ct.grid) for lesion in found.lesions}


def codes(found: Drawn) -> list[str]:
    return [note.code for note in found.notes]


def code(outcome: Drawn | Rejected) -> str:
    assert isinstance(outcome, Rejected), outcome
    return outcome.code


def encapsulated(segmentation: Dataset, syntax: str, encode: Callable[[NDArray[np.uint8]], bytes]) -> Dataset:
    """The segmentation with each frame encoded by `encode`."""
    frames = [encode(frame) for frame in segmentation.pixel_array]
    segmentation.file_meta.TransferSyntaxUID = syntax
    segmentation.PixelData = encapsulate([frame + b"\0" * (len(frame) % 2) for frame in frames])
    segmentation["PixelData"].is_undefined_length = True
    return segmentation


def packed(frame: NDArray[np.uint8]) -> bytes:
    return np.packbits(frame, bitorder="little").tobytes()


def pack_bits(data: bytes) -> bytes:
    """PackBits with runs and literals, as PS3.5 G.3.1 has it."""
    out = bytearray()
    position = 0
    while position < len(data):
        run = 1
        while run < 128 and data[position : position + run + 1] == data[position : position + 1] * (run + 1):
            run += 1
        if run > 1:
            out += bytes([257 - run, data[position]])
            position += run
            continue
        end = position + 1
        while end < len(data) and end - position < 128 and data[end] != data[end - 1]:
            end += 1
        out += bytes([end - position - 1]) + data[position:end]
        position = end
    return bytes(out)


def rle_frame(*segments: bytes) -> bytes:
    bodies = [pack_bits(segment) for segment in segments]
    bodies = [body + b"\0" * (len(body) % 2) for body in bodies]
    offsets = [64 + sum(map(len, bodies[:index])) for index in range(len(bodies))]
    return struct.pack("<16L", len(bodies), *offsets, *[0] * (15 - len(bodies))) + b"".join(bodies)


# encodings


@pytest.mark.parametrize("columns", [32, 33], ids=["whole bytes", "frames of 1056 bits"])
@pytest.mark.parametrize(
    ("syntax", "encode"),
    [
        (RLELossless, lambda frame: rle_frame(packed(frame))),
        (RLELossless, lambda frame: rle_frame(frame.astype(np.uint8).tobytes())),
        (DEFLATED_IMAGE_FRAME, lambda frame: zlib.compress(packed(frame), wbits=-15)),
    ],
    ids=["RLE of bits", "RLE of bytes", "deflated"],
)
def test_compressed_bits_are_the_same_lesions_and_get_a_segmentation_that_others_read(
    columns: int, syntax: str, encode: Callable[[NDArray[np.uint8]], bytes]
) -> None:
    shape = (10, 33, columns)
    ct = ct_series(rows=33, columns=columns)
    wanted = {1: centred_ball(shape), 2: centred_ball(shape, fraction=0.3)}
    plain = seg_of(ct, wanted)
    assert drawn(plain, volume(ct)).referable
    found = drawn(encapsulated(plain, syntax, encode), volume(ct))
    assert all(np.array_equal(mask, wanted[number]) for number, mask in masks(found, volume(ct)).items())
    assert len(found.lesions) == 2
    assert not found.referable


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("compressed", [False, True])
def test_label_maps_of_both_widths_are_read(bits: int, *, compressed: bool) -> None:
    segmentation = seg_of(CT, {1: BALL & ~SMALL, 2: SMALL}, labelmap=True)
    values = segmentation.pixel_array
    segmentation.BitsAllocated = segmentation.BitsStored = bits
    segmentation.HighBit = bits - 1
    if bits == 16:
        for item, number in zip(list(segmentation.SegmentSequence)[-2:], (300, 4000), strict=True):
            item.SegmentNumber = number
        values = np.choose(values, [0, 300, 4000])
    stored = values.astype(f"<u{bits // 8}")
    segmentation.PixelData = stored.tobytes()
    if compressed:
        planes = [stored.view(np.uint8).reshape(*stored.shape, bits // 8)[..., byte] for byte in range(bits // 8)]
        frames = [rle_frame(*(plane[n].tobytes() for plane in reversed(planes))) for n in range(len(stored))]
        # pydicom's encoder makes the same from the same frame
        encoder = get_encoder(RLELossless)
        options = {"rows": 32, "columns": 32, "bits_allocated": bits, "bits_stored": bits, "samples_per_pixel": 1}
        options |= {"photometric_interpretation": "MONOCHROME2", "pixel_representation": 0, "number_of_frames": 1}
        frames[0] = encoder.encode(stored[0], **options)
        segmentation.file_meta.TransferSyntaxUID = RLELossless
        segmentation.PixelData = encapsulate(frames)
        segmentation["PixelData"].is_undefined_length = True
    found = masks(drawn(segmentation))
    first, second = found.values()
    assert np.array_equal(first, BALL & ~SMALL)
    assert np.array_equal(second, SMALL)
    assert list(found) == ([1, 2] if bits == 8 else [300, 4000])


@pytest.mark.parametrize(("fill", "maximum"), [(1, 255), (255, 255), (7, 100)])
def test_a_fractional_segmentation_of_two_values_is_a_mask_and_says_so(fill: int, maximum: int) -> None:
    segmentation = seg_of(CT, {1: BALL.astype(np.float32)}, fractional=True)
    segmentation.MaximumFractionalValue = maximum
    segmentation.PixelData = (np.frombuffer(segmentation.PixelData, np.uint8) > 0).astype(np.uint8).tobytes()
    segmentation.PixelData = bytes(fill * byte for byte in segmentation.PixelData)
    found = drawn(segmentation)
    assert np.array_equal(masks(found)[1], BALL)
    (note,) = found.notes
    assert note.code == "SEG-009"
    assert f"only 0 and {fill}" in note.detail
    assert not found.referable


def test_a_probability_of_half_is_inside_and_less_is_outside() -> None:
    share = np.zeros(SHAPE, np.float32)
    share[4, 10, 8:12] = [0.49, 0.503, 0.6, 1.0]
    found = drawn(seg_of(CT, {1: share}, fractional=True))
    assert np.argwhere(masks(found)[1]).tolist() == [[4, 10, 9], [4, 10, 10], [4, 10, 11]]
    assert "from 128 of 255 on" in found.notes[0].detail


def test_occupancy_is_cut_like_probability() -> None:
    segmentation = seg_of(CT, {1: BALL * np.float32(0.7) + SMALL * np.float32(0.3)}, fractional=True)
    segmentation.SegmentationFractionalType = "OCCUPANCY"
    assert np.array_equal(masks(drawn(segmentation))[1], BALL)


# frames


def test_frames_in_any_order_and_without_references_give_the_same_masks() -> None:
    segmentation = seg_of(CT, {1: BALL, 2: SMALL}, referencing="nothing")
    order = list(range(segmentation.NumberOfFrames))
    random.Random(1).shuffle(order)
    pixels = segmentation.pixel_array[order]
    groups = list(segmentation.PerFrameFunctionalGroupsSequence)
    segmentation.PerFrameFunctionalGroupsSequence = [groups[index] for index in order]
    segmentation.PixelData = packed(pixels)
    found = masks(drawn(segmentation))
    assert np.array_equal(found[1], BALL)
    assert np.array_equal(found[2], SMALL)


def test_all_frames_may_be_there_with_empty_ones_among_them() -> None:
    sparse = seg_of(CT, {1: SMALL})
    full = seg_of(CT, {1: np.ones(SHAPE, bool)})
    full.PixelData = packed(SMALL.astype(np.uint8))
    assert full.NumberOfFrames == 10 > sparse.NumberOfFrames
    assert np.array_equal(masks(drawn(full))[1], masks(drawn(sparse))[1])


def test_forty_overlapping_segments_are_forty_lesions() -> None:
    wanted = {number: np.roll(SMALL, number % 5, axis=1) for number in range(1, 41)}
    found = masks(drawn(seg_of(CT, wanted)))
    assert all(np.array_equal(found[number], mask) for number, mask in wanted.items())


def test_one_voxel_and_one_slice_are_lesions() -> None:
    voxel, flat = np.zeros(SHAPE, bool), np.zeros(SHAPE, bool)
    voxel[3, 4, 5] = True
    flat[6, 4:9, 5:9] = True
    found = masks(drawn(seg_of(CT, {1: voxel, 2: flat})))
    assert np.array_equal(found[1], voxel)
    assert np.array_equal(found[2], flat)


def test_what_reaches_over_the_border_is_left_out_and_counted() -> None:
    segmentation = seg_of(CT, {1: np.ones(SHAPE, bool)})
    for frame in segmentation.PerFrameFunctionalGroupsSequence:
        place = frame.PlanePositionSequence[0]
        x, y, z = (float(v) for v in place.ImagePositionPatient)
        place.ImagePositionPatient = [x + 3.0, y - 2.0, z + 4.0]
    found = drawn(segmentation)
    expected = np.zeros(SHAPE, bool)
    expected[2:, :30, 3:] = True
    assert np.array_equal(masks(found)[1], expected)
    (note,) = found.notes
    assert (note.code, found.referable) == ("SEG-010", False)
    assert f"{BALL.size - expected.sum()} voxels" in note.detail


def test_a_segment_beyond_the_ct_is_a_note_and_the_others_go_on() -> None:
    # read anew, since the builder lets frames share their places
    segmentation = dcmread(BytesIO(as_bytes(seg_of(CT, {1: BALL, 2: SMALL}))))
    for frame in segmentation.PerFrameFunctionalGroupsSequence:
        if frame.SegmentIdentificationSequence[0].ReferencedSegmentNumber == 2:
            x, y, z = (float(v) for v in frame.PlanePositionSequence[0].ImagePositionPatient)
            frame.PlanePositionSequence[0].ImagePositionPatient = [x, y, z + 200]
    found = drawn(segmentation)
    assert [lesion.number for lesion in found.lesions] == [1]
    assert codes(found) == ["SEG-007"]


def test_frames_of_a_segment_that_is_not_described_are_a_note() -> None:
    segmentation = seg_of(CT, {1: BALL, 2: SMALL})
    del segmentation.SegmentSequence[1]
    found = drawn(segmentation)
    assert [lesion.number for lesion in found.lesions] == [1]
    assert codes(found) == ["SEG-010"]
    assert "segment 2" in found.notes[0].detail


def test_jitter_of_slices_and_short_decimals_are_no_grid_of_their_own() -> None:
    segmentation = seg_of(CT, {1: BALL})
    for index, frame in enumerate(segmentation.PerFrameFunctionalGroupsSequence):
        place = frame.PlanePositionSequence[0]
        x, y, z = (float(v) for v in place.ImagePositionPatient)
        place.ImagePositionPatient = [x, y, z + (0.1 if index % 2 else -0.1)]
    found = drawn(segmentation)
    assert np.array_equal(masks(found)[1], BALL)
    assert codes(found) == []


def test_other_slice_spacing_is_carried_over_even_where_frames_are_left_out() -> None:
    fine = ct_series(slices=20, spacing_mm=(1.0, 1.0, 1.0))
    two = np.zeros((20, 32, 32), bool)
    two[4, 8:20, 8:20] = two[12, 8:20, 8:20] = True
    segmentation = seg_of(fine, {1: two}, frame_of_reference=str(CT[0].FrameOfReferenceUID))
    found = drawn(segmentation)
    expected = np.zeros(SHAPE, bool)
    expected[[2, 6], 8:20, 8:20] = True
    assert np.array_equal(masks(found)[1], expected)
    assert codes(found) == []  # each frame lies on a slice


def test_flipped_frames_are_the_same_lesion() -> None:
    flipped = ct_series(orientation=(-1.0, 0.0, 0.0, 0.0, -1.0, 0.0), origin_mm=(15.0, 15.0, -10.0))
    mask = np.zeros(SHAPE, bool)
    mask[3:6, 4:9, 10:20] = True
    segmentation = seg_of(flipped, {1: mask}, frame_of_reference=str(CT[0].FrameOfReferenceUID))
    found = drawn(segmentation)
    assert np.array_equal(masks(found)[1], mask[:, ::-1, ::-1])
    assert codes(found) == ["SEG-008"]


def test_uneven_frames_beside_the_ct_are_not_guessed_at() -> None:
    fine = ct_series(slices=9, spacing_mm=(0.7, 0.7, 1.0))
    segmentation = seg_of(fine, {1: np.ones((9, 32, 32), bool)}, frame_of_reference=str(CT[0].FrameOfReferenceUID))
    for frame, z in zip(segmentation.PerFrameFunctionalGroupsSequence, (0, 1, 2.5, 3, 4, 5.4, 6, 7, 8), strict=True):
        frame.PlanePositionSequence[0].ImagePositionPatient = [-10, -10, z]
    assert code(read_segmentation(segmentation, VOLUME)) == "SEG-007"


# lesions


def test_organs_are_left_with_a_reason_and_not_decoded() -> None:
    segmentation = seg_of(CT, {1: BALL, 2: SMALL}, labels={1: "heart"})
    item = segmentation.SegmentSequence[0]
    item.SegmentedPropertyCategoryCodeSequence[0].CodeValue = "123037004"
    item.SegmentedPropertyTypeCodeSequence[0].CodeValue = "80891009"
    item.SegmentedPropertyTypeCodeSequence[0].CodeMeaning = "Heart"
    found = drawn(segmentation)
    assert [lesion.number for lesion in found.lesions] == [2]
    (note,) = found.notes
    assert note.code == "SEG-011"
    assert "No lesion: segment 1 (its category is 123037004 (SCT))" in note.detail
    assert [one.number for one in drawn(segmentation, rule=LesionRule(include=("heart",))).lesions] == [1, 2]


def test_a_segmentation_without_lesion_says_what_was_there_and_never_a_label() -> None:
    segmentation = seg_of(CT, {1: BALL, 2: SMALL}, labels={1: "ZZ^SENTINEL heart", 2: "ZZ^SENTINEL"})
    for item in segmentation.SegmentSequence:
        for sequence in (item.SegmentedPropertyCategoryCodeSequence, item.SegmentedPropertyTypeCodeSequence):
            sequence[0].CodeValue, sequence[0].CodeMeaning = "85756007", "Tissue"
    outcome = read_segmentation(segmentation, VOLUME)
    assert code(outcome) == "SEG-004"
    assert isinstance(outcome, Rejected)
    assert "its label says 'heart'" in outcome.detail
    assert "lesions.unnamed is 'lone'" in outcome.detail
    assert "SENTINEL" not in str(outcome)
    assert "lesions.include" in outcome.remedy


# defects


def without_segments(segmentation: Dataset) -> None:
    del segmentation.SegmentSequence


def without_type(segmentation: Dataset) -> None:
    del segmentation.SegmentationType
    segmentation.BitsAllocated = 8


def short(segmentation: Dataset) -> None:
    segmentation.PixelData = segmentation.PixelData[:100]


def huge(segmentation: Dataset) -> None:
    segmentation.Rows = segmentation.Columns = 65535


def too_many_frames(segmentation: Dataset) -> None:
    segmentation.NumberOfFrames += 1


def placeless(segmentation: Dataset) -> None:
    del segmentation.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence


def nowhere(segmentation: Dataset) -> None:
    segmentation.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence[0].ImagePositionPatient = ["nan", "1", "1"]


def flat(segmentation: Dataset) -> None:
    measures = segmentation.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    measures.PixelSpacing = [0, 1]


@pytest.mark.parametrize(
    "damage", [without_segments, without_type, short, huge, too_many_frames, placeless, nowhere, flat]
)
def test_a_defect_of_the_header_is_a_code_that_tells_it(damage: Callable[[Dataset], None]) -> None:
    segmentation = seg_of(CT)
    damage(segmentation)
    outcome = read_segmentation(segmentation, VOLUME)
    assert code(outcome) == "SEG-006"
    assert isinstance(outcome, Rejected)
    assert "Error" not in outcome.detail  # a sentence rather than the name of an exception


def test_segments_without_number_or_with_the_same_one_are_notes() -> None:
    segmentation = seg_of(CT, {1: BALL, 2: SMALL, 3: SMALL})
    segmentation.SegmentSequence[1].SegmentNumber = 1
    del segmentation.SegmentSequence[2].SegmentNumber
    found = drawn(segmentation)
    assert [lesion.number for lesion in found.lesions] == [1]
    assert codes(found) == ["SEG-010", "SEG-010", "SEG-010"]


def test_a_label_in_no_known_character_set_is_a_note() -> None:
    segmentation = dcmread(BytesIO(as_bytes(seg_of(CT, labels={1: "XXXX"})).replace(b"XXXX", b"\xd6\xd7\xc1\xf6")))
    segmentation.SpecificCharacterSet = "ISO_IR 192"
    found = drawn(segmentation)
    assert (found.lesions[0].label, codes(found)) == ("Segment 1", ["TXT-002", "TXT-002"])
    segmentation = dcmread(BytesIO(as_bytes(seg_of(CT, labels={1: "XXXX"})).replace(b"XXXX", b"\xd6\xd7\xc1\xf6")))
    again = read_segmentation(segmentation, VOLUME, assume_charset="GB18030")
    assert isinstance(again, Drawn)
    assert (again.lesions[0].label, codes(again)) == ("肿瘤", [])


def some_bytes() -> list[bytes]:
    rle = encapsulated(seg_of(CT), RLELossless, lambda frame: rle_frame(packed(frame)))
    return [as_bytes(one) for one in (seg_of(CT), seg_of(CT, labelmap=True), seg_of(CT, fractional=True), rle)]


ENCODED = some_bytes()


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    which=st.integers(0, len(ENCODED) - 1),
    changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=12),
    cut=st.one_of(st.none(), st.floats(0.2, 1)),
)
def test_no_damage_is_an_unhandled_exception(which: int, changes: list[tuple[float, int]], cut: float | None) -> None:
    data = bytearray(ENCODED[which])
    for place, value in changes:
        data[400 + int(place * (len(data) - 401))] = value
    if cut is not None:
        del data[int(cut * len(data)) :]
    try:
        segmentation = dcmread(BytesIO(data), force=True)
        assert segmentation.SOPInstanceUID
        assert segmentation.SOPClassUID
    except Exception:
        return  # the receiver refuses it
    outcome = read_segmentation(segmentation, VOLUME)
    assert isinstance(outcome, Drawn | Rejected)
    if isinstance(outcome, Drawn):
        assert all(lesion.mask.on(VOLUME.grid).any() for lesion in outcome.lesions)


@settings(max_examples=300, deadline=None)
@given(
    attribute=st.sampled_from(
        ["Rows", "Columns", "NumberOfFrames", "BitsAllocated", "MaximumFractionalValue", "PixelData", "SegmentSequence"]
    ),
    number=st.one_of(st.integers(0, 70000), st.none()),
    which=st.integers(0, len(ENCODED) - 1),
)
def test_no_number_in_the_header_is_an_unhandled_exception(attribute: str, number: int | None, which: int) -> None:
    segmentation = dcmread(BytesIO(ENCODED[which]))
    if number is None:
        segmentation.pop(attribute, None)
    elif attribute == "PixelData":
        segmentation.PixelData = segmentation.PixelData[: number % len(segmentation.PixelData)]
    elif attribute == "SegmentSequence":
        segmentation.SegmentSequence[0].SegmentNumber = number % 65536
    else:
        setattr(segmentation, attribute, number % 65536)
    assert isinstance(read_segmentation(segmentation, VOLUME), Drawn | Rejected)


def test_the_largest_frame_bounds_the_memory() -> None:
    assert MAX_FRAME_PIXELS == 8192**2


def test_what_a_segment_says_of_place_and_identity_is_kept_apart_from_what_is_derived() -> None:
    segmentation = seg_of(CT, {1: BALL, 2: SMALL})
    first, second = segmentation.SegmentSequence
    region = Dataset()
    region.CodeValue, region.CodingSchemeDesignator, region.CodeMeaning = "44029006", "SCT", "Left lung"
    first.TrackingID, first.TrackingUID, first.AnatomicRegionSequence = "T1", "1.2.3", [region]
    for keyword in ("TrackingID", "TrackingUID", "AnatomicRegionSequence"):
        if keyword in second:
            delattr(second, keyword)
    one, other = drawn(segmentation).lesions
    assert (one.tracking_id_sent, one.tracking_uid_sent, [code.value for code in one.regions]) == (
        True,
        True,
        ["44029006"],
    )
    assert (other.tracking_id_sent, other.tracking_uid_sent, other.regions) == (False, False, ())
    assert other.tracking_uid.startswith("2.25.")
