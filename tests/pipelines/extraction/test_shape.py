import numpy as np
import pytest
from radiomics import cShape

from pipelines.extraction.marching_cubes import cube_table
from pipelines.extraction.shape import shape_features


def test_every_kind_of_cube_adds_the_area_and_volume_that_pyradiomics_adds() -> None:
    spacing_mm = (2.5, 0.7, 1.1)
    table = cube_table(spacing_mm)
    for kind in range(256):
        corners = [(0, 0, 0), (0, 0, 1), (0, 1, 1), (0, 1, 0), (1, 0, 0), (1, 0, 1), (1, 1, 1), (1, 1, 0)]
        cube = np.zeros((2, 2, 2), dtype=np.bool_)
        for bit, corner in enumerate(corners):
            cube[corner] = kind >> bit & 1
        area, volume, _ = cShape.calculate_coefficients(cube, np.array(spacing_mm))
        assert table.area_mm2[kind] == pytest.approx(area, rel=1e-12)
        assert table.volume_mm3[kind] / 6 == pytest.approx(volume, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("seed", range(6))
def test_diameters_equal_the_largest_distance_over_all_pairs_of_vertices(seed: int) -> None:
    rng = np.random.default_rng(seed)
    spacing_mm = (float(rng.uniform(0.5, 4)), 0.7, 0.9)
    mask = rng.random((6, 9, 11)) > rng.uniform(0.3, 0.97)
    mask[0, 0, 0] = mask[-1, -1, -1] = mask[2, 3:5, 3] = True
    _, _, diameters = cShape.calculate_coefficients(np.pad(mask, 1), np.array(spacing_mm))
    found = shape_features(mask, spacing_mm, cube_table(spacing_mm))
    names = ("Maximum2DDiameterSlice", "Maximum2DDiameterColumn", "Maximum2DDiameterRow", "Maximum3DDiameter")
    assert [found[name] for name in names] == pytest.approx(list(diameters), rel=1e-12)


def test_the_mesh_of_a_single_voxel_is_an_octahedron() -> None:
    found = shape_features(np.ones((1, 1, 2), dtype=np.bool_), (1.0, 1.0, 1.0), cube_table((1.0, 1.0, 1.0)))
    # two half octahedra of 1/12 mm3 each and a square prism of 1/2 mm3 between them
    assert found["MeshVolume"] == pytest.approx(1 / 6 + 1 / 2)
    assert found["VoxelVolume"] == 2.0
