"""Every CT of the collected variants and objects has the reaction that its collection asks for; geometry is fuzzed."""

import csv
import json
import math
from collections import defaultdict
from collections.abc import Sequence
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import Dataset, dcmread
from pydicom.errors import InvalidDicomError

from pipelines.domain.case import Case
from pipelines.domain.features import FeatureVector
from pipelines.domain.reasons import Rejected
from pipelines.domain.sop_classes import CT_IMAGES
from pipelines.domain.volume import UnreadableVoxels
from pipelines.extraction import fast, oracle
from pipelines.extraction.settings import load_profile
from pipelines.imaging.case import read_case
from pipelines.imaging.ct import ReadCt, read_ct
from pipelines.imaging.frames import ct_frames
from tests.ct_variants import enhanced, points_of, small_series

SETTINGS = load_profile("recommended")
# what the collection says in words, in terms of codes; a variant that is not named here is measured without a note
REFUSED = {"missing_slice": "CT-002", "truncated_file": "CT-004"}
NOTED = {"gantry_tilt_15": ["CT-006"], "localizer_in_series": ["CT-010"]}
# other voxels than the base has, or another first voxel, to which PyRadiomics anchors its resampling grid
OWN_FEATURES = {"gantry_tilt_15", "non_square_pixels", "unsigned_padding", "flipped_axes"}
VARIANTS = (
    "base",
    "ts_ivrle",
    "ts_jpegls",
    "ts_jpeg_lossless_sv1",
    "enhanced_legacy_highdicom",
    "gantry_tilt_15",
    "missing_slice",
    "duplicate_resent",
    "reversed_instance_numbers",
    "localizer_in_series",
    "truncated_file",
    "charset_gb18030",
    "charset_utf8",
    "non_square_pixels",
    "flipped_axes",
    "unsigned_padding",
)


@cache
def expected(shared_data: Path) -> dict[str, dict[str, Any]]:
    entries = json.loads((shared_data / "variants/expected.json").read_text("utf-8"))
    return {entry["variant"]: entry for entry in entries if entry["kind"] in ("ct", "charset")}


def outcome_of(shared_data: Path, variant: str) -> Case | Rejected:
    folder = shared_data / "variants" / variant
    ct = [dcmread(path) for path in sorted((folder / "ct").rglob("*.dcm"))]
    return read_case(ct, dcmread(folder / "seg.dcm"), inputs_digest="d")


def features(case: Case) -> dict[str, float]:
    found = fast.extract(case.ct, case.lesions[0], SETTINGS)
    assert isinstance(found, FeatureVector), found
    return dict(found.items())


def upstream(path: Path) -> dict[str, float]:
    with path.open(newline="") as file:
        rows = dict(csv.reader(file))
    return {name: float(v) for name, v in rows.items() if name.startswith(("original", "log-", "wavelet"))}


def test_every_ct_variant_of_the_collection_is_looked_at(shared_data: Path) -> None:
    assert set(expected(shared_data)) == set(VARIANTS)


@pytest.mark.parametrize("variant", VARIANTS)
def test_each_variant_has_its_expected_reaction(shared_data: Path, variant: str) -> None:
    wanted = expected(shared_data)[variant]
    case = outcome_of(shared_data, variant)
    if variant in REFUSED:
        assert isinstance(case, Rejected)
        assert case.code == REFUSED[variant]
        return
    assert isinstance(case, Case), case
    assert [note.code for note in case.notes] == NOTED.get(variant, [])
    assert case.lesions[0].mask.count == wanted["roi_voxels"]
    assert case.lesions[0].mask.volume_ml(case.ct.grid) * 1000 == pytest.approx(wanted["roi_volume_mm3"], rel=1e-6)
    spacing = [*wanted["spacing"][:2], wanted.get("perp_spacing", wanted["spacing"][2])]
    assert case.ct.grid.spacing_mm == pytest.approx(spacing, abs=1e-5)
    assert case.ct.grid.shape[0] == wanted["slices"]
    if variant not in OWN_FEATURES:
        theirs = upstream(shared_data / "variants/base/features_exampleCT.csv")
        for name, value in features(case).items():
            assert value == pytest.approx(theirs[name], rel=1e-9, abs=0.0, nan_ok=True), name


