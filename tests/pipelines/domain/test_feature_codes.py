import pytest

from pipelines.domain.coding import PRIVATE_SCHEME
from pipelines.domain.feature_codes import CONCEPTS, describe
from tests.pipelines.outputs.synthetic import feature_names

# PyRadiomics defines these otherwise than IBSI, or IBSI has nothing like them
OWN = {
    "shape_Maximum2DDiameterColumn",
    "shape_Maximum2DDiameterRow",
    "shape_Maximum2DDiameterSlice",
    "firstorder_Energy",
    "firstorder_Kurtosis",
    "firstorder_RootMeanSquared",
    "firstorder_StandardDeviation",
    "firstorder_TotalEnergy",
    "glcm_MCC",
    *(name for name in CONCEPTS if name.startswith("shape2D_")),
}


def test_all_1218_features_have_descriptions_that_tell_them_apart() -> None:
    names = feature_names()
    described = [describe(name) for name in names]
    assert len(names) == 1218
    assert len({(d.concept, d.modifiers, d.log_sigma_mm) for d in described}) == 1218


def test_only_features_without_an_ibsi_equal_have_private_codes() -> None:
    assert {name for name, code in CONCEPTS.items() if code.scheme == PRIVATE_SCHEME} == OWN


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("original_shape_MeshVolume", "mm3"),
        ("original_shape_SurfaceArea", "mm2"),
        ("original_shape_SurfaceVolumeRatio", "/mm"),
        ("original_shape_Sphericity", "1"),
        ("original_shape_MajorAxisLength", "mm"),
        ("original_firstorder_Mean", "[hnsf'U]"),
        ("original_firstorder_Variance", "[hnsf'U]2"),
        ("original_firstorder_TotalEnergy", "[hnsf'U]2.mm3"),
        ("original_firstorder_Entropy", "1"),
        ("original_glcm_JointEntropy", "1"),
        ("wavelet-LLL_firstorder_Mean", "1"),
    ],
)
def test_units_are_those_of_the_ct_where_the_feature_has_one(name: str, unit: str) -> None:
    assert describe(name).unit.value == unit


def test_a_filtered_image_is_told_by_modifiers_and_sigma() -> None:
    log = describe("log-sigma-2-5-mm-3D_glcm_Id")
    assert [value.value for _, value in log.modifiers] == ["LOG"]
    assert log.log_sigma_mm == 2.5
    wavelet = describe("wavelet-HLH_glcm_Id")
    assert [value.value for _, value in wavelet.modifiers] == ["WAVELET", "HLH"]
    assert wavelet.log_sigma_mm is None


@pytest.mark.parametrize(
    ("image", "codes"),
    [
        ("square", ["SQUARE"]),
        ("logarithm", ["LOGARITHM"]),
        ("lbp-2D", ["LBP2D"]),
        ("lbp-3D-m2", ["LBP3D", "LEVEL2"]),
        ("lbp-3D-k", ["LBP3D", "LBPKURTOSIS"]),
        ("wavelet-HL", ["WAVELET", "HL"]),
        ("wavelet3-LLH", ["WAVELET", "LEVEL3", "LLH"]),
    ],
)
def test_every_filter_of_a_parameter_file_has_codes(image: str, codes: list[str]) -> None:
    assert [value.value for _, value in describe(f"{image}_glcm_Id").modifiers] == codes


def test_a_sigma_may_be_a_whole_number() -> None:
    assert describe("log-sigma-3-mm-3D_glcm_Id").log_sigma_mm == 3.0


def test_square_and_square_root_are_not_taken_for_each_other() -> None:
    assert describe("square_glcm_Id").modifiers != describe("squareroot_glcm_Id").modifiers


@pytest.mark.parametrize(
    "name",
    [
        "original_glcm_Unknown",
        "polar_glcm_Id",
        "lbp-4D_glcm_Id",
        "lbp-3D-m0_glcm_Id",
        "wavelet-LLX_glcm_Id",
        "wavelet0-LLH_glcm_Id",
        "log-sigma--mm-3D_glcm_Id",
        "squared_glcm_Id",
    ],
)
def test_a_feature_that_is_not_in_the_tables_is_refused(name: str) -> None:
    with pytest.raises(KeyError):
        describe(name)
