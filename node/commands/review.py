"""Show the lesions of a case with what readers decided about them, and record decisions."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click

from node.bootstrap import Stores, make_recorder
from node.following import ReadCase
from pipelines.domain.identifiers import CaseId, is_uid
from pipelines.domain.readings import (
    DIFFERENT,
    OF_THE_TIME_POINT,
    Decision,
    Question,
    Reading,
    Source,
    TrackingUID,
    in_force,
    words_of,
)


@dataclass(frozen=True, slots=True)
class Reviewed:
    """A case before a reader: its lesions, and every decision about its patient."""

    case: ReadCase
    readings: tuple[Reading, ...]


def reviewed(stores: Stores, case: CaseId) -> Reviewed | None:
    """What there is to review; None when there is no such case."""
    found = stores.readings.case_read(case)
    return None if found is None else Reviewed(found, tuple(stores.readings.readings(found.patient)))


def decisions_of(
    stores: Stores, about: ReadCase, answers: Mapping[Question, str], lesion: int | None
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
            answer = _same_as(stores, about, word)
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


def _same_as(stores: Stores, about: ReadCase, text: str) -> str:
    if text == DIFFERENT or is_uid(text):
        return text
    case, _, number = text.partition(":")
    if not (case.isdecimal() and number.isdecimal()):
        raise ValueError("same-as: a Tracking UID, CASE:LESION or different is allowed.")
    other = stores.readings.case_read(CaseId(int(case)))
    if other is None or other.patient != about.patient:
        raise ValueError(f"Case {case} is none of the same patient.")
    return _tracking_uid(other, int(number))


def facts(found: Reviewed) -> dict[str, Any]:
    """A case under review for programs."""
    return {
        "case": found.case.case,
        "study": found.case.study,
        "lesions": [
            {
                "number": one.number,
                "tracking_uid": one.tracking_uid,
                "volume_ml": one.volume_ml,
                "decisions": [
                    _said(said) for said in in_force(found.readings) if said.decision.lesion == one.tracking_uid
                ],
            }
            for one in found.case.lesions
        ],
        "decisions": [_said(one) for one in found.readings],
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


def listing(found: Reviewed) -> str:
    """A case under review for people."""
    names = {one.tracking_uid: f"lesion {one.number}" for one in found.case.lesions}
    lines = [f"Case {found.case.case}, study {found.case.study}", ""]
    for lesion in found.case.lesions:
        lines.append(f"lesion {lesion.number}  {lesion.volume_ml:.2f} ml  {lesion.tracking_uid}")
        lines += _lines([one for one in in_force(found.readings) if one.decision.lesion == lesion.tracking_uid], names)
    if not found.case.lesions:
        lines.append("No lesion is measured yet.")
    others = [one for one in in_force(found.readings) if one.decision.lesion not in names]
    if others:
        lines += ["", "Other decisions about this patient", *_lines(others, names)]
    return "\n".join(lines)


def _lines(readings: Sequence[Reading], names: Mapping[TrackingUID, str]) -> list[str]:
    lines = []
    for one in readings:
        said = one.decision
        where = "" if said.lesion in names or said.lesion is None else f" of {said.lesion}"
        answer = names.get(TrackingUID(said.answer), said.answer)
        why = f": {one.reason}" if one.reason else ""
        lines.append(
            f"    {one.number}  {said.question}{where} = {answer}  ({one.source}, {one.who}, "
            f"{one.at:%Y-%m-%d %H:%M}{why})"
        )
    return lines


def run_review(
    stores: Stores,
    case: CaseId,
    answers: Mapping[Question, str],
    lesion: int | None,
    undo: int | None,
    *,
    who: str,
    reason: str,
    as_json: bool,
) -> str:
    """Record what a reader answered or takes back, and show the case as it is then.

    Parameters
    ----------
    undo
        Number of the decision to take back, 0 for the last one; None for none.

    Raises
    ------
    click.ClickException
        If there is no such case or decision, or an answer cannot be one.
    """
    found = reviewed(stores, case)
    if found is None:
        raise click.ClickException(f"There is no case {case}.")
    recorder = make_recorder(stores)
    if undo is not None and recorder.undo(case, undo or None, who=who, reason=reason) is None:
        raise click.ClickException("There is no such decision about this patient, or it was taken back before.")
    if answers:
        try:
            made = decisions_of(stores, found.case, answers, lesion)
        except ValueError as fault:
            raise click.UsageError(str(fault)) from fault
        recorder.decide(case, made, Source.COMMAND, who=who, reason=reason)
    now = reviewed(stores, case)
    assert now is not None
    return json.dumps(facts(now), ensure_ascii=False, indent=2) if as_json else listing(now)
