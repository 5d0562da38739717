from dataclasses import replace

import numpy as np
import pytest

from pipelines.phantom.chest import Phantom, chest_phantom
from pipelines.phantom.settings import HETEROGENEOUS, HOMOGENEOUS, LesionSettings, PhantomSettings, Texture

LESION = LesionSettings()
SMALL = PhantomSettings(slices=20, rows=40, columns=40, field_centre_mm=LESION.centre_mm)


def with_texture(texture: Texture, seed: int = 1) -> Phantom:
    return chest_phantom(replace(SMALL, seed=seed, lesions=(replace(LESION, texture=texture),)))


def core_sd_hu(phantom: Phantom) -> float:
    """Standard deviation of the HU in the middle of the lesion, away from its border."""
    box = phantom.lesions[0].mask.box
    inner = tuple(slice(part.start + 3, part.stop - 3) for part in box)
    return float(phantom.ct.hu[inner].std())


def test_the_same_settings_give_the_same_voxels_masks_and_uids() -> None:
    one, other = chest_phantom(SMALL), chest_phantom(SMALL)
    assert np.array_equal(one.ct.hu, other.ct.hu)
    assert np.array_equal(one.lesions[0].mask.voxels, other.lesions[0].mask.voxels)
    assert one.ct_key == other.ct_key
    assert one.ct.slices == other.ct.slices


def test_another_seed_gives_other_voxels_and_uids_of_the_same_lesion() -> None:
    one, other = chest_phantom(SMALL), chest_phantom(replace(SMALL, seed=2))
    assert not np.array_equal(one.ct.hu, other.ct.hu)
    assert one.ct_key.series != other.ct_key.series
    assert one.lesions[0].tracking_uid == other.lesions[0].tracking_uid


def test_the_whole_chest_has_tissues_where_they_belong() -> None:
    phantom = chest_phantom(PhantomSettings())
    hu = phantom.ct.hu.astype(float)
    assert hu.shape == (40, 256, 256)
    assert hu[:, :10, :10].mean() == pytest.approx(-1000, abs=15)
    left_lung, heart, vertebrae = hu[25:35, 100:120, 185:215], hu[2:8, 85:110, 125:160], hu[:, 168:174, 124:132]
    assert np.median(left_lung) == pytest.approx(-850, abs=30)
    assert heart.mean() == pytest.approx(42, abs=10)
    assert vertebrae.mean() > 120


def test_the_default_lesion_is_soft_tissue_of_15_to_30_mm_in_the_lung() -> None:
    phantom = chest_phantom(PhantomSettings())
    mask = phantom.lesions[0].mask
    extents = [n * mm for n, mm in zip(mask.voxels.shape, reversed(phantom.ct.grid.spacing_mm), strict=True)]
    assert all(15 <= extent <= 30 for extent in extents)
    hu = phantom.ct.hu[mask.box].astype(np.float64)
    inside, around = hu[mask.voxels], hu[~mask.voxels]
    assert 20 <= np.median(inside) <= 40
    assert np.median(around) < -200


def test_a_small_field_shows_the_lesion_of_the_whole_chest() -> None:
    whole = chest_phantom(PhantomSettings())
    # 56.0 and 5.6 mm are whole numbers of voxels: the small grid is part of the large one
    part = chest_phantom(PhantomSettings(slices=20, rows=40, columns=40, field_centre_mm=(-77.0, 4.2, 2.5)))
    assert np.array_equal(whole.lesions[0].mask.voxels, part.lesions[0].mask.voxels)


def test_heterogeneous_lesions_vary_more_than_homogeneous_ones() -> None:
    assert core_sd_hu(with_texture(HETEROGENEOUS)) > 1.5 * core_sd_hu(with_texture(HOMOGENEOUS))


def test_a_necrotic_core_is_darker_than_the_rim() -> None:
    solid = with_texture(Texture(sd_hu=2.0, scale_mm=3.0))
    necrotic = with_texture(Texture(sd_hu=2.0, scale_mm=3.0, necrotic_core=True))
    z, y, x = (offset + size // 2 for offset, size in zip(solid.lesions[0].mask.offset, (8, 13, 16), strict=True))
    middle = (slice(z - 1, z + 2), slice(y - 2, y + 3), slice(x - 2, x + 3))
    assert necrotic.ct.hu[middle].mean() < solid.ct.hu[middle].mean() - 10


def test_lesions_are_numbered_in_the_order_of_the_settings() -> None:
    second = replace(LESION, label="Lesion 2", centre_mm=(-78.0, -14.0, 2.0), radii_mm=(5.0, 5.0, 5.0))
    phantom = chest_phantom(replace(SMALL, lesions=(LESION, second)))
    assert [(lesion.number, lesion.label) for lesion in phantom.lesions] == [(1, "Lesion 1"), (2, "Lesion 2")]
    assert phantom.lesions[0].mask.count > phantom.lesions[1].mask.count


def test_a_lesion_outside_the_volume_is_refused() -> None:
    elsewhere = replace(LESION, centre_mm=(300.0, 0.0, 0.0))
    with pytest.raises(ValueError, match="lesion 1 of the phantom lies outside"):
        chest_phantom(replace(SMALL, lesions=(elsewhere,)))
