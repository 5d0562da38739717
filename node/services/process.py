"""Run one case: read it, measure it, make, check and store its results."""

import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from io import BytesIO

from pydicom import Dataset, dcmread

from node.errors import TransientError
from node.faults import fault_point
from node.logs import Log
from node.meters import SILENT, Meters
from node.ports import (
    Claim,
    Clock,
    Destination,
    InputInstance,
    Ledger,
    Measurement,
    Report,
    ScoreSummary,
    Spool,
    StoredResult,
    VerificationRecord,
    inputs_digest,
)
from node.services.deliver import LONGEST_CASE_WAIT, backoff
from node.services.orders import Orders
from pipelines.base import Pipeline, Verifiable, build_objects
from pipelines.domain.case import Case, Findings, MeasuredLesion
from pipelines.domain.identifiers import CaseId
from pipelines.domain.outcome import Producer
from pipelines.domain.reasons import Rejected
from pipelines.domain.score import Score
from pipelines.domain.verification import why_verify
from pipelines.domain.volume import UnreadableVoxels
from pipelines.imaging.case import read_case
from pipelines.imaging.geometry import TOLERANCES, Tolerances


def _always(case: CaseId) -> bool:
    return True


def _nobody(case: CaseId) -> str:
    return ""


class Processor:
    """The use case behind the task `process-case`.

    Parameters
    ----------
    owner
        Name of this worker in the ledger.
    producer
        Makes the signature of the results for a case that was complete at the given time.
    destinations
        Peers that get the results.
    assume_charset
        Character set of text that is in none of the declared ones; empty for none.
    out_of_time
        What is raised in the work when its time limit is reached.
    orders
        Fills in what the worklist knows; None without a worklist.
    lease
        How long a claim lasts; renewed while the work goes on.
    tolerances
        How exactly the slices of a CT have to stack up.
    opened
        Hears of every case whose images are about to be read.
    may_start
        Tells whether a case may be computed at this time of the day.
    follows
        True when patients are followed over time: a segmentation without any voxel then tells that the lesions are
        gone, and is no reason to reject the case.
    kept_from
        Names the archive from which a case was fetched to be a time point and nothing else: it is read, and neither
        measured nor reported. Empty for all others.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        spool: Spool,
        ledger: Ledger,
        clock: Clock,
        log: Log,
        *,
        owner: str,
        station: str,
        device_uid: str,
        software_version: str,
        destinations: Sequence[Destination],
        lease: timedelta,
        retry_after: timedelta,
        assume_charset: str = "",
        out_of_time: type[Exception] = TimeoutError,
        orders: Orders | None = None,
        tolerances: Tolerances = TOLERANCES,
        meters: Meters = SILENT,
        opened: Callable[[Claim], None] = lambda claim: None,
        may_start: Callable[[CaseId], bool] = _always,
        follows: bool = False,
        kept_from: Callable[[CaseId], str] = _nobody,
    ) -> None:
        self._pipeline = pipeline
        self._spool = spool
        self._ledger = ledger
        self._clock = clock
        self._log = log
        self._owner = owner
        self._station = station
        self._device_uid = device_uid
        self._software_version = software_version
        self._destinations = tuple(destinations)
        self._lease = lease
        self._retry_after = retry_after
        self._assume_charset = assume_charset
        self._out_of_time = out_of_time
        self._orders = orders
        self._tolerances = tolerances
        self._meters = meters
        self._opened = opened
        self._may_start = may_start
        self._follows = follows
        self._kept_from = kept_from

    def process(self, case: CaseId) -> None:
        """Run `case` if nobody else does; safe to call any number of times."""
        if not self._may_start(case):
            # it stays queued; the dispatcher sends it again when its hours begin
            self._log.info("case_held_back", case=case)
            return
        started = self._clock()
        claim = self._ledger.claim(case, self._owner, at=started, lease=self._lease)
        if claim is None:
            self._log.info("case_not_claimed", case=case)
            return
        fault_point("process.claimed")
        self._log.info("case_started", case=case, attempt=claim.attempt, images=len(claim.images))
        try:
            with self._renewed(claim):
                self._opened(claim)
                outcome = self._run(claim)
        except TransientError as fault:
            recorded = self._postpone(claim, fault)
        except self._out_of_time:
            recorded = self._stop_in_time(claim, started)
        except MemoryError:
            recorded = self._out_of_memory(claim)
        except Exception:
            recorded = self._break_off(claim)
        else:
            recorded = self._end(claim, outcome, started)
        if not recorded:
            self._log.warning("case_claim_lost", case=case, fence=claim.fence)

    def _postpone(self, claim: Claim, fault: TransientError) -> bool:
        now = self._clock()
        wait = backoff(claim.attempt, first=self._retry_after, longest=max(self._retry_after, LONGEST_CASE_WAIT))
        reason = Rejected(fault.code, str(fault), "The node tries again by itself.")
        self._log.warning(
            "case_postponed",
            case=claim.case,
            code=fault.code,
            reason=str(fault),
            attempt=claim.attempt,
            next_try_s=wait.total_seconds(),
        )
        return self._ledger.postponed(claim, reason, at=now, until=now + wait)

    def _stop_in_time(self, claim: Claim, started: datetime) -> bool:
        now = self._clock()
        seconds = round((now - started).total_seconds())
        reason = Rejected(
            "RUN-004",
            f"The computation was stopped after {seconds} s.",
            "Raise queue.time_limit_s, or send a segmentation with fewer or smaller segments.",
        )
        self._log.error("case_out_of_time", case=claim.case, code=reason.code, seconds=seconds)
        return self._ledger.broken(claim, reason, at=now)

    def _out_of_memory(self, claim: Claim) -> bool:
        reason = Rejected(
            "RUN-005",
            "The computation needed more memory than a worker may take.",
            "Raise queue.max_memory_mb, lower maps.max_mb, or send fewer or smaller segments.",
        )
        self._log.error("case_out_of_memory", case=claim.case, code=reason.code, traceback=True)
        return self._ledger.broken(claim, reason, at=self._clock())

    def _break_off(self, claim: Claim) -> bool:
        """Record the exception that is being handled."""
        trace = uuid.uuid4().hex[:8]
        self._log.error("case_failed", case=claim.case, trace=trace, traceback=True)
        reason = Rejected(
            "RUN-002", f"Internal error {trace}.", f"Look for {trace} in the log of the worker and report it."
        )
        return self._ledger.broken(claim, reason, at=self._clock())

    def _end(self, claim: Claim, outcome: Report | Rejected, started: datetime) -> bool:
        now = self._clock()
        seconds = round((now - started).total_seconds(), 1)
        if isinstance(outcome, Rejected):
            recorded = self._ledger.rejected(claim, outcome, at=now)
            if recorded:
                self._log.warning(
                    "case_rejected", case=claim.case, code=outcome.code, reason=outcome.detail, seconds=seconds
                )
            return recorded
        recorded = self._ledger.reported(claim, outcome, self._destinations, at=now)
        fault_point("process.reported")
        if recorded:
            self._log.info("case_reported", case=claim.case, objects=len(outcome.results), seconds=seconds)
        return recorded

    def _run(self, claim: Claim) -> Report | Rejected:
        with self._meters.timing("read"):
            case = self._read_case(claim)
        if isinstance(case, Rejected):
            return case
        source = self._kept_from(claim.case)
        if not case.lesions or source:
            what = f"{len(case.lesions)} lesions" if case.lesions else "No lesion has a voxel"
            fetched = f" Fetched from {source}; nothing is sent." if source else ""
            return Report((), None, (), f"{what}: kept as a time point.{fetched}", notes=case.notes)
        if self._orders is not None:
            case = self._orders.filled_in(claim.case, case)
        try:
            with self._meters.timing("measure"):
                measured = self._measure(claim, case)
        except UnreadableVoxels as fault:
            return fault.reason
        if isinstance(measured, Rejected):
            return measured
        fault_point("process.measured")
        findings, record = measured
        with self._meters.timing("outputs"):
            results = self._results(claim, findings)
        if isinstance(results, Rejected):
            return results
        return Report(
            tuple(_measurement(measured, findings) for measured in findings.lesions),
            _score(findings.score),
            tuple(results),
            _summary(findings, len(results)),
            record,
            findings.case.notes,
        )

    def _read_case(self, claim: Claim) -> Case | Rejected:
        images = [self._read(image) for image in claim.images]
        segmentation = self._read(claim.segmentation)
        digest = inputs_digest((*claim.images, claim.segmentation))
        return read_case(
            images,
            segmentation,
            inputs_digest=digest,
            rule=self._pipeline.lesions,
            assume_charset=self._assume_charset,
            tolerances=self._tolerances,
            may_be_empty=self._follows,
        )

    def _results(self, claim: Claim, findings: Findings) -> Sequence[StoredResult] | Rejected:
        # DICOM dates and times are those of the place where the device stands
        produced_at = claim.completed_at.astimezone()
        producer = Producer(self._station, self._device_uid, self._software_version, produced_at)
        results: list[StoredResult] = []
        for made in build_objects(self._pipeline, findings, producer):
            if isinstance(made, Rejected):
                return made
            name = made.kind if made.lesion_number is None else f"{made.kind}-{made.lesion_number}"
            file = self._spool.put_result(claim.case, name, made.data)
            results.append(
                StoredResult(
                    made.kind,
                    made.lesion_number,
                    made.sop_class,
                    made.sop_instance,
                    made.series,
                    made.transfer_syntax,
                    file,
                )
            )
            fault_point("process.stored")
        return results

    def _measure(self, claim: Claim, case: Case) -> tuple[Findings, VerificationRecord | None] | Rejected:
        verifiable = self._pipeline.verifiable
        why = None if verifiable is None else self._why_verify(claim, case, verifiable)
        if verifiable is None or why is None:
            findings = self._pipeline.measure(case)
            return findings if isinstance(findings, Rejected) else (findings, None)
        findings = verifiable.measure(case)
        if isinstance(findings, Rejected):
            return findings
        compared = tuple((m.lesion.number, m.verification) for m in findings.lesions if m.verification is not None)
        record = VerificationRecord(why, case.inputs_digest, verifiable.software, compared)
        self._tell(claim.case, record)
        return findings, record

    def _why_verify(self, claim: Claim, case: Case, verifiable: Verifiable) -> str | None:
        digest, every = case.inputs_digest, verifiable.every
        before = self._ledger.verified(claim.case, inputs=digest, software=verifiable.software)
        known = self._ledger.has_verified(verifiable.software)
        return why_verify(digest, every=every, known=known, before=before, attempt=claim.attempt)

    def _tell(self, case: CaseId, record: VerificationRecord) -> None:
        """Log how the engines compare; a deviation is an error, though the case goes on with other numbers."""
        for number, found in record.lesions:
            deviation = f"{found.deviation:.2g}"
            if found.failed:
                self._log.error(
                    "engines_deviate",
                    case=case,
                    code="ROI-010",
                    lesion=number,
                    deviation=deviation,
                    feature=found.feature,
                    tolerance=found.tolerance,
                )
            else:
                self._log.info(
                    "lesion_verified",
                    case=case,
                    lesion=number,
                    deviation=deviation,
                    feature=found.feature,
                    why=record.why,
                )

    def _read(self, instance: InputInstance) -> Dataset:
        return dcmread(BytesIO(self._spool.read(instance.file)))

    @contextmanager
    def _renewed(self, claim: Claim) -> Iterator[None]:
        """Renew the lease in the background until the work is done."""
        done = threading.Event()

        def renew() -> None:
            while not done.wait(self._lease.total_seconds() / 3):
                try:
                    if not self._ledger.renew(claim, until=self._clock() + self._lease):
                        return
                except TransientError as fault:
                    self._log.warning("lease_not_renewed", case=claim.case, code=fault.code)

        thread = threading.Thread(target=renew, name="lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


def _measurement(measured: MeasuredLesion, findings: Findings) -> Measurement:
    rejected = measured.features if isinstance(measured.features, Rejected) else None
    features = () if isinstance(measured.features, Rejected) else tuple(measured.features.items())
    return Measurement(
        measured.lesion.number,
        measured.lesion.tracking_uid,
        measured.lesion.mask.volume_ml(findings.case.ct.grid),
        features,
        rejected,
    )


def _score(score: Score | Rejected | None) -> ScoreSummary | None:
    if not isinstance(score, Score):
        return None
    return ScoreSummary(
        model=score.model.name,
        model_version=score.model.version,
        model_sha256=score.model.sha256,
        demonstration=score.model.demonstration,
        signature=score.signature,
        probability=score.probability,
        cut_off=score.cut_off,
        outcome=score.outcome_label,
        lesion_number=score.lesion_number,
    )


def _summary(findings: Findings, objects: int) -> str:
    measured = sum(not isinstance(one.features, Rejected) for one in findings.lesions)
    parts = [f"{measured} of {len(findings.lesions)} lesions measured, {objects} objects made"]
    match findings.score:
        case Score() as score:
            mark = " (demonstration model)" if score.model.demonstration else ""
            parts.append(f"{score.outcome_label}, probability {score.probability:.3f}{mark}")
        case Rejected() as reason:
            parts.append(f"not scored: {reason}")
        case None:
            parts.append("no model is configured")
    return "; ".join(parts).rstrip(".") + "."
