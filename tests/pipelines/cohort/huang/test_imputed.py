"""PD-L1 completed several times, matched in each, and pooled."""

from dataclasses import replace

import pytest

from pipelines.cohort.huang.choices import PROFILES
from pipelines.cohort.huang.eligibility import screen
from pipelines.cohort.huang.imputed import Completed, complete_and_match, pooled_results
from pipelines.domain.reasons import Rejected
from tests.pipelines.cohort.huang.made_up import made_up

SEED_B = PROFILES["seed-b"]
PEOPLE = screen(made_up(300, 2)[0]).included


def completed() -> Completed:
    found = complete_and_match(PEOPLE, SEED_B)
    assert isinstance(found, Completed)
    return found


def test_five_sets_keep_what_is_known_and_match_each_by_itself() -> None:
    found = completed()
    assert len(found.sets) == 5
    assert found.imputed == sum(one.pd_l1 is None for one in PEOPLE) > 20
    for one in found.sets:
        for ours, theirs in zip(one.everyone, PEOPLE, strict=True):
            assert ours == replace(theirs, pd_l1=ours.pd_l1)
            assert ours.pd_l1 == theirs.pd_l1 if theirs.pd_l1 else ours.pd_l1 in ("<1%", "1-49%", ">=50%")
    assert len({tuple(one.pd_l1 for one in each.everyone) for each in found.sets}) == 5
    assert len({each.pairs.treated.size for each in found.sets}) > 1


def test_the_pooled_numbers_lie_among_those_of_the_sets() -> None:
    rows = {row.quantity: row for row in pooled_results(completed(), SEED_B)}
    assert len(rows) == 8
    for row in rows.values():
        values = [value for value, *_ in row.each]
        assert min(values) <= row.ratio[0] <= max(values)
        assert row.pooled is not None and row.pooled.imputations == 5
        assert row.ratio[1] < row.ratio[0] < row.ratio[2]
    before = rows["HR PFS, oligo vs systemic, before matching"]
    # before matching PD-L1 plays no part: the sets agree and nothing is lost
    assert before.pooled is not None and before.pooled.between == pytest.approx(0)
    after = rows["HR OS, oligo vs systemic, after matching"]
    assert after.pooled is not None and after.pooled.share_missing > 0
    assert len({n for *_, n in after.each}) > 1


def test_nothing_missing_gives_one_set_and_nothing_to_pool() -> None:
    whole = tuple(replace(one, pd_l1=one.pd_l1 or "<1%") for one in PEOPLE)
    found = complete_and_match(whole, SEED_B)
    assert isinstance(found, Completed) and len(found.sets) == 1 and found.imputed == 0
    assert all(row.pooled is None and row.ratio[0] == row.each[0][0] for row in pooled_results(found, SEED_B))


def test_who_lacks_another_covariate_takes_no_part() -> None:
    gaps = (replace(PEOPLE[0], smoking=None), *PEOPLE[1:])
    found = complete_and_match(gaps, SEED_B)
    assert isinstance(found, Completed)
    assert found.left_out == 1 and len(found.sets[0].everyone) == len(PEOPLE) - 1


def test_groups_without_a_pair_are_a_reason() -> None:
    few = [one for one in PEOPLE if one.pattern == "oligo"]
    found = complete_and_match(few, SEED_B)
    assert isinstance(found, Rejected) and found.code == "COH-005"


def test_a_level_that_nobody_has_cannot_be_imputed() -> None:
    gaps = [replace(one, pd_l1=None if one.pd_l1 == "<1%" else one.pd_l1) for one in PEOPLE]
    found = complete_and_match(gaps, SEED_B)
    assert isinstance(found, Rejected) and "does not occur" in found.detail
