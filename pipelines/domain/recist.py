"""What readers and scanners tell about lesions over time, in the words of RECIST 1.1."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_DOWN, Decimal
from enum import StrEnum
from typing import NewType

from pipelines.domain.organs import Organ
from pipelines.domain.scan_date import ScanDate, mean_date

LesionId = NewType("LesionId", str)
"""The Tracking UID of a lesion, the same over all time points."""
Tenths = NewType("Tenths", int)
"""A length in tenths of a millimetre: with binary fractions 4.2 / 6 is more than 0.7."""


def tenths(mm: float | Decimal | str) -> Tenths:
    """A length in mm as tenths of a millimetre, halves rounded down, lest rounding reach a threshold.

    Examples
    --------
    >>> tenths(4.2), tenths("14.95"), tenths("14.96")
    (42, 149, 150)
    """
    length = Decimal(str(mm))
    if not length.is_finite() or length < 0:
        raise ValueError("a length is finite and not negative")
    return Tenths(int((length * 10).quantize(Decimal(1), ROUND_HALF_DOWN)))


class LesionState(StrEnum):
    """What a time point shows of a lesion that is known."""

    MEASURED = "measured"
    PRESENT = "present"
    """Seen and not measured: a non-target lesion."""
    ABSENT = "absent"
    TOO_SMALL = "too small"
    """Faintly seen, too small to measure: counts 5 mm (RECIST 1.1, section 4.1)."""
    NOT_ASSESSABLE = "not assessable"
    SPLIT = "split"
    MERGED = "merged"
    """Lies within another lesion now, which is measured as one."""


class LesionNature(StrEnum):
    """What a lesion consists of, as far as it decides what may be measured (RECIST 1.1, section 3.1)."""

    SOLID = "solid"
    LYTIC_BONE = "lytic bone with a soft tissue component"
    BLASTIC_BONE = "blastic bone"
    CYSTIC_METASTASIS = "cystic metastasis"
    SIMPLE_CYST = "simple cyst"
    EFFUSION = "pleural or pericardial effusion"
    ASCITES = "ascites"
    LYMPHANGITIS = "lymphangitis"
    LEPTOMENINGEAL = "leptomeningeal disease"
    CARCINOMATOSIS = "pleural or peritoneal carcinomatosis"


DIFFUSE = frozenset(
    {
        LesionNature.EFFUSION,
        LesionNature.ASCITES,
        LesionNature.LYMPHANGITIS,
        LesionNature.LEPTOMENINGEAL,
        LesionNature.CARCINOMATOSIS,
    }
)
"""Disease that cannot be counted in lesions."""


@dataclass(frozen=True, slots=True)
class LesionObservation:
    """One lesion at one time point.

    Attributes
    ----------
    long_axis, short_axis
        In the axial plane; both are there when the lesion is measured.
    parts
        Of a split lesion: the long axis (of a node: the short axis) of each part.
    merged_into
        Of a merged lesion: the lesion that is measured in its stead.
    slice_thickness
        Of the series it was seen on; None when it is not known.
    modality
        DICOM Modality of that series.
    """

    lesion: LesionId
    organ: Organ
    is_node: bool
    state: LesionState
    long_axis: Tenths | None = None
    short_axis: Tenths | None = None
    volume_ml: float | None = None
    nature: LesionNature = LesionNature.SOLID
    parts: tuple[Tenths, ...] = ()
    merged_into: LesionId | None = None
    slice_thickness: Tenths | None = None
    modality: str = "CT"

    def __post_init__(self) -> None:
        if self.state is LesionState.MEASURED and self.axis is None:
            raise ValueError("a measured lesion has the axis that counts")
        if (self.state is LesionState.SPLIT) != bool(self.parts):
            raise ValueError("a split lesion, and no other, has parts")
        if (self.state is LesionState.MERGED) != (self.merged_into is not None) or self.merged_into == self.lesion:
            raise ValueError("a merged lesion, and no other, names the lesion that it lies in")

    @property
    def axis(self) -> Tenths | None:
        """The axis that counts: the short one of a node, the long one of all others."""
        return self.short_axis if self.is_node else self.long_axis


@dataclass(frozen=True, slots=True)
class TimePoint:
    """One visit: all that was seen of the patient's lesions.

    Attributes
    ----------
    label
        Names the time point within the patient ("baseline", "week 12").
    scans
        Dates of the scans it consists of, at least one.
    imaged
        Organs within the scans; None when that was not told.
    """

    label: str
    scans: tuple[ScanDate, ...]
    observations: tuple[LesionObservation, ...]
    imaged: frozenset[Organ] | None = None

    def __post_init__(self) -> None:
        if not self.scans:
            raise ValueError("a time point has the date of at least one scan")
        if len({seen.lesion for seen in self.observations}) != len(self.observations):
            raise ValueError("a time point tells of each lesion once")

    @property
    def assessed_on(self) -> ScanDate:
        """The date of a response: the middle of the scans."""
        return mean_date(self.scans)

    @property
    def progressed_on(self) -> ScanDate:
        """The date of a progression: the first of the scans."""
        return min(self.scans)

    def of(self, lesion: LesionId) -> LesionObservation | None:
        return next((seen for seen in self.observations if seen.lesion == lesion), None)

    def covers(self, organ: Organ) -> bool | None:
        """Whether the organ was scanned; None when that was not told."""
        return None if self.imaged is None or organ is Organ.UNKNOWN else organ in self.imaged


class LesionRole(StrEnum):
    """What a lesion counts as."""

    TARGET = "target"
    NON_TARGET = "non-target"
    NEW = "new"
    EXCLUDED = "excluded"


class NonTargetCall(StrEnum):
    """What a reader says of a non-target lesion beyond being there or not."""

    WORSE = "worse"
    """Larger, and short of unequivocal progression; only iRECIST asks for it, to confirm."""
    UNEQUIVOCAL_PROGRESSION = "unequivocal progression"


class NewLesionCall(StrEnum):
    """How sure a reader is that a lesion is new and malignant."""

    UNEQUIVOCAL = "unequivocal"
    EQUIVOCAL = "equivocal"
    REFUTED = "refuted"


@dataclass(frozen=True, slots=True)
class Decisions:
    """What a person decided about a patient's lesions; what is not here was left to the rules' proposal.

    Attributes
    ----------
    baseline
        Label of the baseline time point; None for the first.
    roles
        Role of each lesion that was decided.
    non_targets
        By (label of a time point, lesion).
    new_lesions
        By (label of a time point, lesion): how a new lesion was seen there. One that becomes unequivocal later counts
        from the time point that first showed it.
    irradiated
        Lesions in an irradiated field that have not grown since.
    confirmed_nodes
        Nodes that grew to 10 mm or more and that a reader takes for new disease.
    raised_markers
        Labels of time points where a tumour marker is above normal, which stands in the way of a complete response.
    decided_by
        Role of who decided, never a name.
    """

    baseline: str | None = None
    roles: Mapping[LesionId, LesionRole] = field(default_factory=dict)
    non_targets: Mapping[tuple[str, LesionId], NonTargetCall] = field(default_factory=dict)
    new_lesions: Mapping[tuple[str, LesionId], NewLesionCall] = field(default_factory=dict)
    irradiated: frozenset[LesionId] = frozenset()
    confirmed_nodes: frozenset[LesionId] = frozenset()
    raised_markers: frozenset[str] = frozenset()
    decided_by: str = ""


@dataclass(frozen=True, slots=True)
class RecistRules:
    """RECIST 1.1 with the choices that it leaves open.

    Attributes
    ----------
    pr_carry
        Once a partial response is reached it stays one until progression (EORTC); else each visit by itself.
    relapse_after_cr
        Any lesion that comes back after a complete overall response is progression (EORTC); else size decides.
    confirm
        Complete and partial response have to be seen twice to count as best response (non-randomised trials).
    confirm_days
        Least distance of those two.
    most_ne_between, sd_between
        Visits that are not evaluable between them, and whether one stable disease may lie between partial responses.
    least_sd_days
        Days from the start of treatment from which on stable disease counts.
    most_targets, most_per_organ
        Target lesions in all and of one organ.
    past_progression
        Visits after the first progression count for the best response, too.
    early_death
        Best response of who dies before the first assessment.
    """

    name: str = "recist-1.1"
    version: str = "1"
    pr_carry: bool = True
    relapse_after_cr: bool = True
    confirm: bool = False
    confirm_days: int = 28
    most_ne_between: int = 1
    sd_between: bool = False
    least_sd_days: int = 42
    past_progression: bool = False
    most_targets: int = 5
    most_per_organ: int = 2
    early_death: str = "NE"

    def __post_init__(self) -> None:
        if self.early_death not in ("PD", "NE"):
            raise ValueError("a death before the first assessment counts as PD or as NE")
        if min(self.confirm_days, self.least_sd_days, self.most_ne_between) < 0:
            raise ValueError("windows and counts are not negative")
        if not 0 < self.most_per_organ <= self.most_targets:
            raise ValueError("there is room for one target lesion at least")
