import numpy as np
import pytest

from pipelines.domain.features import FeatureMap
from pipelines.domain.reasons import Rejected
from pipelines.extraction import oracle
from pipelines.extraction.fast_maps import feature_map, feature_maps
from pipelines.extraction.limits import Unsupported
from pipelines.extraction.names import features_of
from pipelines.extraction.settings import load_profile
from tests.lesions import KINDS, Drawn, lesion_of, tissue, volume

SETTINGS = load_profile("recommended")
ALL = [
    *(f"original_firstorder_{name}" for name in features_of("firstorder")),
    *(f"original_glcm_{name}" for name in features_of("glcm") if name not in ("Imc1", "Imc2")),
]

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning:radiomics.*", "ignore::RuntimeWarning:numpy.*")


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
    if kind == "disconnected":
        mask = np.zeros((8, 9, 9), dtype=np.bool_)
        mask[1, 1, 1] = mask[3, 6, 2] = mask[6, 2, 7] = mask[6, 2, 6] = True
        return Drawn(volume(tissue(rng, mask.shape), (1.0, 1.0, 1.0)), lesion_of(mask))
    return KINDS[kind](rng)


@pytest.mark.parametrize("radius", [1, 2, 3])
@pytest.mark.parametrize("kind", ["block", "at the border", "one slice", "tiny", "disconnected"])
def test_maps_equal_pyradiomics(kind: str, radius: int) -> None:
    drawn = small(kind)
    made = feature_maps(drawn.ct, drawn.lesion, ALL, SETTINGS, kernel_radius_voxels=radius)
    assert isinstance(made, tuple)
    for found in made:
        wanted = oracle.feature_map(drawn.ct, drawn.lesion, found.feature, SETTINGS, kernel_radius_voxels=radius)
        assert isinstance(wanted, FeatureMap)
        assert found.offset == wanted.offset
        # values that cancel out are noise of the size of the largest value times 1e-16
        noise = 1e-12 * float(np.abs(wanted.values).max()) + 1e-14
        assert found.values == pytest.approx(wanted.values, rel=2e-6, abs=noise), found.feature


def test_a_direction_without_a_pair_makes_the_joint_average_zero_as_in_pyradiomics() -> None:
    # PyRadiomics' mean is NaN there, and only for this feature; a map holds 0 in its place
    drawn = small("block")
    found = feature_map(drawn.ct, drawn.lesion, "original_glcm_JointAverage", SETTINGS)
    assert isinstance(found, FeatureMap)
    inside = found.values[drawn.lesion.mask.voxels]
    assert 0 < (inside == 0).sum() < inside.size


@pytest.mark.parametrize(
    "feature", ["original_glcm_Imc1", "original_glcm_Imc2", "original_glrlm_RunEntropy", "wavelet-LLL_glcm_Contrast"]
)
def test_other_maps_are_left_to_pyradiomics(feature: str) -> None:
    drawn = small("block")
    assert isinstance(feature_map(drawn.ct, drawn.lesion, feature, SETTINGS), Unsupported)


def test_larger_cubes_are_left_to_pyradiomics() -> None:
    drawn = small("block")
    made = feature_map(drawn.ct, drawn.lesion, "original_firstorder_Mean", SETTINGS, kernel_radius_voxels=4)
    assert isinstance(made, Unsupported)


def test_a_lesion_of_one_voxel_is_rejected_as_roi_001() -> None:
    mask = np.zeros((5, 5, 5), dtype=np.bool_)
    mask[2, 2, 2] = True
    ct = volume(np.zeros(mask.shape, dtype=np.int16), (1.0, 1.0, 1.0))
    made = feature_map(ct, lesion_of(mask), "original_firstorder_Mean", SETTINGS)
    assert isinstance(made, Rejected)
    assert made.code == "ROI-001"
