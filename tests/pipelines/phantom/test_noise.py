import numpy as np
import pytest

from pipelines.domain.volume import Grid
from pipelines.phantom.noise import correlated_field, smoothed_noise
from pipelines.phantom.space import mesh_of

GRID = Grid((40, 40, 40), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0))


def test_a_correlated_field_has_unit_variance_and_the_correlation_of_its_scale() -> None:
    fields = [correlated_field(mesh_of(GRID), 3.0, np.random.default_rng(seed)) for seed in range(8)]
    assert np.mean([field.std() for field in fields]) == pytest.approx(1.0, abs=0.1)
    # at a distance of one scale the correlation is exp(-1/2)
    at_scale = np.mean([np.corrcoef(field[:, :, 3:].ravel(), field[:, :, :-3].ravel())[0, 1] for field in fields])
    assert at_scale == pytest.approx(np.exp(-0.5), abs=0.08)


def test_a_correlated_field_does_not_depend_on_the_grid() -> None:
    whole = correlated_field(mesh_of(GRID), 3.0, np.random.default_rng(1))
    box = (slice(5, 9), slice(10, 20), slice(3, 4))
    part = correlated_field(mesh_of(GRID).part(box), 3.0, np.random.default_rng(1))
    assert part == pytest.approx(whole[box], abs=1e-9)


def test_smoothed_noise_keeps_unit_variance_and_correlates_along_the_smoothed_axes_only() -> None:
    noise = smoothed_noise((30, 40, 50), (0.0, 1.0, 1.0), np.random.default_rng(1))
    assert noise.shape == (30, 40, 50)
    assert noise.std() == pytest.approx(1.0, abs=0.05)
    assert np.corrcoef(noise[1:].ravel(), noise[:-1].ravel())[0, 1] == pytest.approx(0.0, abs=0.03)
    assert np.corrcoef(noise[:, 1:].ravel(), noise[:, :-1].ravel())[0, 1] > 0.5
