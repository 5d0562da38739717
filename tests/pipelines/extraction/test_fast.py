import csv
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import dcmread

from pipelines.domain.case import Case
from pipelines.domain.features import FeatureVector
from pipelines.domain.reasons import Rejected
from pipelines.extraction import fast, oracle
from pipelines.extraction.limits import Unsupported
from pipelines.extraction.names import feature_names
from pipelines.extraction.settings import ExtractionSettings, load_profile
from pipelines.imaging.case import read_case
from tests.lesions import KINDS, Drawn, blob, field, lesion_of, tissue, volume

# PyRadiomics averages over no direction at all where no voxels of a lesion touch
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning:radiomics.*", "ignore::RuntimeWarning:numpy.*")

RECOMMENDED = load_profile("recommended")
NEAREST = load_profile("seed-a", gaussian_sigma_mm=0.0)
SMOOTHED = load_profile("seed-a")


@cache
def case_of(folder: Path, segmentation: str) -> Case:
    ct = [dcmread(file) for file in sorted((folder / "ct").glob("*.dcm"))]
    case = read_case(ct, dcmread(folder / segmentation), inputs_digest="golden")
    assert isinstance(case, Case)
    return case


def computed(ct_of: Drawn | Case, settings: ExtractionSettings) -> FeatureVector:
    lesion = ct_of.lesion if isinstance(ct_of, Drawn) else ct_of.lesions[0]
    found = fast.extract(ct_of.ct, lesion, settings)
    assert isinstance(found, FeatureVector), found
    return found


def differing(found: FeatureVector, wanted: NDArray[np.float64]) -> list[tuple[str, float, float]]:
    """Features that differ by more than 1e-9 of their size; NaN equals NaN only, and 0 equals 0 only."""
    pairs = zip(found.names, found.values.tolist(), wanted.tolist(), strict=True)
    return [(name, a, b) for name, a, b in pairs if a != pytest.approx(b, rel=1e-9, abs=0.0, nan_ok=True)]


def assert_equals_pyradiomics(drawn: Drawn | Case, settings: ExtractionSettings) -> None:
    lesion = drawn.lesion if isinstance(drawn, Drawn) else drawn.lesions[0]
    wanted = oracle.extract(drawn.ct, lesion, settings)
    if isinstance(wanted, Rejected):
        assert isinstance(fast.extract(drawn.ct, lesion, settings), Unsupported)
        return
    found = computed(drawn, settings)
    assert found.names == wanted.names
    assert differing(found, wanted.values) == []


GOLDEN = [
    (case, segmentation, csv_name, settings)
    for case, segmentations in (
        ("lung1", {"seg.dcm": ""}),
        ("lidc0314", {"seg.dcm": "", "seg_reader2.dcm": "_reader2"}),
        ("ibsi_ct_phantom", {"seg.dcm": ""}),
        ("radphantom_pat3", {"seg.dcm": ""}),
    )
    for segmentation, suffix in segmentations.items()
    for csv_name, settings in (
        (f"features_exampleCT{suffix}.csv", RECOMMENDED),
        (f"features_exampleCT_nearest{suffix}.csv", NEAREST),
    )
]


@pytest.mark.parametrize(("case", "segmentation", "csv_name", "settings"), GOLDEN)
def test_features_of_real_lesions_equal_upstream_pyradiomics(
    shared_data: Path, case: str, segmentation: str, csv_name: str, settings: ExtractionSettings
) -> None:
    # reference: upstream PyRadiomics 3.0.1 on the NRRD label (README of the case)
    folder = shared_data / "golden" / case
    with (folder / csv_name).open(newline="") as file:
        reference = dict(csv.reader(file))
    found = computed(case_of(folder, segmentation), settings)
    assert len(found) == 1218
    assert differing(found, np.array([float(reference[name]) for name in found.names])) == []


@pytest.mark.parametrize("case", ["lung1", "lidc0314", "radphantom_pat3"])
def test_smoothed_real_lesions_equal_pyradiomics(shared_data: Path, case: str) -> None:
    assert_equals_pyradiomics(case_of(shared_data / "golden" / case, "seg.dcm"), SMOOTHED)


STS = ["STS_002", "STS_008", "STS_018", "STS_019", "STS_024", "STS_028", "STS_032", "STS_041"]


