"""What the services need from the outside, and the values that cross that border."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from mmap import mmap
from pathlib import Path
from typing import Final, Protocol

from pydicom import Dataset

from pipelines.domain.case import SeriesKey
from pipelines.domain.case_state import CaseState
from pipelines.domain.identifiers import (
    CaseId,
    FrameOfReferenceUID,
    SeriesUID,
    SopClassUID,
    SopInstanceUID,
    StudyUID,
    digest_of,
)
from pipelines.domain.instance import InstanceRef
from pipelines.domain.order import Order
from pipelines.domain.outcome import family
from pipelines.domain.priority import Priority
from pipelines.domain.reasons import Rejected
from pipelines.domain.verification import Verification
from pipelines.imaging.assembly import SegmentationArrival, SeriesArrival

Clock = Callable[[], datetime]
"""The time now, with zone."""

BEING_SENT: Final = ".sending-"
"""How the folder beside a result is called in which it is made into the form that a peer wants."""


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
class Destination:
    """A peer that gets results.

    Attributes
    ----------
    kinds
        Kinds of the results that it gets; empty for all.
    """

    peer: str
    kinds: frozenset[str] = frozenset()

    def wants(self, kind: str) -> bool:
        return not self.kinds or family(kind) in self.kinds


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
class VerificationRecord:
    """That a run was verified, as the ledger keeps it and `status CASE` shows it.

    Attributes
    ----------
    why
        Why this case.
    inputs, software
        Digest of the inputs, and the versions that the numbers come from.
    lesions
        Number of each lesion that both engines computed, and how they compare.
    """

    why: str
    inputs: str
    software: str
    lesions: tuple[tuple[int, Verification], ...]


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that a finished run leaves in the ledger."""

    measurements: tuple[Measurement, ...]
    score: ScoreSummary | None
    results: tuple[StoredResult, ...]
    summary: str
    verification: VerificationRecord | None = None
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
    commitment: str = ""
    """How sure it is that the destination keeps the object, with the reason; empty while nobody asked."""


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
    verification: VerificationRecord | None = None
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


@dataclass(frozen=True, slots=True)
class StepInputs:
    """What a procedure step wants processed, by UID; any of them may be empty."""

    studies: tuple[str, ...] = ()
    series: tuple[str, ...] = ()
    instances: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ScheduledStep:
    """A procedure step that waits for a performer.

    Attributes
    ----------
    board
        Where it is kept: the name of a peer, empty for the node itself.
    """

    board: str
    sop_instance: str
    inputs: StepInputs


@dataclass(frozen=True, slots=True)
class Performed:
    """What became of a procedure step that was carried out.

    Attributes
    ----------
    series
        (SOP Class UID, SOP Instance UID) of the results, by their series.
    stored_at
        AE titles of the archives that have them.
    """

    station: str
    started_at: datetime
    ended_at: datetime
    summary: str
    study: str
    series: Mapping[str, Sequence[tuple[str, str]]]
    stored_at: tuple[str, ...]


class TaskState(StrEnum):
    """Where a procedure step stands that the node performs."""

    CLAIMING = "claiming"
    """The claim may have been lost on its way."""
    WAITING = "waiting"
    """Its inputs have not made a case yet."""
    WORKING = "working"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class StepTask:
    """A procedure step that the node performs."""

    board: str
    sop_instance: str
    transaction_uid: str
    state: TaskState
    inputs: StepInputs
    case: CaseId | None
    progress: int
    detail: str
    cancel_requested: bool
    claimed_at: datetime


@dataclass(frozen=True, slots=True)
class StepEvent:
    """A notification about a procedure step that is to be sent to a subscriber.

    Attributes
    ----------
    event_type
        Event Type ID (PS3.4 table CC.2.4-1).
    """

    id: int
    receiving_ae_title: str
    sop_instance: str
    event_type: int
    dataset: Dataset
    attempts: int


class StepNotifications(Protocol):
    """The notifications that wait."""

    def due_events(self, *, at: datetime) -> Sequence[StepEvent]:
        """Those that are to be sent now, oldest first."""

    def event_sent(self, event: StepEvent) -> None:
        """Forget one."""

    def event_postponed(self, event: StepEvent, *, until: datetime) -> None:
        """Try one again later."""


