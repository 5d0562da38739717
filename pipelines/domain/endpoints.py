"""End points of a patient: times to an event that may not have happened yet."""

from dataclasses import dataclass
from enum import StrEnum

from pipelines.domain.scan_date import DAYS_PER_MONTH


class Endpoint(StrEnum):
    """What is timed; each has its own beginning and event."""

    PFS = "pfs"
    OS = "os"
    PFS_2L = "pfs_2l"
    """From the start of the second line to the progression under it, or death."""
    PFS2_EMA = "pfs2_ema"
    """From the start of the first line to the progression under the second, or death (EMA/CHMP/27994/2008)."""
    DURATION_OF_RESPONSE = "dor"
    TIME_TO_RESPONSE = "ttr"


class Censoring(StrEnum):
    """When a patient without a counted event leaves observation for progression."""

    LAST_ASSESSMENT = "last adequate assessment"
    NEW_THERAPY = "new therapy"
    """As above, and an event after another systemic treatment has begun does not count."""
    FDA = "new therapy or two missed visits"
    """As above, nor does one after two or more missed visits."""


@dataclass(frozen=True, slots=True)
class TimeToEvent:
    """Days to an event, or to the end of observation."""

    endpoint: Endpoint
    days: int
    event: bool
    why: str

    @property
    def months(self) -> float:
        return self.days / DAYS_PER_MONTH


@dataclass(frozen=True, slots=True)
class Undetermined:
    """A time that cannot be told, and what is missing for it."""

    endpoint: Endpoint
    why: str
