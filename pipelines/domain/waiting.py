"""Whether something has been waited for long enough, by a clock that people set."""

from datetime import datetime, timedelta


def waited(since: datetime, wait: timedelta, *, now: datetime) -> bool:
    """True when `wait` has passed since `since`.

    A time that lies further ahead than `wait` was written before the clock was set back; it counts as long ago, since
    nobody knows better. So a clock that is set back costs twice the wait at most, and not the time that it was set back
    by.

    Examples
    --------
    >>> noon, minute = datetime(2026, 1, 1, 12), timedelta(minutes=1)
    >>> [waited(noon + n * minute, 2 * minute, now=noon) for n in (-2, -1, 0, 2, 3)]
    [True, False, False, False, True]
    """
    return not now - wait < since <= now + wait
