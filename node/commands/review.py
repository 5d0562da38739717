"""Show the lesions of a case with what readers decided about them, and record decisions."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import click

from node.bootstrap.records import make_recorder
from node.bootstrap.stores import Stores
from node.following import ReadCase
from node.services.answers import decisions_of, facts
from pipelines.domain.identifiers import CaseId
from pipelines.domain.readings import Question, Reading, Source, TrackingUID, in_force


@dataclass(frozen=True, slots=True)
class Reviewed:
    """A case before a reader: its lesions, and every decision about its patient."""

    case: ReadCase
    readings: tuple[Reading, ...]


def reviewed(stores: Stores, case: CaseId) -> Reviewed | None:
    """What there is to review; None when there is no such case."""
    found = stores.readings.case_read(case)
    return None if found is None else Reviewed(found, tuple(stores.readings.readings(found.patient)))


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
            made = decisions_of(stores.readings, found.case, answers, lesion)
        except ValueError as fault:
            raise click.UsageError(str(fault)) from fault
        recorder.decide(case, made, Source.COMMAND, who=who, reason=reason)
    now = reviewed(stores, case)
    assert now is not None
    return json.dumps(facts(now.case, now.readings), ensure_ascii=False, indent=2) if as_json else listing(now)
