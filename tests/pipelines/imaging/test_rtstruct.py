import tracemalloc
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydicom import Dataset

from pipelines.domain.lesion_rule import LesionRule
from pipelines.domain.reasons import Rejected
from pipelines.domain.volume import CtVolume, Grid
from pipelines.imaging.contours import Contour, fill
from pipelines.imaging.ct import ReadCt, read_ct
from pipelines.imaging.rtstruct import read_structures
from pipelines.imaging.seg import Drawn
from tests.dicom import ct_series, rtstruct_of

CT = ct_series()


def volume(ct: Sequence[Dataset] = CT) -> CtVolume:
    read = read_ct(ct)
    assert isinstance(read, ReadCt)
    return read.volume


VOLUME = volume()
Corners = list[tuple[float, float]]


def square(half: float, x: float = 0.0, y: float = 0.0) -> Corners:
    """Corners in mm; voxel centres lie at whole millimetres, so a half of 4.5 covers 9 x 9 of them."""
    return [(x - half, y - half), (x + half, y - half), (x + half, y + half), (x - half, y + half)]


def drawn(structures: Dataset, ct: CtVolume = VOLUME) -> Drawn:
    outcome = read_structures(structures, ct)
    assert isinstance(outcome, Drawn), outcome
    return outcome


def only(structures: Dataset) -> tuple[NDArray[np.bool_], list[str]]:
    found = drawn(structures)
    (lesion,) = found.lesions
    return lesion.mask.on(VOLUME.grid), [note.code for note in found.notes]


def contours(structures: Dataset, roi: int = 0) -> list[Dataset]:
    return list(structures.ROIContourSequence[roi].ContourSequence)


def test_a_keyhole_is_a_hole() -> None:
    outer, inner = square(8.5), square(2.5)
    keyhole = [*outer, outer[0], inner[0], inner[3], inner[2], inner[1], inner[0], outer[0]]
    mask, notes = only(rtstruct_of(CT, {1: [(4, keyhole)]}))
    assert mask.sum() == 17 * 17 - 5 * 5
    assert not mask[4, 16, 16]
    assert notes == []


def test_an_island_in_a_hole_belongs_to_the_lesion_whatever_the_order() -> None:
    rings = [(4, square(half)) for half in (2.5, 10.5, 5.5)]
    mask, _ = only(rtstruct_of(CT, {1: rings}))
    assert mask.sum() == 21 * 21 - 11 * 11 + 5 * 5


def test_contours_that_overlap_are_joined_and_twins_count_once() -> None:
    left, right = square(3.5, x=-3.0), square(3.5, x=1.0)
    mask, _ = only(rtstruct_of(CT, {1: [(4, left), (4, right), (4, left), (4, list(reversed(right)))]}))
    assert mask.sum() == 7 * 11


