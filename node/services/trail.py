"""Keep the audit trail: who sent, read, sent on, asked for and deleted what, and who was turned away."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Protocol

from node.errors import TransientError
from node.keeping import Erasure, Why
from node.logs import Log
from node.ports import Claim, Clock, Delivery, RefusedAssociation
from node.services.audit_messages import (
    NODE,
    SOP_CLASS,
    AuditEvent,
    AuditSource,
    EventId,
    EventType,
    Outcome,
    Participant,
    Role,
    Subject,
    patient,
    study,
    syslog_line,
)
from pipelines.domain.case_state import CaseState
from pipelines.domain.identifiers import CaseId

_SETTLED_AFTER: Final = timedelta(seconds=30)
"""Without a further instance of a study from one sender, after which what it sent is told in one message."""
_ALERTS_A_MINUTE: Final = 60


@dataclass(frozen=True, slots=True)
class AuditedPatient:
    """Whom a study is about; ID and name are empty unless they are wanted in the trail."""

    pseudonym: str
    id: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class AuditedStudy:
    """A study as the trail tells of it."""

    study: str
    patient: AuditedPatient
    instances: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Arrived:
    """What one sender sent of one study."""

    calling_ae_title: str
    called_ae_title: str
    study: AuditedStudy


@dataclass(frozen=True, slots=True)
class StepAccess:
    """What somebody did to a procedure step of the node's own worklist.

    Attributes
    ----------
    who, address
        AE title, and where from.
    action
        C, R, U or E: created, read, changed, or asked to be told of it.
    step
        SOP Instance UID; empty when none was named.
    patient
        Whom the step is about; None when there is no such step.
    status
        What was answered; 0 for success.
    """

    who: str
    address: str
    action: str
    sop_class: str
    step: str
    patient: AuditedPatient | None
    status: int


class AuditedLedger(Protocol):
    """What the trail asks the ledger."""

    def arrived(self, *, after: datetime, until: datetime) -> Sequence[Arrived]:
        """Instances that were received after a time and until another."""

    def of_case(self, case: CaseId) -> Sequence[AuditedStudy]:
        """The studies that a case was read from, with their instances; none when there is no such case."""

    def of_patient(self, case: CaseId) -> Sequence[AuditedStudy]:
        """All studies of the patient of a case."""

    def of_study(self, study: str) -> Sequence[AuditedStudy]:
        """A study, for each patient that it is of; none when nothing of it was received."""


class Record(Protocol):
    """Where the trail is kept."""

    def append(self, line: bytes) -> None:
        """Add a line durably; raises `OSError` or `TransientError`."""

    def mark(self) -> datetime | None:
        """Until when received instances have been told of."""

    def set_mark(self, until: datetime) -> None:
        """Remember that durably."""


class Trail:
    """Writes what happens into the record.

    Parameters
    ----------
    record
        None keeps no trail.
    user
        Account that the node runs under.
    """

    def __init__(
        self,
        record: Record | None,
        ledger: AuditedLedger,
        clock: Clock,
        log: Log,
        *,
        source: AuditSource,
        ae_title: str,
        user: str,
    ) -> None:
        self._record = record
        self._ledger = ledger
        self._clock = clock
        self._log = log
        self._source = source
        self._ae_title = ae_title
        self._user = user
        self._lock = threading.Lock()
        self._alerts: list[datetime] = []

    def started(self) -> None:
        self._activity(EventType.APPLICATION_START)

    def stopped(self) -> None:
        self._activity(EventType.APPLICATION_STOP)

    def received(self) -> int:
        """Tell of what has arrived since the last time; how many messages."""
        if self._record is None:
            return 0
        until = self._clock() - _SETTLED_AFTER
        after = self._record.mark()
        if after is None:
            # what was there before the trail began was not seen by it
            self._record.set_mark(until)
            return 0
        told = 0
        for one in self._ledger.arrived(after=after, until=until):
            source = Participant(one.calling_ae_title or "unknown", Role.SOURCE, requestor=True)
            here = Participant(one.called_ae_title or self._ae_title, Role.DESTINATION, address=self._source.host)
            self._add(EventId.INSTANCES_TRANSFERRED, "C", [source, here], _about(one.study))
            told += 1
        self._record.set_mark(until)
        return told

    def opened(self, claim: Claim) -> None:
        """Tell that a worker reads the images of a case."""
        for one in self._studies(claim.case):
            self._add(EventId.INSTANCES_ACCESSED, "R", [self._us(requestor=True)], _about(one))

    def sending(self, destination: str, due: Sequence[Delivery]) -> None:
        """Tell that results are about to be sent."""
        by_case: dict[CaseId, dict[str, int]] = {}
        for one in due:
            classes = by_case.setdefault(one.case, {})
            classes[one.result.sop_class] = classes.get(one.result.sop_class, 0) + 1
        there = Participant(destination, Role.DESTINATION)
        for case, classes in by_case.items():
            for read in self._studies(case)[:1]:  # results belong to the study of the CT
                told = AuditedStudy(read.study, read.patient, classes)
                here = Participant(self._ae_title, Role.SOURCE, requestor=True, address=self._source.host)
                self._add(EventId.BEGIN_TRANSFERRING, "E", [here, there], _about(told))

    def deleting(self, case: CaseId, *, patient: bool = False) -> Callable[[], None]:
        """What tells of a deletion once it is done; made before it, while the studies are known."""
        if self._record is None:
            return lambda: None
        studies = self._ledger.of_patient(case) if patient else self._ledger.of_case(case)

        def deleted() -> None:
            person = Participant(self._user, requestor=True, address=self._source.host)
            for one in studies:
                self._add(EventId.STUDY_DELETED, "D", [person, self._us(requestor=False)], _about(one))

        return deleted

    def queried(self, peer: str, sop_class: str, query: bytes, transfer_syntax: str) -> None:
        """Tell that a peer was asked for something; `query` is the encoded data set."""
        here = Participant(self._ae_title, Role.SOURCE, requestor=True, address=self._source.host)
        there = Participant(peer, Role.DESTINATION)
        self._add(EventId.QUERY, "E", [here, there], [_query(sop_class, query, transfer_syntax)])

    def asked_by(self, who: str, address: str, sop_class: str, query: bytes, transfer_syntax: str) -> None:
        """Tell that the node was asked for something; `query` is the encoded data set."""
        there = Participant(who, Role.SOURCE, requestor=True, address=address)
        here = Participant(self._ae_title, Role.DESTINATION, address=self._source.host)
        self._add(EventId.QUERY, "E", [there, here], [_query(sop_class, query, transfer_syntax)])

    def read_by(self, who: str, address: str, study_uid: str, *, whole: bool) -> None:
        """Tell that somebody was given instances of a study, or looked at some of what they hold."""
        if self._record is None:
            return
        event = EventId.INSTANCES_TRANSFERRED if whole else EventId.INSTANCES_ACCESSED
        # whether they are there already is not known (PS3.15 A.5.3.7)
        action = "E" if whole else "R"
        there = Participant(who, Role.DESTINATION if whole else None, requestor=True, address=address)
        here = Participant(self._ae_title, Role.SOURCE if whole else None, address=self._source.host)
        for one in self._ledger.of_study(study_uid):
            # how many of them is not known either: each is asked for by itself
            self._add(event, action, [there, here], _about(replace(one, instances={})))

    def step_accessed(self, access: StepAccess) -> None:
        """Tell what was done to a procedure step: a record of a procedure (PS3.15 A.5 has no message of its own)."""
        there = Participant(access.who, Role.SOURCE, requestor=True, address=access.address)
        here = Participant(self._ae_title, Role.DESTINATION, address=self._source.host)
        job = Subject(SOP_CLASS, access.sop_class, "2", "20", name=access.step, details=_instance(access.step))
        person = [_person(access.patient)] if access.patient is not None else []
        outcome = Outcome.SUCCESS if access.status == 0 else Outcome.MINOR_FAILURE
        detail = "" if access.status == 0 else f"status 0x{access.status:04X}"
        self._add(
            EventId.PROCEDURE_RECORD, access.action, [there, here], [job, *person], outcome=outcome, detail=detail
        )

    def turned_away(self, refused: RefusedAssociation) -> None:
        """Tell that an association was refused; of very many only the first of each minute."""
        if not self._may_alert():
            return
        who = refused.calling_ae_title or refused.address or "unknown"
        details = {"Alert Description": refused.why.encode()}
        subject = Subject(NODE, refused.address or who, "2", "13", name=who, details=details)
        participants = [self._us(requestor=True), Participant(who, address=refused.address)]
        self._add(
            EventId.SECURITY_ALERT,
            "E",
            participants,
            [subject],
            kind=EventType.NODE_AUTHENTICATION,
            outcome=Outcome.MINOR_FAILURE,
        )

    def denied(self, address: str) -> None:
        """Tell that somebody asked by HTTP without the secret."""
        if self._may_alert():
            self._add(
                EventId.USER_AUTHENTICATION,
                "E",
                [Participant("unknown", requestor=True, address=address), self._us(requestor=False)],
                [],
                kind=EventType.LOGIN,
                outcome=Outcome.MINOR_FAILURE,
            )

    def _may_alert(self) -> bool:
        """An attacker must not fill the disk with the record of his attempts."""
        now = self._clock()
        with self._lock:
            self._alerts = [at for at in self._alerts if now - at < timedelta(minutes=1)]
            if len(self._alerts) >= _ALERTS_A_MINUTE:
                return False
            self._alerts.append(now)
        return True

    def _activity(self, kind: EventType) -> None:
        application = Participant(self._ae_title, Role.APPLICATION, address=self._source.host)
        launcher = Participant(self._user, Role.LAUNCHER, requestor=True)
        self._add(EventId.APPLICATION_ACTIVITY, "E", [application, launcher], [], kind=kind)

    def _us(self, *, requestor: bool) -> Participant:
        return Participant(self._ae_title, requestor=requestor, address=self._source.host)

    def _studies(self, case: CaseId) -> Sequence[AuditedStudy]:
        return () if self._record is None else self._ledger.of_case(case)

    def _add(
        self,
        event: EventId,
        action: str,
        participants: Sequence[Participant],
        subjects: Sequence[Subject] | Iterator[Subject],
        *,
        kind: EventType | None = None,
        outcome: Outcome = Outcome.SUCCESS,
        detail: str = "",
    ) -> None:
        if self._record is None:
            return
        told = AuditEvent(event, action, self._clock(), participants, tuple(subjects), kind, outcome, detail)
        try:
            self._record.append(syslog_line(told, self._source))
        except (OSError, TransientError) as fault:
            # patients wait for the node; it goes on, and says what is missing
            reason = str(fault) if isinstance(fault, TransientError) else fault.strerror
            self._log.error("audit_not_recorded", code="MON-003", reason=reason)


def _query(sop_class: str, query: bytes, transfer_syntax: str) -> Subject:
    details = {"TransferSyntax": transfer_syntax.encode()}
    return Subject(SOP_CLASS, sop_class, "2", "3", query=query, details=details)


def _about(one: AuditedStudy) -> Iterator[Subject]:
    yield study(one.study, one.instances)
    yield _person(one.patient)


def _person(one: AuditedPatient) -> Subject:
    return patient(one.id or f"sha256:{one.pseudonym}", one.name)


def _instance(uid: str) -> dict[str, bytes]:
    return {"SOPInstanceUID": uid.encode()} if uid else {}


class AuditedErasure:
    """Deletes as another does, and tells of it."""

    def __init__(self, erasure: Erasure, trail: Trail) -> None:
        self._erasure = erasure
        self._trail = trail

    def erase(self, case: CaseId, why: Why, detail: str, *, at: datetime) -> CaseState | None:
        deleted = self._trail.deleting(case)
        refused_in = self._erasure.erase(case, why, detail, at=at)
        if refused_in is None:
            deleted()
        return refused_in

    def erase_patient(self, case: CaseId, detail: str, *, at: datetime) -> Sequence[CaseId] | CaseState:
        deleted = self._trail.deleting(case, patient=True)
        found = self._erasure.erase_patient(case, detail, at=at)
        if not isinstance(found, CaseState):
            deleted()
        return found
