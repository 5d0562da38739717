"""What the follow-up keeps of earlier studies that it fetched from an archive."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from node.ports import InputInstance, StoredFile
from pipelines.domain.clinical import PatientKey
from pipelines.domain.history import Scan
from pipelines.domain.identifiers import CaseId, SopInstanceUID, StudyUID


@dataclass(frozen=True, slots=True)
class Wanting:
    """A case whose patient's earlier studies nobody has looked for.

    Attributes
    ----------
    study
        Of its segmentation.
    attempts
        Searches that failed before.
    """

    case: CaseId
    patient: PatientKey
    study: StudyUID
    segmentation: StoredFile
    attempts: int


@dataclass(frozen=True, slots=True)
class Prior:
    """An earlier study that was found.

    Attributes
    ----------
    reported
        True when its cases are to be measured and reported like any other; else they are time points and nothing more.
    """

    study: StudyUID
    patient: PatientKey
    peer: str
    reported: bool


class PriorBook(Protocol):
    """Keeps for whom earlier studies were looked for, and what was fetched."""

    def wanting(self, *, since: datetime, at: datetime, most: int) -> Sequence[Wanting]:
        """Cases opened after `since` whose search is due, oldest first; none of studies that were fetched as priors."""

    def searched(self, case: CaseId, detail: str, *, at: datetime, again_at: datetime | None) -> None:
        """Write down how a search ended; `again_at` is None when it is done with."""

    def drawn(self, study: StudyUID) -> bool:
        """Whether a segmentation of a study has arrived."""

    def expect(self, prior: Prior, *, at: datetime) -> None:
        """Write down that a study is going to be fetched, before it is; once is enough."""

    def prior_of(self, case: CaseId) -> Prior | None:
        """Where the study of a case was fetched from; None when it was sent."""

    def reports_of(self, study: StudyUID) -> Sequence[InputInstance]:
        """Structured Reports of a study that have arrived."""

    def keep_report(self, prior: Prior, report: SopInstanceUID, scan: Scan, *, at: datetime) -> None:
        """Keep what a report tells of a visit without a segmentation, in the place of what was kept of the study."""
