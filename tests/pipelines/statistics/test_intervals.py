"""Intervals of a proportion against published values."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.statistics.intervals import clopper_pearson, normal_quantile, proportion, wilson

# Newcombe 1998, Stat Med 17:857, table I: score method without correction, and Clopper-Pearson
NEWCOMBE = [
    (81, 263, (0.2553, 0.3662), (0.2527, 0.3676)),
    (15, 148, (0.0624, 0.1605), (0.0578, 0.1617)),
    (0, 20, (0.0, 0.1611), (0.0, 0.1684)),
    (1, 29, (0.0061, 0.1718), (0.0009, 0.1776)),
]


@pytest.mark.parametrize(("successes", "n", "score", "exact"), NEWCOMBE)
def test_published_intervals_are_reproduced(
    successes: int, n: int, score: tuple[float, float], exact: tuple[float, float]
) -> None:
    found = wilson(successes, n)
    assert (round(found.lower, 4), round(found.upper, 4)) == score
    found = clopper_pearson(successes, n)
    assert (round(found.lower, 4), round(found.upper, 4)) == exact


@settings(deadline=None)
@given(st.integers(1, 200), st.data())
def test_an_interval_holds_the_estimate_and_mirrors_itself(n: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, n))
    for interval in (clopper_pearson, wilson):
        found, mirrored = interval(successes, n), interval(n - successes, n)
        assert 0 <= found.lower <= successes / n + 1e-12
        assert successes / n - 1e-12 <= found.upper <= 1
        assert (mirrored.lower, mirrored.upper) == pytest.approx((1 - found.upper, 1 - found.lower), abs=1e-12)


def test_a_share_of_nothing_is_open() -> None:
    found = proportion(0, 0)
    assert found.estimate != found.estimate
    assert (found.interval.lower, found.interval.upper) == (0, 1)
    assert 0.5 in found.interval
    assert 1.5 not in found.interval


def test_what_is_no_proportion_or_level_is_refused() -> None:
    with pytest.raises(ValueError, match="proportion"):
        clopper_pearson(3, 2)
    with pytest.raises(ValueError, match="trial"):
        wilson(0, 0)
    with pytest.raises(ValueError, match="level"):
        normal_quantile(95)