@pytest.mark.parametrize("patient", STS)
def test_features_of_a_cohort_equal_upstream_pyradiomics(shared_data: Path, patient: str) -> None:
    # reference: upstream PyRadiomics 3.0.1 (README of the cohort)
    folder = shared_data / "cohort_sts"
    with (folder / "features_exampleCT.csv").open(newline="") as file:
        reference = next(row for row in csv.DictReader(file) if row["case"] == patient)
    found = computed(case_of(folder / patient, "seg.dcm"), RECOMMENDED)
    assert differing(found, np.array([float(reference[name]) for name in found.names])) == []


@pytest.mark.parametrize("settings", [RECOMMENDED, NEAREST, SMOOTHED], ids=["spline", "nearest", "smoothed"])
@pytest.mark.parametrize("kind", KINDS)
def test_awkward_lesions_equal_pyradiomics(kind: str, settings: ExtractionSettings) -> None:
    assert_equals_pyradiomics(KINDS[kind](np.random.default_rng([1, len(kind)])), settings)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10, 20))
@pytest.mark.parametrize("kind", KINDS)
def test_many_awkward_lesions_equal_pyradiomics(kind: str, seed: int) -> None:
    drawn = KINDS[kind](np.random.default_rng([seed, len(kind)]))
    for settings in (RECOMMENDED, NEAREST, SMOOTHED):
        found = fast.extract(drawn.ct, drawn.lesion, settings)
        if kind == "oblique" and isinstance(found, Unsupported):
            continue
        assert_equals_pyradiomics(drawn, settings)


def test_a_lesion_in_the_corner_of_a_thin_ct_has_no_laplacian_and_equals_pyradiomics() -> None:
    rng = np.random.default_rng(5)
    mask = np.zeros((3, 30, 30), dtype=np.bool_)
    mask[:, :5, :6] = True
    drawn = Drawn(volume(tissue(rng, (3, 30, 30)), (1.0, 1.0, 1.0)), lesion_of(mask))
    found = computed(drawn, RECOMMENDED)
    missing = {name for name, value in found.items() if np.isnan(value)}
    assert missing == {name for name in found.names if name.startswith("log-")}
    assert_equals_pyradiomics(drawn, RECOMMENDED)


def test_two_voxels_apart_on_a_line_count_as_runs_but_not_as_pairs() -> None:
    # PyRadiomics drops a direction from the run lengths when no line holds two voxels, touching or not
    mask = np.zeros((12, 12, 12), dtype=np.bool_)
    mask[2, 2, 2] = mask[2, 2, 8] = mask[9, 5, 3] = True
    drawn = Drawn(volume(tissue(np.random.default_rng(6), (12, 12, 12)), (1.0, 1.0, 1.0)), lesion_of(mask))
    found = computed(drawn, RECOMMENDED)
    assert np.isnan(found.select(["original_glcm_Contrast"])[0])
    assert found.select(["original_glrlm_ShortRunEmphasis"])[0] == 1.0
    assert_equals_pyradiomics(drawn, RECOMMENDED)


def test_the_first_voxel_of_the_box_counts_as_a_neighbour() -> None:
    # PyRadiomics before 3.0 skipped the neighbour with index 0
    rng = np.random.default_rng(7)
    mask = np.ones((4, 4, 4), dtype=np.bool_)
    whole = np.zeros((20, 20, 20), dtype=np.bool_)
    whole[8:12, 8:12, 8:12] = mask
    assert_equals_pyradiomics(Drawn(volume(tissue(rng, (20, 20, 20)), (1.0, 1.0, 1.0)), lesion_of(whole)), RECOMMENDED)


def test_independent_levels_keep_the_rounding_of_pyradiomics() -> None:
    # HXY2 - HXY is zero in arithmetic: Imc2 is the root of what rounding leaves, or NaN
    hu = np.where(np.indices((8, 9, 10)).sum(axis=0) % 3 == 0, 30, -30).astype(np.int16)
    hu[:, ::2] = 30
    mask = np.zeros((8, 9, 10), dtype=np.bool_)
    mask[2:5, 2:6, 3:7] = True
    assert_equals_pyradiomics(Drawn(volume(hu, (1.0, 1.0, 1.0)), lesion_of(mask)), RECOMMENDED)


