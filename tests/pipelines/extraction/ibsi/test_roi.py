import numpy as np
import pytest

from pipelines.domain.volume import Mask
from pipelines.extraction.ibsi.roi import Line, grey_levels, grid_lines, interpolate, resegmented, roi_of
from pipelines.extraction.ibsi.settings import PRESET, FixedBinNumber, FixedBinSize, IbsiSettings
from tests.lesions import FLIPPED, tissue, volume

PLAIN = IbsiSettings("plain", None, None, FixedBinSize(25.0))


def test_the_new_grid_has_the_centre_of_the_old_one_and_covers_it() -> None:
    shape, old, new = (60, 201, 204), (3.0, 0.977, 0.977), (2.0, 2.0, 2.0)
    lines = grid_lines(shape, old, new)
    assert tuple(line.size for line in lines) == (90, 99, 100)
    for line, size, before, after in zip(lines, shape, old, new, strict=True):
        assert (line.start + line.step * (line.size - 1) / 2) == pytest.approx((size - 1) / 2)
        assert line.size * after >= size * before


def test_a_grid_that_fits_exactly_is_not_made_larger_by_rounding() -> None:
    # 30 * 0.7 / 0.3 is 70 give or take the last digit
    assert grid_lines((30, 1, 1), (0.7, 1.0, 1.0), (0.3, 1.0, 1.0))[0].size == 70


def test_a_grid_of_the_same_spacing_changes_nothing() -> None:
    lines = grid_lines((4, 5, 6), (3.0, 2.0, 2.0), (3.0, 2.0, 2.0))
    assert lines == (Line(0.0, 1.0, 4), Line(0.0, 1.0, 5), Line(0.0, 1.0, 6))
    values = np.random.default_rng(1).normal(size=(4, 5, 6))
    for cubic in (False, True):
        assert np.array_equal(interpolate(values, lines, cubic=cubic), values)


@pytest.mark.parametrize("cubic", [False, True])
def test_a_straight_slope_is_interpolated_exactly_inside(cubic: bool) -> None:
    z, y, x = np.meshgrid(*(np.arange(n, dtype=float) for n in (40, 30, 20)), indexing="ij")
    lines = (Line(10.25, 0.5, 30), Line(8.1, 0.7, 15), Line(6.0, 1.5, 5))
    where = np.meshgrid(*(line.start + line.step * np.arange(line.size) for line in lines), indexing="ij")
    found = interpolate(3 * z - 2 * y + x, lines, cubic=cubic)
    assert found == pytest.approx(3 * where[0] - 2 * where[1] + where[2], abs=1e-2 if cubic else 1e-9)


def test_what_is_interpolated_does_not_depend_on_how_much_is_interpolated() -> None:
    values = tissue(np.random.default_rng(2), (70, 80, 90)).astype(float)
    lines = grid_lines(values.shape, (1.0, 0.7, 0.7), (1.3, 0.9, 0.9))
    whole = interpolate(values, lines, cubic=True)
    a, b, c = (line.part(20, 25) for line in lines)
    assert interpolate(values, (a, b, c), cubic=True) == pytest.approx(whole[20:25, 20:25, 20:25], abs=1e-9)


def test_beyond_the_edge_the_nearest_voxel_counts() -> None:
    line = Line(-0.5, 1.0, 4)
    still = Line(0.0, 1.0, 1)
    assert interpolate(np.array([1.0, 3.0, 7.0]).reshape(3, 1, 1), (line, still, still), cubic=False).ravel() == (
        pytest.approx([1.0, 2.0, 5.0, 7.0])
    )


def test_half_a_voxel_belongs_to_the_mask_whatever_its_rounding() -> None:
    # slices of 3 mm on a grid of 1 mm: the samples lie at thirds, and slices of 2 mm at halves
    whole = np.zeros((10, 9, 9), dtype=np.bool_)
    whole[3:7, 3:6, 3:6] = True
    ct = volume(np.zeros(whole.shape, np.int16), (1.0, 1.0, 2.0))
    mask = Mask.of(whole)
    assert mask is not None
    roi = roi_of(ct, mask, IbsiSettings("1 mm", 1.0, 1.0, FixedBinSize(25.0)))
    assert roi is not None
    # four slices of 2 mm are eight of 1 mm
    assert [int(n) + 1 for n in np.ptp(np.argwhere(roi.morphological), axis=0)] == [8, 3, 3]


def test_the_direction_of_the_slices_does_not_change_the_lesion() -> None:
    rng = np.random.default_rng(3)
    hu = tissue(rng, (20, 30, 30))
    whole = np.zeros(hu.shape, dtype=np.bool_)
    whole[5:14, 8:20, 9:22] = True
    found = []
    for values, drawn, direction in ((hu, whole, None), (hu[:, ::-1, ::-1], whole[:, ::-1, ::-1], FLIPPED)):
        ct = volume(values, (0.9, 0.9, 2.5), **({} if direction is None else {"direction": direction}))
        mask = Mask.of(drawn)
        assert mask is not None
        roi = roi_of(ct, mask, PRESET)
        assert roi is not None
        found.append(np.sort(roi.values))
    assert np.array_equal(found[0], found[1])


def test_range_and_outliers_are_removed_independently_of_each_other() -> None:
    image = np.array([0.0] * 50 + [10.0] * 50 + [100.0, 5000.0]).reshape(1, 1, -1)
    mask = np.ones(image.shape, dtype=np.bool_)
    both = IbsiSettings("both", None, None, FixedBinSize(25.0), range_hu=(5.0, 1000.0), outlier_sigmas=3.0)
    # the mean and the deviation are those of all voxels, so 100 is no outlier
    assert image[resegmented(image, mask, both)].tolist() == [10.0] * 50 + [100.0]


def test_nothing_is_left_where_all_voxels_are_out_of_range() -> None:
    ct = volume(np.full((9, 9, 9), 2000, np.int16), (2.0, 2.0, 2.0))
    whole = np.zeros((9, 9, 9), dtype=np.bool_)
    whole[3:6, 3:6, 3:6] = True
    mask = Mask.of(whole)
    assert mask is not None
    assert roi_of(ct, mask, PRESET) is None


def test_a_lesion_of_one_intensity_has_one_level() -> None:
    assert grey_levels(np.full(3, 7.0), FixedBinNumber(32), None).tolist() == [1, 1, 1]
    assert grey_levels(np.full(3, 7.0), FixedBinSize(25.0), None).tolist() == [1, 1, 1]