def test_flipped_axes_give_the_same_voxels_in_the_same_places(shared_data: Path) -> None:
    base, flipped = outcome_of(shared_data, "base"), outcome_of(shared_data, "flipped_axes")
    assert isinstance(base, Case)
    assert isinstance(flipped, Case)
    assert np.array_equal(np.asarray(flipped.ct.hu), np.asarray(base.ct.hu)[:, ::-1, ::-1])
    there, here = flipped.lesions[0].mask.on(flipped.ct.grid), base.lesions[0].mask.on(base.ct.grid)
    assert np.array_equal(there, here[:, ::-1, ::-1])
    assert points_of(flipped.ct.grid)[there].mean(axis=0) == pytest.approx(points_of(base.ct.grid)[here].mean(axis=0))
    theirs = oracle.extract(flipped.ct, flipped.lesions[0], SETTINGS)
    assert isinstance(theirs, FeatureVector)
    for name, value in features(flipped).items():
        assert value == pytest.approx(theirs.select([name])[0], rel=1e-9, abs=0.0, nan_ok=True), name


def test_the_missing_slice_and_the_damaged_image_are_named(shared_data: Path) -> None:
    missing, damaged = outcome_of(shared_data, "missing_slice"), outcome_of(shared_data, "truncated_file")
    assert isinstance(missing, Rejected)
    assert "z = -637.50 mm" in missing.detail
    assert isinstance(damaged, Rejected)
    assert "CT instance 2.25.545511180760559570726128271227237897" in damaged.detail
    assert "9000 bytes" in damaged.detail


def test_row_and_column_spacing_are_not_swapped(shared_data: Path) -> None:
    case = outcome_of(shared_data, "non_square_pixels")
    assert isinstance(case, Case)
    theirs = upstream(shared_data / "variants/non_square_pixels/features_exampleCT.csv")
    for name, value in features(case).items():
        assert value == pytest.approx(theirs[name], rel=1e-9, abs=0.0, nan_ok=True), name


def test_padding_leaves_the_features_inside_the_field_of_view_alone(shared_data: Path) -> None:
    case = outcome_of(shared_data, "unsigned_padding")
    assert isinstance(case, Case)
    base = upstream(shared_data / "variants/base/features_exampleCT.csv")
    found = features(case)
    for name in (name for name in base if name.startswith("original_")):
        assert found[name] == pytest.approx(base[name], rel=1e-9, abs=0.0, nan_ok=True), name
    # far below air there would be edges of 2000 HU in the filters' support
    assert np.asarray(case.ct.hu).min() == -1024
    filtered = [name for name in base if not name.startswith("original_") and math.isfinite(base[name])]
    same = [name for name in filtered if found[name] == pytest.approx(base[name], rel=1e-6, abs=1e-9)]
    assert len(same) > 0.95 * len(filtered)


def test_a_lesion_on_padding_is_told_in_the_report(shared_data: Path) -> None:
    folder = shared_data / "variants/unsigned_padding"
    ct = [dcmread(path) for path in sorted((folder / "ct").glob("*.dcm"))]
    segmentation = dcmread(folder / "seg.dcm")
    for instance in ct:
        # the field of view shrinks to a circle around the other corner
        cells = instance.pixel_array.copy()
        cells[:, 60:] = -2000
        instance.PixelData = cells.tobytes()
    case = read_case(ct, segmentation, inputs_digest="d")
    assert isinstance(case, Case)
    [note] = case.notes
    assert note.code == "CT-009"
    covered = case.lesions[0].mask.on(case.ct.grid)[:, :, 60:].sum()
    assert f"{covered} of 837 voxels of segment 1" in note.detail


