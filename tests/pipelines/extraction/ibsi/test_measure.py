import logging
import math
import re
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from radiomics.featureextractor import RadiomicsFeatureExtractor
from scipy import ndimage

from benchmarks.ibsi import CSV, FILES, PAGE, read_csv, read_references, written
from benchmarks.ibsi_phantoms import CONFIGURATIONS, DIGITAL, PHANTOM, ct_phantom, digital_phantom, measured
from pipelines.domain.feature_codes import CONCEPTS
from pipelines.domain.features import FeatureVector
from pipelines.domain.ibsi_codes import IBSI, ibsi_tags
from pipelines.domain.reasons import Rejected
from pipelines.extraction.engine import extract
from pipelines.extraction.ibsi.measure import measure
from pipelines.extraction.ibsi.morphology import morphology
from pipelines.extraction.ibsi.roi import Roi
from pipelines.extraction.ibsi.settings import FixedBinSize, IbsiSettings
from pipelines.extraction.names import feature_names
from pipelines.extraction.settings import load_profile
from tests.lesions import KINDS, blob, lesion_of, tissue, volume

PROFILE = load_profile("ibsi")
PUBLISHED = read_csv(CSV.read_text("utf-8"))


def assert_meets(configuration: str, found: dict[str, float]) -> None:
    """All reference values are met, and the published table says what is measured."""
    rows = [row for row in PUBLISHED if row.configuration == configuration]
    missed = {
        row.reference.tag: (found.get(row.reference.tag), row.reference.printed)
        for row in rows
        if not row.reference.met_by(found.get(row.reference.tag, math.nan))
    }
    assert missed == {}
    for row in rows:
        assert found[row.reference.tag] == pytest.approx(row.value, rel=1e-5, abs=1e-12), row.reference.tag


def test_the_digital_phantom_gives_all_482_reference_values() -> None:
    assert sum(row.configuration == DIGITAL for row in PUBLISHED) == 482
    assert_meets(DIGITAL, measure(digital_phantom(), CONFIGURATIONS[DIGITAL]))


@pytest.mark.parametrize(("configuration", "count"), [("A", 406), ("B", 406), ("C", 270), ("D", 270), ("E", 270)])
def test_the_ct_phantom_gives_all_reference_values(configuration: str, count: int, shared_data: Path) -> None:
    assert sum(row.configuration == configuration for row in PUBLISHED) == count
    ct, mask = ct_phantom(shared_data / PHANTOM)
    assert_meets(configuration, measured(ct, mask, CONFIGURATIONS[configuration]))


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_the_published_table_holds_every_reference_value(configuration: str, shared_data: Path) -> None:
    published = [row.reference for row in PUBLISHED if row.configuration == configuration]
    assert published == read_references(shared_data / "reference_values" / FILES[configuration])


def test_the_manual_counts_what_the_published_table_holds() -> None:
    page = PAGE.read_text("utf-8")
    block = re.search(r"<!-- measured: counts -->\n(.*?)<!-- end -->", page, re.DOTALL)
    assert block is not None
    lines = [line.split(" | ") for line in block[1].strip().splitlines()[2:]]
    printed = {cells[0].strip("| "): tuple(cells[1:3]) for cells in lines}
    assert printed == {name: counted(name) for name in CONFIGURATIONS}


def counted(configuration: str) -> tuple[str, str]:
    """Passes of features and of the steps before, as the manual has them."""
    of = [row for row in PUBLISHED if row.configuration == configuration]
    features, steps = ([row for row in of if bool(row.reference.code) == coded] for coded in (True, False))
    texts = [f"{sum(row.passed for row in part)} of {len(part)}" if part else "none" for part in (features, steps)]
    return texts[0], texts[1]


def test_a_place_in_the_manual_is_filled_even_where_it_is_empty() -> None:
    page = "before\n<!-- measured: counts -->\n{}<!-- end -->\nafter"
    filled = page.format("\nnew\n\n")
    for standing in ("", "\n", "\n\n", "\nold\n\n"):
        assert written(page.format(standing), "counts", "new") == filled
    with pytest.raises(ValueError, match="0 places"):
        written(page, "others", "new")


def test_the_profile_is_configuration_c() -> None:
    assert PROFILE.ibsi is not None
    assert PROFILE.digest == CONFIGURATIONS["C"].digest
    assert set(ibsi_tags(("3D",))) == {
        row.reference.tag for row in PUBLISHED if row.configuration == "C" and row.reference.code
    }


