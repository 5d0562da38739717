"""Tilted and uneven series on a regular grid: voxels at the places where they belong, masks with their volume."""

from collections.abc import Sequence

import numpy as np
import pytest
from pydicom import Dataset, dcmread

from pipelines.domain.case import Case
from pipelines.domain.reasons import Rejected
from pipelines.imaging.case import read_case
from pipelines.imaging.ct import ReadCt, read_ct
from tests.ct_variants import at_heights, enhanced, painted, points_of, ramp, seg_of_slices, tilted
from tests.dicom import centred_ball, circle_of, ct_series, rtstruct_of, seg_of

TILTS = (-22.0, -0.5, 3.0, 15.0, 30.0)
UNEVEN = {
    "change of spacing": [0, 1.25, 2.5, 3.75, 5.0, 7.25, 9.5, 11.75],
    "one slice aside": [0, 2, 4, 6.7, 8, 10, 12, 14],
    "growing": [0, 2, 4.1, 6.3, 8.6, 11.0, 13.5, 16.1],
    "twice as fine in the middle but not quite": [0, 3, 6, 7.4, 8.8, 10.2, 13.2, 16.2],
}


def read(ct: Sequence[Dataset]) -> ReadCt:
    made = read_ct(ct)
    assert isinstance(made, ReadCt), made
    return made


def case_of(ct: Sequence[Dataset], segmentation: Dataset) -> Case:
    made = read_case(ct, segmentation, inputs_digest="d")
    assert isinstance(made, Case), made
    return made


def assert_ramp(made: ReadCt, *, covered: float) -> None:
    """Every voxel that lies within the slices has the HU of its place; `covered` of all do."""
    expected = ramp(points_of(made.volume.grid))
    hu = made.volume.hu[:]
    # at the edges air enters the interpolation
    inside = hu > expected.min() - 5
    assert inside.mean() >= covered
    difference = np.abs(hu - expected)
    assert np.median(difference[inside]) <= 0.5
    assert (difference <= 1.1).mean() >= covered


def placed(case: Case) -> np.ndarray:
    """Patient coordinates of the middle of the first lesion."""
    return points_of(case.ct.grid)[case.lesions[0].mask.on(case.ct.grid)].mean(axis=0)


@pytest.mark.parametrize("degrees", TILTS)
def test_a_tilted_series_has_its_values_where_they_belong(degrees: float) -> None:
    made = read(painted(tilted(ct_series(), degrees)))
    assert [note.code for note in made.notes] == ["CT-006"]
    assert f"tilt {abs(degrees):.1f} degrees" in made.notes[0].detail
    assert made.volume.resampled
    assert made.volume.grid.spacing_mm[2] == pytest.approx(2 * np.cos(np.radians(degrees)))
    rows_added = made.volume.grid.shape[1] - 32
    assert rows_added == int(np.ceil(abs(18 * np.sin(np.radians(degrees)))))
    assert_ramp(made, covered=0.8 * 32 / (32 + rows_added))


@pytest.mark.parametrize("heights", UNEVEN.values(), ids=UNEVEN)
def test_an_uneven_series_has_its_values_where_they_belong(heights: list[float]) -> None:
    made = read(painted(at_heights(ct_series(), heights)))
    assert [note.code for note in made.notes] == ["CT-007"]
    assert made.volume.resampled
    grid = made.volume.grid
    assert grid.spacing_mm[2] <= np.diff(heights).min() + 1e-9
    assert grid.spacing_mm[2] * (grid.shape[0] - 1) == pytest.approx(heights[-1])
    assert np.abs(made.volume.hu[:] - ramp(points_of(grid))).max() <= 1.0
    # no image is skipped: each is the source of a slice
    assert {ref.sop_instance for ref in made.volume.slices} == {ref.sop_instance for ref in made.acquired.slices}


