from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from pipelines.domain.features import FeatureMap
from pipelines.domain.reasons import Rejected
from pipelines.extraction import fast_maps, oracle
from pipelines.extraction.fast_maps import feature_maps, voxel_values
from pipelines.extraction.limits import Unsupported
from pipelines.extraction.names import FEATURE_CLASSES, features_of
from pipelines.extraction.region import STEPS
from pipelines.extraction.settings import load_profile
from tests.lesions import KINDS, Drawn, lesion_of, tissue, volume

SETTINGS = load_profile("recommended")

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning:radiomics.*", "ignore::RuntimeWarning:numpy.*")


def all_of(image_type: str) -> list[str]:
    names = [f"{image_type}_{family}_{name}" for family in FEATURE_CLASSES for name in features_of(family)]
    return [*names, f"{image_type}_glcm_SumAverage"]


def small(kind: str) -> Drawn:
    """A lesion of a few hundred voxels: PyRadiomics needs milliseconds for each."""
    rng = np.random.default_rng(4)
    if kind == "block":
        mask = np.zeros((9, 16, 16), dtype=np.bool_)
        mask[2:7, 3:12, 4:11] = rng.random((5, 9, 7)) > 0.3
        return Drawn(volume(tissue(rng, mask.shape), (0.8, 0.8, 2.0)), lesion_of(mask))
    if kind == "at the border":
        mask = np.zeros((5, 12, 12), dtype=np.bool_)
        mask[:3, :6, 6:] = True
        return Drawn(volume(tissue(rng, mask.shape), (1.0, 1.0, 3.0)), lesion_of(mask))
    if kind == "the whole CT":
        return Drawn(volume(tissue(rng, (4, 6, 5)), (1.0, 1.0, 3.0)), lesion_of(np.ones((4, 6, 5), dtype=np.bool_)))
    if kind == "one row thick":
        mask = np.zeros((8, 12, 12), dtype=np.bool_)
        mask[1:7, 5, 2:10] = True
        return Drawn(volume(tissue(rng, mask.shape), (0.7, 0.7, 1.5)), lesion_of(mask))
    if kind == "disconnected":
        mask = np.zeros((8, 9, 9), dtype=np.bool_)
        mask[1, 1, 1] = mask[3, 6, 2] = mask[6, 2, 7] = mask[6, 2, 6] = True
        return Drawn(volume(tissue(rng, mask.shape), (1.0, 1.0, 1.0)), lesion_of(mask))
    if kind == "more than 255 levels":
        mask = np.zeros((7, 12, 12), dtype=np.bool_)
        mask[2:5, 3:6, 3:6] = True
        hu = rng.integers(-1000, 1000, mask.shape).astype(np.int16)
        # PyRadiomics' matrices are dense: one voxel of 300 levels takes 10 MB
        hu[3, 4, 4] = 6500
        return Drawn(volume(hu, (1.0, 1.0, 2.0)), lesion_of(mask))
    if kind == "two levels":
        mask = np.zeros((7, 14, 14), dtype=np.bool_)
        mask[1:6, 2:12, 2:12] = True
        hu = np.where(rng.random(mask.shape) > 0.5, 40, -40).astype(np.int16)
        return Drawn(volume(hu, (1.0, 1.0, 1.0)), lesion_of(mask))
    if kind == "flat":
        mask = np.zeros((7, 10, 10), dtype=np.bool_)
        mask[2:5, 3:7, 3:7] = True
        return Drawn(volume(np.full(mask.shape, 30, dtype=np.int16), (1.0, 1.0, 1.0)), lesion_of(mask))
    return KINDS[kind](rng)


