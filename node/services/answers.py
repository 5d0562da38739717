"""Answers of readers in the words that people and programs write, and cases under review as programs read them."""

from collections.abc import Mapping, Sequence
from typing import Any

from node.following import DecisionBook, ReadCase
from pipelines.domain.identifiers import CaseId, is_uid
from pipelines.domain.readings import (
    DIFFERENT,
    OF_THE_TIME_POINT,
    Decision,
    Question,
    Reading,
    TrackingUID,
    in_force,
    words_of,
)


def decisions_of(
    readings: DecisionBook, about: ReadCase, answers: Mapping[Question, str], lesion: int | None
) -> tuple[Decision, ...]:
    """Answers of a reader as decisions.

    Parameters
    ----------
    answers
        As `words_of` writes them; for `SAME_AS` a Tracking UID, `CASE:LESION`, or `different`.
    lesion
        Number of the lesion within the case.

    Raises
    ------
    ValueError
        If an answer is none, or the lesion is missing or unknown; the message is for people.
    """
    made = []
    for question, word in answers.items():
        uid = None if question in OF_THE_TIME_POINT else _tracking_uid(about, lesion)
        if question is Question.SAME_AS:
            answer = _same_as(readings, about, word)
            if answer == uid:
                raise ValueError("A lesion is the same as itself.")
        else:
            words = words_of(question)
            if word not in words:
                raise ValueError(f"{question.value}: one of {', '.join(words)} is allowed.")
            answer = words[word]
        made.append(Decision(question, about.study, uid, answer))
    return tuple(made)


def _tracking_uid(about: ReadCase, lesion: int | None) -> TrackingUID:
    found = next((one for one in about.lesions if one.number == lesion), None)
    if found is None:
        numbers = ", ".join(str(one.number) for one in about.lesions) or "none is measured yet"
        raise ValueError(f"Which lesion of case {about.case}? Its lesions: {numbers}.")
    return found.tracking_uid


def _same_as(readings: DecisionBook, about: ReadCase, text: str) -> str:
    if text == DIFFERENT or is_uid(text):
        return text
    case, _, number = text.partition(":")
    if not (case.isdecimal() and number.isdecimal()):
        raise ValueError("same-as: a Tracking UID, CASE:LESION or different is allowed.")
    other = readings.case_read(CaseId(int(case)))
    if other is None or other.patient != about.patient:
        raise ValueError(f"Case {case} is none of the same patient.")
    return _tracking_uid(other, int(number))


def facts(about: ReadCase, readings: Sequence[Reading]) -> dict[str, Any]:
    """A case under review for programs: its lesions with what holds, and every decision about its patient."""
    return {
        "case": about.case,
        "study": about.study,
        "lesions": [
            {
                "number": one.number,
                "tracking_uid": one.tracking_uid,
                "volume_ml": one.volume_ml,
                "decisions": [_said(said) for said in in_force(readings) if said.decision.lesion == one.tracking_uid],
            }
            for one in about.lesions
        ],
        "decisions": [_said(one) for one in readings],
    }


def _said(reading: Reading) -> dict[str, Any]:
    decision = reading.decision
    return {
        "number": reading.number,
        "question": decision.question.value,
        "lesion": decision.lesion,
        "study": decision.study,
        "answer": decision.answer,
        "case": reading.case,
        "who": reading.who,
        "at": reading.at.isoformat(),
        "source": reading.source.value,
        "report": reading.source_uid,
        "reason": reading.reason,
        "taken_back": reading.undone,
    }
