import numpy as np
import pytest
import SimpleITK as sitk
from numpy.typing import NDArray

from pipelines.domain.reasons import Rejected
from pipelines.domain.volume import Volume
from pipelines.imaging.volume_files import read_masks, read_volume
from tests.lesions import SAGITTAL


def image_of(
    voxels: NDArray[np.generic],
    *,
    spacing: tuple[float, float, float] = (0.7, 0.8, 2.5),
    origin: tuple[float, float, float] = (-10.0, 5.0, 30.0),
    direction: tuple[float, ...] = SAGITTAL,
) -> sitk.Image:
    image = sitk.GetImageFromArray(voxels)
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    image.SetDirection(direction)
    return image


def some_volume() -> Volume:
    volume = read_volume(image_of(np.zeros((6, 10, 12), dtype=np.int16)))
    assert isinstance(volume, Volume)
    return volume


def two_labels() -> NDArray[np.uint8]:
    labels = np.zeros((6, 10, 12), dtype=np.uint8)
    labels[1:4, 2:5, 3:8] = 3
    labels[4, 6:9, 6:9] = 1
    return labels


@pytest.mark.parametrize("dtype", [np.int16, np.uint16, np.float32, np.float64, np.int32])
def test_voxels_keep_the_type_in_which_they_are_stored(dtype: type[np.generic]) -> None:
    volume = read_volume(image_of(np.arange(24).reshape(2, 3, 4).astype(dtype)))
    assert isinstance(volume, Volume)
    assert volume.hu.dtype == dtype
    assert volume.grid.shape == (2, 3, 4)
    assert volume.grid.spacing_mm == (0.7, 0.8, 2.5)
    assert volume.grid.origin_mm == (-10.0, 5.0, 30.0)
    assert volume.grid.direction == SAGITTAL


@pytest.mark.parametrize(
    "image",
    [
        sitk.Image([4, 4], sitk.sitkInt16),
        sitk.Image([4, 4, 4, 2], sitk.sitkInt16),
        sitk.Image([4, 4, 4], sitk.sitkVectorInt16, 3),
        sitk.Image([4, 4, 4], sitk.sitkComplexFloat32),
    ],
)
def test_what_is_no_volume_of_single_numbers_is_refused(image: sitk.Image) -> None:
    outcome = read_volume(image)
    assert isinstance(outcome, Rejected)
    assert outcome.code == "VOL-001"


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.int64])
def test_each_label_is_a_lesion(dtype: type[np.generic]) -> None:
    drawn = read_masks(image_of(two_labels().astype(dtype)), some_volume())
    assert [lesion.number for lesion in drawn.lesions] == [1, 3]
    assert drawn.notes == ()
    first, third = drawn.lesions
    assert (first.mask.offset, first.mask.count) == ((4, 6, 6), 9)
    assert (third.mask.offset, third.mask.count) == ((1, 2, 3), 45)
    assert first.tracking_uid != third.tracking_uid


def test_one_label_can_be_asked_for() -> None:
    drawn = read_masks(image_of(two_labels()), some_volume(), label=3)
    assert [lesion.number for lesion in drawn.lesions] == [3]
    none = read_masks(image_of(two_labels()), some_volume(), label=2)
    assert [note.code for note in none.notes] == ["SEG-004"]
    assert none.lesions == ()


def test_segments_that_overlap_are_read_from_the_channels_of_a_mask() -> None:
    other = np.zeros_like(two_labels())
    other[2:5, 3:7, 4:9] = 1
    vector = sitk.Compose(image_of(two_labels()), image_of(other))
    drawn = read_masks(vector, some_volume())
    assert [(lesion.number, lesion.label) for lesion in drawn.lesions] == [
        (1, "Label 1"),
        (3, "Label 3"),
        (1, "Label 1 of channel 1"),
    ]
    assert read_masks(vector, some_volume(), channel=1).lesions[0].mask.count == int(other.sum())
    assert [note.code for note in read_masks(vector, some_volume(), channel=2).notes] == ["SEG-006"]


def test_a_rounded_geometry_is_the_same_geometry() -> None:
    rounded = image_of(two_labels(), spacing=(0.7000001, 0.8, 2.5), origin=(-10.0001, 5.0, 30.0))
    assert read_masks(rounded, some_volume()).notes == ()


def test_a_mask_on_another_grid_is_carried_over_as_pyradiomics_does() -> None:
    # twice as fine in all directions, over the same space
    fine = image_of(
        np.kron(two_labels(), np.ones((2, 2, 2), dtype=np.uint8)),
        spacing=(0.35, 0.4, 1.25),
        direction=(1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0),
        origin=(-10.0 - 0.175, 5.0 - 0.2, 30.0 - 0.625),
    )
    upright = read_volume(
        image_of(np.zeros((6, 10, 12), dtype=np.int16), direction=(1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0))
    )
    assert isinstance(upright, Volume)
    drawn = read_masks(fine, upright)
    assert [note.code for note in drawn.notes] == ["SEG-008"]
    assert [lesion.mask.count for lesion in drawn.lesions] == [9, 45]
    assert [lesion.mask.offset for lesion in drawn.lesions] == [(4, 6, 6), (1, 2, 3)]


def test_a_lesion_that_reaches_beyond_the_image_is_not_cut_off() -> None:
    # one slice further along the normal: label 1 stays within, label 3 does as well, and one more does not
    labels = two_labels()
    labels[5, 0:3, 0:3] = 5
    shifted = image_of(labels)
    shifted.SetOrigin(shifted.TransformContinuousIndexToPhysicalPoint((0.0, 0.0, 1.0)))
    drawn = read_masks(shifted, some_volume())
    assert [lesion.number for lesion in drawn.lesions] == [1, 3]
    assert [note.code for note in drawn.notes] == ["SEG-007", "SEG-008"]
    assert drawn.lesions[0].mask.offset == (5, 6, 6)


def test_a_mask_of_another_dimension_is_refused() -> None:
    drawn = read_masks(sitk.Image([4, 4], sitk.sitkUInt8), some_volume())
    assert [note.code for note in drawn.notes] == ["SEG-006"]
