"""When something that was put off is due, also where the clock was set back meanwhile."""

from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, or_

LONGEST_WAIT: Final = timedelta(days=1)
"""Between two tries of anything that the settings allow."""


def is_due(next_at: ColumnElement[Any], at: datetime, longest: timedelta) -> ColumnElement[bool]:
    """True for what has to be tried at `at`: its time has come, or lies further ahead than anything is put off.

    Parameters
    ----------
    next_at
        Column with the time of the next try.
    longest
        For which something is put off at most. A time beyond was written before the clock was set back; without this,
        a node whose clock was a month ahead for a minute would wait for a month.
    """
    return or_(next_at <= at, next_at > at + longest)
