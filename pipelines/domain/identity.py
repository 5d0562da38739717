"""A lesion as one segmentation shows it, and what shows that it is the same lesion as before."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipelines.domain.organs import Organ
from pipelines.domain.reasons import Rejected
from pipelines.domain.recist import LesionId, LesionNature, Tenths, TimePoint
from pipelines.domain.scan_date import ScanDate
from pipelines.domain.volume import Grid

NOWHERE: Final[NDArray[np.float64]] = np.empty((0, 3))
"""The places of a lesion of which only the size is known."""
NOWHERE.flags.writeable = False


@dataclass(frozen=True, slots=True, eq=False)
class Sighting:
    """A segment before anyone knows which lesion it is.

    Attributes
    ----------
    number
        Segment Number.
    tracking_id, tracking_uid
        As sent; empty when the segmentation has none.
    own_uid
        A UID of this segment alone, which becomes the lesion's when it is seen first here.
    volume_ml
        None where a report tells diameters alone.
    points_mm
        Centres of its voxels in the patient coordinate system of its own CT, shape (n, 3); `NOWHERE` where a report
        tells of it and no segmentation.
    step_mm
        Largest spacing of those voxels.
    apart
        A reader said that it is none of the lesions before.
    """

    number: int
    tracking_id: str
    tracking_uid: str
    own_uid: str
    organ: Organ
    is_node: bool
    long_axis: Tenths
    short_axis: Tenths
    volume_ml: float | None
    points_mm: NDArray[np.float64]
    step_mm: float
    slice_thickness: Tenths | None = None
    modality: str = "CT"
    nature: LesionNature = LesionNature.SOLID
    apart: bool = False

    @property
    def centre_mm(self) -> NDArray[Any]:
        return np.asarray(self.points_mm.mean(axis=0))

    @property
    def axis(self) -> Tenths:
        """The axis that counts: the short one of a node, the long one of all others."""
        return self.short_axis if self.is_node else self.long_axis


class MatchKind(StrEnum):
    """What shows which lesion a segment is, the strongest first."""

    TRACKING_UID = "tracking UID"
    TRACKING_ID = "tracking identifier"
    OVERLAP = "overlap after registration"
    NEAREST = "nearest after registration"
    FIRST_SEEN = "first seen"


@dataclass(frozen=True, slots=True)
class Match:
    """Which lesion the segments of a time point are.

    Attributes
    ----------
    segments
        Segment Numbers; more than one when the lesion has split.
    distance_mm
        Between the centres after registration; None where places were not compared.
    overlap
        Share of the smaller one's voxels that lie on the larger one, 0 to 1.
    """

    time_point: str
    lesion: LesionId
    segments: tuple[int, ...]
    kind: MatchKind
    distance_mm: float | None = None
    overlap: float | None = None


@dataclass(frozen=True, slots=True)
class Gates:
    """How far apart two sightings of one lesion may lie after registration.

    Attributes
    ----------
    distance_mm
        Between the centres; or the larger lesion's radius, where that is more.
    part
        Share of a segment that lies on a known lesion from which on it is a part of it, and share of a known lesion
        that lies in another's segment from which on the two have merged.
    """

    distance_mm: float = 12.0
    part: float = 0.5


@dataclass(frozen=True, slots=True)
class Followed:
    """A patient's lesions known over all time points.

    Attributes
    ----------
    notes
        What a reader has to confirm: matches by place, lesions that are no longer drawn, splits and mergers.
    """

    time_points: tuple[TimePoint, ...]
    matches: tuple[Match, ...]
    notes: tuple[Rejected, ...]


@dataclass(frozen=True, slots=True)
class Sighted:
    """The segments of one time point, before the lesions are known.

    Attributes
    ----------
    extent
        Grid of the CT: what lies outside was not scanned.
    """

    label: str
    scans: tuple[ScanDate, ...]
    sightings: tuple[Sighting, ...]
    extent: Grid
