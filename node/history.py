"""What the follow-up of patients needs from the ledger, and the values that cross that border."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from node.ports import Destination, InputInstance, StoredResult
from pipelines.domain.case import SeriesKey
from pipelines.domain.clinical import PatientKey
from pipelines.domain.history import DocumentRef, Scan
from pipelines.domain.identifiers import CaseId
from pipelines.domain.reasons import Rejected


@dataclass(frozen=True, slots=True)
class CaseInputs:
    """What a case was measured from; its files are all there.

    Attributes
    ----------
    inputs
        SHA-256 over them.
    """

    case: CaseId
    patient: PatientKey
    ct: SeriesKey
    images: tuple[InputInstance, ...]
    segmentation: InputInstance
    inputs: str


@dataclass(frozen=True, slots=True)
class KeptScan:
    """A scan of a patient as the ledger keeps it.

    Attributes
    ----------
    case
        None for a visit of which a report of an archive tells.
    reportable
        Its case has ended well, so that a report can be added to it; never that of an earlier study that was fetched
        to be compared with.
    source
        Peer that it was fetched from; empty when it was sent.
    documents
        What shows the visit: the segmentation, or the report, and the images.
    """

    case: CaseId | None
    scan: Scan
    reportable: bool
    source: str = ""
    documents: tuple[DocumentRef, ...] = ()


@dataclass(frozen=True, slots=True)
class Placement:
    """A rigid motion between two CTs, as `registration.Rigid` has it."""

    rotation: tuple[float, ...]
    shift_mm: tuple[float, ...]
    correlation: float | None


@dataclass(frozen=True, slots=True)
class Assessed:
    """What was said of a case's visit.

    Attributes
    ----------
    inputs
        SHA-256 over all that it follows from.
    lines
        The assessment for people, line by line.
    report
        The report, None when there is none; `current` tells whether it is among the results of the case.
    made_at
        The time that the report bears.
    due
        First and last day of the window in which the next scan is due; None where the rules name none.
    """

    label: str
    inputs: str
    lines: tuple[str, ...]
    notes: tuple[Rejected, ...]
    report: DocumentRef | None
    predecessor: DocumentRef | None
    made_at: datetime
    current: bool = True
    due: tuple[date, date] | None = None


@dataclass(frozen=True, slots=True)
class Due:
    """When the next scan of a patient is due, by the latest case that was assessed.

    Attributes
    ----------
    label
        Day of that case's scan.
    due_from, due_until
        None when the protocol of the site decides.
    """

    case: CaseId
    label: str
    due_from: date | None
    due_until: date | None


class History(Protocol):
    """Keeps the scans of patients and what was said of them."""

    def unkept(self, case: CaseId) -> CaseInputs | None:
        """A case that has ended well and whose scan is not kept as it is now; None when there is nothing to do."""

    def inputs(self, case: CaseId) -> CaseInputs | None:
        """What a case was measured from; None when its files have been given up or it has not ended well."""

    def keep(self, inputs: CaseInputs, scan: Scan | Rejected, *, at: datetime) -> None:
        """Keep a scan, or why there is none, and ask for the patient's assessment."""

    def patient_of(self, case: CaseId) -> PatientKey | None:
        """The patient of a case."""

    def asked(self, patient: PatientKey) -> datetime | None:
        """Since when an assessment is asked for; None when none is."""

    def ask(self, patient: PatientKey, *, at: datetime) -> None:
        """Ask for an assessment."""

    def answered(self, patient: PatientKey, asked_at: datetime) -> bool:
        """The assessment that was asked for then is made; False when it has been asked for again meanwhile."""

    def scans(self, patient: PatientKey) -> Sequence[KeptScan]:
        """The scans of a patient in the order in which their cases were opened."""

    def placement(self, fixed: Scan, moving: Scan) -> Placement | None:
        """How two CTs lie to each other, if that was found before."""

    def keep_placement(self, fixed: Scan, moving: Scan, placement: Placement) -> None:
        """Keep how two CTs lie to each other."""

    def assessed(self, case: CaseId) -> Assessed | None:
        """What was said of a case last."""

    def say(
        self,
        patient: PatientKey,
        asked_at: datetime,
        case: CaseId,
        said: Assessed,
        results: Sequence[StoredResult],
        destinations: Sequence[Destination],
        *,
        at: datetime,
    ) -> bool:
        """Write down what is said of a case, and put its report and pages in the place of those before.

        False, and nothing is written, when the patient's assessment was asked for again or answered meanwhile, or when
        the case is open again.
        """

    def due(self) -> Sequence[Due]:
        """The latest assessed case of each patient."""

    def waiting(self, *, quiet_since: datetime, most: int) -> Sequence[CaseId]:
        """Cases to be looked at: their scan is not kept, their report is missing, or their patient waits for a new one.

        A case that changed after `quiet_since` is still in the hands of its worker.
        """