def test_the_change_of_spacing_is_named_with_its_place() -> None:
    made = read(at_heights(ct_series(), UNEVEN["change of spacing"]))
    assert "1.25 -> 2.25 mm at z = 5.00 mm" in made.notes[0].detail


def test_a_series_that_is_tilted_and_uneven_is_brought_upright_and_even() -> None:
    made = read(painted(tilted(at_heights(ct_series(), UNEVEN["change of spacing"]), 10)))
    assert [note.code for note in made.notes] == ["CT-006", "CT-007"]
    assert_ramp(made, covered=0.75)


def test_slices_that_are_in_their_place_stay_as_they_are() -> None:
    ct = at_heights(ct_series(), [0, 2, 4, 6, 8, 10, 12, 15])
    made = read(ct)
    grid = made.volume.grid
    for index, ref in enumerate(made.volume.slices):
        height = grid.slice_position_mm(index)[2]
        source = next(i for i in ct if ref.sop_instance == i.SOPInstanceUID)
        if abs(height - float(source.ImagePositionPatient[2])) < 1e-6:
            assert np.array_equal(made.volume.hu[index], source.pixel_array - 1024)


def test_steps_too_uneven_for_any_spacing_are_refused() -> None:
    reason = read_ct(at_heights(ct_series(), [0, 2, 4, 4.06, 6, 8, 10, 12]))
    assert isinstance(reason, Rejected)
    assert reason.code == "CT-003"
    assert "unevenly" in reason.detail


@pytest.mark.parametrize("degrees", TILTS)
def test_a_mask_keeps_its_voxels_and_its_place_under_tilt(degrees: float) -> None:
    ct = tilted(ct_series(), degrees)
    ball = centred_ball((10, 32, 32))
    case = case_of(ct, seg_of_slices(ct))
    assert case.lesions[0].mask.count == ball.sum()
    true_volume_ml = ball.sum() * 1.0 * 1.0 * 2.0 * np.cos(np.radians(degrees)) / 1000
    assert case.lesions[0].mask.volume_ml(case.ct.grid) == pytest.approx(true_volume_ml, rel=1e-6)
    assert np.abs(placed(case) - middle_of(ct, ball)).max() < 0.51
    assert case.segmentation.referable


@pytest.mark.parametrize("heights", UNEVEN.values(), ids=UNEVEN)
def test_a_mask_keeps_its_place_between_uneven_slices(heights: list[float]) -> None:
    ct = at_heights(ct_series(), heights)
    case = case_of(ct, seg_of_slices(ct))
    mask = case.lesions[0].mask
    drawn = np.flatnonzero(centred_ball((8, 32, 32)).any(axis=(1, 2)))
    bounds = [case.ct.grid.slice_position_mm(k)[2] for k in (mask.offset[0], mask.offset[0] + mask.voxels.shape[0] - 1)]
    step = case.ct.grid.spacing_mm[2]
    before, after = heights[drawn[0]] - heights[drawn[0] - 1], heights[drawn[-1] + 1] - heights[drawn[-1]]
    assert heights[drawn[0]] - before / 2 <= bounds[0] <= heights[drawn[0]] + step / 2
    assert heights[drawn[-1]] - step / 2 <= bounds[1] <= heights[drawn[-1]] + after / 2
    assert case.segmentation.referable


def test_contours_on_tilted_slices_are_filled_on_them() -> None:
    straight = ct_series()
    ct = tilted(straight, 15)
    circle = circle_of(straight)
    structures = rtstruct_of(straight, {1: [(index, circle) for index in range(3, 7)]})
    # the contours lean with the slices
    y0, angle = float(ct[0].ImagePositionPatient[1]), np.radians(15)
    for contour in structures.ROIContourSequence[0].ContourSequence:
        points = np.array(contour.ContourData, dtype=float).reshape(-1, 3)
        along = points[:, 1] - y0
        points[:, 1], points[:, 2] = y0 + along * np.cos(angle), points[:, 2] - along * np.sin(angle)
        contour.ContourData = [f"{value:.6f}" for value in points.ravel()]
    leaning = case_of(ct, structures)
    upright = case_of(straight, rtstruct_of(straight, {1: [(index, circle) for index in range(3, 7)]}))
    assert leaning.lesions[0].mask.count == upright.lesions[0].mask.count
    assert not leaning.segmentation.referable