class StepBoard(Protocol):
    """Where procedure steps are scheduled: the node itself, or a peer. All but `scheduled` return a DIMSE status."""

    def scheduled(self) -> Sequence[ScheduledStep]:
        """Steps that the node may claim; raises `TransientError` when the board cannot be reached."""

    def claim(self, step: str, transaction_uid: str) -> int:
        """Take a step."""

    def progress(self, step: str, transaction_uid: str, percent: int, text: str) -> int:
        """Tell how far the work is."""

    def complete(self, step: str, transaction_uid: str, performed: Performed) -> int:
        """Tell what was done and end the step."""

    def cancel(self, step: str, transaction_uid: str, reason: str, at: datetime) -> int:
        """Tell why the work was given up and end the step."""


class TaskBook(Protocol):
    """The procedure steps that the node performs."""

    def taken(self, task: StepTask, *, at: datetime) -> bool:
        """Note a step before it is claimed; False when it is known already."""

    def noted(self, task: StepTask, *, at: datetime) -> None:
        """Replace what is known of a task."""

    def dropped(self, task: StepTask) -> None:
        """Forget a step that somebody else has claimed."""

    def open(self) -> Sequence[StepTask]:
        """Tasks that have not ended."""

    def case_for(self, inputs: StepInputs) -> CaseId | None:
        """The newest case of a segmentation among the inputs, or in their series, or in their study."""


class Draft(Protocol):
    """An instance that is arriving, of which only a part is held in memory."""

    @property
    def size(self) -> int:
        """Bytes written so far."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append bytes; raises `TransientError` RCV-003 or RCV-005."""

    def content(self) -> AbstractContextManager[bytes | mmap]:
        """Everything that was written, to look at."""

    def keep(self, ref: InstanceRef) -> StoredFile:
        """Make it durable under its lasting name; raises `TransientError` RCV-003 or RCV-005."""

    def close(self) -> None:
        """Let go of it; nothing is left of one that was not kept."""


class Spool(Protocol):
    """Durable files: what was received and what was made."""

    def draft(self) -> Draft:
        """Begin an instance; raises `TransientError` RCV-003 or RCV-005."""

    def put_result(self, case: CaseId, name: str, data: bytes) -> StoredFile:
        """Store a result object durably."""

    def path(self, file: StoredFile) -> Path:
        """Where a file lies."""

    def holds(self, file: StoredFile) -> bool:
        """True while the file is there; raises `TransientError` RCV-005 when nobody can tell."""

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

    def reported(self, claim: Claim, report: Report, destinations: Sequence[Destination], *, at: datetime) -> bool:
        """Record results and their deliveries; False when the claim has been lost."""

    def rejected(self, claim: Claim, reason: Rejected, *, at: datetime) -> bool:
        """Record that the case cannot be measured."""

    def postponed(self, claim: Claim, reason: Rejected, *, at: datetime, until: datetime) -> bool:
        """Record that the case is to be tried again."""

    def broken(self, claim: Claim, reason: Rejected, *, at: datetime) -> bool:
        """Record an internal error."""

    def verified(self, case: CaseId, *, inputs: str, software: str) -> str | None:
        """Why a case was verified when it was run with these inputs and software; None when it was not."""

    def has_verified(self, software: str) -> bool:
        """True when both engines have computed a lesion with this software."""

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

    def resend(self, case: CaseId, destination: Destination, *, at: datetime) -> int:
        """Put the results of a case that a destination wants into its outbox again; how many there are."""

    def overview(self, *, limit: int) -> Overview:
        """The newest cases and what else is worth seeing."""

    def detail(self, case: CaseId) -> CaseDetail | None:
        """All about one case."""


class JobQueue(Protocol):
    """Hands cases to workers; may lose or repeat any message, the ledger does not."""

    def submit(self, case: CaseId, priority: Priority = Priority.NORMAL) -> None:
        """Ask for a case to be processed; raises `TransientError` when the broker is gone."""

    def depth(self) -> int:
        """Messages that no worker has taken yet; raises `TransientError` when the broker is gone."""


class PriorityLedger(Protocol):
    """Which case goes first."""

    def sender_and_choice(self, case: CaseId) -> tuple[str, Priority | None]:
        """AE title of the sender of a case, and the priority that a person chose for it."""

    def prioritise(self, case: CaseId, priority: Priority, *, at: datetime) -> CaseState:
        """Record a choice; the state of the case. Raises `KeyError` when there is none."""

    def held_back(self, case: CaseId, why: str) -> None:
        """Note why a queued case is not computed yet, for people to see."""


