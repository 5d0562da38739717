"""Rubin's rules against R's mice::pool."""

import json
from pathlib import Path

import numpy as np
import pytest

from pipelines.statistics.rubin import pool


def test_the_pooled_numbers_are_those_of_mice(shared_data: Path) -> None:
    expected = json.loads((shared_data.parent / "oracles/rubin_nhanes2.json").read_text())
    names = {
        "estimate": "estimate",
        "std_error": "standard_error",
        "statistic": "statistic",
        "df": "degrees_of_freedom",
        "p": "p",
        "lower": "lower",
        "upper": "upper",
        "ubar": "within",
        "b": "between",
        "t": "total",
        "riv": "relative_increase",
        "lambda": "share_missing",
        "fmi": "fraction_missing",
    }
    for term in range(len(expected["terms"])):
        pooled = pool(
            [fit["coef"][term] for fit in expected["fits"]],
            [fit["se"][term] ** 2 for fit in expected["fits"]],
            complete_df=expected["dfcom"][term],
        )
        for theirs, ours in names.items():
            assert getattr(pooled, ours) == pytest.approx(expected[theirs][term], rel=1e-10, abs=1e-10), theirs


def test_imputations_that_agree_leave_the_variance_as_it_is() -> None:
    pooled = pool([0.5, 0.5, 0.5], [0.04, 0.04, 0.04])
    assert (pooled.total, pooled.share_missing) == (pytest.approx(0.04), 0)
    assert pooled.lower == pytest.approx(0.5 - 1.959964 * 0.2, abs=1e-6)
    assert np.isinf(pooled.degrees_of_freedom)


def test_one_imputation_cannot_be_pooled() -> None:
    with pytest.raises(ValueError, match="two imputations"):
        pool([1.0], [1.0])
