"""The log-rank test against R's survdiff."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipelines.statistics.logrank import log_rank
from pipelines.statistics.survival import Durations


@pytest.mark.parametrize(
    ("name", "group", "strata"),
    [
        ("logrank_sex", "sex", None),
        ("logrank_ecog012", "ph.ecog", None),
        ("stratified_sex_by_ecog", "sex", "ph.ecog"),
    ],
)
def test_the_statistic_is_that_of_survdiff(shared_data: Path, name: str, group: str, strata: str | None) -> None:
    table = pd.read_csv(shared_data.parent / "oracles/lung.csv").dropna(subset=[strata or group])
    if group == "ph.ecog":
        table = table[table[group] <= 2]
    found = log_rank(
        Durations(table["time"].to_numpy(float), table["event"].to_numpy(bool)),
        table[group].to_numpy(np.int64),
        None if strata is None else table[strata].to_numpy(np.int64),
    )
    expected = json.loads((shared_data.parent / "oracles/logrank_lung.json").read_text())[name]
    assert found.chi_square == pytest.approx(expected["chisq"], abs=1e-9)
    assert found.degrees_of_freedom == expected["df"]
    assert found.p == pytest.approx(expected["p"], abs=1e-12)


def test_one_group_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="two groups"):
        log_rank(Durations(np.array([1.0, 2]), np.array([True, True])), np.array([1, 1]))
