from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from pydicom import Dataset, dcmread

from pipelines.domain.reasons import Rejected
from pipelines.domain.volume import CtVolume
from pipelines.imaging.ct import ReadCt, read_ct
from tests.dicom import ct_series


def volume_of(outcome: ReadCt | Rejected) -> CtVolume:
    assert isinstance(outcome, ReadCt), outcome
    return outcome.volume


def rejected(outcome: ReadCt | Rejected) -> Rejected:
    assert isinstance(outcome, Rejected)
    return outcome


def instances(folder: Path) -> list[Dataset]:
    return [dcmread(path) for path in sorted(folder.glob("*.dcm"))]


def test_slices_are_stacked_along_the_normal_whatever_their_order() -> None:
    ct = ct_series(slices=8, spacing_mm=(0.5, 0.75, 2.0))
    forward, backward = volume_of(read_ct(ct)), volume_of(read_ct(ct[::-1]))
    assert np.array_equal(forward.hu, backward.hu)
    assert forward.grid == backward.grid
    assert forward.grid.spacing_mm == (0.5, 0.75, 2.0)
    assert [s.sop_instance for s in forward.slices] == [i.SOPInstanceUID for i in ct]


def test_a_series_with_a_missing_slice_is_rejected_as_ct_002_with_the_place() -> None:
    reason = rejected(read_ct(ct_series(slices=10, without=4)))
    assert reason.code == "CT-002"
    assert "1 slice is missing: z = -4.00 mm" in reason.detail


def test_an_identical_second_copy_of_a_slice_changes_nothing() -> None:
    ct = ct_series(slices=5)
    assert volume_of(read_ct([*ct, ct[2]])).grid.shape[0] == 5


def test_two_different_slices_at_one_place_are_two_acquisitions() -> None:
    ct, other = ct_series(slices=5), ct_series(slices=5)[2]
    other.PixelData = bytes(len(other.PixelData))
    assert rejected(read_ct([*ct, other])).code == "CT-001"


def test_a_localizer_is_left_out() -> None:
    ct = ct_series(slices=5)
    scout = ct_series(slices=2, seed=2)[0]
    scout.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    assert volume_of(read_ct([*ct, scout])).grid.shape[0] == 5


def test_cut_pixel_data_names_the_instance() -> None:
    ct = ct_series(slices=5)
    ct[1].PixelData = ct[1].PixelData[:100]
    reason = rejected(read_ct(ct))
    assert reason.code == "CT-004"
    assert ct[1].SOPInstanceUID in reason.detail


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"BitsAllocated": 1, "BitsStored": 1, "HighBit": 0}, "CT-004"),
        ({"PixelSpacing": [1.0, 2000.0]}, "CT-003"),
        ({"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]}, "CT-003"),
    ],
    ids=["single bits", "pixels of two metres", "directions that are one"],
)
def test_what_is_no_ct_is_refused_and_not_measured(changed: dict[str, object], code: str) -> None:
    ct = ct_series(slices=5)
    for image in ct:
        for keyword, value in changed.items():
            setattr(image, keyword, value)
    assert rejected(read_ct(ct)).code == code


def test_slices_that_lie_kilometres_apart_are_no_volume() -> None:
    ct = ct_series(slices=5)
    for number, image in enumerate(ct):
        image.ImagePositionPatient = [0, 0, number * 1e7]
    reason = rejected(read_ct(ct))
    assert (reason.code, reason.detail) == ("CT-003", "The slices lie 10000000 mm apart.")


def test_a_missing_rescale_slope_is_no_silent_one() -> None:
    ct = ct_series(slices=5)
    del ct[3].RescaleSlope
    reason = rejected(read_ct(ct))
    assert reason.code == "CT-003"
    assert "RescaleSlope" in reason.detail


def test_a_rescale_of_its_own_for_each_slice_is_applied() -> None:
    ct = ct_series(slices=3)
    plain = volume_of(read_ct(ct)).hu
    ct[1].RescaleIntercept = int(ct[1].RescaleIntercept) + 100
    shifted = volume_of(read_ct(ct)).hu
    assert np.array_equal(shifted[1], plain[1] + 100)
    assert np.array_equal(shifted[2], plain[2])


GOLDEN = ("golden/lung1", "golden/lidc0314", "golden/ibsi_ct_phantom", "golden/radphantom_pat3", "cohort_sts/STS_002")


@pytest.mark.parametrize("case", GOLDEN)
def test_real_series_are_read_exactly_as_gdcm_reads_them(shared_data: Path, case: str) -> None:
    folder = shared_data / case / "ct"
    ours = volume_of(read_ct(instances(folder)))
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    theirs = reader.Execute()
    assert np.array_equal(ours.hu, sitk.GetArrayFromImage(theirs))
    assert ours.grid.spacing_mm == theirs.GetSpacing()
    assert ours.grid.origin_mm == theirs.GetOrigin()
    assert ours.grid.direction == pytest.approx(theirs.GetDirection(), abs=1e-12)


SAME_AS_BASE = (
    "ts_ivrle",
    "ts_jpegls",
    "ts_jpeg_lossless_sv1",
    "enhanced_legacy_highdicom",
    "duplicate_resent",
    "reversed_instance_numbers",
    "localizer_in_series",
    "charset_gb18030",
    "charset_utf8",
)


@pytest.mark.parametrize("variant", SAME_AS_BASE)
def test_variants_of_one_series_give_the_same_volume(shared_data: Path, variant: str) -> None:
    base = volume_of(read_ct(instances(shared_data / "variants/base/ct")))
    made = volume_of(read_ct(instances(shared_data / "variants" / variant / "ct")))
    assert np.array_equal(made.hu, base.hu)
    assert made.grid.spacing_mm == pytest.approx(base.grid.spacing_mm)
    assert made.grid.origin_mm == pytest.approx(base.grid.origin_mm)


@pytest.mark.parametrize(
    ("variant", "code", "words"),
    [
        ("missing_slice", "CT-002", "1 slice is missing: z = -637.50 mm"),
        ("truncated_file", "CT-004", "9000 bytes are missing"),
    ],
)
def test_defects_of_real_series_are_named(shared_data: Path, variant: str, code: str, words: str) -> None:
    reason = rejected(read_ct(instances(shared_data / "variants" / variant / "ct")))
    assert reason.code == code
    assert words in reason.detail


def test_an_image_with_two_numbers_of_samples_is_refused_with_its_reason() -> None:
    ct = ct_series(slices=4)
    ct[1].SamplesPerPixel = [1, 1]
    reason = rejected(read_ct(ct))
    assert reason.code == "CT-003"
    assert str(ct[1].SOPInstanceUID) in reason.detail


def test_an_image_type_that_is_no_text_is_none_of_a_localizer() -> None:
    ct = ct_series(slices=4)
    ct[1].add_new("ImageType", "US", 7)
    assert volume_of(read_ct(ct)).hu.shape == (4, 32, 32)
