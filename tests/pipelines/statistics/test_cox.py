"""Cox's model against R's coxph."""

import json
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest

from pipelines.statistics.cox import NotEstimable, Ties, concordance, cox
from pipelines.statistics.survival import Durations


def oracle(shared_data: Path) -> dict[str, Any]:
    return cast(dict[str, Any], json.loads((shared_data.parent / "oracles/cox_lung.json").read_text()))


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_the_model_is_that_of_coxph(shared_data: Path, ties: Ties) -> None:
    table = pd.read_csv(shared_data.parent / "oracles/lung.csv").dropna(subset=["ph.ecog"])
    x = np.column_stack([table["sex"] == 2, table["age"], table["ph.ecog"]]).astype(float)
    model = cox(
        Durations(table["time"].to_numpy(float), table["event"].to_numpy(bool)), x, ["sex 2", "age", "ECOG"], ties=ties
    )
    expected = oracle(shared_data)[ties]
    ratios = model.ratios()
    for name, ours in {
        "coef": [one.coefficient for one in ratios],
        "se": [one.standard_error for one in ratios],
        "hr": [one.ratio for one in ratios],
        "lower": [one.lower for one in ratios],
        "upper": [one.upper for one in ratios],
        "z": [one.z for one in ratios],
        "p": [one.p for one in ratios],
        "lrt": model.likelihood_ratio,
        "concordance": [model.concordance, model.concordance_error],
    }.items():
        np.testing.assert_allclose(ours, expected[name], rtol=0, atol=1e-8, err_msg=name)
    np.testing.assert_allclose(model.log_likelihood, expected["loglik"], rtol=0, atol=1e-9)
    assert (model.patients, model.events) == (expected["n"], expected["nevent"])


def test_one_covariate_has_the_ratio_of_coxph(shared_data: Path) -> None:
    table = pd.read_csv(shared_data.parent / "oracles/lung.csv")
    x = (table["sex"] == 2).to_numpy(float)[:, None]
    model = cox(Durations(table["time"].to_numpy(float), table["event"].to_numpy(bool)), x, ["sex 2"])
    (ratio,) = model.ratios()
    expected = oracle(shared_data)["univariate_sex"]
    # coxph itself stops when the likelihood changes by less than 1e-9
    assert (ratio.ratio, ratio.lower, ratio.upper, ratio.p) == pytest.approx(
        (expected["hr"], expected["lower"], expected["upper"], expected["p_wald"]), abs=5e-9
    )
    assert model.likelihood_ratio[2] == pytest.approx(expected["p_lrt"], abs=1e-9)


def test_a_model_without_events_is_refused() -> None:
    with pytest.raises(NotEstimable, match="no event"):
        cox(Durations(np.array([1.0, 2, 3]), np.zeros(3, bool)), np.array([[0.0], [1], [0]]), ["x"])


def test_a_covariate_that_does_not_vary_is_refused() -> None:
    with pytest.raises(NotEstimable, match="vary"):
        cox(Durations(np.array([1.0, 2, 3]), np.ones(3, bool)), np.ones((3, 1)), ["x"])


def test_a_covariate_that_separates_is_refused() -> None:
    time = np.arange(1.0, 41)
    with pytest.raises(NotEstimable, match="separates"):
        cox(Durations(time, np.ones(40, bool)), (time <= 20).astype(float)[:, None], ["x"])


def test_two_events_at_one_time_tell_nothing_of_concordance() -> None:
    both = Durations(np.array([1.0, 1.0, 2.0]), np.array([True, True, False]))
    assert concordance(both, np.array([2.0, 0.0, 1.0]))[0] == 0.5
