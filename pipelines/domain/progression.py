"""How a patient's disease progressed under treatment: pattern, resistance, and when to look again."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from pipelines.domain import response_codes as codes
from pipelines.domain.coding import Code
from pipelines.domain.organs import Organ
from pipelines.domain.recist import LesionId, Tenths
from pipelines.domain.scan_date import ScanDate


class Pattern(StrEnum):
    """How widely the disease progressed (Huang et al. 2025, section 0)."""

    NONE = "none"
    OLIGO = "oligo"
    SYSTEMIC = "systemic"
    INDETERMINATE = "indeterminate"

    @property
    def code(self) -> Code:
        return _PATTERNS[self]


class Resistance(StrEnum):
    """Whether treatment never worked, or ceased to."""

    NONE = "none"
    PRIMARY = "primary"
    ACQUIRED = "acquired"
    OFF_TREATMENT = "after the end of treatment"
    NOT_EVALUABLE = "not evaluable"
    INDETERMINATE = "indeterminate"

    @property
    def code(self) -> Code:
        return _RESISTANCES[self]


_PATTERNS: Final = {
    Pattern.NONE: codes.NO_PROGRESSION,
    Pattern.OLIGO: codes.PATTERN_OLIGO,
    Pattern.SYSTEMIC: codes.PATTERN_SYSTEMIC,
    Pattern.INDETERMINATE: codes.INDETERMINATE,
}
_RESISTANCES: Final = {
    Resistance.NONE: codes.NO_PROGRESSION,
    Resistance.PRIMARY: codes.RESISTANCE_PRIMARY,
    Resistance.ACQUIRED: codes.RESISTANCE_ACQUIRED,
    Resistance.OFF_TREATMENT: codes.RESISTANCE_OFF_TREATMENT,
    Resistance.NOT_EVALUABLE: codes.NOT_EVALUABLE,
    Resistance.INDETERMINATE: codes.INDETERMINATE,
}


class Evidence(StrEnum):
    """Why a lesion counts as progressing."""

    NEW = "new"
    REAPPEARED = "back after a complete response"
    GROWN = "grown"
    NON_TARGET = "unequivocal progression of a non-target lesion"
    SHARE_OF_SUM = "part of the growth of the sum"


@dataclass(frozen=True, slots=True)
class ProgressingLesion:
    """A lesion that progresses, with what shows it.

    Attributes
    ----------
    growth, growth_percent
        Over its own smallest size; None where it was not measured. The percentage is also None over nothing.
    """

    lesion: LesionId
    organ: Organ
    evidence: Evidence
    growth: Tenths | None = None
    growth_percent: float | None = None


_BELOW_5_MM: Final = Tenths(49)


@dataclass(frozen=True, slots=True)
class PatternRules:
    """When progression counts as oligoprogression.

    Attributes
    ----------
    most_lesions
        Progressing lesions at most; the paper leaves 3 to 5.
    compared
        Other such limits, under which the pattern is told as well.
    most_organs
        Organs with progressing lesions at most; None for any number.
    tolerated_growth
        What the other lesions may have grown over their smallest size and still count as controlled.
    """

    name: str = "huang-2025"
    version: str = "1"
    most_lesions: int = 5
    compared: tuple[int, ...] = (3,)
    most_organs: int | None = None
    tolerated_growth: Tenths = _BELOW_5_MM

    def __post_init__(self) -> None:
        if min(self.most_lesions, *self.compared) < 1 or (self.most_organs is not None and self.most_organs < 1):
            raise ValueError("oligoprogression is of one lesion at least")


@dataclass(frozen=True, slots=True)
class PatternFinding:
    """The pattern of the first progression, with its evidence.

    Attributes
    ----------
    time_point
        Label of the time point of first progression; None without progression.
    lesions
        What progresses, most growth first, new lesions before.
    by_sum_alone
        The sum progressed and no single lesion did.
    diffuse
        Disease that cannot be counted is among it.
    brain_only
        All that progresses lies in the brain.
    compared
        (limit, pattern) for each of the rules' other limits.
    """

    pattern: Pattern
    rules: str
    why: str
    time_point: str | None = None
    lesions: tuple[ProgressingLesion, ...] = ()
    by_sum_alone: bool = False
    diffuse: bool = False
    brain_only: bool = False
    compared: tuple[tuple[int, Pattern], ...] = ()

    def count(self, evidence: Evidence) -> int:
        return sum(lesion.evidence is evidence for lesion in self.lesions)

    @property
    def organs(self) -> tuple[Organ, ...]:
        return tuple(sorted({lesion.organ for lesion in self.lesions}))


class Stop(StrEnum):
    """Why the treatment with immune checkpoint inhibitors ended."""

    PROGRESSION = "progression"
    TOXICITY = "toxicity"
    COMPLETED = "completed"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Course:
    """What is known of a patient's treatment and fate; None is unknown and never means no.

    Attributes
    ----------
    start
        First dose of the first-line treatment with an immune checkpoint inhibitor.
    last_dose
        Last dose of it, where it ended.
    ongoing
        True while it is given; None when that is not known.
    rapid
        Progression was so rapid, or the patient deteriorated so, that no confirming scan was waited for.
    second_line
        Start of the next systemic treatment.
    second_progression
        Progression under that.
    data_cut
        Nothing later counts.
    """

    start: ScanDate | None = None
    last_dose: ScanDate | None = None
    ongoing: bool | None = None
    stopped_for: Stop | None = None
    rapid: bool = False
    second_line: ScanDate | None = None
    second_progression: ScanDate | None = None
    death: ScanDate | None = None
    last_contact: ScanDate | None = None
    data_cut: date | None = None


@dataclass(frozen=True, slots=True)
class ResistanceRules:
    """A published definition of primary and acquired resistance.

    Attributes
    ----------
    source
        Where the definition stands.
    early_days
        Progression before this many days is early.
    response_is_acquired
        Progression after a response is acquired resistance however early it comes.
    boundary_open
        On that very day both definitions hold, so that neither can be chosen.
    least_exposure_days
        Treatment that primary resistance asks for; 0 for none.
    late_exposure_days
        Treatment that acquired resistance asks for; 0 for none.
    late_needs_benefit
        Acquired resistance asks for stable disease or better before it.
    off_treatment_days
        Days after the last dose from which on progression is no resistance to it; None where any end of treatment
        but for toxicity or progression takes the patient out of the definition.
    off_treatment
        What such a progression is called.
    confirmed
        A later scan has to confirm the progression.
    """

    name: str
    version: str
    source: str
    early_days: int
    response_is_acquired: bool
    boundary_open: bool
    least_exposure_days: int
    late_exposure_days: int
    late_needs_benefit: bool
    off_treatment_days: int | None
    off_treatment: Resistance
    confirmed: bool


@dataclass(frozen=True, slots=True)
class ResistanceFinding:
    """Primary or acquired resistance by one set of rules, and why."""

    resistance: Resistance
    rules: str
    why: str


@dataclass(frozen=True, slots=True)
class FollowUp:
    """When the next scan is due: decision support, which a physician confirms or changes.

    Attributes
    ----------
    row
        Name of the row of the table that applied.
    due_from, due_until
        None when the protocol of the site decides.
    """

    row: str
    why: str
    due_from: date | None = None
    due_until: date | None = None
