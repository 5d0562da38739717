from dataclasses import replace

import numpy as np
import pytest

from pipelines.domain.case import Case, MeasuredLesion
from pipelines.domain.features import FeatureVector
from pipelines.domain.volume import CtVolume, Grid
from pipelines.imaging.diameter import diameters
from pipelines.outputs.page.view import key_slice, lesion_view, windowed

NOTHING = FeatureVector((), np.zeros(0))


def measured(case: Case) -> MeasuredLesion:
    lesion = case.lesions[0]
    return MeasuredLesion(lesion, NOTHING, diameters(lesion.mask, case.ct.grid))


def test_the_lung_window_goes_from_minus_1200_to_zero_hu() -> None:
    assert windowed(np.array([-2000, -1200, -600, 0, 500], dtype=np.int16)).tolist() == [0, 0, 128, 255, 255]


def test_the_picture_shows_the_slice_with_the_long_axis(case: Case) -> None:
    lesion = measured(case)
    assert lesion.diameters is not None
    assert key_slice(lesion) == lesion.diameters.slice_index
    sections = lesion.lesion.mask.on(case.ct.grid).sum(axis=(1, 2))
    assert key_slice(replace(lesion, diameters=None)) == int(sections.argmax())


def test_the_axes_have_their_length_in_the_picture(case: Case) -> None:
    lesion = measured(case)
    view = lesion_view(case.ct, lesion, columns=300, rows=200)
    assert view.pixels.shape == (200, 300)
    assert lesion.diameters is not None
    for (start, end), caliper in zip(view.axes, (lesion.diameters.long, lesion.diameters.short), strict=True):
        shown = float(np.hypot(end[0] - start[0], end[1] - start[1]))
        assert shown * view.pixel_mm == pytest.approx(caliper.length_mm, rel=1e-9)


def test_the_contour_is_the_border_of_the_brightest_part_when_the_lesion_is_all_that_is_bright(case: Case) -> None:
    lesion = measured(case)
    hu = np.full(case.ct.grid.shape, -1200, dtype=np.int16)
    hu[lesion.lesion.mask.on(case.ct.grid)] = 0
    view = lesion_view(replace(case.ct, hu=hu), lesion, columns=400, rows=400)
    bright = np.argwhere(view.pixels > 127)
    low, high = bright.min(axis=0), bright.max(axis=0) + 1
    corners = np.array([point for line in view.contour for point in line])
    # interpolation moves the border by less than half a pixel of the CT
    slack = 0.5 * max(case.ct.grid.spacing_mm[:2]) / view.pixel_mm
    assert np.allclose(corners.min(axis=0)[::-1], low, atol=slack)
    assert np.allclose(corners.max(axis=0)[::-1], high, atol=slack)


def test_what_lies_beyond_the_image_is_black(case: Case) -> None:
    bright = replace(case.ct, hu=np.full(case.ct.grid.shape, 500, dtype=np.int16))
    wide = lesion_view(bright, measured(case), columns=300, rows=300)
    # the whole image is 51.2 mm by 44.8 mm, the lesion lies at its left side
    assert wide.pixels[:, 0].max() == 0
    assert wide.pixels[150, 150] == 255


@pytest.mark.parametrize(
    ("direction", "left", "top"),
    [
        ((1, 0, 0, 0, 1, 0, 0, 0, 1), "R", "A"),
        ((-1, 0, 0, 0, -1, 0, 0, 0, 1), "L", "P"),
        ((1, 0, 0, 0, 0, 1, 0, -1, 0), "R", "H"),
        ((0, 0, -1, 1, 0, 0, 0, -1, 0), "A", "H"),
    ],
)
def test_the_letters_name_the_sides_of_the_patient(
    case: Case, direction: tuple[float, ...], left: str, top: str
) -> None:
    grid: Grid = replace(case.ct.grid, direction=tuple(float(c) for c in direction))
    ct: CtVolume = replace(case.ct, grid=grid)
    view = lesion_view(ct, measured(case), columns=60, rows=60)
    assert (view.left, view.top) == (left, top)


def test_the_scale_bar_fits_into_the_picture(case: Case) -> None:
    view = lesion_view(case.ct, measured(case), columns=200, rows=100)
    assert view.bar_mm / view.pixel_mm <= 50