def test_a_segmentation_with_a_grid_of_its_own_is_read_on_the_new_grid() -> None:
    ct = tilted(ct_series(), 15)
    fine = ct_series(slices=40, rows=64, columns=64, spacing_mm=(0.5, 0.5, 0.5), study=ct[0].StudyInstanceUID)
    ball = centred_ball((40, 64, 64))
    segmentation = seg_of(fine, {1: ball}, frame_of_reference=str(ct[0].FrameOfReferenceUID))
    case = case_of(ct, segmentation)
    assert "SEG-008" in [note.code for note in case.notes]
    assert case.lesions[0].mask.volume_ml(case.ct.grid) == pytest.approx(ball.sum() * 0.125 / 1000, rel=0.1)
    assert np.abs(placed(case) - middle_of(fine, ball)).max() < 0.6


def test_a_broken_segmentation_of_a_tilted_series_is_refused_for_what_it_is() -> None:
    ct = tilted(ct_series(), 15)
    segmentation = seg_of_slices(ct)
    segmentation.PerFrameFunctionalGroupsSequence[1].PlanePositionSequence[0].ImagePositionPatient = [1, 2]
    reason = read_case(ct, segmentation, inputs_digest="d")
    assert isinstance(reason, Rejected)
    assert reason.code == "SEG-006"


def test_frames_of_a_tilted_multi_frame_image_are_named_as_sources() -> None:
    ct = tilted(ct_series(), 8)
    made = read([enhanced(ct, [4, 2, 0, 9, 8, 7, 6, 5, 3, 1])])
    assert [ref.frame for ref in made.volume.slices] == [3, 10, 2, 9, 1, 8, 7, 6, 5, 4]
    assert np.array_equal(made.volume.hu[:], read(ct).volume.hu[:])


def test_a_real_tilted_gantry_is_measured(shared_data: object) -> None:
    folder = shared_data / "objects/ct_gantry_tilt_siemens"  # type: ignore[operator]
    ct = [dcmread(path) for path in sorted(folder.glob("*.dcm"))]
    refused = read_ct(ct)
    assert isinstance(refused, Rejected)
    assert refused.code == "CT-001"
    for instance in ct:
        # the one thing that these files lack
        instance.FrameOfReferenceUID = "1.2.3"
    made = read(ct)
    assert "tilt 14.0 degrees" in made.notes[0].detail
    assert made.volume.grid.spacing_mm[2] == pytest.approx(5 * 0.970295726, rel=1e-6)
    # the same anatomy in the middle slice, shifted by a part of a pixel
    row = int(np.floor(made.upright.shifts[1][0]))  # type: ignore[union-attr]
    own = made.acquired.hu[1].astype(float)
    moved = made.volume.hu[1][row : row + 512].astype(float)
    assert np.corrcoef(own[50:-50].ravel(), moved[50:-50].ravel())[0, 1] > 0.98


def middle_of(ct: Sequence[Dataset], mask: np.ndarray) -> np.ndarray:
    """Mean place of the true voxels, from the headers of their slices."""
    points = []
    for instance, inside in zip(ct, mask, strict=True):
        row, column = np.reshape(np.array(instance.ImageOrientationPatient, dtype=float), (2, 3))
        dy, dx = (float(v) for v in instance.PixelSpacing)
        r, c = np.nonzero(inside)
        points.append(
            np.array(instance.ImagePositionPatient, dtype=float) + np.outer(c * dx, row) + np.outer(r * dy, column)
        )
    return np.concatenate(points).mean(axis=0)
