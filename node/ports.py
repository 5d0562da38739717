"""What the services need from the outside, and the values that cross that border."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from pipelines.domain.case import SeriesKey
from pipelines.domain.case_state import CaseState
from pipelines.domain.identifiers import CaseId, SeriesUID, SopClassUID, SopInstanceUID, digest_of
from pipelines.domain.instance import InstanceRef
from pipelines.domain.reasons import Rejected
from pipelines.imaging.assembly import SegmentationArrival, SeriesArrival

Clock = Callable[[], datetime]
"""The time now, with zone."""


class Receipt(StrEnum):
    """What the ledger knew of an instance when it arrived."""

    NEW = "new"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"
    """The same SOP Instance UID is stored with other bytes."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file of the spool: path relative to its root, size in bytes, SHA-256."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Sender:
    """Who an instance came from."""

    calling_ae_title: str
    called_ae_title: str


@dataclass(frozen=True, slots=True)
class CollectingCase:
    """A case that waits for its instances."""

    case: CaseId
    segmentation: SegmentationArrival
    reason: str


@dataclass(frozen=True, slots=True)
class InputInstance:
    """An instance that a case is read from."""

    sop_instance: SopInstanceUID
    file: StoredFile


def inputs_digest(instances: Iterable[InputInstance]) -> str:
    """SHA-256 over UIDs and bytes of `instances`, whatever their order."""
    return digest_of(*sorted(f"{instance.sop_instance} {instance.file.sha256}" for instance in instances))


@dataclass(frozen=True, slots=True)
class Claim:
    """The right of one worker to run one case until its lease ends.

    Attributes
    ----------
    fence
        Grows with every claim; a result under an older fence is refused.
    completed_at
        When the case became complete: the time that its objects bear.
    """

    case: CaseId
    fence: int
    attempt: int
    ct: SeriesKey
    images: tuple[InputInstance, ...]
    segmentation: InputInstance
    completed_at: datetime


@dataclass(frozen=True, slots=True)
class StoredResult:
    """A result object in the spool."""

    kind: str
    lesion_number: int | None
    sop_class: SopClassUID
    sop_instance: SopInstanceUID
    series: SeriesUID
    transfer_syntax: str
    file: StoredFile


@dataclass(frozen=True, slots=True)
class Measurement:
    """One lesion's numbers as the ledger keeps them; `features` is empty when `rejected` tells why."""

    lesion_number: int
    tracking_uid: str
    volume_ml: float
    features: tuple[tuple[str, float], ...]
    rejected: Rejected | None


@dataclass(frozen=True, slots=True)
class ScoreSummary:
    """A score as the ledger keeps it and `status` shows it."""

    model: str
    model_version: str
    model_sha256: str
    demonstration: bool
    signature: float
    probability: float
    cut_off: float
    outcome: str
    lesion_number: int


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that a finished run leaves in the ledger."""

    measurements: tuple[Measurement, ...]
    score: ScoreSummary | None
    results: tuple[StoredResult, ...]
    summary: str
    notes: tuple[Rejected, ...] = ()


@dataclass(frozen=True, slots=True)
class Delivery:
    """A result that is to be sent to a destination."""

    id: int
    case: CaseId
    result: StoredResult
    attempt: int
    created_at: datetime


class DeliveryState(StrEnum):
    """Where a delivery stands."""

    PENDING = "pending"
    DELIVERED = "delivered"
    REFUSED = "refused"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of one object that was offered to a peer.

    Attributes
    ----------
    status
        DIMSE status, None when there was no answer.
    fault
        None when the peer has the object; `permanent` tells whether trying again can help.
    """

    status: int | None
    fault: Rejected | None = None
    permanent: bool = False


@dataclass(frozen=True, slots=True)
class CaseRow:
    """A case as `status` lists it."""

    case: CaseId
    state: CaseState
    reason: str
    code: str
    remedy: str
    study: str
    ct_series: str
    ct_slices: int
    segmentation: str
    calling_ae_title: str
    created_at: datetime
    updated_at: datetime
    attempt: int
    score: ScoreSummary | None
    delivered: int
    deliveries: int


@dataclass(frozen=True, slots=True)
class EventRow:
    """One line of a case's history."""

    at: datetime
    event: str
    state: str
    detail: str


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """A delivery as `status CASE` lists it."""

    destination: str
    state: DeliveryState
    attempts: int
    status: int | None
    detail: str


@dataclass(frozen=True, slots=True)
class ResultRow:
    """A result as `status CASE` lists it."""

    result: StoredResult
    deliveries: tuple[DeliveryRow, ...]


@dataclass(frozen=True, slots=True)
class CaseDetail:
    """A case with its history, numbers and results."""

    row: CaseRow
    events: tuple[EventRow, ...]
    measurements: tuple[Measurement, ...]
    results: tuple[ResultRow, ...]
    notes: tuple[Rejected, ...] = ()


