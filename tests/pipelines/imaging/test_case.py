from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from pydicom import dcmread

from pipelines.domain.case import Case
from pipelines.domain.reasons import Rejected
from pipelines.imaging.case import read_case
from tests.dicom import centred_ball, ct_series, rtstruct_of, seg_of

SHAPE = (10, 32, 32)


def case_of(outcome: Case | Rejected) -> Case:
    assert isinstance(outcome, Case), outcome
    return outcome


def code(outcome: Case | Rejected) -> str:
    assert isinstance(outcome, Rejected)
    return outcome.code


def test_a_segmentation_gives_one_lesion_for_each_segment() -> None:
    ct = ct_series()
    small = centred_ball(SHAPE, fraction=0.3)
    case = case_of(read_case(ct, seg_of(ct, {1: centred_ball(SHAPE), 2: small}), inputs_digest="d"))
    assert [lesion.number for lesion in case.lesions] == [1, 2]
    assert np.array_equal(case.lesions[1].mask.on(case.ct.grid), small)
    assert case.segmentation.referable


def test_segments_may_overlap_and_be_numbered_with_gaps() -> None:
    ct = ct_series()
    case = case_of(read_case(ct, seg_of(ct, {2: centred_ball(SHAPE), 7: centred_ball(SHAPE)}), inputs_digest="d"))
    assert [lesion.number for lesion in case.lesions] == [2, 7]
    assert case.lesions[0].mask.count == case.lesions[1].mask.count


def test_a_label_map_gives_the_same_lesion_and_is_not_referable() -> None:
    ct = ct_series()
    case = case_of(read_case(ct, seg_of(ct, labelmap=True), inputs_digest="d"))
    assert np.array_equal(case.lesions[0].mask.on(case.ct.grid), centred_ball(SHAPE))
    assert not case.segmentation.referable


def test_an_empty_segment_is_a_note_and_an_empty_segmentation_a_reason() -> None:
    ct = ct_series()
    case = case_of(read_case(ct, seg_of(ct, {1: centred_ball(SHAPE), 2: np.zeros(SHAPE, bool)}), inputs_digest="d"))
    assert [note.code for note in case.notes] == ["ROI-002"]
    empty = seg_of(ct, {1: centred_ball(SHAPE)})
    empty.PixelData = bytes(len(empty.PixelData))
    assert code(read_case(ct, empty, inputs_digest="d")) == "SEG-004"


def test_another_frame_of_reference_is_refused() -> None:
    ct = ct_series()
    assert code(read_case(ct, seg_of(ct, frame_of_reference="1.2.3"), inputs_digest="d")) == "SEG-003"
    assert code(read_case(ct, rtstruct_of(ct, frame_of_reference="1.2.3"), inputs_digest="d")) == "SEG-003"


def test_another_patient_is_refused() -> None:
    ct = ct_series()
    other = seg_of(ct)
    other.PatientID = "SOMEBODY-ELSE"
    assert code(read_case(ct, other, inputs_digest="d")) == "SEG-005"


def test_a_segmentation_on_a_finer_grid_is_carried_over() -> None:
    fine = ct_series(slices=20, rows=64, columns=64, spacing_mm=(0.5, 0.5, 1.0))
    coarse = ct_series(study=fine[0].StudyInstanceUID)
    seg = seg_of(fine, {1: centred_ball((20, 64, 64))}, frame_of_reference=str(coarse[0].FrameOfReferenceUID))
    case = case_of(read_case(coarse, seg, inputs_digest="d"))
    expected = centred_ball((20, 64, 64)).sum() * 0.25 / 1000
    assert case.lesions[0].mask.volume_ml(case.ct.grid) == pytest.approx(expected, rel=0.1)
    assert not case.segmentation.referable


