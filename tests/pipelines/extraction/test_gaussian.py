import numpy as np
import pytest
import SimpleITK as sitk

from pipelines.extraction.gaussian import laplacian, laplacian_exists, smoothed
from pipelines.extraction.memory import Memory
from pipelines.extraction.native import VOXEL_TYPES, Reach, Turned

SPACINGS = [(1.0, 1.0, 1.0), (5.0, 1.0, 1.0), (2.5, 0.7, 0.9)]


def image_of(voxels: np.ndarray, spacing_mm: tuple[float, float, float]) -> sitk.Image:
    image = sitk.GetImageFromArray(voxels)
    image.SetSpacing(spacing_mm[::-1])
    return image


@pytest.mark.parametrize("sigma_mm", [1.0, 2.0, 3.0, 4.0, 5.0])
@pytest.mark.parametrize("spacing_mm", SPACINGS)
@pytest.mark.parametrize("dtype", VOXEL_TYPES)
def test_the_laplacian_equals_itk_to_the_last_bit(
    dtype: str, spacing_mm: tuple[float, float, float], sigma_mm: float
) -> None:
    voxels = np.random.default_rng(1).integers(-1000, 400, (14, 21, 37)).astype(dtype)
    expected = sitk.GetArrayFromImage(sitk.LaplacianRecursiveGaussian(image_of(voxels, spacing_mm), sigma_mm, True))
    found = laplacian(Turned.of(voxels, Memory()), spacing_mm, sigma_mm, ((2, 9), (0, 21), (5, 37)))
    assert np.array_equal(found, expected[2:9, :, 5:])


@pytest.mark.parametrize("sigma_mm", [1.0, 1.7, 2.0, 3.0, 4.0, 5.0])
@pytest.mark.parametrize("spacing_mm", SPACINGS)
def test_the_laplacian_of_one_value_is_the_rounding_of_itk(
    spacing_mm: tuple[float, float, float], sigma_mm: float
) -> None:
    # nothing but the last bits of the coefficients is left of it
    voxels = np.full((14, 21, 23), 36, np.int16)
    expected = sitk.GetArrayFromImage(sitk.LaplacianRecursiveGaussian(image_of(voxels, spacing_mm), sigma_mm, True))
    image = Turned.of(voxels, Memory())
    assert np.array_equal(laplacian(image, spacing_mm, sigma_mm, ((0, 14), (0, 21), (0, 23))), expected)


@pytest.mark.parametrize("sigma_mm", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("spacing_mm", SPACINGS)
def test_smoothing_equals_itk_to_the_last_bit(spacing_mm: tuple[float, float, float], sigma_mm: float) -> None:
    voxels = np.random.default_rng(2).integers(-1000, 400, (12, 20, 33)).astype(np.int16)
    image = sitk.Cast(image_of(voxels, spacing_mm), sitk.sitkFloat64)
    expected = sitk.GetArrayFromImage(sitk.SmoothingRecursiveGaussian(image, sigma_mm))
    assert np.array_equal(smoothed(voxels.astype(np.float32), spacing_mm, sigma_mm), expected)


def test_the_laplacian_sees_the_border_of_the_padded_crop() -> None:
    # 10 mm of padding is less than the filter reaches with sigma 5: a wider crop would give other numbers
    voxels = np.random.default_rng(3).integers(-1000, 400, (40, 40, 40)).astype(np.float32)
    crop = np.ascontiguousarray(voxels[5:35, 5:35, 5:35])
    unit = (1.0, 1.0, 1.0)
    of_crop = laplacian(Turned.of(crop, Memory()), unit, 5.0, ((10, 20), (10, 20), (10, 20)))
    of_whole = laplacian(Turned.of(voxels, Memory()), unit, 5.0, ((15, 25), (15, 25), (15, 25)))
    assert not np.array_equal(of_crop, of_whole)


def test_an_image_smaller_than_the_filter_has_no_laplacian() -> None:
    assert laplacian_exists((4, 6, 6), (1.0, 1.0, 1.0), 3.0)
    assert not laplacian_exists((3, 9, 9), (1.0, 1.0, 1.0), 1.0)
    assert not laplacian_exists((5, 9, 9), (1.0, 1.0, 1.0), 5.0)


def test_a_laplacian_is_whole_where_its_row_and_its_slice_reach() -> None:
    rng = np.random.default_rng(4)
    image = Turned.of(rng.integers(-1000, 400, (14, 21, 45)).astype(np.float32), Memory())
    box = ((2, 12), (0, 21), (3, 45))
    whole = laplacian(image, (2.5, 0.7, 0.9), 2.0, box)
    along = np.sort(rng.integers(0, 43, (21 + 10, 2)), axis=1)
    # nothing, one column and all of them
    along[0], along[1], along[2], along[21], along[22] = (0, 0), (41, 42), (0, 42), (0, 42), (7, 7)
    across = np.concatenate(
        [np.sort(rng.integers(0, 11, (21, 2)), axis=1), np.sort(rng.integers(0, 22, (10, 2)), axis=1)]
    )
    across[0], across[3], across[4], across[21], across[23] = (0, 10), (5, 5), (9, 10), (0, 21), (20, 21)
    reach = Reach.of((10, 21, 42), np.concatenate([along, across], axis=1))
    part = laplacian(image, (2.5, 0.7, 0.9), 2.0, box, reach)
    columns = (along[:, :1] <= np.arange(42)) & (np.arange(42) < along[:, 1:])
    slices = (across[:21, :1] <= np.arange(10)) & (np.arange(10) < across[:21, 1:])
    rows = (across[21:, :1] <= np.arange(21)) & (np.arange(21) < across[21:, 1:])
    wanted = columns[None, :21] & columns[21:, None] & slices.T[:, :, None] & rows[:, :, None]
    assert wanted.sum() > 200
    assert np.array_equal(part[wanted], whole[wanted])


@pytest.mark.parametrize("reach", [(-1, 5, 0, 1), (0, 43, 0, 1), (6, 5, 0, 1), (0, 42, -1, 3), (0, 42, 0, 11)])
def test_a_reach_outside_of_the_box_is_refused(reach: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="reach"):
        Reach.of((10, 21, 42), np.tile(np.array([reach], dtype=np.int64), (31, 1)))


def test_the_reach_within_another_box_is_refused() -> None:
    image = Turned.of(np.zeros((14, 21, 45), np.float32), Memory())
    with pytest.raises(ValueError, match="reach"):
        laplacian(image, (1.0, 1.0, 1.0), 2.0, ((2, 12), (0, 21), (3, 45)), Reach.whole((10, 21, 41)))


@pytest.mark.parametrize("width", range(1, 43))
def test_a_laplacian_is_the_same_however_many_columns_are_wanted(width: int) -> None:
    image = Turned.of(np.random.default_rng(5).integers(-1000, 400, (14, 21, 45)).astype(np.float32), Memory())
    box = ((2, 12), (0, 21), (3, 45))
    whole = laplacian(image, (2.5, 0.7, 0.9), 2.0, box)
    for first in {0, (42 - width) // 2, 42 - width}:
        reach = Reach.whole((10, 21, 42))
        reach.ends[:, :2] = first, first + width
        part = laplacian(image, (2.5, 0.7, 0.9), 2.0, box, reach)
        assert np.array_equal(part[:, :, first : first + width], whole[:, :, first : first + width])
