"""When the next scan of each patient is due, as the latest assessment has it."""

import json
from collections.abc import Sequence
from datetime import date
from typing import Final

from node.history import Due, History
from pipelines.response.follow_up import NOTICE

_FORM: Final = "{:>6}  {:<12}  {:<24}  {}"


def run_due(history: History, today: date, *, every: bool, as_json: bool) -> str:
    """Patients by their latest case: overdue first, then those whose window is open, then those to come.

    Parameters
    ----------
    every
        Also those without a window, whom the protocol of the site calls in.
    """
    listed = in_order([one for one in history.due() if every or one.due_from is not None], today)
    if as_json:
        return json.dumps([_values(one, today) for one in listed], indent=2)
    if not listed:
        return "No scan is due."
    lines = [_FORM.format("Case", "Scanned", "Next CT due", "")]
    lines += [_FORM.format(one.case, one.label, _window(one), standing(one, today)).rstrip() for one in listed]
    return "\n".join([*lines, "", NOTICE])


def in_order(listed: Sequence[Due], today: date) -> list[Due]:
    """By the end of the window, so that what is most overdue comes first; without a window last."""
    return sorted(
        listed, key=lambda one: (one.due_until is None, one.due_until or today, one.due_from or today, one.case)
    )


def standing(one: Due, today: date) -> str:
    """Where today lies in the window.

    Examples
    --------
    >>> from pipelines.domain.identifiers import CaseId
    >>> one = Due(CaseId(3), "2024-04-18", date(2024, 6, 13), date(2024, 7, 11))
    >>> standing(one, date(2024, 7, 21)), standing(one, date(2024, 7, 1)), standing(one, date(2024, 6, 1))
    ('overdue by 10 days', 'due now', 'in 12 days')
    """
    if one.due_from is None or one.due_until is None:
        return ""
    if today > one.due_until:
        return f"overdue by {(today - one.due_until).days} days"
    return "due now" if today >= one.due_from else f"in {(one.due_from - today).days} days"


def _window(one: Due) -> str:
    return "by protocol" if one.due_from is None else f"{one.due_from} to {one.due_until}"


def _values(one: Due, today: date) -> dict[str, object]:
    return {
        "case": one.case,
        "scanned": one.label,
        "due_from": None if one.due_from is None else one.due_from.isoformat(),
        "due_until": None if one.due_until is None else one.due_until.isoformat(),
        "overdue": one.due_until is not None and today > one.due_until,
    }
