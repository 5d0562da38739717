"""The sample sizes that pmsampsize gives."""

import pytest

from pipelines.training.sample_size import largest_r2, r2_of_auc, sample_size


def test_the_published_example_of_24_parameters() -> None:
    # pmsampsize(type = "b", csrsquared = 0.288, parameters = 24, prevalence = 0.174), in the manual of the R package
    found = sample_size(24, 0.174, 0.288)
    assert (found.shrinkage, found.difference, found.risk, found.needed) == (623, 662, 221, 662)
    assert found.events_per_parameter == pytest.approx(4.8, abs=0.01)


def test_the_same_example_from_a_c_statistic_of_0_89() -> None:
    # what the R package gives with `cstatistic = 0.89` in the place of the R2
    found = sample_size(24, 0.174, r2_of_auc(0.89, 0.174))
    assert (found.shrinkage, found.difference, found.risk) == (615, 660, 221)


def test_an_r2_that_cannot_be_reached_is_refused() -> None:
    with pytest.raises(ValueError, match="between 0 and"):
        sample_size(10, 0.1, largest_r2(0.1))


def test_a_model_without_discrimination_explains_nothing() -> None:
    assert r2_of_auc(0.5, 0.3) == pytest.approx(0.0, abs=1e-12)
