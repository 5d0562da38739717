"""The cohort that is drawn has the counts of the paper, and a signature in it."""

from collections import Counter

import numpy as np
import pytest

from pipelines.cohort.folder import OutcomeChoice, read_cohort
from pipelines.domain.training_table import TrainingTable
from pipelines.extraction.names import feature_names
from pipelines.extraction.settings import load_profile
from pipelines.phantom.immunotherapy_cohort import EFFECT, PLANTED, cohort_files, synthetic_cohort
from pipelines.training.validation import area


def test_the_counts_are_those_of_table_2() -> None:
    drawn = synthetic_cohort(3)
    told = Counter(zip(drawn.clinical["histology"], drawn.clinical["response"], strict=True))
    # Dong & Chen 2025, table 2: 23 + 11 responders and 28 + 21 others with squamous carcinoma
    assert told["squamous", "CR"] + told["squamous", "PR"] == 34
    assert told["squamous", "SD"] + told["squamous", "PD"] == 49
    assert Counter(drawn.clinical["response"]) == {"CR": 4, "PR": 63, "SD": 24, "PD": 50}


def test_ten_features_of_the_extraction_decide() -> None:
    settings = load_profile("recommended")
    assert len(PLANTED) == 10
    assert set(PLANTED) <= set(feature_names(settings))
    drawn = synthetic_cohort(0)
    assert drawn.values.shape == (141, 1218)
    nothing = synthetic_cohort(0, effect=0.0)
    assert not nothing.truth.any()


def test_who_knew_the_truth_would_reach_the_auc_that_is_told() -> None:
    # by integration, without the cohort: a predictor N(0, s) and a response with probability expit of it
    spread = np.sqrt(10.0) * EFFECT * 0.97
    grid = np.linspace(-8.0, 8.0, 4001) * spread
    density = np.exp(-0.5 * (grid / spread) ** 2)
    ill, well = density / (1.0 + np.exp(grid)), density / (1.0 + np.exp(-grid))
    expected = float(np.sum(well * (np.cumsum(ill) - 0.5 * ill)) / (well.sum() * ill.sum()))
    assert expected == pytest.approx(0.87, abs=0.005)
    found = []
    for seed in range(60):
        drawn = synthetic_cohort(seed, features=sorted(PLANTED))
        found.append(area(drawn.truth, np.array([one in ("CR", "PR") for one in drawn.clinical["response"]])))
    # the standard error of one cohort's AUC is 0.03 (Hanley & McNeil), that of the mean 0.004
    assert abs(np.mean(found) - expected) < 3 * 0.03 / np.sqrt(60)


def test_the_files_are_read_back() -> None:
    drawn = synthetic_cohort(0)
    settings = load_profile("recommended")
    files = cohort_files(drawn, settings)
    table = read_cohort(files["clinical.csv"], files["features.csv"], OutcomeChoice())
    assert isinstance(table, TrainingTable)
    assert (table.n, table.events, len(table.features)) == (141, 67, 1218)
    assert (table.profile, table.settings_sha256) == ("recommended", settings.digest)
    column = table.features.index("original_shape_Sphericity")
    expected = drawn.values[:, drawn.features.index("original_shape_Sphericity")]
    np.testing.assert_allclose(table.values[:, column], expected, rtol=1e-11)
    assert {"age", "stage", "pd_l1"} <= {covariate.name for covariate in table.covariates}
    assert {fact.name for fact in table.acquisition} >= {"kernel", "scanner"}
    assert all(days is not None and 0 <= days <= 28 for days in table.days_before_therapy)
