from dataclasses import replace

import pytest

from pipelines.domain.feature_codes import describe
from pipelines.domain.ibsi_filter_codes import FILTER_CODES, FILTERED
from pipelines.extraction.ibsi.settings import PRESET, FixedBinNumber
from pipelines.extraction.ibsi_filters.catalogue import CATALOGUE, in_order
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


def test_filters_add_their_statistics_and_change_the_settings() -> None:
    plain, filtered = load_profile("ibsi"), load_profile("ibsi", ibsi_filters=("wavelet-llh", "log", "log"))
    # the settings of a node that asks for none are what they were before there were any
    assert plain.digest == "e21769683db06fb3b05f5de0a960dcff26e3b681e7f1cf9fe9595c9dc2f9c79b"
    assert filtered.ibsi is not None
    assert filtered.ibsi.filters == ("log", "wavelet-llh")
    assert filtered.digest == load_profile("ibsi", ibsi_filters=("log", "wavelet-llh")).digest
    assert len({plain.digest, filtered.digest, load_profile("ibsi", ibsi_filters=("log",)).digest}) == 3
    names = feature_names(filtered)
    assert names[:210] == feature_names(plain)
    assert names[210] == "ibsi_log_stat_mean"
    assert len(set(names)) == len(names) == 210 + 2 * 18
    assert dict(filtered.described())["filtered image"] == "1 mm, cubic, rounded to whole HU"


def test_features_of_all_filters_are_told_apart_by_their_codes() -> None:
    described = [describe(name) for name in feature_names(load_profile("ibsi", ibsi_filters=tuple(CATALOGUE)))]
    assert len({(one.concept, one.modifiers) for one in described}) == len(described) == 210 + 6 * 18


def test_every_filter_that_can_be_asked_for_has_a_code() -> None:
    assert tuple(FILTERED) == tuple(CATALOGUE) == in_order(CATALOGUE)
    for name, (kind, _, _) in FILTERED.items():
        assert FILTER_CODES[kind].value == CATALOGUE[name].kernel.code


def test_filters_are_refused_by_other_profiles() -> None:
    with pytest.raises(ValueError, match="filters of IBSI-2"):
        load_profile("recommended", ibsi_filters=("mean",))


def test_smoothing_is_refused() -> None:
    assert load_profile("ibsi", gaussian_sigma_mm=0.0).ibsi == PRESET
    with pytest.raises(ValueError, match="smoothing"):
        load_profile("ibsi", gaussian_sigma_mm=1.0)
