import csv
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from pipelines.domain.case import Case
from pipelines.domain.features import FeatureVector
from pipelines.domain.reasons import Rejected
from pipelines.extraction.names import feature_names
from pipelines.extraction.oracle import extract, feature_maps
from pipelines.extraction.settings import load_profile
from pipelines.imaging.case import read_case
from tests.dicom import centred_ball, ct_series, seg_of


@cache
def golden_case(folder: Path, segmentation: str) -> Case:
    ct = [dcmread(file) for file in sorted((folder / "ct").glob("*.dcm"))]
    case = read_case(ct, dcmread(folder / segmentation), inputs_digest="golden")
    assert isinstance(case, Case)
    return case


def reference(path: Path) -> dict[str, float]:
    with path.open(newline="") as file:
        rows = dict(csv.reader(file))
    return {name: float(value) for name, value in rows.items() if name.startswith(("original", "log-", "wavelet"))}


GOLDEN = [
    ("lung1", "seg.dcm", "features_exampleCT.csv", "recommended"),
    ("lung1", "rtstruct.dcm", "features_exampleCT.csv", "recommended"),
    ("lung1", "seg.dcm", "features_exampleCT_nearest.csv", "seed-a"),
    ("lidc0314", "seg.dcm", "features_exampleCT.csv", "recommended"),
    ("lidc0314", "seg.dcm", "features_exampleCT_nearest.csv", "seed-a"),
    ("lidc0314", "seg_reader2.dcm", "features_exampleCT_reader2.csv", "recommended"),
    ("ibsi_ct_phantom", "seg.dcm", "features_exampleCT.csv", "recommended"),
    ("ibsi_ct_phantom", "seg.dcm", "features_exampleCT_nearest.csv", "seed-a"),
    ("radphantom_pat3", "seg.dcm", "features_exampleCT.csv", "recommended"),
    ("radphantom_pat3", "rtstruct.dcm", "features_exampleCT_nearest.csv", "seed-a"),
]


@pytest.mark.parametrize(("case", "segmentation", "csv_name", "profile"), GOLDEN)
def test_features_of_real_lesions_equal_upstream_pyradiomics(
    shared_data: Path, case: str, segmentation: str, csv_name: str, profile: str
) -> None:
    # reference: upstream PyRadiomics 3.0.1 on the NRRD label, the Gaussian off (README of the case)
    folder = shared_data / "golden" / case
    read = golden_case(folder, segmentation)
    found = extract(read.ct, read.lesions[0], load_profile(profile, gaussian_sigma_mm=0.0))
    assert isinstance(found, FeatureVector)
    expected = reference(folder / csv_name)
    assert len(expected) == 1218
    assert set(found.names) == set(expected)
    wanted = np.array([expected[name] for name in found.names])
    assert found.values == pytest.approx(wanted, rel=1e-9, abs=1e-300, nan_ok=True)


def synthetic() -> Case:
    ct = ct_series(slices=12, rows=40, columns=40)
    case = read_case(ct, seg_of(ct, {1: centred_ball((12, 40, 40))}), inputs_digest="d")
    assert isinstance(case, Case)
    return case


def test_the_gaussian_of_seed_a_smooths_the_texture_and_leaves_the_shape() -> None:
    noise = np.rint(np.random.default_rng(1).normal(30, 30, (12, 40, 40))).astype(np.int16)
    ct = ct_series(slices=12, rows=40, columns=40, hu=noise)
    case = read_case(ct, seg_of(ct, {1: centred_ball((12, 40, 40))}), inputs_digest="d")
    assert isinstance(case, Case)
    plain = extract(case.ct, case.lesions[0], load_profile("seed-a", gaussian_sigma_mm=0.0))
    smooth = extract(case.ct, case.lesions[0], load_profile("seed-a"))
    assert isinstance(plain, FeatureVector)
    assert isinstance(smooth, FeatureVector)
    assert plain.select(["original_shape_MeshVolume"]) == smooth.select(["original_shape_MeshVolume"])
    variance = ["original_firstorder_Variance"]
    assert smooth.select(variance)[0] < plain.select(variance)[0]


def test_every_name_of_a_profile_is_computed() -> None:
    case = synthetic()
    found = extract(case.ct, case.lesions[0], load_profile("recommended"))
    assert isinstance(found, FeatureVector)
    assert found.names == feature_names(load_profile("recommended"))
    assert len(found) == 1218


def test_a_lesion_of_one_voxel_is_rejected_as_roi_001() -> None:
    ct = ct_series()
    dot = np.zeros((10, 32, 32), bool)
    dot[5, 16, 16] = True
    case = read_case(ct, seg_of(ct, {1: dot}), inputs_digest="d")
    assert isinstance(case, Case)
    for outcome in (
        extract(case.ct, case.lesions[0], load_profile("recommended")),
        feature_maps(case.ct, case.lesions[0], ["original_firstorder_Entropy"], load_profile("recommended")),
    ):
        assert isinstance(outcome, Rejected)
        assert outcome.code == "ROI-001"


def test_a_map_of_the_local_mean_equals_the_mean_of_the_neighbours_in_the_lesion() -> None:
    case = synthetic()
    lesion = case.lesions[0]
    maps = feature_maps(case.ct, lesion, ["original_firstorder_Mean"], load_profile("recommended"))
    assert isinstance(maps, tuple)
    (made,) = maps
    assert made.values.shape == lesion.mask.voxels.shape
    assert (made.values[~lesion.mask.voxels] == 0).all()
    whole = lesion.mask.on(case.ct.grid)
    centre = (6, 20, 20)
    box = tuple(slice(c - 1, c + 2) for c in centre)
    expected = case.ct.hu[box][whole[box]].mean()
    where = tuple(c - o for c, o in zip(centre, made.offset, strict=True))
    assert made.values[where] == pytest.approx(expected, rel=1e-6)


def test_digests_tell_settings_apart_but_not_names() -> None:
    recommended, seed_a = load_profile("recommended"), load_profile("seed-a")
    assert recommended.digest != seed_a.digest
    assert load_profile("recommended", gaussian_sigma_mm=0.0).digest == recommended.digest
    assert load_profile("seed-a", gaussian_sigma_mm=2.0).digest != seed_a.digest
