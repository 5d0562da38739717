import numpy as np
import pytest

from benchmarks.ibsi2_phantoms import measured, prepared
from pipelines.domain.features import FeatureVector
from pipelines.domain.reasons import Rejected
from pipelines.extraction.engine import extract
from pipelines.extraction.ibsi_filters.catalogue import CATALOGUE, FilterName
from pipelines.extraction.names import feature_names
from pipelines.extraction.settings import load_profile
from tests.lesions import KINDS

# without the Gabor filter, whose 24 responses take longest
QUICK: tuple[FilterName, ...] = ("mean", "log", "laws", "wavelet-llh")
PROFILE = load_profile("ibsi", ibsi_filters=QUICK)


@pytest.mark.parametrize("kind", ["plain", "border", "tiny", "one slice", "disconnected"])
def test_the_surroundings_of_a_lesion_are_enough(kind: str) -> None:
    drawn = KINDS[kind](np.random.default_rng(6))
    match extract(drawn.ct, drawn.lesion, PROFILE).outcome:
        case FeatureVector() as vector:
            assert vector.names == feature_names(PROFILE)
            whole = prepared(drawn.ct, drawn.lesion.mask, by_slice=False)
            values = dict(vector.items())
            for name in QUICK:
                for tag, value in measured(whole, CATALOGUE[name]).items():
                    found = values[f"ibsi_{name}_{tag}"]
                    assert found == pytest.approx(value, rel=1e-6, abs=1e-6, nan_ok=True), (name, tag)
        case Rejected(code):
            assert code == "ROI-003"
