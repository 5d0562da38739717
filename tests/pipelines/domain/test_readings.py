"""Which decision of a reader holds, and what the rules get to see of it."""

from datetime import UTC, datetime

import pytest

from pipelines.domain.identifiers import StudyUID
from pipelines.domain.readings import (
    ANSWERS,
    OF_THE_TIME_POINT,
    Decision,
    Question,
    Reading,
    Source,
    TrackingUID,
    in_force,
    read,
    words_of,
)
from pipelines.domain.recist import Decisions, LesionId, LesionNature, LesionRole, NewLesionCall, NonTargetCall

FIRST, SECOND = StudyUID("1.2.1"), StudyUID("1.2.2")
LESION, OTHER = TrackingUID("2.25.1"), TrackingUID("2.25.2")


def said(
    number: int,
    question: Question,
    answer: str,
    *,
    study: StudyUID = FIRST,
    lesion: TrackingUID | None = LESION,
    undone: bool = False,
) -> Reading:
    about = None if question in OF_THE_TIME_POINT else lesion
    decision = Decision(question, study, about, answer)
    return Reading(number, decision, datetime(2026, 1, 1, tzinfo=UTC), "reader", Source.COMMAND, undone=undone)


def test_the_last_decision_holds_and_the_one_before_it_once_that_is_taken_back() -> None:
    first, second = said(1, Question.ROLE, "target"), said(2, Question.ROLE, "excluded")
    assert in_force([second, first]) == (second,)
    assert in_force([first, said(2, Question.ROLE, "excluded", undone=True)]) == (first,)


def test_a_role_is_decided_once_and_progression_at_every_time_point() -> None:
    readings = [
        said(1, Question.ROLE, "target", study=FIRST),
        said(2, Question.ROLE, "non-target", study=SECOND),
        said(3, Question.NON_TARGET, "stable", study=FIRST),
        said(4, Question.NON_TARGET, "unequivocal progression", study=SECOND),
    ]
    assert read(readings).decisions == Decisions(
        roles={LesionId(LESION): LesionRole.NON_TARGET},
        non_targets={(SECOND, LesionId(LESION)): NonTargetCall.UNEQUIVOCAL_PROGRESSION},
        decided_by="reader",
    )


def test_every_question_reaches_the_rules_in_their_own_words() -> None:
    readings = [
        said(1, Question.NEW_LESION, "equivocal", study=SECOND, lesion=OTHER),
        said(2, Question.NATURE, LesionNature.LYMPHANGITIS.value),
        said(3, Question.SAME_AS, OTHER),
        said(4, Question.SAME_AS, "different", lesion=OTHER),
        said(5, Question.IRRADIATED, "yes"),
        said(6, Question.NODE, "yes", lesion=OTHER),
        said(7, Question.MARKERS, "yes", study=SECOND),
        said(8, Question.BASELINE, "yes", study=FIRST),
    ]
    found = read(readings, label_of={FIRST: "baseline", SECOND: "week 6"}.get)
    assert found.decisions == Decisions(
        baseline="baseline",
        new_lesions={("week 6", LesionId(OTHER)): NewLesionCall.EQUIVOCAL},
        irradiated=frozenset({LesionId(LESION)}),
        confirmed_nodes=frozenset({LesionId(OTHER)}),
        raised_markers=frozenset({"week 6"}),
        decided_by="reader",
    )
    assert found.natures == {LesionId(LESION): LesionNature.LYMPHANGITIS}
    assert found.same == ((LESION, OTHER),)
    assert found.different == ((FIRST, OTHER),)
    assert found.notes == ()


def test_no_takes_back_what_yes_said() -> None:
    answers = [said(1, Question.IRRADIATED, "yes"), said(2, Question.IRRADIATED, "no")]
    assert read(answers).decisions.irradiated == frozenset()


def test_what_concerns_no_known_lesion_or_study_is_told_and_changes_nothing() -> None:
    readings = [
        said(7, Question.ROLE, "target", lesion=OTHER),
        said(8, Question.MARKERS, "yes", study=SECOND),
        said(9, Question.ROLE, "target"),
    ]
    found = read(
        readings,
        lesion_of=lambda _, uid: LesionId("known") if uid == LESION else None,
        label_of={FIRST: "baseline"}.get,
    )
    assert found.decisions.roles == {"known": LesionRole.TARGET}
    assert found.decisions.raised_markers == frozenset()
    assert [(note.code, note.detail.split()[1]) for note in found.notes] == [("RSP-006", "7"), ("RSP-006", "8")]


def test_without_decisions_nobody_has_decided() -> None:
    assert read([]).decisions == Decisions()


@pytest.mark.parametrize(
    ("question", "lesion", "answer"),
    [
        (Question.ROLE, None, "target"),
        (Question.MARKERS, LESION, "yes"),
        (Question.ROLE, LESION, "tarjet"),
        (Question.SAME_AS, LESION, ""),
    ],
)
def test_a_decision_that_makes_no_sense_does_not_exist(
    question: Question, lesion: TrackingUID | None, answer: str
) -> None:
    with pytest.raises(ValueError, match=r"decision|answer"):
        Decision(question, FIRST, lesion, answer)


def test_every_answer_has_a_word_that_can_be_typed() -> None:
    for question, answers in ANSWERS.items():
        words = words_of(question)
        assert sorted(words.values()) == sorted(answers)
        assert all(word.replace("-", "").isalpha() and word.islower() for word in words)
