"""Whether planes stack up, told from positions and directions alone."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.domain.instance import Plane
from pipelines.imaging.geometry import TOLERANCES, Stack, Tolerances, parallel, stack

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def at(*heights: float, sideways: float = 0.0, orientation: tuple[float, ...] = AXIAL) -> Stack:
    """Slices at `heights`; each mm up leans `sideways` mm along y."""
    return stack([Plane((0.0, sideways * z, float(z)), orientation) for z in heights])  # type: ignore[arg-type]


def test_whole_multiples_of_the_spacing_are_missing_slices_with_their_places() -> None:
    stacked = at(0, 2, 4, 10, 12, 16, 18)
    assert [(gap.missing, gap.after_mm) for gap in stacked.gaps] == [(2, 4.0), (1, 12.0)]
    assert (stacked.gaps[0].at_mm[2], stacked.gaps[0].to_mm[2]) == (6.0, 8.0)
    assert stacked.regular
    assert stacked.missing == 3


def test_a_step_that_is_no_whole_multiple_is_a_change_of_spacing() -> None:
    stacked = at(0, 1.25, 2.5, 3.75, 6.0, 8.25, 10.5)
    assert stacked.gaps == ()
    assert not stacked.regular
    assert stacked.irregular_mm >= 1.0


def test_a_wide_hole_is_missing_slices_even_if_it_is_no_whole_multiple() -> None:
    assert at(0, 1, 2, 3, 10.4, 11.4).missing == 6


@pytest.mark.parametrize("lost", [range(1, 9, 2), range(1, 19, 2)])
def test_every_second_slice_of_a_part_is_missing_even_if_it_is_the_larger_part(lost: range) -> None:
    stacked = at(*(2.5 * index for index in range(24) if index not in lost))
    assert stacked.spacing_mm == pytest.approx(2.5)
    assert stacked.missing == len(lost)


def test_small_steps_that_add_up_are_no_regular_stack() -> None:
    # 5.0 mm above, 4.8 mm below: each step is within the tolerance, the middle is 2.4 mm off
    steps = [5.0] * 24 + [4.8] * 24
    stacked = at(*np.cumsum([0.0, *steps]))
    assert not stacked.regular
    assert stacked.irregular_mm == pytest.approx(2.4)


def test_positions_that_are_rounded_are_regular() -> None:
    assert at(*(round(index * 1.25, 1) for index in range(40))).regular


def test_a_lean_is_upright_within_the_angle_and_tilted_beyond() -> None:
    heights = np.arange(0.0, 300.0, 1.0)
    assert at(*heights, sideways=float(np.tan(np.radians(0.09)))).upright
    leaning = at(*heights, sideways=float(np.tan(np.radians(0.11))))
    assert not leaning.upright
    assert leaning.tilt_degrees == pytest.approx(0.11)


def test_the_tolerances_decide() -> None:
    planes = [Plane((0.0, 0.0, z), AXIAL) for z in (0.0, 2.0, 4.3, 6.0)]
    assert not stack(planes).regular
    assert stack(planes, replace(TOLERANCES, spacing=0.3)).regular
    leaning = [Plane((0.0, 0.01 * z, z), AXIAL) for z in (0.0, 20.0, 40.0, 60.0)]
    assert not stack(leaning).upright
    assert stack(leaning, replace(TOLERANCES, angle_degrees=1.0)).upright
    twice = [Plane((0.0, 0.0, z), AXIAL) for z in (0.0, 0.3, 2.0, 4.0)]
    assert len(stack(twice).duplicates) == 0
    assert len(stack(twice, replace(TOLERANCES, position_mm=0.4)).duplicates) == 1
    turned = Plane((0.0, 0.0, 0.0), (0.99996, 0.00873, 0.0, -0.00873, 0.99996, 0.0))
    assert not parallel(planes[0], turned)
    assert parallel(planes[0], turned, Tolerances(angle_degrees=1.0))


@pytest.mark.parametrize(
    ("orientation", "axis"), [(AXIAL, 2), ((1.0, 0, 0, 0, 0, -1.0), 1), ((0, 1.0, 0, 0, 0, -1.0), 0)]
)
def test_places_are_told_on_the_axis_that_the_slices_follow(orientation: tuple[float, ...], axis: int) -> None:
    normal = np.cross(orientation[:3], orientation[3:])
    planes = [Plane(tuple(normal * k), orientation) for k in (0.0, 1.0, 3.0, 4.0)]  # type: ignore[arg-type]
    stacked = stack(planes)
    assert stacked.axis == axis
    assert abs(stacked.gaps[0].at_mm[axis]) == pytest.approx(2.0)


@given(
    st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=30),
    st.floats(-1, 1),
    st.randoms(use_true_random=False),
)
def test_the_order_in_which_planes_come_changes_nothing(heights: list[float], lean: float, random: object) -> None:
    planes = [Plane((0.0, lean * z, z), AXIAL) for z in heights]
    shuffled = list(planes)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = stack(planes), stack(shuffled)
    assert (one.heights_mm, one.gaps, one.regular, one.upright) == (
        other.heights_mm,
        other.gaps,
        other.regular,
        other.upright,
    )
    assert len(one.order) + len(one.duplicates) == len(heights)
    assert all(b - a >= TOLERANCES.position_mm for a, b in zip(one.heights_mm, one.heights_mm[1:], strict=False))
