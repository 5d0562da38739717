"""Series that hold more than one volume: which one is measured, and what is said when it cannot be told."""

from collections.abc import Sequence
from copy import deepcopy

import numpy as np
import pytest
from pydicom import Dataset

from pipelines.domain.case import Case
from pipelines.domain.reasons import Rejected
from pipelines.imaging.acquisitions import named_images
from pipelines.imaging.case import read_case
from pipelines.imaging.ct import ReadCt, read_ct
from tests.ct_variants import enhanced, renamed, small_series
from tests.dicom import centred_ball, rtstruct_of, seg_of


def rejected(outcome: object) -> Rejected:
    assert isinstance(outcome, Rejected), outcome
    return outcome


def shifted(ct: Sequence[Dataset], dz: float) -> list[Dataset]:
    made = [deepcopy(instance) for instance in ct]
    for instance in made:
        x, y, z = instance.ImagePositionPatient
        instance.ImagePositionPatient = [x, y, round(float(z) + dz, 6)]
    return made


def brighter(ct: Sequence[Dataset], by: int) -> list[Dataset]:
    made = [deepcopy(instance) for instance in ct]
    for instance in made:
        instance.PixelData = (instance.pixel_array + by).astype("<i2").tobytes()
    return made


SECOND = [
    {"AcquisitionNumber": 2},
    {"AcquisitionTime": "101500"},
    {"ConvolutionKernel": "B70f"},
    {"AcquisitionNumber": 2, "ConvolutionKernel": "B70f"},
]


def two_acquisitions(**differing: object) -> tuple[list[Dataset], list[Dataset]]:
    first = small_series()
    for instance in first:
        instance.AcquisitionNumber, instance.AcquisitionTime, instance.ConvolutionKernel = 1, "101000", "B30f"
    return first, renamed(brighter(first, 50), "second", **differing)


@pytest.mark.parametrize("differing", SECOND, ids=str)
@pytest.mark.parametrize("dz", [0.0, 0.7, 0.4])
def test_the_acquisition_that_the_segmentation_names_is_measured(differing: dict[str, object], dz: float) -> None:
    first, second = two_acquisitions(**differing)
    second = shifted(second, dz)
    for measured, other in ((first, second), (second, first)):
        case = read_case([*other, *measured], seg_of(measured), inputs_digest="d")
        assert isinstance(case, Case), case
        assert {ref.sop_instance for ref in case.ct.slices} == {i.SOPInstanceUID for i in measured}
        assert np.array_equal(case.ct.hu[4], measured[4].pixel_array - 1024)
        assert [note.code for note in case.notes] == ["CT-010"]
        assert "8 of another acquisition than" in case.notes[0].detail


def test_structure_sets_name_images_too() -> None:
    first, second = two_acquisitions(AcquisitionNumber=2)
    case = read_case([*first, *second], rtstruct_of(second), inputs_digest="d")
    assert isinstance(case, Case), case
    assert case.ct.slices[0].sop_instance == second[0].SOPInstanceUID


@pytest.mark.parametrize("dz", [0.0, 0.7])
def test_acquisitions_that_nobody_chooses_between_are_listed(dz: float) -> None:
    first, second = two_acquisitions(AcquisitionNumber=2)
    reason = rejected(read_ct([*first, *shifted(second, dz)]))
    assert reason.code == "CT-001"
    assert "2 acquisitions: 8 images with acquisition number 1; 8 images with acquisition number 2" in reason.detail


def test_a_segmentation_that_names_both_acquisitions_chooses_none() -> None:
    first, second = two_acquisitions(AcquisitionNumber=2)
    assert named_images(rtstruct_of(first)) <= named_images(seg_of(first))
    both = named_images(seg_of(first)) | named_images(seg_of(second))
    assert rejected(read_ct([*first, *second], named=lambda: both)).code == "CT-001"


def test_references_that_cannot_be_read_choose_none() -> None:
    first, second = two_acquisitions(AcquisitionNumber=2)
    segmentation = seg_of(second)
    source = segmentation.PerFrameFunctionalGroupsSequence[0].DerivationImageSequence[0].SourceImageSequence[0]
    source.add_new("ReferencedFrameNumber", "LO", "first")
    assert rejected(read_case([*first, *second], segmentation, inputs_digest="d")).code == "CT-001"