def independent(drawn: Drawn, radius: int) -> NDArray[np.bool_]:
    """Around which voxels of the lesion a direction has several levels that are independent of each other."""
    mask = drawn.lesion.mask.voxels
    levels = np.zeros([size + 2 * radius for size in mask.shape], dtype=np.int64)
    hu = drawn.ct.hu[drawn.lesion.mask.box].astype(np.int64)
    levels[(slice(radius, -radius),) * 3] = np.where(mask, (hu - hu.min() // 25 * 25) // 25 + 1, 0)
    return np.array([any(map(is_independent, pairs_around(levels, at, radius))) for at in np.argwhere(mask)])


def pairs_around(levels: NDArray[np.int64], at: NDArray[np.intp], radius: int) -> Iterator[NDArray[np.int64]]:
    z, y, x = at
    cube = levels[z : z + 2 * radius + 1, y : y + 2 * radius + 1, x : x + 2 * radius + 1]
    for step in STEPS:
        here = tuple(slice(max(0, s), size + min(0, s)) for s, size in zip(step, cube.shape, strict=True))
        there = tuple(slice(max(0, -s), size + min(0, -s)) for s, size in zip(step, cube.shape, strict=True))
        a, b = cube[here].ravel(), cube[there].ravel()
        inside = (a > 0) & (b > 0)
        yield np.stack([a[inside], b[inside]])


def is_independent(pairs: NDArray[np.int64]) -> bool:
    counts: NDArray[np.int64] = np.zeros((700, 700), dtype=np.int64)
    np.add.at(counts, (pairs[0], pairs[1]), 1)
    counts = counts[np.ix_(*[np.unique(pairs)] * 2)]
    counts = counts + counts.T
    singles = counts.sum(axis=0)
    return len(singles) > 1 and bool((counts * counts.sum() == np.outer(singles, singles)).all())


def assert_equal_values(drawn: Drawn, features: list[str], radius: int) -> None:
    """To 1e-9 of the value, and for what cancels out to 1e-12 of the largest; NaN in the same places."""
    found = voxel_values(drawn.ct, drawn.lesion, features, SETTINGS, kernel_radius_voxels=radius)
    wanted = oracle.voxel_values(drawn.ct, drawn.lesion, features, SETTINGS, kernel_radius_voxels=radius)
    assert isinstance(found, dict)
    assert isinstance(wanted, dict)
    assert set(found) == set(wanted) == set(features)
    for feature in features:
        noise = 1e-12 * float(np.nanmax(np.abs(wanted[feature]), initial=0.0)) + 1e-12
        decided = np.ones(found[feature].size, dtype=np.bool_)
        if feature == "original_glcm_Imc2":
            decided = ~independent(drawn, radius)
        ours, theirs = found[feature][decided], wanted[feature][decided]
        assert ours == pytest.approx(theirs, rel=1e-9, abs=noise, nan_ok=True), feature


def test_variances_are_the_exact_ones_to_a_few_units_in_the_last_place() -> None:
    # where a variance lies half way between two numbers of single precision, which of them a map shows hangs on less
    # than that: PyRadiomics' and our variance then differ by one unit of single precision, 5e-8 of the value
    drawn = small("block")
    found = voxel_values(drawn.ct, drawn.lesion, ["original_firstorder_Variance"], SETTINGS)
    assert isinstance(found, dict)
    mask, hu = drawn.lesion.mask.on(drawn.ct.grid), drawn.ct.hu[:]
    for (z, y, x), variance in zip(np.argwhere(mask), found["original_firstorder_Variance"].tolist(), strict=True):
        cube = tuple(slice(max(0, at - 1), at + 2) for at in (z, y, x))
        values = [Fraction(int(value)) for value in hu[cube][mask[cube]]]
        mean = sum(values, Fraction()) / len(values)
        exact = sum(((value - mean) ** 2 for value in values), Fraction()) / len(values)
        assert abs(Fraction(variance) - exact) <= 4 * Fraction(float(np.spacing(float(exact))))


@pytest.mark.parametrize("radius", [1, 2, 3])
@pytest.mark.parametrize(
    "kind",
    [
        "block",
        "at the border",
        "the whole CT",
        "one slice",
        "one row thick",
        "tiny",
        "disconnected",
        "more than 255 levels",
        "two levels",
        "flat",
    ],
)
def test_maps_of_the_original_image_equal_pyradiomics(kind: str, radius: int) -> None:
    assert_equal_values(small(kind), all_of("original"), radius)


@pytest.mark.parametrize(
    ("image_type", "kind", "radius"),
    [
        ("log-sigma-1-0-mm-3D", "block", 1),
        ("log-sigma-5-0-mm-3D", "at the border", 2),
        ("log-sigma-2-0-mm-3D", "one slice", 3),
        ("wavelet-LLL", "one slice", 1),
        ("wavelet-HLH", "tiny", 2),
    ],
)
def test_maps_of_filtered_images_equal_pyradiomics_on_the_resampled_grid(
    image_type: str, kind: str, radius: int
) -> None:
    assert_equal_values(small(kind), all_of(image_type), radius)


def test_the_smoothing_of_a_profile_is_in_the_maps_of_filtered_images() -> None:
    drawn = small("block")
    feature = "wavelet-LLL_firstorder_Mean"
    seed = load_profile("seed-a")
    found = voxel_values(drawn.ct, drawn.lesion, [feature], seed)
    wanted = oracle.voxel_values(drawn.ct, drawn.lesion, [feature], seed)
    plain = voxel_values(drawn.ct, drawn.lesion, [feature], load_profile("seed-a", gaussian_sigma_mm=0.0))
    assert isinstance(found, dict)
    assert isinstance(wanted, dict)
    assert isinstance(plain, dict)
    # PyRadiomics smooths in double precision here, the fast engine in single precision
    assert found[feature] == pytest.approx(wanted[feature], rel=1e-5)
    assert found[feature] != pytest.approx(plain[feature], rel=1e-3)


def test_a_cube_with_more_levels_than_a_byte_counts_is_counted_rightly() -> None:
    # PyRadiomics would need a gigabyte for each voxel
    mask = np.zeros((13, 13, 13), dtype=np.bool_)
    mask[1:12, 1:12, 1:12] = True
    hu = np.random.default_rng(8).integers(-20000, 20000, mask.shape).astype(np.int16)
    drawn = Drawn(volume(hu, (1.0, 1.0, 1.0)), lesion_of(mask))
    energy, probability = "original_glcm_JointEnergy", "original_glcm_MaximumProbability"
    found = voxel_values(drawn.ct, drawn.lesion, [energy, probability], SETTINGS, kernel_radius_voxels=3)
    assert isinstance(found, dict)
    inside = drawn.ct.hu[drawn.lesion.mask.box].astype(np.int64)
    levels = np.pad((inside - inside.min() // 25 * 25) // 25 + 1, 3)
    for middle in np.argwhere(np.ones((5, 5, 5))) + 3:
        assert np.unique(levels[tuple(slice(at, at + 7) for at in middle)]).size > 256
        shares = [shares_of_cells(pairs) for pairs in pairs_around(levels, middle, 3)]
        at = np.ravel_multi_index(tuple(middle), inside.shape)
        assert found[energy][at] == pytest.approx(np.mean([(one**2).sum() for one in shares]), rel=1e-12)
        assert found[probability][at] == pytest.approx(np.mean([one.max() for one in shares]), rel=1e-12)


def shares_of_cells(pairs: NDArray[np.int64]) -> NDArray[np.float64]:
    cells = Counter(zip(*np.concatenate([pairs, pairs[::-1]], axis=1).tolist(), strict=True))
    return np.array([*cells.values()]) / cells.total()


def test_independent_levels_count_as_no_information() -> None:
    # PyRadiomics: noise of 1e-8, 0, or the direction is left out of the mean because the root is of -1e-16
    drawn, radius = small("two levels"), 3
    features = ["original_glcm_Imc2", "original_glcm_Imc1"]
    found = voxel_values(drawn.ct, drawn.lesion, features, SETTINGS, kernel_radius_voxels=radius)
    wanted = oracle.voxel_values(drawn.ct, drawn.lesion, features, SETTINGS, kernel_radius_voxels=radius)
    assert isinstance(found, dict)
    assert isinstance(wanted, dict)
    undecided = independent(drawn, radius)
    assert undecided.any()
    ours, theirs = (values["original_glcm_Imc2"][undecided] for values in (found, wanted))
    # leaving a direction of value 0 out of thirteen makes the mean larger, never smaller
    assert (ours <= theirs + 1e-12).all()
    assert (theirs <= ours * 13 / 11 + 1e-8).all()
    assert found["original_glcm_Imc1"] == pytest.approx(wanted["original_glcm_Imc1"], rel=1e-9, abs=1e-12)


def test_a_flat_lesion_has_no_information_in_its_levels() -> None:
    drawn = small("flat")
    found = voxel_values(drawn.ct, drawn.lesion, ["original_glcm_Imc1", "original_glcm_Imc2"], SETTINGS)
    assert isinstance(found, dict)
    assert all((values == 0).all() for values in found.values())


def test_a_direction_without_a_pair_makes_the_joint_average_zero_as_in_pyradiomics() -> None:
    # PyRadiomics' mean is NaN there, and only for this feature; a map holds 0 in its place
    drawn = small("block")
    made = feature_maps(drawn.ct, drawn.lesion, ["original_glcm_JointAverage"], SETTINGS)
    assert isinstance(made, tuple)
    inside = made[0].values[drawn.lesion.mask.voxels]
    assert 0 < (inside == 0).sum() < inside.size


def test_a_map_is_single_precision_of_the_values_in_the_lesion_and_zero_around_it() -> None:
    drawn = small("block")
    features = ["original_gldm_DependenceEntropy", "log-sigma-1-0-mm-3D_firstorder_Range"]
    values = voxel_values(drawn.ct, drawn.lesion, features, SETTINGS)
    made = feature_maps(drawn.ct, drawn.lesion, features, SETTINGS)
    assert isinstance(values, dict)
    assert isinstance(made, tuple)
    assert [found.feature for found in made] == features
    mask = drawn.lesion.mask
    for found in made:
        assert (found.offset, found.values.shape, found.values.dtype) == (mask.offset, mask.voxels.shape, np.float32)
        assert (found.values[mask.voxels] == values[found.feature].astype(np.float32)).all()
        assert (found.values[~mask.voxels] == 0).all()


def test_features_in_blocks_are_those_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    # PyRadiomics' batches, which show in JointAverage, must not depend on how many voxels are in memory at once
    drawn = KINDS["plain"](np.random.default_rng(2))
    features = [
        "original_glcm_JointAverage",
        "original_firstorder_TotalEnergy",
        "original_glrlm_RunEntropy",
        "original_glcm_SumAverage",
    ]
    whole = voxel_values(drawn.ct, drawn.lesion, features, SETTINGS)
    monkeypatch.setattr(fast_maps, "JOB_VOXELS", 333)
    parts = voxel_values(drawn.ct, drawn.lesion, features, SETTINGS)
    assert isinstance(whole, dict)
    assert isinstance(parts, dict)
    for feature in features:
        np.testing.assert_array_equal(whole[feature], parts[feature])


@pytest.mark.parametrize("feature", ["original_glcm_MCC", "original_ngtdm_Coarseness", "square_glcm_Contrast"])
def test_other_maps_are_left_to_pyradiomics(feature: str) -> None:
    drawn = small("block")
    assert isinstance(feature_maps(drawn.ct, drawn.lesion, [feature], SETTINGS), Unsupported)


def test_larger_cubes_are_left_to_pyradiomics() -> None:
    drawn = small("block")
    made = feature_maps(drawn.ct, drawn.lesion, ["original_firstorder_Mean"], SETTINGS, kernel_radius_voxels=4)
    assert isinstance(made, Unsupported)


def test_too_many_grey_levels_are_left_to_pyradiomics() -> None:
    drawn = small("more than 255 levels")
    fine = replace(SETTINGS, bin_width_hu=2.0)
    assert isinstance(feature_maps(drawn.ct, drawn.lesion, ["original_glcm_Contrast"], fine), Unsupported)


def test_a_filter_that_does_not_fit_the_ct_is_left_to_pyradiomics_which_refuses_it() -> None:
    mask = np.zeros((3, 12, 12), dtype=np.bool_)
    mask[1, 3:9, 3:9] = True
    drawn = Drawn(volume(tissue(np.random.default_rng(3), mask.shape), (1.0, 1.0, 1.0)), lesion_of(mask))
    features = ["log-sigma-2-0-mm-3D_glcm_Contrast"]
    assert isinstance(feature_maps(drawn.ct, drawn.lesion, features, SETTINGS), Unsupported)
    refused = oracle.feature_maps(drawn.ct, drawn.lesion, features, SETTINGS)
    assert isinstance(refused, Rejected)
    assert refused.code == "ROI-003"


def test_a_lesion_of_one_voxel_is_rejected_as_roi_001() -> None:
    mask = np.zeros((5, 5, 5), dtype=np.bool_)
    mask[2, 2, 2] = True
    ct = volume(np.zeros(mask.shape, dtype=np.int16), (1.0, 1.0, 1.0))
    made = feature_maps(ct, lesion_of(mask), ["original_firstorder_Mean"], SETTINGS)
    assert isinstance(made, Rejected)
    assert made.code == "ROI-001"


def test_the_float32_maps_of_both_engines_agree() -> None:
    drawn = small("at the border")
    features = ["original_glcm_Imc1", "wavelet-HLH_gldm_DependenceEntropy"]
    ours = feature_maps(drawn.ct, drawn.lesion, features, SETTINGS)
    theirs = oracle.feature_maps(drawn.ct, drawn.lesion, features, SETTINGS)
    assert isinstance(ours, tuple)
    assert isinstance(theirs, tuple)
    for one, other in zip(ours, theirs, strict=True):
        assert isinstance(one, FeatureMap)
        assert (one.feature, one.offset) == (other.feature, other.offset)
        assert one.values == pytest.approx(other.values, rel=2e-6, abs=1e-12)
