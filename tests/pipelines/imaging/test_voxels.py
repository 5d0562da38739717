"""Only the slices that are looked at are decoded, and what is measured does not depend on it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import dcmread

from pipelines.domain.case import Case
from pipelines.domain.features import FeatureVector
from pipelines.domain.reasons import Rejected
from pipelines.domain.volume import UnreadableVoxels
from pipelines.extraction import fast, fast_maps, oracle
from pipelines.extraction.limits import Unsupported
from pipelines.extraction.settings import load_profile
from pipelines.imaging.case import read_case
from pipelines.imaging.voxels import LazyVoxels
from tests.dicom import ct_series, seg_of

SETTINGS = load_profile("recommended")


def counted(hu: NDArray[np.generic]) -> tuple[LazyVoxels, list[int]]:
    """Lazy voxels of `hu`, and the slices that were decoded, in order."""
    asked: list[int] = []

    def read(index: int) -> NDArray[np.generic]:
        asked.append(index)
        return hu[index]

    return LazyVoxels((hu.shape[0], hu.shape[1], hu.shape[2]), read), asked


def random_hu(*, dtype: type = np.int16) -> NDArray[np.generic]:
    return np.random.default_rng(1).integers(-1000, 1000, (9, 6, 7)).astype(dtype)


def test_a_part_decodes_its_slices_once_and_no_others() -> None:
    hu = random_hu()
    lazy, asked = counted(hu)
    assert np.array_equal(lazy[3:6, 1:2, :4], hu[3:6, 1:2, :4])
    assert np.array_equal(lazy[5], hu[5])
    assert np.array_equal(lazy[4:8:3], hu[4:8:3])
    assert np.array_equal(lazy[-1, 2], hu[-1, 2])
    assert asked == [3, 4, 5, 7, 8]
    assert lazy.decoded == 5
    assert np.array_equal(np.asarray(lazy), hu)
    assert sorted(asked) == list(range(9))


def test_a_wider_slice_widens_all() -> None:
    hu = random_hu(dtype=np.int32)
    hu[4, 0, 0] = 40000
    lazy = LazyVoxels((9, 6, 7), lambda k: hu[k] if k == 4 else hu[k].astype(np.int16))
    assert lazy[:4].dtype == np.int16
    assert lazy[3:6].dtype == lazy.dtype == np.int32
    assert np.array_equal(lazy[:], hu)


def large_case(*, slices: int = 160, damaged: int | None = None, huge: int | None = None) -> Case | Rejected:
    """A lesion of 6 slices in the middle of many."""
    ct = ct_series(slices=slices, spacing_mm=(1.0, 1.0, 2.5))
    mask = np.zeros((slices, 32, 32), dtype=bool)
    mask[77:83, 10:20, 12:22] = True
    if damaged is not None:
        # as long as it should be, but no JPEG at all
        ct[damaged].file_meta.TransferSyntaxUID = type(ct[0].file_meta.TransferSyntaxUID)("1.2.840.10008.1.2.4.80")
    if huge is not None:
        ct[huge].RescaleSlope, ct[huge].PixelData = 20, np.full((32, 32), 5000, "<i2").tobytes()
    return read_case(
        ct, seg_of(ct, {1: mask}) if damaged is None else seg_of(ct_like(ct), {1: mask}), inputs_digest="d"
    )


def ct_like(ct: list) -> list:  # type: ignore[type-arg]
    return ct_series(slices=len(ct), spacing_mm=(1.0, 1.0, 2.5))


def case_of(outcome: Case | Rejected) -> Case:
    assert isinstance(outcome, Case), outcome
    return outcome


def decoded(case: Case) -> int:
    assert isinstance(case.ct.hu, LazyVoxels)
    return case.ct.hu.decoded


def test_the_fast_engine_decodes_what_the_spline_reaches_and_maps_only_the_lesion() -> None:
    case = case_of(large_case())
    assert decoded(case) == 6
    made = fast_maps.feature_maps(case.ct, case.lesions[0], ["original_firstorder_Mean"], SETTINGS)
    assert not isinstance(made, Rejected | Unsupported)
    assert decoded(case) == 6
    assert isinstance(fast.extract(case.ct, case.lesions[0], SETTINGS), FeatureVector)
    assert 6 < decoded(case) < 100


@pytest.mark.parametrize("profile", ["recommended", "seed-a"])
def test_the_numbers_are_those_of_the_whole_volume(profile: str) -> None:
    settings = load_profile(profile)
    case = case_of(large_case())
    lazily = fast.extract(case.ct, case.lesions[0], settings)
    assert decoded(case) < 100
    whole = fast.extract(replace(case.ct, hu=np.asarray(case.ct.hu)), case.lesions[0], settings)
    assert isinstance(lazily, FeatureVector)
    assert isinstance(whole, FeatureVector)
    assert np.array_equal(lazily.values, whole.values, equal_nan=True)
    theirs = oracle.extract(case.ct, case.lesions[0], settings)
    assert isinstance(theirs, FeatureVector)
    assert decoded(case) == 160
    for name, value in theirs.items():
        assert lazily.select([name])[0] == pytest.approx(value, rel=1e-9, abs=0.0, nan_ok=True), name


@pytest.mark.parametrize(("slice_", "seen"), [(5, False), (60, True)])
def test_a_damaged_slice_matters_only_where_a_lesion_needs_it(slice_: int, seen: bool) -> None:
    case = case_of(large_case(damaged=slice_))
    if seen:
        with pytest.raises(UnreadableVoxels, match="CT-004"):
            fast.extract(case.ct, case.lesions[0], SETTINGS)
    else:
        assert isinstance(fast.extract(case.ct, case.lesions[0], SETTINGS), FeatureVector)


def test_a_damaged_slice_of_a_lesion_rejects_the_case() -> None:
    reason = large_case(damaged=80)
    assert isinstance(reason, Rejected)
    assert reason.code == "CT-004"


@pytest.mark.parametrize("slice_", [5, 60])
def test_values_beyond_int16_near_a_lesion_change_no_number(slice_: int) -> None:
    case = case_of(large_case(huge=slice_))
    found = fast.extract(case.ct, case.lesions[0], SETTINGS)
    assert isinstance(found, FeatureVector)
    whole = fast.extract(replace(case.ct, hu=np.asarray(case.ct.hu)), case.lesions[0], SETTINGS)
    assert isinstance(whole, FeatureVector)
    assert np.array_equal(found.values, whole.values, equal_nan=True)


def test_values_beyond_int16_in_a_lesion_have_too_many_levels_and_go_to_pyradiomics() -> None:
    case = case_of(large_case(huge=80))
    found = fast.extract(case.ct, case.lesions[0], SETTINGS)
    assert found == Unsupported("there are more than 2000 grey levels")


def test_a_golden_case_decodes_a_part_of_its_slices(shared_data: Path) -> None:
    folder = shared_data / "golden/lidc0314"
    ct = [dcmread(path) for path in sorted((folder / "ct").glob("*.dcm"))]
    case = case_of(read_case(ct, dcmread(folder / "seg.dcm"), inputs_digest="d"))
    assert decoded(case) == case.lesions[0].mask.voxels.shape[0] < len(ct)
