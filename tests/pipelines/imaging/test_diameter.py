import csv
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydicom import dcmread

from pipelines.domain.case import Case
from pipelines.domain.volume import Grid, Mask
from pipelines.imaging.case import read_case
from pipelines.imaging.diameter import diameters

UPRIGHT = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


def grid_of(shape: tuple[int, ...], spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> Grid:
    rows = tuple(int(size) for size in shape)
    return Grid((rows[0], rows[1], rows[2]), (0.0, 0.0, 0.0), spacing, UPRIGHT)


def mask_of(*slices: list[str], offset: tuple[int, int, int] = (0, 0, 0)) -> Mask:
    """A mask drawn with `#`, slice by slice."""
    made = Mask.of(np.array([[[cell == "#" for cell in row] for row in one] for one in slices]), offset)
    assert made is not None
    return made


def test_a_row_of_pixels_is_as_long_as_its_pixels_together() -> None:
    found = diameters(mask_of(["#####"]), grid_of((1, 1, 5)))
    assert found.long.length_mm == pytest.approx(5.0)
    assert found.short.length_mm == pytest.approx(1.0)


def test_a_single_voxel_measures_one_pixel_both_ways() -> None:
    found = diameters(mask_of(["#"]), grid_of((1, 1, 1), (0.7, 0.7, 2.0)))
    assert found.long.length_mm == pytest.approx(0.7)
    assert found.short.length_mm == pytest.approx(0.7)


def test_pixels_that_are_not_square_count_as_they_are() -> None:
    upright = mask_of(["#", "#", "#", "#"])
    assert diameters(upright, grid_of((1, 4, 1), (2.0, 0.5, 1.0))).long.length_mm == pytest.approx(2.5)
    assert diameters(upright, grid_of((1, 4, 1), (0.5, 2.0, 1.0))).long.length_mm == pytest.approx(8.0)


def test_the_slice_with_the_longest_long_axis_is_measured_not_the_one_with_most_voxels() -> None:
    compact, slender = ["####    ", "####    ", "####    "], ["        ", "########", "        "]
    found = diameters(mask_of(compact, slender, offset=(7, 3, 2)), grid_of((20, 20, 20)))
    assert found.slice_index == 8
    assert (found.long.start.row, found.long.end.row) == (4.5, 4.5)
    assert {found.long.start.column, found.long.end.column} == {2.0, 10.0}


def test_a_speck_beside_the_lesion_makes_it_no_longer() -> None:
    found = diameters(mask_of(["####          #"]), grid_of((1, 1, 15)))
    assert found.long.length_mm == pytest.approx(4.0)
    assert found.parts == 2


def test_pixels_that_touch_at_a_corner_are_one_part() -> None:
    assert diameters(mask_of(["# ", " #"]), grid_of((1, 2, 2))).parts == 1


def test_the_axes_stand_at_a_right_angle() -> None:
    found = diameters(mask_of(["  ###  ", " ##### ", "#######", "    ###"]), grid_of((1, 4, 7), (0.8, 0.6, 1.0)))
    (a, b), (c, d) = (
        ((line.end.column - line.start.column) * 0.8, (line.end.row - line.start.row) * 0.6)
        for line in (found.long, found.short)
    )
    assert a * c + b * d == pytest.approx(0.0, abs=1e-9)
    assert math.hypot(a, b) == pytest.approx(found.long.length_mm)
    assert math.hypot(c, d) == pytest.approx(found.short.length_mm)


@settings(deadline=None, max_examples=150)
@given(
    st.floats(3, 40), st.floats(0.4, 1.0), st.floats(0, math.pi), st.floats(0.4, 1.2), st.floats(0, 1), st.floats(0, 1)
)
def test_an_ellipse_measures_its_axes_to_a_pixel_and_a_half(
    long: float, ratio: float, angle: float, pixel: float, dx: float, dy: float
) -> None:
    half = math.ceil(long / pixel) + 2
    y, x = np.mgrid[-half : half + 1, -half : half + 1] * pixel
    x, y = x - dx * pixel, y - dy * pixel
    u, v = x * math.cos(angle) + y * math.sin(angle), y * math.cos(angle) - x * math.sin(angle)
    mask = Mask.of(((u / long) ** 2 + (v / (long * ratio)) ** 2 <= 1)[None])
    assert mask is not None
    found = diameters(mask, grid_of((1, 2 * half + 1, 2 * half + 1), (pixel, pixel, 1.0)))
    assert abs(found.long.length_mm - 2 * long) <= 1.5 * pixel
    # the direction of the long axis of an almost round lesion is up to the pixels
    assert abs(found.short.length_mm - 2 * long * ratio) <= 2 * pixel
    assert found.short.length_mm <= found.long.length_mm


@settings(deadline=None, max_examples=200)
@example(3, 1, 4, 1 / 3)  # both axes equally long but for the last bit
@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 6), st.floats(0.3, 3.0))
def test_any_mask_has_diameters_no_longer_than_the_brute_force_search_over_all_pairs(
    seed: int, rows: int, columns: int, spacing: float
) -> None:
    drawn = np.random.default_rng(seed).random((2, rows, columns)) < 0.6
    mask = Mask.of(drawn)
    if mask is None:
        return
    found = diameters(mask, grid_of((2, rows, columns), (spacing, 1.0, 1.0)))
    ends = [
        ((c + 0.5 + dc) * spacing, r + 0.5 + dr)
        for r, c in np.argwhere(drawn.any(axis=0))
        for dr, dc in ((0.5, 0), (-0.5, 0), (0, 0.5), (0, -0.5))
    ]
    longest = max(math.dist(one, other) for one in ends for other in ends)
    assert 0 < found.short.length_mm <= found.long.length_mm <= longest + 1e-9


@pytest.fixture(scope="session")
def longitudinal(shared_data: Path) -> Path:
    return shared_data / "longitudinal"


def test_lesions_of_known_size_measure_their_size_to_a_pixel(longitudinal: Path) -> None:
    """Lesions below 11 mm in slices of 5 mm do not show their longest section on any slice."""
    with (longitudinal / "truth_lesions.csv").open(encoding="utf-8") as file:
        truth = [row for row in csv.DictReader(file) if row["patient"] in ("SYN-D04", "SYN-D06", "SYN-D07")]
    differences = []
    for patient, point in sorted({(row["patient"], row["tp"]) for row in truth}):
        case = read_visit(next((longitudinal / patient).glob(f"tp{point}_*")))
        lesions = {lesion.number: lesion for lesion in case.lesions}
        for row in truth:
            if (row["patient"], row["tp"]) == (patient, point) and row["segment"]:
                found = diameters(lesions[int(row["segment"])].mask, case.ct.grid)
                pixel = case.ct.grid.spacing_mm[0]
                differences.append(abs(found.long.length_mm - float(row["longest_diameter_mm"])) / pixel)
                differences.append(abs(found.short.length_mm - float(row["short_axis_mm"])) / pixel)
    assert len(differences) == 76
    assert max(differences) <= 1.0


def read_visit(folder: Path) -> Case:
    files = [dcmread(path) for path in sorted(folder.rglob("*.dcm"))]
    case = read_case(
        [file for file in files if file.Modality == "CT"],
        next(file for file in files if file.Modality == "SEG"),
        inputs_digest="00" * 32,
    )
    assert isinstance(case, Case)
    return case
