"""Oligo or systemic: what counts, and what has to be controlled beside it."""

from dataclasses import replace

import pytest

from pipelines.domain.organs import Organ
from pipelines.domain.progression import Evidence, Pattern, PatternFinding, PatternRules
from pipelines.domain.recist import LesionId, LesionNature, LesionObservation, LesionRole, NonTargetCall
from pipelines.response.assess import RuleSet
from tests.pipelines.response.patients import assessed, lesion, targets, visit

NEW, NON = LesionRole.NEW, LesionRole.NON_TARGET
BONES = (Organ.BONE, Organ.LIVER, Organ.ADRENAL)


def pattern(
    before: list[LesionObservation],
    after: list[LesionObservation],
    rules: PatternRules | None = None,
    **roles: LesionRole,
) -> PatternFinding:
    names = [seen.lesion for seen in before if seen.lesion not in roles]
    points = [visit("v0", -7, *before), visit("v1", 56, *after)]
    rule_set = RuleSet(pattern=rules or PatternRules())
    return assessed(points, targets(*names, **roles), rules=rule_set).pattern


def new(count: int) -> list[LesionObservation]:
    return [lesion(f"x{at}", 12, organ=BONES[at % 3]) for at in range(count)]


@pytest.mark.parametrize(
    ("count", "expected", "of_three"),
    [
        (3, Pattern.OLIGO, Pattern.OLIGO),
        (4, Pattern.OLIGO, Pattern.SYSTEMIC),
        (5, Pattern.OLIGO, Pattern.SYSTEMIC),
        (6, Pattern.SYSTEMIC, Pattern.SYSTEMIC),
    ],
)
def test_five_lesions_are_oligo_and_three_are_compared(count: int, expected: Pattern, of_three: Pattern) -> None:
    roles = {f"x{at}": NEW for at in range(count)}
    said = pattern([lesion("t1", 30)], [lesion("t1", 30), *new(count)], **roles)
    assert (said.pattern, said.compared) == (expected, ((3, of_three),))
    assert said.count(Evidence.NEW) == count
    assert f"{count} progressing lesion" in said.why


def test_the_evidence_names_every_lesion_with_its_growth() -> None:
    said = pattern(
        [lesion("t1", 30), lesion("t2", 20, organ=Organ.LIVER)],
        [lesion("t1", 42), lesion("t2", 20, organ=Organ.LIVER), lesion("x", 12, organ=Organ.BONE)],
        x=NEW,
    )
    assert [(one.lesion, one.evidence, one.growth, one.growth_percent) for one in said.lesions] == [
        ("x", Evidence.NEW, None, None),
        ("t1", Evidence.GROWN, 120, 40.0),
    ]
    assert said.organs == (Organ.BONE, Organ.LUNG)


def test_a_sum_that_progresses_without_a_single_lesion_is_shared_by_growth() -> None:
    before = [lesion("t1", 20), lesion("t2", 18), lesion("t3", 15, organ=Organ.LIVER)]
    after = [lesion("t1", 24), lesion("t2", 22), lesion("t3", 18.5, organ=Organ.LIVER)]
    said = pattern(before, after)
    assert said.by_sum_alone
    assert [(one.lesion, one.growth) for one in said.lesions] == [("t1", 40), ("t2", 40), ("t3", 35)]
    assert said.pattern is Pattern.OLIGO


def test_another_lesion_that_grows_is_not_controlled() -> None:
    before = [lesion("t1", 60), lesion("t2", 20, organ=Organ.LIVER)]
    after = [lesion("t1", 65), lesion("t2", 40, organ=Organ.LIVER)]
    said = pattern(before, after)
    assert (said.pattern, len(said.lesions)) == (Pattern.SYSTEMIC, 1)
    still = pattern(before, [lesion("t1", 64.9), lesion("t2", 40, organ=Organ.LIVER)])
    assert still.pattern is Pattern.OLIGO


def test_a_lesion_that_was_not_assessed_leaves_the_pattern_open() -> None:
    before = [lesion("t1", 30), lesion("n1", 8)]
    said = pattern(before, [lesion("t1", 40), lesion("n1", None)], n1=NON)
    assert said.pattern is Pattern.INDETERMINATE
    assert "not assessed" in said.why
    many = [lesion("t1", 40), lesion("n1", None), *new(6)]
    assert pattern(before, many, n1=NON, **{f"x{at}": NEW for at in range(6)}).pattern is Pattern.SYSTEMIC


@pytest.mark.parametrize(
    "nature",
    [LesionNature.EFFUSION, LesionNature.CARCINOMATOSIS, LesionNature.LYMPHANGITIS, LesionNature.LEPTOMENINGEAL],
)
def test_disease_that_cannot_be_counted_is_systemic(nature: LesionNature) -> None:
    said = pattern([lesion("t1", 30)], [lesion("t1", 30), lesion("x", 12, nature=nature)], x=NEW)
    assert (said.pattern, said.diffuse) == (Pattern.SYSTEMIC, True)


def test_progression_in_the_brain_alone_is_tagged() -> None:
    brain = lesion("x", 12, organ=Organ.BRAIN)
    assert pattern([lesion("t1", 30)], [lesion("t1", 30), brain], x=NEW).brain_only
    assert not pattern([lesion("t1", 30)], [lesion("t1", 40), brain], x=NEW).brain_only


def test_a_limit_of_organs_can_be_set() -> None:
    after = [lesion("t1", 30), *new(3)]
    roles = {f"x{at}": NEW for at in range(3)}
    assert pattern([lesion("t1", 30)], after, PatternRules(most_organs=2), **roles).pattern is Pattern.SYSTEMIC


def test_a_non_target_lesion_counts_when_a_reader_calls_it_progressing() -> None:
    points = [visit(f"v{at}", at * 56 - 7, lesion("t1", 30), lesion("n1", 8 + 4 * at)) for at in (0, 1)]
    calls = {("v1", LesionId("n1")): NonTargetCall.UNEQUIVOCAL_PROGRESSION}
    said = assessed(points, replace(targets("t1", n1=NON), non_targets=calls)).pattern
    assert [(one.lesion, one.evidence, one.growth) for one in said.lesions] == [("n1", Evidence.NON_TARGET, 40)]


def test_a_lesion_that_is_back_after_a_complete_response_is_the_progression() -> None:
    points = [visit(f"v{at}", at * 56 - 7, lesion("t1", mm)) for at, mm in enumerate((20, 0, 3))]
    said = assessed(points).pattern
    assert [(one.lesion, one.evidence) for one in said.lesions] == [("t1", Evidence.REAPPEARED)]


def test_no_progression_has_no_pattern() -> None:
    assert pattern([lesion("t1", 30)], [lesion("t1", 30)]).pattern is Pattern.NONE


def test_a_limit_of_no_lesions_is_refused() -> None:
    with pytest.raises(ValueError, match="one lesion"):
        PatternRules(most_lesions=0)
