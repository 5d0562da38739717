"""Which segments of a visit a lesion was measured on."""

from collections.abc import Sequence

from pipelines.domain.history import Scan
from pipelines.domain.identity import Followed, Sighting
from pipelines.domain.recist import LesionId
from pipelines.response.history import Visit


def drawn_at(followed: Followed, visit: Visit, lesion: LesionId) -> Sequence[Sighting]:
    """The segments of a lesion at a visit, that which its axes are told of first."""
    scans: dict[str, Scan] = dict(visit.scans)
    seen = [
        sighting
        for match in followed.matches
        if match.lesion == lesion and match.time_point in scans
        for sighting in scans[match.time_point].sightings
        if sighting.number in match.segments
    ]
    return sorted(seen, key=lambda one: (-one.axis, one.number))
