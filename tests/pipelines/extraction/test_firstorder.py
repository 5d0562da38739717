import numpy as np
import pytest

from pipelines.extraction import native
from pipelines.extraction.firstorder import firstorder_features, quantile_ranks


@pytest.mark.parametrize("count", [1, 2, 3, 4, 17, 1000, 20001])
@pytest.mark.parametrize("kind", ["continuous", "whole", "constant", "outliers"])
def test_quantiles_equal_numpy_to_the_last_bit(count: int, kind: str) -> None:
    rng = np.random.default_rng(count)
    values = {
        "continuous": rng.normal(0.0, 50.0, count),
        "whole": np.rint(rng.normal(0.0, 5.0, count)),
        "constant": np.full(count, -70.0),
        "outliers": np.where(rng.random(count) < 0.01, 1e9, rng.normal(0.0, 1e-9, count)),
    }[kind]
    edges, runs = np.array([values.min(), values.max() + 1.0]), native.Runs.of(np.array([[0, 0, count]]))
    width = float(edges[1] - edges[0])
    frame, spare = np.zeros(count, np.uint8), np.empty(count, np.uint16)
    histogram, ordered = native.place_levels(values, edges, width, runs, frame, quantile_ranks(count), spare)
    found = firstorder_features(values, native.summary(values), histogram, ordered, shift=0.0, voxel_mm3=1.0)
    assert found["10Percentile"] == np.percentile(values, 10)
    assert found["90Percentile"] == np.percentile(values, 90)
    assert found["InterquartileRange"] == np.percentile(values, 75) - np.percentile(values, 25)
    assert found["Median"] == np.median(values)