# what the objects of other projects must lead to: a code, or the codes of the notes of a volume
OBJECTS = {
    "charset": "CT-005",
    "ct_gantry_tilt_siemens": "CT-001",
    "ct_ge_compressed": "CT-005",
    "ct_two_dates/A002304/axial": "CT-005",
    "ct_two_dates/A002304/coronal": "CT-005",
    "enhanced_ct": ["CT-011"],
    "highdicom/CT2": "CT-002",
    "highdicom": "CT-005",
    "oriented": "CT-001",
    "rtstruct": "CT-005",
    "seg_liver_ct": [],
    "totalsegmentator_example/ct": [],
    "weird": ("CT-001", "CT-005"),
}


@cache
def series_of_objects(shared_data: Path) -> dict[str, list[list[Dataset]]]:
    found: dict[str, dict[str, list[Dataset]]] = defaultdict(lambda: defaultdict(list))
    for path in sorted((shared_data / "objects").rglob("*")):
        if not path.is_file():
            continue
        try:
            instance = dcmread(path)
        except InvalidDicomError:
            continue
        if instance.get("SOPClassUID") in CT_IMAGES:
            # the compressed images are one image many times
            single = path.name if "compressed" in str(path) else str(instance.SeriesInstanceUID)
            found[str(path.parent.relative_to(shared_data / "objects"))][single].append(instance)
    return {folder: list(series.values()) for folder, series in found.items()}


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_each_ct_of_other_projects_has_its_expected_reaction(shared_data: Path) -> None:
    found = series_of_objects(shared_data)
    assert set(found) == set(OBJECTS)
    for folder, series in found.items():
        for instances in series:
            outcome = read_ct(instances)
            wanted = OBJECTS[folder]
            if isinstance(outcome, Rejected):
                assert outcome.code in wanted, (folder, outcome)
            else:
                assert [note.code for note in outcome.notes] == wanted, folder
                assert np.isfinite(outcome.volume.hu[:]).all()


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_one_image_has_the_same_pixels_in_every_compression_of_the_nema_samples(shared_data: Path) -> None:
    samples = [next(ct_frames(series[0])).hounsfield() for series in series_of_objects(shared_data)["ct_ge_compressed"]]
    assert len(samples) == 4
    # by RLE, JPEG 2000, JPEG-LS and JPEG
    assert all(np.array_equal(samples[0], other) for other in samples[1:])


# variants that are made here


def hu(ct: Sequence[Dataset]) -> np.ndarray:
    made = read_ct(ct)
    assert isinstance(made, ReadCt), made
    assert made.notes == ()
    return np.asarray(made.volume.hu)


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4, 5, 6, 7], [7, 6, 5, 4, 3, 2, 1, 0], [3, 0, 7, 1, 6, 2, 5, 4]])
def test_frames_may_come_in_any_order_and_share_what_they_have_in_common(order: list[int], shared: bool) -> None:
    ct = small_series()
    made = read_ct([enhanced(ct, order, shared=shared)])
    assert isinstance(made, ReadCt), made
    assert np.array_equal(made.volume.hu, hu(ct))
    assert [ref.frame for ref in made.volume.slices] == [order.index(k) + 1 for k in range(8)]


def test_a_series_may_consist_of_several_multi_frame_images() -> None:
    ct = small_series()
    assert np.array_equal(hu([enhanced(ct, [5, 1, 3, 7]), enhanced(ct, [0, 2, 4, 6])]), hu(ct))


def test_a_localizer_frame_of_a_multi_frame_image_is_left_out() -> None:
    ct = small_series()
    both = enhanced(ct)
    kind = Dataset()
    kind.FrameType = ["ORIGINAL", "PRIMARY", "LOCALIZER", "NONE"]
    both.PerFrameFunctionalGroupsSequence[0].CTImageFrameTypeSequence = [kind]
    assert np.array_equal(hu([both]), hu(ct)[1:])


