"""Survival against the numbers of R's survival package (3.5.3) on the NCCTG lung cancer data."""

import json
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest

from pipelines.statistics.survival import (
    Durations,
    IntervalKind,
    kaplan_meier,
    landmark,
    median_follow_up,
    nelson_aalen,
)


def lung(shared_data: Path) -> pd.DataFrame:
    return pd.read_csv(shared_data.parent / "oracles/lung.csv")


def oracle(shared_data: Path, name: str) -> dict[str, Any]:
    return cast(dict[str, Any], json.loads((shared_data.parent / f"oracles/{name}.json").read_text()))


def durations(table: pd.DataFrame) -> Durations:
    return Durations(table["time"].to_numpy(float), table["event"].to_numpy(bool))


@pytest.mark.parametrize("kind", ["log-log", "log", "plain"])
@pytest.mark.parametrize("group", ["all", "sex1", "sex2"])
def test_the_curve_and_its_quantiles_are_those_of_survfit(shared_data: Path, group: str, kind: IntervalKind) -> None:
    table = lung(shared_data)
    if group != "all":
        table = table[table["sex"] == int(group[-1])]
    curve = kaplan_meier(durations(table), kind)
    expected = oracle(shared_data, "km_lung")[f"{group} {kind}"]
    times = np.array(expected["times"], dtype=float)
    survival, error, lower, upper = curve.at(times)
    for ours, name in ((survival, "surv"), (error, "se"), (lower, "lower"), (upper, "upper")):
        np.testing.assert_allclose(ours, expected[name], rtol=0, atol=1e-12)
    assert curve.number_at_risk(times).tolist() == expected["n_risk"]
    assert int(curve.events.sum()) == expected["events"]
    for share, name in ((0.25, "q25"), (0.5, "median"), (0.75, "q75")):
        found = curve.quantile(share)
        wanted = [np.nan if value is None else value for value in expected[name]]
        np.testing.assert_array_equal([found.value, found.lower, found.upper], wanted)


def test_the_restricted_mean_and_its_error_are_those_of_r(shared_data: Path) -> None:
    mean, error = kaplan_meier(durations(lung(shared_data))).restricted_mean(365)
    expected = oracle(shared_data, "km_lung")["rmst365"]
    assert mean == pytest.approx(expected["rmean"], abs=1e-10)
    assert error == pytest.approx(expected["se"], abs=1e-10)


def test_the_follow_up_is_that_of_the_reverse_estimate(shared_data: Path) -> None:
    found = median_follow_up(durations(lung(shared_data)))
    assert [found.value, found.lower, found.upper] == oracle(shared_data, "km_lung")["reverse_km_median_followup"]


def test_a_level_stretch_at_one_half_gives_its_middle() -> None:
    curve = kaplan_meier(Durations(np.array([1.0, 2, 3, 4]), np.array([True, True, True, True])))
    assert curve.median().value == 2.5


def test_a_curve_that_stays_above_one_half_has_no_median() -> None:
    curve = kaplan_meier(Durations(np.array([1.0, 2, 3, 4]), np.array([True, False, False, False])))
    assert np.isnan(curve.median().value)


def test_the_cumulative_hazard_at_ties_is_one_step() -> None:
    hazard = nelson_aalen(Durations(np.array([2.0, 1, 2, 3]), np.array([True, True, True, False])))
    np.testing.assert_allclose(hazard, [1 / 4 + 2 / 3, 1 / 4, 1 / 4 + 2 / 3, 1 / 4 + 2 / 3])


def test_a_landmark_leaves_out_who_did_not_reach_it() -> None:
    rows, after = landmark(Durations(np.array([5.0, 6, 9]), np.array([True, True, False])), 6)
    assert rows.tolist() == [False, True, True]
    assert after.time.tolist() == [0, 3]


def test_a_negative_time_is_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        Durations(np.array([-1.0]), np.array([True]))