class Archive(Protocol):
    """Another DICOM application that takes objects."""

    def send(self, peer: str, results: Sequence[StoredResult]) -> Iterator[tuple[StoredResult, Sent]]:
        """Store objects at a peer over one association; one answer for each, in order."""

    def echo(self, peer: str) -> Rejected | None:
        """Verify that a peer answers; the fault when it does not."""


# storage commitment


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """A SOP instance with its class, as one application names it to another."""

    sop_class: SopClassUID
    sop_instance: SopInstanceUID


@dataclass(frozen=True, slots=True)
class CommitmentReport:
    """What an N-EVENT-REPORT says of a transaction (PS3.4 J.3.3).

    Attributes
    ----------
    denied
        Objects that are not kept, each with its Failure Reason (PS3.3 C.14.1.1).
    """

    transaction_uid: str
    kept: tuple[ObjectRef, ...]
    denied: tuple[tuple[ObjectRef, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Owed:
    """A delivered object for which a destination has not yet promised anything."""

    delivery: int
    case: CaseId
    object: ObjectRef
    study: StudyUID
    series: SeriesUID
    attempts: int


@dataclass(frozen=True, slots=True)
class Duty:
    """A request of somebody else that we promise to keep objects."""

    id: int
    requester: str
    transaction_uid: str
    objects: tuple[ObjectRef, ...]
    attempts: int
    requested_at: datetime


class DutyState(StrEnum):
    """Where a request of somebody else stands."""

    PENDING = "pending"
    REPORTED = "reported"
    UNREPORTABLE = "unreportable"


class CommitmentLedger(Protocol):
    """What destinations have promised."""

    def owed(self, destination: str, *, at: datetime, limit: int) -> Sequence[Owed]:
        """Delivered objects that `destination` is to be asked about."""

    def ask(
        self, transaction_uid: str, destination: str, owed: Sequence[Owed], *, at: datetime, deadline: datetime
    ) -> None:
        """Record a transaction before it is sent."""

    def probe(self, transaction_uid: str, destination: str, objects: Sequence[ObjectRef], *, at: datetime) -> None:
        """Record a transaction about objects that belong to no case."""

    def put_off(self, owed: Sequence[Owed], reason: Rejected, *, at: datetime, next_at: datetime) -> None:
        """Record that the question could not be asked."""

    def not_offered(self, owed: Sequence[Owed], reason: Rejected, *, at: datetime) -> None:
        """Record that the destination offers no storage commitment."""

    def report(self, report: CommitmentReport, *, at: datetime) -> bool:
        """Take a report; False when there is no such transaction. What is denied becomes due for delivery again."""

    def answered(self, transaction_uid: str) -> tuple[int, int] | None:
        """(kept, denied) of a transaction that has been reported."""

    def silent(self, destination: str, *, at: datetime, limit: int) -> Sequence[Owed]:
        """Objects about which `destination` did not report in time."""

    def looked_up(self, owed: Owed, *, present: bool, at: datetime) -> None:
        """Record what a query found."""

    def not_looked_up(self, owed: Owed, reason: Rejected, *, at: datetime, next_at: datetime) -> None:
        """Record that the destination cannot be queried: it is asked again."""


class DutyLedger(Protocol):
    """What senders have been promised."""

    def take_on(self, requester: str, transaction_uid: str, objects: Sequence[ObjectRef], *, at: datetime) -> bool:
        """Record a request of `requester`; False when it used the UID for other objects before."""

    def duties(self, *, at: datetime, limit: int) -> Sequence[Duty]:
        """Requests whose answer is due."""

    def duty_settled(self, duty: Duty, state: DutyState, detail: str, *, at: datetime, next_at: datetime) -> None:
        """Record what became of an answer."""

    def held(self, sop_instance: SopInstanceUID) -> tuple[SopClassUID, StoredFile] | None:
        """Class and file of an instance that has been received."""


class Commitments(Protocol):
    """Storage commitment with other applications, in both directions."""

    def request(
        self,
        peer: str,
        transaction_uid: str,
        objects: Sequence[ObjectRef],
        *,
        take: Callable[[str, CommitmentReport], bool],
        answered: Callable[[], bool],
    ) -> Rejected | None:
        """Ask `peer` to keep `objects`; the fault when it could not be asked.

        `take` gets a report that comes on the same association, which is held open for a while or until `answered`.
        """

    def report(self, peer: str, report: CommitmentReport) -> Rejected | None:
        """Tell `peer` what is kept; the fault when it could not be told."""


# query and retrieve


@dataclass(frozen=True, slots=True)
class PatientIdentity:
    """Whom to look for; never shown."""

    patient_id: str = field(repr=False)
    issuer: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class FoundStudy:
    """A study that a peer has.

    Attributes
    ----------
    study_date
        YYYYMMDD as the peer tells it, empty when it does not.
    modalities
        As the peer tells them; empty when it does not.
    """

    study: StudyUID
    study_date: str
    modalities: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FoundSeries:
    """A series that a peer has; `frame_of_reference` is None when the peer does not tell it."""

    key: SeriesKey
    modality: str
    frame_of_reference: FrameOfReferenceUID | None = None


@dataclass(frozen=True, slots=True)
class Retrieved:
    """How a retrieval ended.

    Attributes
    ----------
    completed, failed
        Instances that arrived, and those that did not, as the peer counts them.
    fault
        Why it ended early, or why instances failed; None when all is well.
    """

    completed: int
    failed: int
    fault: Rejected | None = None


class QueryRetrieve(Protocol):
    """The archive as a source: what it has, and how to get it. Faults are `NET-001`, `-002`, `-004`, `-005`, `-007`."""

    def studies(self, peer: str, patient: PatientIdentity) -> Sequence[FoundStudy] | Rejected:
        """Studies of a patient, those of other patients with a similar ID left out."""

    def series(
        self, peer: str, *, study: StudyUID | None, series: SeriesUID | None = None
    ) -> Sequence[FoundSeries] | Rejected:
        """Series of a study, or one series in whatever study it is."""

    def instances(
        self, peer: str, key: SeriesKey, wanted: Sequence[SopInstanceUID] = ()
    ) -> frozenset[SopInstanceUID] | Rejected:
        """Instances of a series; with `wanted` only those of them that the peer has."""

    def retrieve(self, peer: str, key: SeriesKey, instances: Sequence[SopInstanceUID] = ()) -> Retrieved:
        """Have a series, or some instances of it, sent to this node, where they are received like any other."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to retrieve what a case lacks; `code` is empty when it went well."""

    peer: str
    at: datetime
    instances: int
    code: str


class RetrievalLedger(Protocol):
    """What has been tried to complete a case."""

    def attempts(self, case: CaseId) -> Sequence[Attempt]:
        """Tries since the case was opened, or opened again by a person."""

    def attempted(self, case: CaseId, attempt: Attempt, detail: str) -> None:
        """Record a try, and what came of it, in the history of the case."""


# orders


@dataclass(frozen=True, slots=True)
class OrderLookup:
    """What a worklist answered about a case; `file` holds the order, None when there is not exactly one."""

    file: StoredFile | None
    detail: str


class Worklist(Protocol):
    """Another application that knows which procedures were ordered."""

    def orders(self, patient: PatientIdentity, *, accession_number: str) -> Sequence[Order] | Rejected:
        """Orders of a patient; with an accession number only those that bear it."""


class OrderLedger(Protocol):
    """What worklists answered."""

    def order_lookup(self, case: CaseId, inputs_digest: str) -> OrderLookup | None:
        """What was found for a case with these inputs; None when nobody asked."""

    def order_looked_up(self, case: CaseId, inputs_digest: str, lookup: OrderLookup, *, at: datetime) -> None:
        """Record an answer before it is used."""


# refused associations


@dataclass(frozen=True, slots=True)
class RefusedAssociation:
    """Somebody who wanted an association and did not get it."""

    calling_ae_title: str
    called_ae_title: str
    address: str
    why: str
    remedy: str
    times: int = 1


@dataclass(frozen=True, slots=True)
class RefusedAssociationRow:
    """A refused association with the time of the last try."""

    refused: RefusedAssociation
    last_at: datetime


class DoorLedger(Protocol):
    """Who was refused at the door."""

    def turned_away(self, refused: RefusedAssociation, *, at: datetime) -> None:
        """Record a refused association; only the newest are kept."""

    def refused_associations(self, *, limit: int) -> Sequence[RefusedAssociationRow]:
        """The newest refused associations, newest first."""
