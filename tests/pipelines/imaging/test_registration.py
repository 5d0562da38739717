"""Rigid registration of two CTs: shifts of the whole series, small rotations, and the same answer twice."""

import numpy as np
import pytest

from pipelines.domain.volume import Grid, Volume
from pipelines.imaging.registration import Rigid, register

_AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
PLACES = np.array([(0.0, 0.0, 0.0), (40.0, -30.0, 35.0), (-45.0, 25.0, -30.0)])


def body(places: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    """HU of a made-up trunk at places in mm, shape (..., 3): wall, lungs of different size, spine, and some balls."""
    x, y, z = places[..., 0], places[..., 1], places[..., 2]
    hu = np.full(x.shape, -1000.0)
    hu[(x / 95) ** 2 + (y / 70) ** 2 < 1] = 40.0
    hu[((x - 45) / 35) ** 2 + ((y + 5) / 45) ** 2 + (z / 75) ** 2 < 1] = -850.0
    hu[((x + 45) / 30) ** 2 + ((y + 5) / 40) ** 2 + ((z - 8) / 60) ** 2 < 1] = -850.0
    hu[(x / 14) ** 2 + ((y - 48) / 14) ** 2 < 1] = 350.0
    for centre, radius in (((40, -10, 20), 9), ((-48, 5, -15), 7), ((30, 15, -30), 6)):
        hu[np.linalg.norm(places - np.array(centre), axis=-1) < radius] = 30.0
    return hu


def scan(motion: Rigid, origin: tuple[float, float, float] = (-110.0, -85.0, -70.0)) -> Volume:
    """A scan of the body after `motion`, on a grid that begins at `origin`."""
    grid = Grid((29, 72, 92), origin, (2.4, 2.4, 5.0), _AXIAL)
    k, j, i = np.indices(grid.shape)
    places = np.stack([i * 2.4, j * 2.4, k * 5.0], axis=-1) + np.array(origin)
    noise = np.random.default_rng(7).normal(0, 15, grid.shape)
    return Volume((body(motion.to_fixed(places.reshape(-1, 3)).reshape(places.shape)) + noise).astype(np.int16), grid)


def motion(degrees: float, shift: tuple[float, float, float]) -> Rigid:
    c, s = float(np.cos(np.radians(degrees))), float(np.sin(np.radians(degrees)))
    return Rigid((c, -s, 0.0, s, c, 0.0, 0.0, 0.0, 1.0), shift)


STILL = motion(0, (0.0, 0.0, 0.0))


@pytest.mark.parametrize(
    "truth",
    [
        motion(0, (2.0, -3.0, 2.5)),
        motion(2, (3.0, -3.0, 1.0)),
        motion(-2, (25.0, -18.0, 12.0)),
    ],
)
def test_a_motion_of_the_patient_is_found(truth: Rigid) -> None:
    found = register(scan(STILL), scan(truth))
    assert np.linalg.norm(found.to_moving(PLACES) - truth.to_moving(PLACES), axis=1).max() < 1.5


def test_a_series_with_an_origin_of_its_own_is_found() -> None:
    truth = motion(1, (380.0, -260.0, 900.0))
    there = scan(truth, (380.0 - 110.0, -260.0 - 85.0, 900.0 - 60.0))
    found = register(scan(STILL), there)
    assert np.linalg.norm(found.to_moving(PLACES) - truth.to_moving(PLACES), axis=1).max() < 1.5


def test_the_same_scans_give_the_same_motion_to_the_last_bit() -> None:
    pair = scan(STILL), scan(motion(1, (4.0, 2.0, -3.0)))
    assert register(*pair) == register(*pair)


def test_places_go_there_and_back() -> None:
    moved = motion(30, (10.0, -20.0, 5.0))
    assert np.allclose(moved.to_fixed(moved.to_moving(PLACES)), PLACES)
