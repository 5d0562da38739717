import numpy as np
import pytest
import SimpleITK as sitk
from numpy.typing import NDArray
from radiomics import imageoperations

from pipelines.extraction.resampling import Resampled, positions_of, resample
from pipelines.extraction.settings import ExtractionSettings, Interpolator, load_profile
from tests.lesions import CORONAL, KINDS, SAGITTAL, Drawn, lesion_of, volume

SPLINE = load_profile("recommended")
NEAREST = load_profile("seed-a", gaussian_sigma_mm=0.0)
TILTED = (1.0, 0.0, 0.0, 0.0, float(np.cos(0.2)), -float(np.sin(0.2)), 0.0, float(np.sin(0.2)), float(np.cos(0.2)))


def by_pyradiomics(drawn: Drawn, interpolator: Interpolator) -> tuple[NDArray[np.int16], NDArray[np.bool_]]:
    image = sitk.GetImageFromArray(drawn.ct.hu)
    mask = sitk.GetImageFromArray(drawn.lesion.mask.on(drawn.ct.grid).astype(np.uint8))
    for volume_ in (image, mask):
        volume_.SetSpacing(drawn.ct.grid.spacing_mm)
        volume_.SetOrigin(drawn.ct.grid.origin_mm)
        volume_.SetDirection(drawn.ct.grid.direction)
    image, mask = imageoperations.resampleImage(
        image, mask, resampledPixelSpacing=[1.0, 1.0, 1.0], interpolator=interpolator, padDistance=10, label=1
    )
    return sitk.GetArrayFromImage(image), sitk.GetArrayFromImage(mask) == 1


