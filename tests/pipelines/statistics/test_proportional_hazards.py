"""The test of proportional hazards against R's cox.zph."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipelines.statistics.cox import cox
from pipelines.statistics.proportional_hazards import TimeScale, proportional_hazards
from pipelines.statistics.survival import Durations


@pytest.mark.parametrize("scale", ["km", "identity", "log", "rank"])
def test_the_statistics_are_those_of_cox_zph(shared_data: Path, scale: TimeScale) -> None:
    table = pd.read_csv(shared_data.parent / "oracles/lung.csv").dropna(subset=["ph.ecog"])
    x = np.column_stack([table["sex"] == 2, table["age"], table["ph.ecog"]]).astype(float)
    durations = Durations(table["time"].to_numpy(float), table["event"].to_numpy(bool))
    tests = proportional_hazards(durations, x, cox(durations, x, ["sex", "age", "ECOG"]), scale=scale)
    expected = json.loads((shared_data.parent / "oracles/cox_lung.json").read_text())[f"zph_{scale}"]
    np.testing.assert_allclose([one.chi_square for one in tests], expected["chisq"], rtol=0, atol=5e-9)
    np.testing.assert_allclose([one.p for one in tests], expected["p"], rtol=0, atol=1e-9)
    assert [one.degrees_of_freedom for one in tests] == expected["df"]


def test_columns_of_one_category_are_tested_together() -> None:
    rng = np.random.default_rng(4)
    x = rng.normal(size=(120, 3))
    durations = Durations(rng.exponential(np.exp(-x[:, 0])), rng.random(120) < 0.8)
    model = cox(durations, x, ["a", "b", "c"])
    tests = proportional_hazards(durations, x, model, together={"a": [0], "bc": [1, 2]})
    assert [one.degrees_of_freedom for one in tests] == [1, 2, 3]


def test_a_hazard_ratio_that_turns_round_is_found() -> None:
    rng = np.random.default_rng(5)
    group = np.repeat([0.0, 1.0], 300)
    # the first group has a constant hazard, the second first a low and then a high one
    time = np.where(group == 0, rng.exponential(1, 600), rng.weibull(4, 600))
    durations = Durations(time, np.ones(600, bool))
    model = cox(durations, group[:, None], ["group"])
    assert proportional_hazards(durations, group[:, None], model)[0].p < 1e-6