def test_each_frame_has_its_own_rescale() -> None:
    ct = small_series()
    both = enhanced(ct)
    both.PerFrameFunctionalGroupsSequence[4].PixelValueTransformationSequence[0].RescaleIntercept = -1000
    assert np.array_equal(hu([both]) - hu(ct), np.where(np.arange(8) == 4, 24, 0)[:, None, None] * np.ones((1, 16, 20)))


@pytest.mark.parametrize("change", ["reversed", "absent"])
def test_instance_numbers_mean_nothing(change: str) -> None:
    ct = small_series()
    plain = hu(ct)
    for number, instance in enumerate(ct):
        instance.InstanceNumber = 100 - number
        if change == "absent":
            del instance.InstanceNumber
    assert np.array_equal(hu(ct[::-1]), plain)


ORIENTATIONS = {
    "coronal": (1.0, 0.0, 0.0, 0.0, 0.0, -1.0),
    "sagittal": (0.0, 1.0, 0.0, 0.0, 0.0, -1.0),
    "feet first": (-1.0, 0.0, 0.0, 0.0, 1.0, 0.0),
    "upside down": (1.0, 0.0, 0.0, 0.0, -1.0, 0.0),
    "oblique": (0.36, 0.48, -0.8, -0.8, 0.6, 0.0),
}


@pytest.mark.parametrize("orientation", ORIENTATIONS.values(), ids=ORIENTATIONS)
def test_stacks_in_any_direction_are_volumes(orientation: tuple[float, ...]) -> None:
    ct = small_series(orientation=orientation)
    made = read_ct(ct[::-1])
    assert isinstance(made, ReadCt), made
    assert made.notes == ()
    assert np.array_equal(made.volume.hu, hu(small_series()))
    assert made.volume.grid.normal == pytest.approx(np.cross(orientation[:3], orientation[3:]), abs=1e-6)


def test_signs_may_differ_within_a_series() -> None:
    ct = small_series()
    plain = hu(ct)
    for instance in ct[::2]:
        cells = instance.pixel_array.astype(int) + 1024
        instance.PixelRepresentation, instance.RescaleIntercept = 0, -2048
        instance.PixelData = cells.astype("<u2").tobytes()
    assert np.array_equal(hu(ct), plain)


def test_a_picture_of_a_dose_report_is_left_out() -> None:
    ct = small_series()
    picture = deepcopy(ct[0])
    picture.SamplesPerPixel, picture.PhotometricInterpretation = 3, "RGB"
    del picture.ImagePositionPatient
    made = read_ct([*ct, picture])
    assert isinstance(made, ReadCt)
    assert "1 that are pictures in colours" in made.notes[0].detail


def test_a_single_slice_is_no_volume() -> None:
    reason = read_ct(small_series(slices=1))
    assert isinstance(reason, Rejected)
    assert reason.code == "CT-005"


@pytest.mark.parametrize("kind", ["US", "Houndsfield Unit", "HU_MOD", "HU", None])
def test_values_that_are_no_hu_are_told(kind: str | None) -> None:
    ct = small_series()
    for instance in ct:
        if kind is None:
            del instance.RescaleType
        else:
            instance.RescaleType = kind
    made = read_ct(ct)
    assert isinstance(made, ReadCt)
    assert [note.code for note in made.notes] == (["CT-011"] if kind in ("US", "Houndsfield Unit") else [])


