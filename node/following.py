"""What is kept about a patient's treatment and about readers' decisions: the ports, and the values that cross them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from node.ports import StoredFile
from pipelines.domain.clinical import ClinicalData, Key, PatientKey
from pipelines.domain.identifiers import CaseId, SopInstanceUID, StudyUID
from pipelines.domain.readings import Decision, Reading, Source, TrackingUID
from pipelines.domain.reasons import Rejected


class EntrySource(StrEnum):
    """How an entry of clinical data came to the node."""

    COMMAND = "command"
    TABLE = "table"
    FHIR = "fhir"


@dataclass(frozen=True, slots=True)
class Origin:
    """Who recorded something, when, and why.

    Attributes
    ----------
    who
        Account or role, never a patient.
    """

    who: str
    at: datetime
    reason: str = ""


@dataclass(frozen=True, slots=True)
class EntryRow:
    """One entry of clinical data as it was recorded, for good; an empty value took the one before back."""

    key: Key
    value: str
    source: EntrySource
    who: str
    at: datetime


class ClinicalBook(Protocol):
    """Keeps clinical data; what was entered stays, and the newest entry holds."""

    def clinical(self, patient: PatientKey) -> ClinicalData:
        """What is known; all unknown for a patient of whom nothing was entered."""

    def entries(self, patient: PatientKey) -> Mapping[Key, str]:
        """The entries that hold."""

    def entry_history(self, patient: PatientKey) -> Sequence[EntryRow]:
        """Every entry ever made, oldest first."""

    def record(
        self, by_patient: Mapping[PatientKey, Mapping[Key, str]], source: EntrySource, origin: Origin
    ) -> Sequence[PatientKey]:
        """Write entries down, all or none of them; the patients of whom something changed."""


@dataclass(frozen=True, slots=True)
class CaseLesion:
    """A lesion of a case as a reader refers to it."""

    number: int
    tracking_uid: TrackingUID
    volume_ml: float


@dataclass(frozen=True, slots=True)
class ReadCase:
    """A case that a reader decides about.

    Attributes
    ----------
    study
        The study of its CT, which names the time point.
    """

    case: CaseId
    patient: PatientKey
    study: StudyUID
    lesions: tuple[CaseLesion, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """A report that was received and that nobody has read for decisions yet."""

    sop_instance: SopInstanceUID
    patient: PatientKey
    file: StoredFile


class DecisionBook(Protocol):
    """Keeps readers' decisions; what was decided stays, and the last decision of a subject that stands holds."""

    def readings(self, patient: PatientKey) -> Sequence[Reading]:
        """Every decision ever made, also those that were taken back, in their order."""

    def case_read(self, case: CaseId) -> ReadCase | None:
        """What a reader has to know of a case; None when there is none."""

    def cases_of(self, patient: PatientKey) -> Sequence[ReadCase]:
        """All cases of a patient, oldest first."""

    def decide(
        self,
        patient: PatientKey,
        decisions: Sequence[Decision],
        source: Source,
        origin: Origin,
        *,
        source_uid: str = "",
        case: CaseId | None = None,
    ) -> Sequence[int]:
        """Write decisions down, all or none; the number of each."""

    def undo(self, patient: PatientKey, number: int, origin: Origin) -> bool:
        """Take a decision back; False when the patient has none of that number that stands."""

    def unread_reports(self, *, most: int) -> Sequence[Report]:
        """Reports that were received and not read yet, oldest first; none that this node has made."""

    def report_read(
        self, report: Report, decisions: Sequence[Decision], origin: Origin, notes: Sequence[Rejected]
    ) -> None:
        """Write down what was read in a report, once, with what was not understood in it."""


class Reassessor(Protocol):
    """Has the assessment of a patient made again."""

    def reassess(self, patient: PatientKey) -> None:
        """Ask for it; it is done soon, and once however often it is asked for."""
