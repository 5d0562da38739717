import numpy as np
import pytest
from radiomics import cShape

from pipelines.extraction import native
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


@pytest.mark.parametrize("shape", [(3, 5, 7), (1, 1, 1), (2, 3, 62), (2, 3, 63), (4, 70, 131)])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.98])
def test_vertices_along_columns_are_those_along_the_rows_of_the_turned_mask(
    shape: tuple[int, int, int], share: float
) -> None:
    mask = np.pad(np.random.default_rng(shape[2]).random(shape) < share, 1).view(np.uint8)
    turned = native.row_ends(np.ascontiguousarray(mask.transpose(0, 2, 1)))
    assert np.array_equal(native.column_ends(mask), turned)


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


def test_a_lesion_with_long_rows_and_a_hole_has_the_shape_that_pyradiomics_finds() -> None:
    spacing_mm = (2.0, 0.8, 0.7)
    z, y, x = np.indices((9, 30, 61))
    mask = ((z - 4) / 4.5) ** 2 + ((y - 15) / 14.0) ** 2 + ((x - 30) / 30.5) ** 2 < 1
    mask[3:6, 12:17, 20:45] = False
    mask[4, 14, 30] = mask[8, 29, 60] = True
    area, volume, diameters = cShape.calculate_coefficients(np.pad(mask, 1), np.array(spacing_mm))
    found = shape_features(mask, spacing_mm, cube_table(spacing_mm))
    names = ("Maximum2DDiameterSlice", "Maximum2DDiameterColumn", "Maximum2DDiameterRow", "Maximum3DDiameter")
    assert [found[name] for name in names] == pytest.approx(list(diameters), rel=1e-12)
    assert (found["SurfaceArea"], found["MeshVolume"]) == pytest.approx((area, volume), rel=1e-12)
    places = np.argwhere(mask) * spacing_mm
    least, minor, major = np.sort(np.linalg.eigvalsh(np.cov(places.T, bias=True)))
    lengths = [found[f"{name}AxisLength"] for name in ("Least", "Minor", "Major")]
    assert lengths == pytest.approx([4 * np.sqrt(value) for value in (least, minor, major)], rel=1e-12)


@pytest.mark.parametrize("shape", [(1, 1, 2), (1, 3, 40), (2, 2, 1), (1, 1, 1)])
def test_the_ends_of_rows_lie_half_a_voxel_outside_of_a_block(shape: tuple[int, int, int]) -> None:
    padded = np.pad(np.ones(shape, dtype=np.uint8), 1)
    in_row, below, behind = native.row_ends(padded)
    last = 2 * shape[2]
    assert (in_row[1:-1, 1:-1] == (1, last + 1)).all()
    assert (below[1:-1, 0] == (2, last)).all()
    assert (behind[0, 1:-1] == (2, last)).all()
    assert np.count_nonzero(in_row[..., 0] >= 0) == shape[0] * shape[1]
    # above and below each slice, in front of and behind the lesion
    assert np.count_nonzero(below[..., 0] >= 0) == 2 * shape[0]
    assert np.count_nonzero(behind[..., 0] >= 0) == 2 * shape[1]


def test_the_mesh_of_a_single_voxel_is_an_octahedron() -> None:
    found = shape_features(np.ones((1, 1, 2), dtype=np.bool_), (1.0, 1.0, 1.0), cube_table((1.0, 1.0, 1.0)))
    # two half octahedra of 1/12 mm3 each and a square prism of 1/2 mm3 between them
    assert found["MeshVolume"] == pytest.approx(1 / 6 + 1 / 2)
    assert found["VoxelVolume"] == 2.0
