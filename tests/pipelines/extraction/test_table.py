from pathlib import Path

import numpy as np
import pytest
from radiomics.featureextractor import RadiomicsFeatureExtractor

from pipelines.extraction.names import feature_names
from pipelines.extraction.settings import PROFILES
from pipelines.extraction.table import (
    DIAGNOSTICS,
    image_diagnostics,
    in_table_order,
    mask_diagnostics,
    method_diagnostics,
)
from tests.lesions import KINDS


def test_the_columns_stand_in_the_order_of_pyradiomics(shared_data: Path) -> None:
    header = (shared_data / "cohort_sts" / "features_exampleCT.csv").read_text().splitlines()[0].split(",")
    theirs = [name for name in header if name.startswith(("original_", "log-", "wavelet-"))]
    assert list(in_table_order(feature_names(PROFILES["recommended"]))) == theirs


def test_the_order_loses_and_invents_nothing() -> None:
    for settings in PROFILES.values():
        names = feature_names(settings)
        assert sorted(in_table_order(names)) == sorted(names)


@pytest.mark.parametrize("kind", ["plain", "sagittal", "oblique", "disconnected"])
def test_the_facts_about_image_and_mask_are_those_of_pyradiomics(kind: str) -> None:
    from pipelines.extraction.oracle import _WHOLE, _image, _with_geometry

    drawn = KINDS[kind](np.random.default_rng(5))
    image = _image(drawn.ct, _WHOLE)
    mask = _with_geometry(drawn.lesion.mask.on(drawn.ct.grid).astype(np.uint8), drawn.ct, _WHOLE)
    extractor = RadiomicsFeatureExtractor(additionalInfo=True)
    extractor.disableAllFeatures()
    extractor.enableFeaturesByName(firstorder=["Mean"])
    theirs = extractor.execute(image, mask)
    for name, value in (*image_diagnostics(drawn.ct), *mask_diagnostics(drawn.ct, drawn.lesion.mask)):
        expected = theirs[name]
        if "CenterOfMass" in name:
            found = [float(part) for part in value.strip("()").split(",")]
            assert found == pytest.approx([float(part) for part in expected], abs=1e-9), name
        else:
            assert value == str(expected), name


def test_the_facts_are_all_the_columns_in_their_order() -> None:
    drawn = KINDS["tiny"](np.random.default_rng(1))
    software = [(name, "1") for name in ("PyRadiomics", "NumPy", "SimpleITK", "PyWavelets")]
    cells = (
        *method_diagnostics(PROFILES["recommended"], "fast", software, pulmonode="2", python="3"),
        *image_diagnostics(drawn.ct),
        *mask_diagnostics(drawn.ct, drawn.lesion.mask),
    )
    assert tuple(name for name, _ in cells) == DIAGNOSTICS
