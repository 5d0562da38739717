"""Make sure that destinations keep the results, and promise senders to keep what they sent."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from itertools import groupby
from typing import Final

from node.errors import TransientError
from node.faults import fault_point
from node.logs import Log
from node.meters import SILENT, Meters
from node.ports import (
    Clock,
    CommitmentLedger,
    CommitmentReport,
    Commitments,
    Duty,
    DutyLedger,
    DutyState,
    ObjectRef,
    Owed,
    QueryRetrieve,
    Spool,
)
from node.services.deliver import backoff
from pipelines.domain.case import SeriesKey
from pipelines.domain.reasons import Rejected

_SUCCESS: Final = 0x0000
_INVALID_ARGUMENT: Final = 0x0115
# Failure Reason, PS3.3 C.14.1.1
_PROCESSING_FAILURE: Final = 0x0110
_NO_SUCH_OBJECT: Final = 0x0112
_CLASS_CONFLICT: Final = 0x0119
_SPOOL_AWAY: Final = "RCV-008"
FAILURE_REASONS: Final[dict[int, str]] = {
    _PROCESSING_FAILURE: "the file is damaged or gone",
    _NO_SUCH_OBJECT: "never received",
    _CLASS_CONFLICT: "received with another SOP class",
}
"""Why the node does not keep an object, as it reports it."""
_LONGEST_ASSOCIATION: Final = timedelta(hours=1)
"""After which the association of a request has surely ended."""


class Committer:
    """Asks a destination to keep what it took, and looks for itself when it does not answer.

    Parameters
    ----------
    new_uid
        Makes the UID of a transaction.
    timeout
        How long a destination may take to report.
    batch
        Objects in one request.
    """

    def __init__(
        self,
        ledger: CommitmentLedger,
        commitments: Commitments,
        query: QueryRetrieve,
        clock: Clock,
        log: Log,
        *,
        new_uid: Callable[[], str],
        timeout: timedelta,
        retry_first: timedelta,
        retry_max: timedelta,
        batch: int = 500,
        meters: Meters = SILENT,
    ) -> None:
        self._ledger = ledger
        self._commitments = commitments
        self._query = query
        self._clock = clock
        self._log = log
        self._new_uid = new_uid
        self._timeout = timeout
        self._retry_first = retry_first
        self._retry_max = retry_max
        self._batch = batch
        self._meters = meters

    def commit(self, destination: str) -> int:
        """Ask about everything that is due, and look for what nobody reported; how many objects."""
        return self._ask(destination) + self._look(destination)

    def take(self, ae_title: str, report: CommitmentReport) -> bool:
        """Take a report, on whatever association it came; False when it is about no transaction of ours."""
        known = self._ledger.report(report, at=self._clock())
        if known:
            self._meters.commitment(ae_title, "kept", len(report.kept))
            self._meters.commitment(ae_title, "denied", len(report.denied))
        if not known:
            self._log.warning("commitment_unknown", code="NET-006", ae=ae_title, transaction=report.transaction_uid)
        elif report.denied:
            self._log.warning(
                "commitment_denied", code="NET-006", ae=ae_title, kept=len(report.kept), denied=len(report.denied)
            )
        else:
            self._log.info("commitment_reported", ae=ae_title, kept=len(report.kept))
        return known

    def _ask(self, destination: str) -> int:
        now = self._clock()
        owed = self._ledger.owed(destination, at=now, limit=self._batch)
        if not owed:
            return 0
        transaction = self._new_uid()
        # recorded first: a report may come, and this process may die, as soon as the request is out
        self._ledger.ask(transaction, destination, owed, at=now, deadline=now + self._timeout)
        fault_point("commit.recorded")
        fault = self._commitments.request(
            destination,
            transaction,
            [one.object for one in owed],
            take=self.take,
            answered=lambda: self._ledger.answered(transaction) is not None,
        )
        fault_point("commit.asked")
        now = self._clock()
        if fault is None:
            self._meters.commitment(destination, "asked", len(owed))
            self._log.info("commitment_asked", peer=destination, objects=len(owed), transaction=transaction)
        elif fault.code == "NET-004":
            self._ledger.not_offered(owed, fault, at=now)
            self._meters.commitment(destination, "not-offered", len(owed))
            self._log.warning("commitment_not_offered", peer=destination, code=fault.code, objects=len(owed))
        else:
            wait = self._wait(owed)
            self._ledger.put_off(owed, fault, at=now, next_at=now + wait)
            self._log.warning(
                "commitment_not_asked", peer=destination, code=fault.code, next_try_s=wait.total_seconds()
            )
        return len(owed)

    def _look(self, destination: str) -> int:
        silent = self._ledger.silent(destination, at=self._clock(), limit=self._batch)
        for key, group in groupby(silent, lambda one: SeriesKey(one.study, one.series)):
            of_series = list(group)
            found = self._query.instances(destination, key, [one.object.sop_instance for one in of_series])
            now = self._clock()
            if isinstance(found, Rejected):
                for one in of_series:
                    self._ledger.not_looked_up(one, found, at=now, next_at=now + self._wait([one]))
                self._log.warning("commitment_not_verified", peer=destination, code=found.code, objects=len(of_series))
                continue
            for one in of_series:
                self._ledger.looked_up(one, present=one.object.sop_instance in found, at=now)
            kept = sum(one.object.sop_instance in found for one in of_series)
            self._meters.commitment(destination, "found", kept)
            self._meters.commitment(destination, "absent", len(of_series) - kept)
            self._log.info("commitment_verified", peer=destination, found=kept, absent=len(of_series) - kept)
        return len(silent)

    def _wait(self, owed: Sequence[Owed]) -> timedelta:
        tries = max(one.attempts for one in owed) + 1
        return backoff(tries, first=self._retry_first, longest=self._retry_max)


class Custodian:
    """Answers those who ask whether we keep what they sent.

    Parameters
    ----------
    requesters
        Name of the configured peer behind each AE title: whom we can call back.
    give_up_after
        Age of a request from which on it is no longer answered.
    """

    def __init__(
        self,
        ledger: DutyLedger,
        spool: Spool,
        clock: Clock,
        log: Log,
        *,
        requesters: Mapping[str, str],
        retry_first: timedelta,
        retry_max: timedelta,
        give_up_after: timedelta,
    ) -> None:
        self._ledger = ledger
        self._spool = spool
        self._clock = clock
        self._log = log
        self._requesters = dict(requesters)
        self._retry_first = retry_first
        self._retry_max = retry_max
        self._give_up_after = give_up_after

    def knows(self, requester: str) -> bool:
        """True if `requester` is a configured peer."""
        return requester in self._requesters

    def asked(self, requester: str, transaction_uid: str, objects: Sequence[ObjectRef]) -> int:
        """Record a request durably; the status of the response (PS3.4 J.3.2)."""
        taken = self._ledger.take_on(requester, transaction_uid, objects, at=self._clock())
        self._log.info("commitment_requested", ae=requester, objects=len(objects), transaction=transaction_uid)
        return _SUCCESS if taken else _INVALID_ARGUMENT

    def answer_due(self, commitments: Commitments) -> int:
        """Answer all requests of configured peers that are due; how many."""
        answered = 0
        for duty in self._ledger.duties(at=self._clock(), limit=100):
            if self.knows(duty.requester):
                self._answer(duty, partial(commitments.report, self._requesters[duty.requester]))
                answered += 1
            elif self._clock() - duty.requested_at > _LONGEST_ASSOCIATION:
                self._forget(duty)
        return answered

    def _forget(self, duty: Duty) -> None:
        now = self._clock()
        detail = "The requester is no configured peer, and its association has ended."
        self._ledger.duty_settled(duty, DutyState.UNREPORTABLE, detail, at=now, next_at=now)
        self._log.warning("commitment_not_answered", code="RCV-007", ae=duty.requester, reason=detail)

    def answer_now(self, requester: str, send: Callable[[CommitmentReport], Rejected | None]) -> None:
        """Answer the requests of somebody who cannot be called back, as long as the association stands."""
        for duty in self._ledger.duties(at=self._clock(), limit=100):
            if duty.requester == requester:
                self._answer(duty, send, only_chance=True)

    def verify(self, duty: Duty) -> CommitmentReport:
        """Look whether every object is in the ledger and its file is there, whole and unchanged."""
        failures = [(one, self._failure(one)) for one in duty.objects]
        return CommitmentReport(
            duty.transaction_uid,
            tuple(one for one, failure in failures if failure is None),
            tuple((one, failure) for one, failure in failures if failure is not None),
        )

    def _failure(self, one: ObjectRef) -> int | None:
        held = self._ledger.held(one.sop_instance)
        if held is None:
            return _NO_SUCH_OBJECT
        sop_class, file = held
        if sop_class != one.sop_class:
            return _CLASS_CONFLICT
        try:
            self._spool.read(file)
        except TransientError as fault:
            if fault.code == _SPOOL_AWAY:
                # nothing is known of any file: whoever asked waits for the answer
                raise
            self._log.error("commitment_file_damaged", code=fault.code, sop=one.sop_instance)
            return _PROCESSING_FAILURE
        return None

    def _answer(
        self, duty: Duty, send: Callable[[CommitmentReport], Rejected | None], *, only_chance: bool = False
    ) -> None:
        report = self.verify(duty)
        fault = send(report)
        now = self._clock()
        if fault is None:
            detail = f"{len(report.kept)} kept, {len(report.denied)} not."
            self._ledger.duty_settled(duty, DutyState.REPORTED, detail, at=now, next_at=now)
            self._log.info("commitment_answered", ae=duty.requester, kept=len(report.kept), denied=len(report.denied))
            return
        final = only_chance or now - duty.requested_at >= self._give_up_after
        wait = backoff(duty.attempts, first=self._retry_first, longest=self._retry_max)
        state = DutyState.UNREPORTABLE if final else DutyState.PENDING
        self._ledger.duty_settled(duty, state, str(fault), at=now, next_at=now + wait)
        self._log.warning(
            "commitment_not_answered",
            code="RCV-007" if final else fault.code,
            ae=duty.requester,
            reason=fault.code,
            attempt=duty.attempts,
        )