def test_a_hole_in_a_structure_stays_empty() -> None:
    ct = ct_series()
    outer = [(-8.0, -8.0), (8.0, -8.0), (8.0, 8.0), (-8.0, 8.0)]
    inner = [(-2.0, -2.0), (2.0, -2.0), (2.0, 2.0), (-2.0, 2.0)]
    case = case_of(read_case(ct, rtstruct_of(ct, {1: [(4, outer), (4, inner)]}), inputs_digest="d"))
    mask = case.lesions[0].mask.on(case.ct.grid)
    assert not mask[4, 16, 16]
    assert mask[4, 11, 16]
    assert mask.sum() == 16 * 16 - 4 * 4


GOLDEN = {
    "golden/lung1/seg.dcm": "label_original.nrrd",
    "golden/lung1/rtstruct.dcm": "label_original.nrrd",
    "golden/lidc0314/seg.dcm": "label_consensus50.nrrd",
    "golden/ibsi_ct_phantom/rtstruct.dcm": "label.nrrd",
    "cohort_sts/STS_018/seg.dcm": "label.nrrd",
    "cohort_sts/STS_018/rtstruct.dcm": "label.nrrd",
}


@pytest.mark.parametrize(("segmentation", "label"), GOLDEN.items())
def test_real_segmentations_are_read_voxel_for_voxel(shared_data: Path, segmentation: str, label: str) -> None:
    path = shared_data / segmentation
    ct = [dcmread(file) for file in sorted((path.parent / "ct").glob("*.dcm"))]
    case = case_of(read_case(ct, dcmread(path), inputs_digest="d"))
    truth = sitk.GetArrayFromImage(sitk.ReadImage(str(path.parent / label))) > 0
    assert np.array_equal(case.lesions[0].mask.on(case.ct.grid), truth)


def test_four_overlapping_readers_are_four_lesions(shared_data: Path) -> None:
    folder = shared_data / "golden/lidc0314"
    ct = [dcmread(file) for file in sorted((folder / "ct").glob("*.dcm"))]
    case = case_of(read_case(ct, dcmread(folder / "seg_4readers_overlapping.dcm"), inputs_digest="d"))
    assert [lesion.mask.count for lesion in case.lesions] == [3071, 3712, 2483, 3416]


@pytest.mark.parametrize(
    ("name", "voxels"),
    [
        ("multi_lesion", [837, 1359, 3437]),
        ("labelmap_dcmqi", [837, 1359, 3437]),
        ("empty_segment_2", [837]),
        ("fractional_probability", [811]),
        ("single_slice", [347]),
        ("one_voxel", [1]),
        ("rtstruct_gb18030_roi", [837]),
    ],
)
def test_every_kind_of_segmentation_of_one_series_is_read(shared_data: Path, name: str, voxels: list[int]) -> None:
    variants = shared_data / "variants"
    ct = [dcmread(file) for file in sorted((variants / "base/ct").glob("*.dcm"))]
    case = case_of(read_case(ct, dcmread(variants / f"seg_on_base/{name}.dcm"), inputs_digest="d"))
    assert [lesion.mask.count for lesion in case.lesions] == voxels


def test_a_chinese_roi_name_is_decoded(shared_data: Path) -> None:
    variants = shared_data / "variants"
    ct = [dcmread(file) for file in sorted((variants / "base/ct").glob("*.dcm"))]
    case = case_of(read_case(ct, dcmread(variants / "seg_on_base/rtstruct_gb18030_roi.dcm"), inputs_digest="d"))
    assert case.lesions[0].label == "右肺肿瘤"


def test_an_overlay_or_a_curve_in_the_images_stops_nothing() -> None:
    # their keywords stand for the tags of many groups (PS3.5 section 7.6)
    ct = ct_series()
    for image in ct:
        image.add_new(0x60000010, "US", SHAPE[1])
        image.add_new(0x60020040, "CS", "G")
        image.add_new(0x60023000, "OW", bytes(SHAPE[1] * SHAPE[2] // 8))
        image.add_new(0x50000005, "US", 2)
        image.add_new(0x7F000010, "OW", b"\0\0")
    case_of(read_case(ct, seg_of(ct), inputs_digest="d"))
