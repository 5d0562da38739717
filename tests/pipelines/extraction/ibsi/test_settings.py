from dataclasses import replace

import pytest

from pipelines.extraction.ibsi.settings import PRESET, FixedBinNumber
from pipelines.extraction.names import feature_names
from pipelines.extraction.settings import PROFILES, load_profile


def test_the_digest_depends_on_everything_but_the_name() -> None:
    assert replace(PRESET, profile="other").digest == PRESET.digest
    changed = [
        replace(PRESET, pixel_spacing_mm=1.0),
        replace(PRESET, range_hu=(-500.0, 400.0)),
        replace(PRESET, discretisation=FixedBinNumber(32)),
        replace(PRESET, interpolation="cubic"),
        replace(PRESET, dimensions=("2D",)),
    ]
    digests = {settings.digest for settings in (PRESET, *changed, *PROFILES.values())}
    # the preset and the profile are one
    assert len(digests) == len(changed) + len(PROFILES)


def test_a_report_shows_every_choice() -> None:
    shown = dict(load_profile("ibsi").described())
    assert shown["profile"] == "ibsi"
    assert shown["re-segmentation range"] == "-1000 to 400 HU"
    assert shown["discretisation"] == "fixed bin size 25 HU"
    assert shown["interpolated pixel spacing"] == "2 mm"


def test_the_profile_has_210_features_of_ibsi_and_no_other() -> None:
    names = feature_names(load_profile("ibsi"))
    assert len(names) == len(set(names)) == 210
    assert all(name.startswith("ibsi_") for name in names)


def test_smoothing_is_refused() -> None:
    assert load_profile("ibsi", gaussian_sigma_mm=0.0).ibsi == PRESET
    with pytest.raises(ValueError, match="smoothing"):
        load_profile("ibsi", gaussian_sigma_mm=1.0)