@pytest.mark.parametrize("seed", range(4))
def test_texture_of_any_lesion_equals_pyradiomics_on_the_same_levels(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = (12, 40, 44)
    mask = blob(rng, shape)
    # PyRadiomics counts a voxel without neighbours into the NGTDM, IBSI does not
    mask &= ndimage.convolve(mask.astype(int), np.ones((3, 3, 3)), mode="constant") > 1
    image = np.clip(np.rint(tissue(rng, shape) / 40.0), -9, 6).astype(np.float64)
    image -= image[mask].min() - 1
    roi = Roi((2.5, 1.5, 1.5), image, mask, mask)
    found = measure(roi, IbsiSettings("levels", None, None, FixedBinSize(1.0)))

    logging.getLogger("radiomics").setLevel(logging.ERROR)
    made = [sitk.GetImageFromArray(part) for part in (image, mask.astype(np.uint8))]
    for one in made:
        one.SetSpacing((1.5, 1.5, 2.5))
    expected = RadiomicsFeatureExtractor(additionalInfo=False, binWidth=1).execute(*made)

    stems = {code: stem for stem, code in IBSI.items()}
    endings = {"cm": "_3D_avg", "rlm": "_3D_avg", "szm": "_3D", "ngt": "_3D", "ngl": "_3D"}
    compared = 0
    for name, value in expected.items():
        stem = stems.get(CONCEPTS[name.removeprefix("original_")])
        # PyRadiomics divides the scatter of the voxels by their number, IBSI's reference values by one less
        if stem is None or stem in ("morph_pca_maj_axis", "morph_pca_min_axis", "morph_pca_least_axis"):
            continue
        tag = stem + endings.get(stem.split("_")[0], "")
        assert found[tag] == pytest.approx(float(value), rel=1e-7, abs=1e-9), tag
        compared += 1
    assert compared == 96


def test_neighbours_far_apart_are_weighted_as_in_the_definition() -> None:
    rng = np.random.default_rng(5)
    mask = rng.random((5, 6, 7)) < 0.4
    image = rng.normal(40.0, 12.0, mask.shape)
    roi = Roi((3.0, 1.2, 0.8), image, mask, mask)
    places, values = np.argwhere(mask) * np.array(roi.spacing_mm), image[mask]
    apart = np.linalg.norm(places[:, None] - places[None, :], axis=2)
    weight = np.divide(1.0, apart, out=np.zeros_like(apart), where=apart > 0)
    centred = values - values.mean()
    moran = values.size / weight.sum() * (weight * np.outer(centred, centred)).sum() / (centred**2).sum()
    differences = (weight * (values[:, None] - values[None, :]) ** 2).sum()
    geary = (values.size - 1) / (2 * weight.sum()) * differences / (centred**2).sum()
    found = morphology(roi)
    assert found["morph_moran_i"] == pytest.approx(moran, rel=1e-9)
    assert found["morph_geary_c"] == pytest.approx(geary, rel=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_every_awkward_lesion_has_all_features_or_a_reason(kind: str) -> None:
    drawn = KINDS[kind](np.random.default_rng(6))
    made = extract(drawn.ct, drawn.lesion, PROFILE)
    assert made.engine == "ibsi"
    match made.outcome:
        case FeatureVector() as vector:
            assert vector.names == feature_names(PROFILE)
            assert not np.isinf(vector.values).any()
            # all others are undefined for some lesion: one intensity, one voxel, a mean of 0, no two neighbours
            always = (
                "ibsi_stat_mean",
                "ibsi_stat_kurt",
                "ibsi_morph_area_mesh",
                "ibsi_ih_entropy",
                "ibsi_rlm",
                "ibsi_szm",
            )
            assert np.isfinite([value for name, value in vector.items() if name.startswith(always)]).all()
        case Rejected(code):
            assert code == "ROI-003"


def test_a_lesion_that_vanishes_is_refused_with_a_reason() -> None:
    mask = np.zeros((9, 20, 20), dtype=np.bool_)
    mask[4, 5:7, 5:7] = True
    ct = volume(np.zeros(mask.shape, np.int16), (0.3, 0.3, 0.3))
    made = extract(ct, lesion_of(mask), PROFILE).outcome
    assert isinstance(made, Rejected)
    assert made.code == "ROI-003"


def test_a_lesion_of_one_voxel_column_is_refused_as_everywhere() -> None:
    mask = np.zeros((9, 9, 9), dtype=np.bool_)
    mask[2:7, 4, 4] = True
    made = extract(volume(np.zeros(mask.shape, np.int16), (2.0, 2.0, 2.0)), lesion_of(mask), PROFILE).outcome
    assert isinstance(made, Rejected)
    assert made.code == "ROI-001"
