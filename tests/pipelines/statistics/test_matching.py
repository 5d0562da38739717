"""Matching against R's MatchIt 4.7.2 on the LaLonde data."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from pipelines.statistics.matching import Caliper, Order, match_nearest
from pipelines.statistics.values import Floats

COVARIATES = ["age", "educ", "raceblack", "racehispan", "racewhite", "married", "nodegree", "re74", "re75"]
CONFIGURATIONS: dict[str, tuple[Caliper | None, Order, bool]] = {
    "nn_nocal": (None, "largest", False),
    "cal02_sd_ps": (Caliper(0.02, "sd"), "largest", False),
    "cal02_abs_ps": (Caliper(0.02, "absolute"), "largest", False),
    "cal02_sd_logit": (Caliper(0.02, "sd"), "largest", True),
    "cal02_abs_logit": (Caliper(0.02, "absolute"), "largest", True),
    "cal20_sd_logit": (Caliper(0.2, "sd"), "largest", True),
    "cal20_sd_logit_closest": (Caliper(0.2, "sd"), "closest", True),
    "cal20_sd_logit_data": (Caliper(0.2, "sd"), "data", True),
    "cal20_sd_logit_smallest": (Caliper(0.2, "sd"), "smallest", True),
}


def lalonde(shared_data: Path) -> pd.DataFrame:
    table = pd.read_csv(shared_data.parent / "oracles/lalonde.csv")
    for race in ("black", "hispan", "white"):
        table[f"race{race}"] = (table["race"] == race).astype(float)
    return table


def treated_smd(table: pd.DataFrame, name: str, treated: Floats, control: Floats) -> float:
    """MatchIt's: the difference of means over the SD of the treated before matching."""
    everyone = table.loc[table["treat"] == 1, name]
    binary = set(table[name].unique()) <= {0, 1}
    spread = np.sqrt(everyone.mean() * (1 - everyone.mean())) if binary else everyone.std()
    return float((treated.mean() - control.mean()) / spread)


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_the_pairs_have_matchits_number_caliper_and_balance(shared_data: Path, name: str) -> None:
    table = lalonde(shared_data)
    caliper, order, logit = CONFIGURATIONS[name]
    x = sm.add_constant(table[[column for column in COVARIATES if column != "raceblack"]].astype(float))
    linear = np.asarray(sm.Logit(table["treat"], x).fit(disp=0, tol=1e-12).fittedvalues)
    distance = linear if logit else 1 / (1 + np.exp(-linear))
    # R holds equal covariates to equal scores; rounding keeps those ties
    distance = np.round(distance, 9)
    treated = table["treat"].to_numpy() == 1
    found = match_nearest(distance, treated, caliper=caliper, order=order)

    expected = json.loads((shared_data.parent / "oracles/matchit_lalonde.json").read_text())[name]
    assert found.treated.size == expected["n_matched_treated"]
    if caliper is not None:
        assert found.caliper == pytest.approx(expected["caliper"], abs=5e-9)  # R stops its glm at 1e-8
        assert (abs(distance[found.treated] - distance[found.control]) <= found.caliper).all()
    assert np.unique(found.control).size == found.control.size
    table["distance"] = distance
    balance = [
        treated_smd(table, row, table[row].to_numpy()[found.treated], table[row].to_numpy()[found.control])
        for row in expected["rows"]
    ]
    assert balance == pytest.approx(expected["smd_after"], abs=1e-8)


def test_each_control_is_used_once_and_the_nearest_first() -> None:
    distance = np.array([0.0, 1.0, 0.9, 0.1, 5.0])
    treated = np.array([True, True, False, False, False])
    found = match_nearest(distance, treated)
    assert (found.treated.tolist(), found.control.tolist()) == ([0, 1], [3, 2])


def test_a_treated_row_beyond_the_caliper_stays_alone() -> None:
    found = match_nearest(
        np.array([0.0, 3.0, 0.1, 0.2]), np.array([True, True, False, False]), caliper=Caliper(0.15, "absolute")
    )
    assert (found.treated.tolist(), found.control.tolist()) == ([0], [2])


def test_more_treated_than_controls_leaves_the_last_alone() -> None:
    found = match_nearest(np.array([0.0, 1.0, 2.0]), np.array([True, True, False]))
    assert found.treated.tolist() == [1]


def test_a_caliper_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="wider"):
        Caliper(0.0, "sd")