IMPOSSIBLE: dict[str, dict[str, Any]] = {
    "no position": {"ImagePositionPatient": None},
    "two coordinates": {"ImagePositionPatient": [0, 0]},
    "not a number": {"ImagePositionPatient": ["nan", 0, 0]},
    "out of this world": {"ImagePositionPatient": [1e12, 0, 0]},
    "no direction": {"ImageOrientationPatient": [0, 0, 0, 0, 0, 0]},
    "one direction twice": {"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]},
    "no pixel size": {"PixelSpacing": [0, 1]},
    "negative pixel size": {"PixelSpacing": [1, -1]},
    "no slope": {"RescaleSlope": 0},
    "no intercept": {"RescaleIntercept": None},
}


@pytest.mark.parametrize("attributes", IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_impossible_headers_name_the_image(attributes: dict[str, Any]) -> None:
    ct = small_series()
    for keyword, value in attributes.items():
        setattr(ct[3], keyword, value)
    reason = read_ct(ct)
    assert isinstance(reason, Rejected)
    assert reason.code == "CT-003"
    assert ct[3].SOPInstanceUID in reason.detail


number = st.one_of(
    st.sampled_from([0, 1, -1, 1e-9, 1e9, "nan", "inf", "", "1.0e400", None]), st.floats(-500, 500), st.integers(-3, 3)
)
KEYWORDS = {
    "ImagePositionPatient": st.lists(number, max_size=4),
    "ImageOrientationPatient": st.one_of(
        st.sampled_from([list(value) for value in ORIENTATIONS.values()]), st.lists(number, min_size=5, max_size=6)
    ),
    "PixelSpacing": st.lists(number, max_size=3),
    "RescaleSlope": number,
    "RescaleIntercept": number,
    "Rows": st.sampled_from([16, 0, 15, 20, None]),
    "Columns": st.sampled_from([20, 1, 65535]),
    "BitsStored": st.integers(0, 20),
    "HighBit": st.integers(0, 20),
    "PixelRepresentation": st.integers(0, 2),
    "SamplesPerPixel": st.sampled_from([1, 3, 0]),
    "NumberOfFrames": st.sampled_from([1, 2, 0, -1]),
    "PixelPaddingValue": st.integers(0, 65535),
    "AcquisitionNumber": st.integers(0, 2),
    "FrameOfReferenceUID": st.sampled_from(["", "1.2.3"]),
    "ImageType": st.sampled_from(["LOCALIZER", ["ORIGINAL", "PRIMARY", "LOCALIZER"], None, ""]),
    "PixelData": st.sampled_from([b"", b"\0" * 17]),
}
change = st.sampled_from(sorted(KEYWORDS)).flatmap(lambda keyword: st.tuples(st.just(keyword), KEYWORDS[keyword]))


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@pytest.mark.filterwarnings("ignore")
@given(
    places=st.lists(st.floats(-40, 40), min_size=1, max_size=8),
    lean=st.sampled_from([0.0, 0.0, 0.001, 0.2]),
    changes=st.lists(st.tuples(st.integers(0, 7), change), max_size=3),
    multi_frame=st.booleans(),
)
def test_any_geometry_is_a_volume_or_a_defect_with_a_code(
    places: list[float], lean: float, changes: list[tuple[int, tuple[str, Any]]], multi_frame: bool
) -> None:
    ct = deepcopy(_TEMPLATE[: len(places)])
    for instance, z in zip(ct, places, strict=True):
        instance.ImagePositionPatient = [0, round(lean * z, 4), round(z, 4)]
    for index, (keyword, value) in changes:
        try:
            setattr(ct[index % len(ct)], keyword, value)
        except (ValueError, TypeError, OverflowError):
            return  # no file can hold that value
    try:
        outcome = read_ct([enhanced(ct)] if multi_frame else ct)
    except Exception as fault:
        raise AssertionError(f"{type(fault).__name__}: {fault}") from fault
    if isinstance(outcome, Rejected):
        assert outcome.code in ("CT-001", "CT-002", "CT-003", "CT-004", "CT-005")
        return
    assert len(outcome.volume.slices) == outcome.volume.grid.shape[0] >= 2
    try:
        assert np.isfinite(outcome.volume.hu[:]).all()
    except UnreadableVoxels as fault:
        assert fault.reason.code == "CT-004"


_TEMPLATE = small_series()
