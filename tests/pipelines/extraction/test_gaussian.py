import numpy as np
import pytest
import SimpleITK as sitk

from pipelines.extraction.gaussian import laplacian, laplacian_exists, smoothed
from pipelines.extraction.native import Turned

SPACINGS = [(1.0, 1.0, 1.0), (5.0, 1.0, 1.0), (2.5, 0.7, 0.9)]


def image_of(voxels: np.ndarray, spacing_mm: tuple[float, float, float]) -> sitk.Image:
    image = sitk.GetImageFromArray(voxels)
    image.SetSpacing(spacing_mm[::-1])
    return image


@pytest.mark.parametrize("sigma_mm", [1.0, 2.0, 3.0, 4.0, 5.0])
@pytest.mark.parametrize("spacing_mm", SPACINGS)
def test_the_laplacian_equals_itk_to_the_last_bit(spacing_mm: tuple[float, float, float], sigma_mm: float) -> None:
    voxels = np.random.default_rng(1).integers(-1000, 400, (14, 21, 37)).astype(np.int16)
    expected = sitk.GetArrayFromImage(sitk.LaplacianRecursiveGaussian(image_of(voxels, spacing_mm), sigma_mm, True))
    found = laplacian(Turned.of(voxels.astype(np.float32)), spacing_mm, sigma_mm, ((2, 9), (0, 21), (5, 37)))
    assert np.array_equal(found, expected[2:9, :, 5:])


@pytest.mark.parametrize("sigma_mm", [1.0, 1.7, 2.0, 3.0, 4.0, 5.0])
@pytest.mark.parametrize("spacing_mm", SPACINGS)
def test_the_laplacian_of_one_value_is_the_rounding_of_itk(
    spacing_mm: tuple[float, float, float], sigma_mm: float
) -> None:
    # nothing but the last bits of the coefficients is left of it
    voxels = np.full((14, 21, 23), 36, np.int16)
    expected = sitk.GetArrayFromImage(sitk.LaplacianRecursiveGaussian(image_of(voxels, spacing_mm), sigma_mm, True))
    assert np.array_equal(
        laplacian(Turned.of(voxels.astype(np.float32)), spacing_mm, sigma_mm, ((0, 14), (0, 21), (0, 23))), expected
    )


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
    of_crop = laplacian(Turned.of(crop), unit, 5.0, ((10, 20), (10, 20), (10, 20)))
    of_whole = laplacian(Turned.of(voxels), unit, 5.0, ((15, 25), (15, 25), (15, 25)))
    assert not np.array_equal(of_crop, of_whole)


def test_an_image_smaller_than_the_filter_has_no_laplacian() -> None:
    assert laplacian_exists((4, 6, 6), (1.0, 1.0, 1.0), 3.0)
    assert not laplacian_exists((3, 9, 9), (1.0, 1.0, 1.0), 1.0)
    assert not laplacian_exists((5, 9, 9), (1.0, 1.0, 1.0), 5.0)