def test_a_lesion_of_metal_and_air_with_many_grey_levels_equals_pyradiomics() -> None:
    rng = np.random.default_rng(8)
    hu = np.clip(np.rint(field(rng, (16, 40, 40), 1.0) * 1500), -1024, 3071).astype(np.int16)
    mask = blob(rng, (16, 40, 40))
    assert_equals_pyradiomics(Drawn(volume(hu, (0.8, 0.8, 2.0)), lesion_of(mask)), RECOMMENDED)


def test_more_grey_levels_than_fit_are_left_to_pyradiomics() -> None:
    rng = np.random.default_rng(9)
    hu = rng.integers(-32768, 32767, (12, 30, 30)).astype(np.int16)
    mask = np.zeros(hu.shape, dtype=np.bool_)
    mask[4:8, 10:20, 10:20] = True
    outcome = fast.extract(volume(hu, (1.0, 1.0, 1.0)), lesion_of(mask), RECOMMENDED)
    assert isinstance(outcome, Unsupported)
    assert "grey levels" in outcome.reason


def test_a_ct_of_a_type_that_no_ct_has_is_left_to_pyradiomics() -> None:
    drawn = KINDS["plain"](np.random.default_rng(1))
    other = volume(drawn.ct.hu.astype(np.int64), drawn.ct.grid.spacing_mm)
    assert "int64" in str(fast.supports(other, drawn.lesion, RECOMMENDED))
    assert isinstance(fast.extract(other, drawn.lesion, RECOMMENDED), Unsupported)


def test_double_precision_hu_at_the_edge_of_a_grey_level_are_left_to_pyradiomics() -> None:
    # interpolated, a constant is constant but for its last bits, and these decide its grey level
    drawn = KINDS["flat"](np.random.default_rng(1))
    flat = volume(np.full(drawn.ct.hu.shape, -50.0), (0.8, 0.8, 2.0))
    outcome = fast.extract(flat, drawn.lesion, RECOMMENDED)
    assert isinstance(outcome, Unsupported)
    assert "edge" in outcome.reason


def test_linear_interpolation_is_left_to_pyradiomics() -> None:
    drawn = KINDS["plain"](np.random.default_rng(1))
    linear = ExtractionSettings("linear", "sitkLinear", gaussian_sigma_mm=0.0)
    assert "sitkLinear" in str(fast.supports(drawn.ct, drawn.lesion, linear))


def test_a_lesion_that_vanishes_between_the_voxels_of_the_grid_is_left_to_pyradiomics() -> None:
    rng = np.random.default_rng(3)
    mask = np.zeros((20, 40, 40), dtype=np.bool_)
    mask[10:12, 20, 20:22] = True
    ct = volume(tissue(rng, mask.shape), (0.3, 0.3, 0.4))
    outcomes = fast.extract(ct, lesion_of(mask), RECOMMENDED), oracle.extract(ct, lesion_of(mask), RECOMMENDED)
    assert isinstance(outcomes[0], Unsupported)
    assert isinstance(outcomes[1], Rejected)


def test_a_lesion_of_one_voxel_is_rejected_as_roi_001() -> None:
    mask = np.zeros((10, 10, 10), dtype=np.bool_)
    mask[5, 5, 5] = True
    ct = volume(np.zeros(mask.shape, dtype=np.int16), (1.0, 1.0, 1.0))
    outcome = fast.extract(ct, lesion_of(mask), RECOMMENDED)
    assert outcome == oracle.extract(ct, lesion_of(mask), RECOMMENDED)
    assert isinstance(outcome, Rejected)
    assert outcome.code == "ROI-001"


def test_settings_choose_the_features() -> None:
    drawn = KINDS["plain"](np.random.default_rng(2))
    settings = ExtractionSettings(
        "few", "sitkBSpline", gaussian_sigma_mm=0.0, resampled_spacing_mm=2.0, bin_width_hu=10.0, wavelet=False,
        log_sigmas_mm=(1.5,), pad_distance_mm=4, voxel_array_shift_hu=0.0,
    )  # fmt: skip
    assert computed(drawn, settings).names == feature_names(settings)
    assert_equals_pyradiomics(drawn, settings)