def test_two_kernels_that_fill_each_others_gaps_are_no_finer_volume() -> None:
    first, second = two_acquisitions(ConvolutionKernel="B70f")
    second = shifted(second, 1.0)
    assert "kernel" in rejected(read_ct([*first, *second])).detail
    case = read_case([*first, *second], seg_of(second), inputs_digest="d")
    assert isinstance(case, Case)
    assert case.ct.grid.shape[0] == 8


def test_exposures_that_each_have_a_number_are_one_volume() -> None:
    ct = small_series()
    for number, instance in enumerate(ct):
        instance.AcquisitionNumber, instance.AcquisitionTime = number, f"1010{number:02}"
    assert isinstance(read_ct(ct), ReadCt)


def test_differing_pixels_without_anything_to_tell_them_apart_are_refused_with_both_images() -> None:
    ct = small_series()
    other = renamed(brighter([ct[3]], 10), "other")[0]
    reason = rejected(read_ct([*ct, other]))
    assert reason.code == "CT-001"
    assert ct[3].SOPInstanceUID in reason.detail
    assert other.SOPInstanceUID in reason.detail


def test_a_copy_under_another_uid_is_left_out_with_a_note_and_a_resent_one_silently() -> None:
    ct = small_series()
    made = read_ct([*ct, *renamed([ct[2]], "copy")])
    assert isinstance(made, ReadCt)
    assert "1 as copies of others" in made.notes[0].detail
    again = read_ct([*ct, ct[2]])
    assert isinstance(again, ReadCt)
    assert again.notes == ()


def test_the_copy_that_the_segmentation_names_or_its_twin_has_the_same_voxels() -> None:
    ct = small_series()
    case = read_case([*renamed(ct, "copies"), *ct], seg_of(ct), inputs_digest="d")
    assert isinstance(case, Case)
    assert case.lesions[0].mask.count == centred_ball((8, 16, 20)).sum()


def test_images_of_another_matrix_are_left_out_when_the_segmentation_names_the_rest() -> None:
    ct, others = small_series(), small_series(seed=2)
    assert rejected(read_ct([*ct, *others])).code == "CT-001"
    case = read_case([*others, *ct], seg_of(ct), inputs_digest="d")
    assert isinstance(case, Case), case
    assert case.ct.frame_of_reference == ct[0].FrameOfReferenceUID


def test_of_several_directions_the_named_one_is_measured_and_else_the_most_frequent() -> None:
    ct = small_series()
    coronal = small_series(slices=12, orientation=(1.0, 0.0, 0.0, 0.0, 0.0, -1.0), study=str(ct[0].StudyInstanceUID))
    for instance in coronal:
        instance.FrameOfReferenceUID = ct[0].FrameOfReferenceUID
    made = read_ct([*ct, *coronal])
    assert isinstance(made, ReadCt)
    assert made.volume.grid.shape[0] == 12
    assert "8 in another direction" in made.notes[0].detail
    case = read_case([*ct, *coronal], seg_of(ct), inputs_digest="d")
    assert isinstance(case, Case)
    assert case.ct.grid.shape[0] == 8


def test_frames_of_one_multi_frame_image_can_be_two_acquisitions() -> None:
    first, second = two_acquisitions(AcquisitionNumber=2)
    both = enhanced([*first, *second], [*range(16)])
    for number, group in enumerate(both.PerFrameFunctionalGroupsSequence):
        content = Dataset()
        content.FrameAcquisitionNumber = 1 + number // 8
        group.FrameContentSequence = [content]
    for keyword in ("AcquisitionNumber", "AcquisitionTime", "ConvolutionKernel"):
        delattr(both, keyword)
    assert "2 acquisitions" in rejected(read_ct([both])).detail
    chosen = read_ct([both], named=lambda: frozenset({(str(both.SOPInstanceUID), 11)}))
    assert isinstance(chosen, ReadCt), chosen
    assert [ref.frame for ref in chosen.volume.slices] == list(range(9, 17))