@pytest.mark.parametrize("settings", [SPLINE, NEAREST], ids=["spline", "nearest"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_voxel_of_image_and_mask_equals_pyradiomics(kind: str, settings: ExtractionSettings) -> None:
    drawn = KINDS[kind](np.random.default_rng([2, len(kind)]))
    found = resample(drawn.ct, drawn.lesion, settings)
    assert isinstance(found, Resampled)
    image, mask = by_pyradiomics(drawn, settings.interpolator)
    assert np.array_equal(found.image, image)
    assert np.array_equal(found.whole_mask(), mask)


def test_samples_are_truncated_towards_zero_as_itk_does_with_whole_numbers() -> None:
    drawn = KINDS["plain"](np.random.default_rng(3))
    found = resample(drawn.ct, drawn.lesion, SPLINE)
    assert isinstance(found, Resampled)
    image, _ = by_pyradiomics(drawn, "sitkBSpline")
    in_floating_point = Drawn(volume(drawn.ct.hu.astype(np.float64), drawn.ct.grid.spacing_mm), drawn.lesion)
    exact, _ = by_pyradiomics(in_floating_point, "sitkBSpline")
    assert np.array_equal(found.image, np.trunc(exact))
    assert not np.array_equal(image, np.rint(exact))


@pytest.mark.parametrize("origin_mm", [(-190.0, -190.0, -120.0), (0.1, 0.2, 0.3), (-217.3, 145.9, -1203.7)])
def test_points_half_way_between_two_slices_pick_the_one_that_itk_picks(origin_mm: tuple[float, float, float]) -> None:
    # 1.25 mm to 1 mm: every fifth slice of the grid lies half way, and ITK's rounding decides
    rng = np.random.default_rng(4)
    hu = rng.integers(-1000, 1000, (40, 24, 24)).astype(np.int16)
    mask = np.zeros(hu.shape, dtype=np.bool_)
    mask[5:35, 6:18, 6:18] = rng.random((30, 12, 12)) > 0.3
    drawn = Drawn(volume(hu, (1.25, 1.25, 1.25), origin_mm=origin_mm), lesion_of(mask))
    found = resample(drawn.ct, drawn.lesion, NEAREST)
    assert isinstance(found, Resampled)
    image, by_itk = by_pyradiomics(drawn, "sitkNearestNeighbor")
    assert np.array_equal(found.whole_mask(), by_itk)
    assert np.array_equal(found.image, image)


@pytest.mark.parametrize("seed", range(20))
def test_positions_have_the_digits_of_itk_however_the_ct_lies(seed: int) -> None:
    rng = np.random.default_rng(seed)
    turned = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    turned *= np.sign(np.linalg.det(turned))
    spacing, origin = rng.uniform(0.4, 5.0, (2, 3)) * ((1.0,), (100.0,))
    hu, mask = np.zeros((30, 40, 50), np.int16), np.zeros((30, 40, 50), np.bool_)
    mask[8:20, 10:30, 12:33] = True
    ct = volume(hu, tuple(spacing), origin_mm=tuple(origin), direction=tuple(turned.ravel()))
    z, y, _ = positions_of(ct, lesion_of(mask), SPLINE)
    old, new = sitk.Image([1, 1, 1], sitk.sitkUInt8), sitk.Image([1, 1, 1], sitk.sitkUInt8)
    for image, step in ((old, spacing), (new, np.ones(3))):
        image.SetSpacing(step.tolist())
        image.SetDirection(turned.ravel().tolist())
    old.SetOrigin(origin.tolist())
    first = np.maximum(np.floor((np.array([12, 10, 8]) - 0.5) * spacing - SPLINE.pad_distance_mm), 0)
    new.SetOrigin(old.TransformContinuousIndexToPhysicalPoint(0.5 * (1 - spacing) / spacing + first / spacing))
    for axis, along in ((1, y), (2, z)):
        asked = [[index if k == axis else 0 for k in range(3)] for index in range(along.size)]
        points = [new.TransformIndexToPhysicalPoint(index) for index in asked]
        assert along.tolist() == [old.TransformPhysicalPointToContinuousIndex(point)[axis] for point in points]


def test_the_grid_hangs_on_the_first_voxel_of_the_ct_and_not_on_the_lesion() -> None:
    # the same lesion in a CT that begins two slices and three columns later lies on another grid
    drawn = KINDS["plain"](np.random.default_rng(6))
    whole = drawn.lesion.mask.on(drawn.ct.grid)
    cut = (slice(2, None), slice(None), slice(3, None))
    x, y, z = drawn.ct.grid.origin_mm
    dx, _, dz = drawn.ct.grid.spacing_mm
    later = volume(
        np.ascontiguousarray(drawn.ct.hu[cut]), drawn.ct.grid.spacing_mm, origin_mm=(x + 3 * dx, y, z + 2 * dz)
    )
    for one in (drawn, Drawn(later, lesion_of(whole[cut]))):
        found = resample(one.ct, one.lesion, SPLINE)
        assert isinstance(found, Resampled)
        image, mask = by_pyradiomics(one, "sitkBSpline")
        assert np.array_equal(found.image, image)
        assert np.array_equal(found.whole_mask(), mask)


def test_samples_on_whole_hu_are_truncated_as_itk_rounds_them() -> None:
    # spacing (1, 1, 3): every third slice of the grid lies on a slice of the CT and gives its HU give or take 1e-13
    drawn = KINDS["every third slice on the grid"](np.random.default_rng(7))
    found = resample(drawn.ct, drawn.lesion, SPLINE)
    assert isinstance(found, Resampled)
    image, _ = by_pyradiomics(drawn, "sitkBSpline")
    assert np.array_equal(found.image, image)
    original = drawn.ct.hu.astype(np.int64)
    assert any((image[index].astype(np.int64) != 0).any() for index in range(image.shape[0]))
    assert original.size


@pytest.mark.parametrize("direction", [SAGITTAL, CORONAL, TILTED], ids=["sagittal", "coronal", "tilted"])
def test_half_way_points_of_a_turned_ct_pick_the_voxels_that_itk_picks(direction: tuple[float, ...]) -> None:
    # the inverse of such a matrix holds noise in place of zeros, so the rounding differs from voxel to voxel
    drawn = KINDS["half way between slices"](np.random.default_rng(8))
    turned = Drawn(volume(drawn.ct.hu, (0.75, 0.75, 1.25), direction=direction), drawn.lesion)
    found = resample(turned.ct, turned.lesion, NEAREST)
    assert isinstance(found, Resampled)
    image, mask = by_pyradiomics(turned, "sitkNearestNeighbor")
    assert np.array_equal(found.whole_mask(), mask)
    assert np.array_equal(found.image, image)


@pytest.mark.parametrize("direction", [SAGITTAL, CORONAL, TILTED], ids=["sagittal", "coronal", "tilted"])
def test_samples_on_the_border_of_a_turned_ct_are_inside_where_itk_finds_them_inside(
    direction: tuple[float, ...],
) -> None:
    rng = np.random.default_rng(9)
    hu = rng.integers(-1000, 1000, (25, 30, 30)).astype(np.int16)
    mask = np.zeros(hu.shape, dtype=np.bool_)
    mask[15:25, 10:20, 10:20] = True
    # the last of 63 samples, 0.4 slices apart, lies at 24.5
    turned = Drawn(volume(hu, (0.7, 0.7, 2.5), direction=direction), lesion_of(mask))
    found = resample(turned.ct, turned.lesion, SPLINE)
    assert isinstance(found, Resampled)
    image, by_itk = by_pyradiomics(turned, "sitkBSpline")
    assert np.array_equal(found.image, image)
    assert np.array_equal(found.whole_mask(), by_itk)


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float32])
def test_other_types_are_stored_as_itk_stores_them(dtype: type[np.generic]) -> None:
    drawn = KINDS["plain"](np.random.default_rng(10))
    hu = (drawn.ct.hu.astype(np.float64) * 1.37 + (2000 if dtype == np.uint16 else 0)).astype(dtype)
    other = Drawn(volume(hu, drawn.ct.grid.spacing_mm), drawn.lesion)
    for settings in (SPLINE, NEAREST):
        found = resample(other.ct, other.lesion, settings)
        assert isinstance(found, Resampled)
        assert found.image.dtype == dtype
        image, mask = by_pyradiomics(other, settings.interpolator)
        assert np.array_equal(found.image, image)
        assert np.array_equal(found.whole_mask(), mask)


def test_double_precision_samples_differ_from_itk_in_the_last_bits_at_most() -> None:
    drawn = KINDS["plain"](np.random.default_rng(11))
    other = Drawn(volume(drawn.ct.hu * 1.37, drawn.ct.grid.spacing_mm), drawn.lesion)
    found = resample(other.ct, other.lesion, SPLINE)
    assert isinstance(found, Resampled)
    assert found.noisy
    image, _ = by_pyradiomics(other, "sitkBSpline")
    assert np.allclose(found.image, image, rtol=1e-13, atol=1e-11)
