import numpy as np

from pipelines.extraction.placement import shown_voxels
from tests.lesions import lesion_of


def test_each_voxel_of_the_ct_shows_the_nearest_of_the_resampled_grid() -> None:
    mask = np.zeros((3, 8, 8), dtype=np.bool_)
    mask[1, 2:6, 2:6] = True
    # voxels of twice the size in the plane: 0.5, 2.5, 4.5, 6.5
    along = np.arange(4) * 2 + 0.5
    coarse = np.zeros((3, 4, 4), dtype=np.bool_)
    coarse[1, 1:3, 1:3] = True
    shown = shown_voxels(lesion_of(mask), coarse, (np.arange(3.0), along, along), (1.0, 2.0, 2.0))
    assert shown.reshape(4, 4).tolist() == [[0, 0, 1, 1], [0, 0, 1, 1], [2, 2, 3, 3], [2, 2, 3, 3]]


def test_a_voxel_beside_the_resampled_lesion_shows_the_voxel_of_it_that_is_nearest_in_mm() -> None:
    mask = np.zeros((1, 5, 5), dtype=np.bool_)
    mask[0, 2, 2] = mask[0, 2, 3] = mask[0, 2, 4] = True
    resampled = np.zeros((3, 5, 5), dtype=np.bool_)
    # one slice away is 5 mm, two columns away 2 mm
    resampled[1, 2, 2] = resampled[2, 2, 4] = True
    positions = (np.array([-1.0, 0.0, 1.0]), np.arange(5.0), np.arange(5.0))
    shown = shown_voxels(lesion_of(mask), resampled, positions, (5.0, 1.0, 1.0))
    assert shown.tolist() == [0, 0, 0]


def test_a_grid_of_one_slice_serves_all() -> None:
    mask = np.ones((1, 2, 2), dtype=np.bool_)
    positions = (np.array([0.0]), np.arange(2.0), np.arange(2.0))
    assert shown_voxels(lesion_of(mask), mask, positions, (5.0, 1.0, 1.0)).tolist() == [0, 1, 2, 3]
