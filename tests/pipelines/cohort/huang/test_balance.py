"""Matching and the balance that it leaves."""

from dataclasses import replace

import numpy as np
import pytest

from pipelines.cohort.huang.balance import match, unbalanced
from pipelines.cohort.huang.choices import PROFILES
from pipelines.cohort.huang.eligibility import screen
from pipelines.statistics.matching import Caliper
from tests.pipelines.cohort.huang.made_up import made_up
from tests.pipelines.cohort.huang.paper import BEFORE, of_counts

SEED_B, RECOMMENDED = PROFILES["seed-b"], PROFILES["recommended"]


def test_pairs_are_of_both_patterns_and_within_the_caliper() -> None:
    people = [one for one in screen(made_up(579)[0]).included if one.pd_l1 is not None]
    for choices in (SEED_B, RECOMMENDED):
        found = match(people, choices)
        assert found.rows.size == 2 * found.pairs.treated.size == np.unique(found.rows).size
        assert all(people[row].pattern == "oligo" for row in found.pairs.treated)
        assert all(people[row].pattern == "systemic" for row in found.pairs.control)
        gaps = abs(found.scores[found.pairs.treated] - found.scores[found.pairs.control])
        assert gaps.max() <= found.pairs.caliper
    spread = RECOMMENDED.caliper.on(match(people, RECOMMENDED).scores)
    assert spread == pytest.approx(0.2 * match(people, RECOMMENDED).scores.std(ddof=1))


def test_the_papers_caliper_is_absolute_on_the_logit() -> None:
    assert match(of_counts(BEFORE), SEED_B).pairs.caliper == 0.02


def test_matching_brings_histology_and_sex_together() -> None:
    people = [one for one in screen(made_up(579)[0]).included if one.pd_l1 is not None]
    found = match(people, SEED_B)
    before = {row.variable.name: row.smd for row in found.before}
    after = {row.variable.name: row.smd for row in found.after}
    assert before["Histology"] > 0.25 and after["Histology"] < 0.1


def test_each_data_set_that_stays_apart_is_named_with_the_covariates() -> None:
    people = [one for one in screen(made_up(579)[0]).included if one.pd_l1 is not None]
    found = match(people, SEED_B)
    strict = unbalanced([found, found], 1e-9)
    assert [problem.code for problem in strict] == ["COH-004", "COH-004"]
    assert "data set 2" in strict[1].detail
    assert unbalanced([found], 10.0) == ()


def test_a_covariate_that_cannot_be_compared_counts_as_unbalanced() -> None:
    people = [one for one in screen(made_up(579)[0]).included if one.pd_l1 is not None]
    found = match(people, SEED_B)
    blind = replace(found, after=tuple(replace(row, smd=float("nan")) for row in found.after))
    assert len(unbalanced([blind], 0.1)) == 1


def test_a_wider_caliper_makes_no_fewer_pairs() -> None:
    people = [one for one in screen(made_up(579)[0]).included if one.pd_l1 is not None]
    sizes = [
        match(people, replace(SEED_B, caliper=Caliper(width, "absolute"))).pairs.treated.size
        for width in (0.001, 0.02, 0.2, 5.0)
    ]
    assert sizes == sorted(sizes)