@dataclass(frozen=True, slots=True)
class RefusalRow:
    """How often a sender was refused for one reason."""

    calling_ae_title: str
    code: str
    count: int
    last_at: datetime
    last_detail: str


@dataclass(frozen=True, slots=True)
class Overview:
    """The whole node at a glance."""

    cases: tuple[CaseRow, ...]
    instances: int
    unsegmented_series: int
    refusals: tuple[RefusalRow, ...] = field(default=())
    conflicts: int = 0
    """Instances kept beside another one with the same SOP Instance UID and other bytes."""


class Spool(Protocol):
    """Durable files: what was received and what was made."""

    def put_received(self, ref: InstanceRef, data: bytes) -> StoredFile:
        """Store the bytes durably; raises `TransientError` RCV-003 or RCV-005."""

    def put_result(self, case: CaseId, name: str, data: bytes) -> StoredFile:
        """Store a result object durably."""

    def path(self, file: StoredFile) -> Path:
        """Where a file lies."""

    def read(self, file: StoredFile) -> bytes:
        """Bytes of a file; raises `TransientError` when they cannot be read or are not what was stored."""


class Ledger(Protocol):
    """The only truth about instances, cases, results and deliveries."""

    def received(self, ref: InstanceRef, file: StoredFile, sender: Sender, *, at: datetime) -> Receipt:
        """Record an instance; a segmentation opens a case, a late instance reopens those that it concerns."""

    def known(self, sop_instance: SopInstanceUID) -> StoredFile | None:
        """The file of an instance that has been received."""

    def refused(self, calling_ae_title: str, reason: Rejected, *, at: datetime) -> None:
        """Count a refusal."""

    def collecting(self) -> Sequence[CollectingCase]:
        """Cases that wait for instances."""

    def candidates(self, segmentation: InstanceRef) -> Sequence[SeriesArrival]:
        """CT series of the segmentation's study, and those that it names or whose images it names."""

    def waits(self, case: CaseId, why: str) -> None:
        """Note why a case waits, for people to see."""

    def complete(self, case: CaseId, ct: SeriesKey, why: str, *, at: datetime) -> bool:
        """Queue a collecting case."""

    def incomplete(self, case: CaseId, ct: SeriesKey | None, reason: Rejected, *, at: datetime) -> bool:
        """Reject a collecting case."""

    def claim(self, case: CaseId, owner: str, *, at: datetime, lease: timedelta) -> Claim | None:
        """Take a queued case; None when somebody else has it or it is not queued."""

    def renew(self, claim: Claim, *, until: datetime) -> bool:
        """Prolong a lease; False when the claim has been lost."""

    def reported(self, claim: Claim, report: Report, destinations: Sequence[str], *, at: datetime) -> bool:
        """Record results and their deliveries; False when the claim has been lost."""

    def rejected(self, claim: Claim, reason: Rejected, *, at: datetime) -> bool:
        """Record that the case cannot be measured."""

    def postponed(self, claim: Claim, reason: Rejected, *, at: datetime, until: datetime) -> bool:
        """Record that the case is to be tried again."""

    def broken(self, claim: Claim, reason: Rejected, *, at: datetime) -> bool:
        """Record an internal error."""

    def reconcile(self, *, at: datetime, max_attempts: int, resubmit_after: timedelta | None) -> Sequence[CaseId]:
        """Free expired leases and due retries; returns the cases to put into the queue.

        With `resubmit_after` they include the cases that have been queued for that long.
        """

    def due(self, destination: str, *, at: datetime, limit: int) -> Sequence[Delivery]:
        """Deliveries to a destination that are due, oldest first."""

    def sent(self, delivery: Delivery, sent: Sent, *, at: datetime, next_at: datetime) -> None:
        """Record what became of a delivery."""

    def retry(self, case: CaseId, *, at: datetime) -> CaseState | None:
        """Open a case again; the state that forbids it, or None when done."""

    def resend(self, case: CaseId, destination: str, *, at: datetime) -> int:
        """Put all results of a case into the outbox for a destination again; how many there are."""

    def overview(self, *, limit: int) -> Overview:
        """The newest cases and what else is worth seeing."""

    def detail(self, case: CaseId) -> CaseDetail | None:
        """All about one case."""


class JobQueue(Protocol):
    """Hands cases to workers; may lose or repeat any message, the ledger does not."""

    def submit(self, case: CaseId) -> None:
        """Ask for a case to be processed; raises `TransientError` when the broker is gone."""

    def depth(self) -> int:
        """Messages that no worker has taken yet; raises `TransientError` when the broker is gone."""


class Archive(Protocol):
    """Another DICOM application that takes objects."""

    def send(self, peer: str, results: Sequence[StoredResult]) -> Iterator[tuple[StoredResult, Sent]]:
        """Store objects at a peer over one association; one answer for each, in order."""

    def echo(self, peer: str) -> Rejected | None:
        """Verify that a peer answers; the fault when it does not."""
