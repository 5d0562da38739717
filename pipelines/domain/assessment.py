"""What the rules make of a patient's lesions: the responses of each visit, and what follows for the patient."""

from collections.abc import Mapping
from dataclasses import dataclass

from pipelines.domain.endpoints import TimeToEvent, Undetermined
from pipelines.domain.progression import FollowUp, PatternFinding, ResistanceFinding
from pipelines.domain.reasons import Rejected
from pipelines.domain.recist import LesionId, LesionRole, RecistRules, Tenths
from pipelines.domain.responses import ImmuneResponse, NonTargetResponse, OverallResponse, TargetResponse
from pipelines.domain.scan_date import ScanDate


@dataclass(frozen=True, slots=True)
class SumOfDiameters:
    """The sum over the target lesions of one visit.

    Attributes
    ----------
    sizes
        What each target lesion adds; None for one that could not be assessed.
    """

    sizes: Mapping[LesionId, Tenths | None]

    @property
    def measured(self) -> Tenths:
        """Sum of those that were assessed."""
        return Tenths(sum(size for size in self.sizes.values() if size is not None))

    @property
    def missing(self) -> tuple[LesionId, ...]:
        return tuple(lesion for lesion, size in self.sizes.items() if size is None)

    @property
    def total(self) -> Tenths | None:
        """The sum, or None when a target lesion is missing from it."""
        return None if self.missing else self.measured


@dataclass(frozen=True, slots=True)
class Baseline:
    """The time point that the others are compared with."""

    label: str
    assessed_on: ScanDate
    sum: SumOfDiameters


@dataclass(frozen=True, slots=True)
class VisitAssessment:
    """The responses of one time point after the baseline.

    Attributes
    ----------
    assessed_on, progressed_on
        Middle and first of the dates of its scans.
    baseline, nadir
        The sums compared with; None where there is none. The nadir is the least complete sum before this visit,
        baseline included.
    new_lesions
        What is new and unequivocal here, or turned out to be later.
    equivocal
        What may be new.
    reappeared
        Lesions that are back after a complete response.
    """

    label: str
    assessed_on: ScanDate
    progressed_on: ScanDate
    sum: SumOfDiameters
    baseline: Tenths | None
    nadir: Tenths | None
    target: TargetResponse
    non_target: NonTargetResponse
    new_lesions: tuple[LesionId, ...]
    equivocal: tuple[LesionId, ...]
    reappeared: tuple[LesionId, ...]
    overall: OverallResponse
    immune: ImmuneResponse

    @property
    def percent_from_baseline(self) -> float | None:
        return _percent(self.sum.total, self.baseline)

    @property
    def percent_from_nadir(self) -> float | None:
        return _percent(self.sum.total, self.nadir)

    @property
    def from_nadir_mm(self) -> float | None:
        return None if self.sum.total is None or self.nadir is None else (self.sum.total - self.nadir) / 10


def _percent(now: Tenths | None, before: Tenths | None) -> float | None:
    """Change in per cent; None where there is nothing to compare, and over a sum of nothing."""
    return None if now is None or not before else 100 * (now - before) / before


@dataclass(frozen=True, slots=True)
class BestResponse:
    """Best overall response, and where it was first reached.

    Attributes
    ----------
    on
        None when no visit counts.
    confirmed
        Whether it was seen again; None where rules do not ask for that.
    """

    response: OverallResponse
    on: ScanDate | None
    why: str
    confirmed: bool | None = None


@dataclass(frozen=True, slots=True)
class Assessment:
    """All that the rules say about one patient.

    Attributes
    ----------
    roles
        The role that each lesion was given.
    immune_best
        Best response in iRECIST, where progression without confirmation does not count against it.
    visits
        In the order of their dates, without the baseline.
    first_progression
        The visit of first progression; None without one.
    immune_progression
        The visit whose progression was confirmed (iRECIST), by its first sight; None without one.
    notes
        What a reader has to look at, each with its code.
    """

    rules: RecistRules
    roles: Mapping[LesionId, LesionRole]
    baseline: Baseline
    visits: tuple[VisitAssessment, ...]
    best: BestResponse
    immune_best: ImmuneResponse
    first_progression: VisitAssessment | None
    immune_progression: VisitAssessment | None
    pattern: PatternFinding
    resistance: ResistanceFinding
    follow_up: FollowUp
    endpoints: tuple[TimeToEvent | Undetermined, ...]
    notes: tuple[Rejected, ...]