def test_thousands_of_contours_in_one_plane_cost_no_mask_each() -> None:
    grid = Grid((3, 512, 512), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0))
    places = [(5.0 * (n % 100), 10.0 * (n // 100)) for n in range(1000)]
    points = [np.array([[x, y, 1.0], [x + 3, y, 1.0], [x + 3, y + 3, 1.0], [x, y + 3, 1.0]]) for x, y in places]
    contours = [Contour(one, exclusive=False) for one in (*points, *points)]
    tracemalloc.start()
    filled = fill(contours, grid)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # 2,000 masks of a slice would take 500 MB
    assert most < 64 * 2**20
    assert filled.mask is not None
    assert int(np.count_nonzero(filled.mask.voxels)) == 1000 * 9


def test_contours_marked_as_exclusive_cancel_where_they_overlap() -> None:
    structures = rtstruct_of(CT, {1: [(4, square(3.5, x=-3.0)), (4, square(3.5, x=1.0))]})
    for contour in contours(structures):
        contour.ContourGeometricType = "CLOSEDPLANAR_XOR"
    mask, _ = only(structures)
    assert mask.sum() == 2 * 7 * 4


def test_a_contour_between_slices_belongs_to_the_nearest_one() -> None:
    structures = rtstruct_of(CT, {1: [(4, square(4.5))]})
    shift(structures, 0.8)
    assert np.flatnonzero(only(structures)[0].any(axis=(1, 2))).tolist() == [4]
    shift(structures, 0.4)  # 1.2 mm above slice 4, 0.8 mm below slice 5
    assert np.flatnonzero(only(structures)[0].any(axis=(1, 2))).tolist() == [5]


def test_contours_half_way_between_slices_fill_one_slice_each() -> None:
    structures = rtstruct_of(CT, {1: [(index, square(4.5)) for index in (3, 4, 5)]})
    shift(structures, 1.0)
    assert np.flatnonzero(only(structures)[0].any(axis=(1, 2))).tolist() == [3, 4, 5]


def test_contours_finer_than_the_slices_are_not_combined() -> None:
    polygons = [(4, square(4.5)), (4, square(6.5)), (5, square(4.5)), (5, square(6.5))]
    structures = rtstruct_of(CT, {1: polygons})
    for contour, up in zip(contours(structures), (0.0, 0.6, 0.0, 0.6), strict=True):
        points = np.reshape([float(v) for v in contour.ContourData], (-1, 3)) + np.array([0, 0, up])
        contour.ContourData = [f"{v:.3f}" for v in points.ravel()]
    mask, notes = only(structures)
    assert mask.sum() == 2 * 9 * 9
    assert notes == ["SEG-010"]


def test_contours_on_every_second_slice_are_carried_over_and_it_is_said() -> None:
    mask, notes = only(rtstruct_of(CT, {1: [(index, square(4.5)) for index in (1, 3, 5, 7)]}))
    assert mask.any(axis=(1, 2)).sum() == 8
    assert notes == ["SEG-008"]


def test_two_far_lesions_in_one_roi_stay_two() -> None:
    mask, notes = only(rtstruct_of(CT, {1: [(1, square(4.5)), (8, square(4.5))]}))
    assert np.flatnonzero(mask.any(axis=(1, 2))).tolist() == [1, 8]
    assert notes == []


def test_points_and_open_lines_are_left_and_the_others_go_on() -> None:
    structures = rtstruct_of(CT, {1: [(4, square(4.5)), (5, square(4.5)), (6, square(4.5))]})
    contours(structures)[1].ContourGeometricType = "OPEN_PLANAR"
    contours(structures)[2].ContourGeometricType = "POINT"
    mask, notes = only(structures)
    assert np.flatnonzero(mask.any(axis=(1, 2))).tolist() == [4]
    assert notes == ["SEG-010"]


def test_contours_of_another_phase_are_left() -> None:
    structures = rtstruct_of(CT, {1: [(4, square(4.5)), (4, square(9.5))]})
    contours(structures)[1].ContourImageSequence[0].ReferencedSOPInstanceUID = "1.2.3"
    mask, notes = only(structures)
    assert mask.sum() == 9 * 9
    assert notes == ["SEG-010"]


def test_an_roi_without_contours_and_one_across_the_slices_are_notes() -> None:
    structures = rtstruct_of(CT, {1: [(4, square(4.5))], 2: [(4, square(4.5))], 3: []})
    points = np.reshape([float(v) for v in contours(structures, 1)[0].ContourData], (-1, 3))
    points[:, 2] += points[:, 0]
    contours(structures, 1)[0].ContourData = [f"{v:.3f}" for v in points.ravel()]
    del structures.ROIContourSequence[2]
    found = drawn(structures)
    assert [lesion.number for lesion in found.lesions] == [1]
    assert sorted(note.code for note in found.notes) == ["ROI-002", "SEG-006"]


@pytest.mark.parametrize("data", [[], ["1", "2"], ["1", "2", "inf"], ["1e9", "1", "1"]])
def test_a_contour_that_is_no_list_of_points_is_a_note(data: list[str]) -> None:
    structures = rtstruct_of(CT, {1: [(4, square(4.5))], 2: [(4, square(4.5))]})
    contours(structures, 1)[0].ContourData = data
    found = drawn(structures)
    assert [lesion.number for lesion in found.lesions] == [1]
    assert [note.code for note in found.notes] == ["SEG-006"]


def test_the_direction_and_the_orientation_of_the_ct_do_not_matter() -> None:
    turned = ct_series(orientation=(-1.0, 0.0, 0.0, 0.0, -1.0, 0.0), origin_mm=(15.0, 15.0, -10.0))
    polygon = square(4.5, x=3.0, y=-2.0)
    frame = str(turned[0].FrameOfReferenceUID)
    plain, _ = only(rtstruct_of(CT, {1: [(4, polygon)]}))
    structures = rtstruct_of(CT, {1: [(4, list(reversed(polygon)))]}, frame_of_reference=frame)
    other = volume(turned)
    assert np.array_equal(drawn(structures, other).lesions[0].mask.on(other.grid), plain[:, ::-1, ::-1])


def test_organs_margins_and_the_body_are_no_lesions() -> None:
    names = {1: "GTV-1", 2: "PTV 60", 3: "Lungs-GTV", 4: "BODY", 5: "Struct5"}
    structures = rtstruct_of(CT, {number: [(4, square(4.5))] for number in names}, names=names)
    for item, kind in zip(structures.RTROIObservationsSequence, ("GTV", "PTV", "", "EXTERNAL", "ORGAN"), strict=True):
        item.RTROIInterpretedType = kind
    found = drawn(structures)
    assert [lesion.number for lesion in found.lesions] == [1]
    (note,) = found.notes
    assert note.code == "SEG-011"
    assert "segment 5 (its RT interpreted type is ORGAN)" in note.detail
    assert isinstance(read_structures(structures, VOLUME, rule=LesionRule(exclude=("gtv",))), Rejected)


@settings(deadline=None, max_examples=200)
@given(
    st.lists(
        st.tuples(st.lists(st.tuples(*(st.floats(-30, 30) for _ in range(3))), min_size=1, max_size=6), st.booleans()),
        max_size=4,
    )
)
def test_any_points_are_filled_or_refused(given_contours: list[tuple[list[tuple[float, float, float]], bool]]) -> None:
    try:
        made = [Contour.of(np.ravel(points), exclusive=exclusive) for points, exclusive in given_contours]
        filled = fill(made, VOLUME.grid)
    except ValueError:
        return
    assert filled.mask is None or filled.mask.on(VOLUME.grid).any()


@settings(deadline=None, max_examples=100)
@given(
    keyword=st.sampled_from(["ContourData", "ContourGeometricType", "ContourImageSequence", "NumberOfContourPoints"]),
    outer=st.sampled_from(["ROINumber", "ROIName", "ReferencedFrameOfReferenceUID", "nothing"]),
)
def test_a_structure_set_without_an_attribute_is_read_or_refused(keyword: str, outer: str) -> None:
    structures = rtstruct_of(CT, {1: [(4, square(4.5))], 2: [(4, square(4.5))]})
    contours(structures)[0].pop(keyword, None)
    structures.StructureSetROISequence[1].pop(outer, None)
    assert isinstance(read_structures(structures, VOLUME), Drawn | Rejected)


def shift(structures: Dataset, by_mm: float) -> None:
    for contour in contours(structures):
        points = np.reshape([float(v) for v in contour.ContourData], (-1, 3)) + np.array([0, 0, by_mm])
        contour.ContourData = [f"{v:.3f}" for v in points.ravel()]
