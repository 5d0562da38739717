"""The ledger on SQLAlchemy: SQLite in WAL mode for one machine, PostgreSQL for many."""

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Row,
    Text,
    cast,
    create_engine,
    event,
    func,
    insert,
    make_url,
    or_,
    select,
    update,
)
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    IntegrityError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import NullPool

from node.adapters import ledger_schema as t
from node.adapters import retention_schema as kept
from node.adapters import workflow_schema as w
from node.adapters.combining import Combiner
from node.adapters.ledger_receipts import Arrived, Receipts
from node.adapters.ledger_time import LONGEST_WAIT, is_due
from node.adapters.migrate import upgrade
from node.errors import ConfigError, TransientError
from node.ports import (
    CaseDetail,
    CaseRow,
    Claim,
    CollectingCase,
    Delivery,
    DeliveryRow,
    DeliveryState,
    Destination,
    EventRow,
    InputInstance,
    Measurement,
    Overview,
    Receipt,
    RefusalRow,
    Report,
    ResultRow,
    ScoreSummary,
    Sender,
    Sent,
    StoredFile,
    StoredResult,
    VerificationRecord,
    inputs_digest,
)
from pipelines.domain.case import SeriesKey
from pipelines.domain.case_state import CaseEvent, CaseState, next_state
from pipelines.domain.identifiers import (
    CaseId,
    FrameOfReferenceUID,
    SeriesUID,
    SopClassUID,
    SopInstanceUID,
    StudyUID,
    digest_of,
)
from pipelines.domain.instance import InstanceRef, Plane, References
from pipelines.domain.reasons import Rejected
from pipelines.domain.sop_classes import CT_IMAGES
from pipelines.domain.verification import Verification
from pipelines.imaging.assembly import SegmentationArrival, SeriesArrival, pair, series_arrival

_LONGEST_LEASE: Final = timedelta(hours=1)
"""That `queue.lease_s` allows."""
_BUSY_TIMEOUT_S: Final = 30


def open_engine(url: str, *, password: str | None = None) -> Engine:
    """Connect to the ledger's database, and give its tables the form that this release needs.

    Parameters
    ----------
    url
        `sqlite:///PATH` or `postgresql+psycopg://USER@HOST/DB`.
    password
        Taken into the URL here, so that it stands in no file and no process list.

    Raises
    ------
    ConfigError
        If the URL names no database that can be used, or a newer release of the node has changed its tables.
    TransientError
        If it cannot be reached.
    """
    engine = make_engine(url, password=password)
    try:
        with _reaching("opened"):
            upgrade(engine)
    except DatabaseError as fault:
        raise ConfigError([f"ledger.url: the ledger cannot be used: {_first_line(fault)}"]) from fault
    if engine.url.get_backend_name() == "sqlite" and engine.url.database:
        event.listen(engine, "do_connect", _only_to(Path(engine.url.database)))
    return engine


def make_engine(url: str, *, password: str | None = None) -> Engine:
    """Connections to a database whose tables may have any form, or that has none; raises `ConfigError`."""
    try:
        parsed = make_url(url)
        if password is not None:
            parsed = parsed.set(password=password)
        on_sqlite = parsed.get_backend_name() == "sqlite"
        # a server may have closed a connection that was kept; what an error tells goes into the log without values
        engine = create_engine(
            parsed, poolclass=NullPool if on_sqlite else None, pool_pre_ping=not on_sqlite, hide_parameters=True
        )
    except (ArgumentError, ImportError) as fault:
        kinds = "sqlite:///PATH or, with the postgresql extra installed, postgresql+psycopg://USER@HOST/DB"
        raise ConfigError([f"ledger.url: must be {kinds}"]) from fault
    if on_sqlite:
        Path(parsed.database or "").parent.mkdir(parents=True, exist_ok=True)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_immediate)
    return engine


def _only_to(file: Path) -> Callable[..., None]:
    """Lets nobody connect to a file that has gone: SQLite would make an empty one, beneath a disk that is away."""

    def require(dialect: object, record: object, arguments: object, options: object) -> None:
        if not file.exists():
            raise sqlite3.OperationalError("its file is not there")

    return require


def _prepare_sqlite(connection: Any, record: object) -> None:
    # SQLAlchemy begins the transactions, not the driver; WAL lets readers go on while one writes
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout={_BUSY_TIMEOUT_S * 1000}")
    give_up_at = time.monotonic() + _BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            break
        except sqlite3.OperationalError:
            # SQLite does not wait for others when it changes the mode of a new file
            if time.monotonic() >= give_up_at:
                raise
            time.sleep(0.01)
    for pragma in ("synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_immediate(connection: Connection) -> None:
    # SQLAlchemy tells of a beginning in autocommit too, where nothing may be locked
    if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
        # a transaction that reads first and writes later would fail when another wrote in between
        connection.exec_driver_sql("BEGIN IMMEDIATE")


@contextmanager
def _reaching(done: str) -> Iterator[None]:
    """Turn what is wrong with the database for a while into a `TransientError`."""
    try:
        yield
    except (OperationalError, PoolTimeout) as fault:
        raise TransientError("RCV-005", f"The ledger cannot be {done}: {_first_line(fault)}.") from fault


def _first_line(fault: SQLAlchemyError) -> str:
    """What the database itself says; the rest is the statement."""
    said = str(getattr(fault, "orig", None) or fault).strip()
    return said.splitlines()[0].rstrip(".") if said else type(fault).__name__


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that writes; raises `TransientError` RCV-005 when the database is away."""
    with _reaching("written"), engine.begin() as connection:
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection that reads; raises `TransientError` RCV-005 when the database is away."""
    with _reaching("read"), engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        yield connection


class SqlLedger:
    """The ledger in a relational database.

    Parameters
    ----------
    engine
        From `open_engine`.
    pipeline
        Name of the pipeline whose cases are kept.
    longest_wait
        For which a case or a delivery is put off at most.
    """

    def __init__(self, engine: Engine, *, pipeline: str, longest_wait: timedelta = LONGEST_WAIT) -> None:
        self._engine = engine
        self._pipeline = pipeline
        self._longest_wait = longest_wait
        self._receipts = Receipts(engine, open_case=self._open_case, reopen_cases=_reopen_cases)
        self._record = Combiner(self._record_all)

    def _writing(self) -> AbstractContextManager[Connection]:
        return writing(self._engine)

    def _reading(self) -> AbstractContextManager[Connection]:
        return reading(self._engine)

    # receiving

    def received(self, ref: InstanceRef, file: StoredFile, sender: Sender, *, at: datetime) -> Receipt:
        return self._record(Arrived(ref, file, sender, at))

    def _record_all(self, arrivals: Sequence[Arrived]) -> Sequence[Receipt]:
        with _reaching("written"):
            return self._receipts.record(arrivals)

    def _open_case(self, connection: Connection, ref: InstanceRef, at: datetime) -> None:
        opened = connection.execute(
            insert(t.case)
            .values(
                pipeline=self._pipeline,
                segmentation=ref.sop_instance,
                study=ref.key.study,
                state=CaseState.COLLECTING,
                reason="The segmentation has arrived.",
                code="",
                remedy="",
                fence=0,
                attempt=0,
                created_at=at,
                updated_at=at,
            )
            .returning(t.case.c.id)
        )
        _record(
            connection,
            CaseId(opened.scalar_one()),
            "received",
            CaseState.COLLECTING,
            "The segmentation has arrived.",
            at,
        )

    def known(self, sop_instance: SopInstanceUID) -> StoredFile | None:
        with self._reading() as connection:
            here = (t.instance.c.sop_instance == sop_instance) & t.instance.c.released_at.is_(None)
            row = connection.execute(select(t.instance).where(here)).first()
        return None if row is None else stored_file(row)

    def refused(self, calling_ae_title: str, reason: Rejected, *, at: datetime) -> None:
        first = insert(t.refusal).values(
            calling_ae_title=calling_ae_title, code=reason.code, times=1, last_at=at, last_detail=reason.detail
        )
        again = (
            update(t.refusal)
            .where(t.refusal.c.calling_ae_title == calling_ae_title, t.refusal.c.code == reason.code)
            .values(times=t.refusal.c.times + 1, last_at=at, last_detail=reason.detail)
        )
        with self._writing() as connection:
            if connection.execute(again).rowcount:
                return
            try:
                with connection.begin_nested():
                    connection.execute(first)
            except IntegrityError:  # another association was faster
                connection.execute(again)

    # assembling

    def collecting(self) -> Sequence[CollectingCase]:
        with self._reading() as connection:
            rows = connection.execute(
                select(t.case.c.id, t.case.c.reason, t.instance)
                .join(t.instance, t.instance.c.sop_instance == t.case.c.segmentation)
                .where(t.case.c.state == CaseState.COLLECTING, t.instance.c.released_at.is_(None))
                .order_by(t.case.c.id)
            ).all()
        return [
            CollectingCase(
                CaseId(row.id), SegmentationArrival(_ref(row), row.received_at, row.calling_ae_title), row.reason
            )
            for row in rows
        ]

    def candidates(self, segmentation: InstanceRef) -> Sequence[SeriesArrival]:
        with self._reading() as connection:
            return _candidates(connection, segmentation)

    def waits(self, case: CaseId, why: str) -> None:
        with self._writing() as connection:
            connection.execute(
                update(t.case)
                .where(t.case.c.id == case, t.case.c.state == CaseState.COLLECTING)
                .values(reason=why, code="", remedy="")
            )

    def complete(self, case: CaseId, ct: SeriesKey, why: str, *, at: datetime) -> bool:
        with self._writing() as connection:
            row = _locked(connection, case)
            if row is None or not _advance(connection, row, CaseEvent.COMPLETE, why, at):
                return False
            seen = _inputs_digest(connection, row.segmentation, ct)
            connection.execute(
                update(t.case)
                .where(t.case.c.id == case)
                .values(
                    ct_study=ct.study,
                    ct_series=ct.series,
                    attempt=0,
                    inputs_seen=seen,
                    # the same inputs bear the same time, so that the same objects come out
                    completed_at=row.completed_at if row.inputs_seen == seen else at.replace(microsecond=0),
                )
            )
        return True

    def incomplete(self, case: CaseId, ct: SeriesKey | None, reason: Rejected, *, at: datetime) -> bool:
        with self._writing() as connection:
            row = _locked(connection, case)
            if row is None or not _advance(connection, row, CaseEvent.INCOMPLETE, reason.detail, at, reason=reason):
                return False
            if ct is not None:
                connection.execute(
                    update(t.case).where(t.case.c.id == case).values(ct_study=ct.study, ct_series=ct.series)
                )
        return True

    # processing

    def claim(self, case: CaseId, owner: str, *, at: datetime, lease: timedelta) -> Claim | None:
        with self._writing() as connection:
            row = _locked(connection, case)
            if row is None or not _advance(connection, row, CaseEvent.CLAIMED, f"Attempt {row.attempt + 1}.", at):
                return None
            connection.execute(
                update(t.case)
                .where(t.case.c.id == case)
                .values(fence=row.fence + 1, attempt=row.attempt + 1, owner=owner, lease_until=at + lease)
            )
            ct = SeriesKey(StudyUID(row.ct_study), SeriesUID(row.ct_series))
            images = connection.execute(_images_of(ct)).all()
            segmentation = connection.execute(
                select(t.instance).where(t.instance.c.sop_instance == row.segmentation)
            ).one()
        return Claim(
            case,
            row.fence + 1,
            row.attempt + 1,
            ct,
            tuple(_input(image) for image in images),
            _input(segmentation),
            row.completed_at,
        )

    def renew(self, claim: Claim, *, until: datetime) -> bool:
        with self._writing() as connection:
            renewed = connection.execute(
                update(t.case)
                .where(t.case.c.id == claim.case, t.case.c.fence == claim.fence, t.case.c.state == CaseState.RUNNING)
                .values(lease_until=until)
            )
        return renewed.rowcount == 1

    def reported(self, claim: Claim, report: Report, destinations: Sequence[Destination], *, at: datetime) -> bool:
        with self._writing() as connection:
            row = _locked(connection, claim.case)
            if not _holds(row, claim) or not _advance(connection, row, CaseEvent.REPORTED, report.summary, at):
                return False
            score = None if report.score is None else asdict(report.score)
            notes = [asdict(note) for note in report.notes]
            connection.execute(update(t.case).where(t.case.c.id == claim.case).values(score=score, notes=notes))
            connection.execute(t.measurement.delete().where(t.measurement.c.case == claim.case))
            if report.measurements:
                connection.execute(
                    insert(t.measurement), [_measurement_values(claim.case, m) for m in report.measurements]
                )
            _replace_results(connection, claim.case, report.results, destinations, at)
            _replace_verification(connection, claim.case, report.verification, at)
        return True

    def rejected(self, claim: Claim, reason: Rejected, *, at: datetime) -> bool:
        return self._end_run(claim, CaseEvent.REJECTED, reason, at, {})

    def postponed(self, claim: Claim, reason: Rejected, *, at: datetime, until: datetime) -> bool:
        return self._end_run(claim, CaseEvent.POSTPONED, reason, at, {"next_at": until})

    def broken(self, claim: Claim, reason: Rejected, *, at: datetime) -> bool:
        return self._end_run(claim, CaseEvent.BROKEN, reason, at, {})

    def _end_run(
        self, claim: Claim, what: CaseEvent, reason: Rejected, at: datetime, values: dict[str, object]
    ) -> bool:
        with self._writing() as connection:
            row = _locked(connection, claim.case)
            if not _holds(row, claim) or not _advance(connection, row, what, reason.detail, at, reason=reason):
                return False
            if values:
                connection.execute(update(t.case).where(t.case.c.id == claim.case).values(**values))
        return True

    def verified(self, case: CaseId, *, inputs: str, software: str) -> str | None:
        with self._reading() as connection:
            return connection.scalar(
                select(t.verification.c.why).where(
                    t.verification.c.case == case,
                    t.verification.c.inputs == inputs,
                    t.verification.c.software_sha256 == digest_of(software),
                )
            )

    def has_verified(self, software: str) -> bool:
        with self._reading() as connection:
            found = connection.scalar(
                select(t.verification.c.case)
                .where(t.verification.c.software_sha256 == digest_of(software), t.verification.c.compared > 0)
                .limit(1)
            )
        return found is not None

    def reconcile(self, *, at: datetime, max_attempts: int, resubmit_after: timedelta | None) -> Sequence[CaseId]:
        submit: list[CaseId] = []
        with self._writing() as connection:
            # a lease beyond the longest one is of a time before the clock was set back
            ended = or_(t.case.c.lease_until < at, t.case.c.lease_until > at + _LONGEST_LEASE)
            expired = select(t.case).where(t.case.c.state == CaseState.RUNNING, ended)
            for row in connection.execute(expired.with_for_update()).all():
                interrupted = _interruptions(connection, CaseId(row.id)) + 1
                if interrupted < max_attempts:
                    _advance(connection, row, CaseEvent.INTERRUPTED, "The worker gave no sign of life.", at)
                    submit.append(CaseId(row.id))
                    continue
                _give_up(connection, row, f"The worker died in {interrupted} attempts.", at)
            waiting = select(t.case).where(
                t.case.c.state == CaseState.WAITING, is_due(t.case.c.next_at, at, self._longest_wait)
            )
            for row in connection.execute(waiting.with_for_update()).all():
                _advance(connection, row, CaseEvent.DUE, "Trying again.", at)
                submit.append(CaseId(row.id))
            if resubmit_after is not None:
                submit += _forgotten(connection, at, resubmit_after)
        return submit

    # delivering

    def due(self, destination: str, *, at: datetime, limit: int) -> Sequence[Delivery]:
        with self._reading() as connection:
            rows = connection.execute(
                select(t.delivery.c.id.label("delivery_id"), t.delivery.c.attempts, t.delivery.c.created_at, t.result)
                .join(t.result, t.result.c.id == t.delivery.c.result)
                .join(t.case, t.case.c.id == t.delivery.c.case)
                .where(
                    t.delivery.c.destination == destination,
                    # the results of a case that was opened again wait for its next run, which may replace them
                    t.case.c.state == CaseState.REPORTED,
                    t.delivery.c.state == DeliveryState.PENDING,
                    is_due(t.delivery.c.next_at, at, self._longest_wait),
                )
                .order_by(t.delivery.c.id)
                .limit(limit)
            ).all()
        return [
            Delivery(row.delivery_id, CaseId(row.case), _result(row), row.attempts + 1, row.created_at) for row in rows
        ]

    def sent(self, delivery: Delivery, sent: Sent, *, at: datetime, next_at: datetime) -> None:
        state = DeliveryState.DELIVERED
        if sent.fault is not None:
            state = DeliveryState.REFUSED if sent.permanent else DeliveryState.PENDING
        with self._writing() as connection:
            connection.execute(
                update(t.delivery)
                .where(t.delivery.c.id == delivery.id, t.delivery.c.state == DeliveryState.PENDING)
                .values(
                    state=state,
                    attempts=delivery.attempt,
                    status=sent.status,
                    detail=str(sent.fault or ""),
                    next_at=next_at,
                )
            )
            _settle(connection, delivery.case, sent, at)

    # what people ask for

    def retry(self, case: CaseId, *, at: datetime) -> CaseState | None:
        with self._writing() as connection:
            row = _locked(connection, case)
            if row is None:
                raise KeyError(case)
            detail = "A person asked to run it again."
            given_up = (t.instance.c.sop_instance == row.segmentation) & t.instance.c.released_at.is_not(None)
            if connection.scalar(select(t.instance.c.sop_instance).where(given_up)) is not None:
                detail += " Its files have been removed: send the segmentation again."
            if not _advance(connection, row, CaseEvent.RETRY, detail, at):
                return CaseState(row.state)
        return None

    def resend(self, case: CaseId, destination: Destination, *, at: datetime) -> int:
        with self._writing() as connection:
            row = _locked(connection, case)
            if row is None:
                raise KeyError(case)
            here = (t.result.c.case == case) & t.result.c.current & t.result.c.released_at.is_(None)
            current = select(t.result.c.id, t.result.c.kind).where(here)
            results = [made.id for made in connection.execute(current) if destination.wants(made.kind)]
            peer = destination.peer
            if not results or not _advance(connection, row, CaseEvent.RESEND, f"Send again to {peer}.", at):
                return 0
            for result in results:
                connection.execute(
                    t.delivery.delete().where(t.delivery.c.result == result, t.delivery.c.destination == peer)
                )
                connection.execute(insert(t.delivery).values(**_delivery_values(result, case, peer, at)))
        return len(results)

    def overview(self, *, limit: int) -> Overview:
        with self._reading() as connection:
            rows = connection.execute(_case_rows().order_by(t.case.c.id.desc()).limit(limit)).all()
            segmented = select(t.case.c.ct_series).where(t.case.c.ct_series.is_not(None))
            unsegmented = connection.scalar(
                select(func.count(func.distinct(t.instance.c.series))).where(
                    t.instance.c.sop_class.in_(sorted(CT_IMAGES)), t.instance.c.series.not_in(segmented)
                )
            )
            refusals = connection.execute(select(t.refusal).order_by(t.refusal.c.last_at.desc()).limit(20)).all()
            instances = connection.scalar(select(func.count()).select_from(t.instance))
            conflicts = connection.scalar(select(func.count()).select_from(t.conflict))
        return Overview(
            tuple(_case_row(row) for row in rows),
            instances or 0,
            unsegmented or 0,
            tuple(
                RefusalRow(row.calling_ae_title, row.code, row.times, row.last_at, row.last_detail) for row in refusals
            ),
            conflicts or 0,
        )

    def detail(self, case: CaseId) -> CaseDetail | None:
        with self._reading() as connection:
            row = connection.execute(_case_rows().where(t.case.c.id == case)).first()
            if row is None:
                return None
            events = connection.execute(select(t.event).where(t.event.c.case == case).order_by(t.event.c.id)).all()
            measurements = connection.execute(
                select(t.measurement).where(t.measurement.c.case == case).order_by(t.measurement.c.lesion_number)
            ).all()
            results = connection.execute(
                select(t.result).where(t.result.c.case == case, t.result.c.current).order_by(t.result.c.id)
            ).all()
            deliveries = connection.execute(
                select(t.delivery, w.commitment.c.state.label("promise"), w.commitment.c.detail.label("promised"))
                .outerjoin(w.commitment, w.commitment.c.delivery == t.delivery.c.id)
                .where(t.delivery.c.case == case)
            ).all()
            verified = connection.execute(
                select(t.verification).where(t.verification.c.case == case, t.verification.c.current)
            ).first()
            notes = connection.scalar(select(t.case.c.notes).where(t.case.c.id == case))
        return CaseDetail(
            _case_row(row),
            tuple(EventRow(e.at, e.event, e.state, e.detail) for e in events),
            tuple(_measurement(m) for m in measurements),
            tuple(
                ResultRow(_result(r), tuple(_delivery_row(d) for d in deliveries if d.result == r.id)) for r in results
            ),
            None if verified is None else _verification(verified),
            tuple(Rejected(**note) for note in notes or ()),
        )


def _reopen_cases(connection: Connection, ref: InstanceRef, at: datetime) -> None:
    """Open the cases again that the late CT image `ref` belongs to, or that were rejected for want of it."""
    mine = connection.execute(
        select(t.case)
        .where(t.case.c.ct_series == ref.key.series, t.case.c.state != CaseState.COLLECTING)
        .order_by(t.case.c.id)  # all lock in one order, or two could wait for each other
        .with_for_update()
    ).all()
    orphans = connection.execute(
        select(t.case, t.instance)
        .join(t.instance, t.instance.c.sop_instance == t.case.c.segmentation)
        .where(t.case.c.ct_series.is_(None), t.case.c.state == CaseState.REJECTED, _may_concern(ref))
        .order_by(t.case.c.id)
        .with_for_update(of=t.case)
    ).all()
    wanting = [row for row in orphans if _concerns(connection, _ref(row), ref)]
    for row in (*mine, *wanting):
        _advance(connection, row, CaseEvent.LATE_INSTANCE, "A CT image arrived after the case had ended.", at)


def _may_concern(image: InstanceRef) -> ColumnElement[bool]:
    """Leave out most segmentations before each is looked at: there may be thousands without a CT."""
    return or_(
        t.instance.c.study == image.key.study,
        # a UID in quotes, as JSON writes it, is found in whole or not at all
        cast(t.instance.c.referenced_series, Text).contains(f'"{image.key.series}"', autoescape=True),
        cast(t.instance.c.referenced_instances, Text).contains(f'"{image.sop_instance}"', autoescape=True),
    )


def _concerns(connection: Connection, segmentation: InstanceRef, image: InstanceRef) -> bool:
    found = pair(segmentation, _candidates(connection, segmentation))
    return isinstance(found, SeriesArrival) and found.key.series == image.key.series


def _candidates(connection: Connection, segmentation: InstanceRef) -> list[SeriesArrival]:
    references = segmentation.references
    series = select(t.instance.c.series).where(
        t.instance.c.sop_class.in_(sorted(CT_IMAGES)),
        t.instance.c.released_at.is_(None),
        or_(
            t.instance.c.study == segmentation.key.study,
            t.instance.c.series.in_(references.series),
            # one of the named images is enough to find their series
            t.instance.c.sop_instance.in_(references.instances[:100]),
        ),
    )
    images = connection.execute(
        select(t.instance)
        .where(
            t.instance.c.series.in_(series),
            t.instance.c.sop_class.in_(sorted(CT_IMAGES)),
            t.instance.c.released_at.is_(None),
        )
        .order_by(t.instance.c.series)
    ).all()
    by_series: dict[str, list[InstanceRef]] = {}
    last: dict[str, datetime] = {}
    for row in images:
        by_series.setdefault(row.series, []).append(_ref(row))
        last[row.series] = max(last.get(row.series, row.received_at), row.received_at)
    return [series_arrival(refs, last[series]) for series, refs in by_series.items()]


def _images_of(ct: SeriesKey) -> Any:
    return (
        select(t.instance)
        .where(
            t.instance.c.series == ct.series,
            t.instance.c.sop_class.in_(sorted(CT_IMAGES)),
            t.instance.c.released_at.is_(None),
        )
        .order_by(t.instance.c.sop_instance)
    )


def _inputs_digest(connection: Connection, segmentation: str, ct: SeriesKey) -> str:
    images = connection.execute(_images_of(ct)).all()
    mask = connection.execute(select(t.instance).where(t.instance.c.sop_instance == segmentation)).one()
    return inputs_digest([_input(row) for row in (*images, mask)])


def _locked(connection: Connection, case: CaseId) -> Row[Any] | None:
    return connection.execute(select(t.case).where(t.case.c.id == case).with_for_update()).first()


def _holds(row: Row[Any] | None, claim: Claim) -> bool:
    return row is not None and row.fence == claim.fence and row.state == CaseState.RUNNING


def _advance(
    connection: Connection,
    row: Row[Any] | None,
    what: CaseEvent,
    detail: str,
    at: datetime,
    *,
    reason: Rejected | None = None,
) -> bool:
    """Move a locked case along the table of transitions; False when the table has no such way."""
    state = None if row is None else next_state(CaseState(row.state), what)
    if row is None or state is None:
        return False
    connection.execute(
        update(t.case)
        .where(t.case.c.id == row.id)
        .values(
            state=state,
            reason=detail,
            code=reason.code if reason else "",
            remedy=reason.remedy if reason else "",
            owner=None,
            lease_until=None,
            next_at=None,
            updated_at=at,
        )
    )
    if state is CaseState.COLLECTING:
        # what an earlier run found is no answer to the case as it is now
        connection.execute(update(t.case).where(t.case.c.id == row.id).values(score=None, notes=None))
        for table in (t.result, t.verification):
            connection.execute(update(table).where(table.c.case == row.id).values(current=False))
    _record(connection, CaseId(row.id), what, state, f"{reason.code} {detail}" if reason else detail, at)
    return True


def advance(
    connection: Connection, case: CaseId, what: CaseEvent, detail: str, at: datetime, *, reason: Rejected | None = None
) -> bool:
    """Move a case along the table of transitions within the caller's transaction; False when there is no such way."""
    return _advance(connection, _locked(connection, case), what, detail, at, reason=reason)


def note(connection: Connection, case: CaseId, what: str, detail: str, at: datetime) -> None:
    """Add a line to the history of a case, which stays in its state."""
    state = connection.scalar(select(t.case.c.state).where(t.case.c.id == case))
    if state is not None:
        _record(connection, case, what, CaseState(state), detail, at)


def _record(connection: Connection, case: CaseId, what: str, state: CaseState, detail: str, at: datetime) -> None:
    connection.execute(insert(t.event).values(case=case, at=at, event=what, state=state, detail=detail))


def _forgotten(connection: Connection, at: datetime, resubmit_after: timedelta) -> list[CaseId]:
    """Cases that have been queued for `resubmit_after`; the time begins anew for them."""
    since = t.case.c.updated_at
    # the time may have begun before the clock was set back
    long_queued = (t.case.c.state == CaseState.QUEUED) & or_(since <= at - resubmit_after, since > at + resubmit_after)
    cases = [CaseId(case) for case in connection.scalars(select(t.case.c.id).where(long_queued)).all()]
    connection.execute(update(t.case).where(long_queued).values(updated_at=at))
    return cases


def _interruptions(connection: Connection, case: CaseId) -> int:
    """Runs of a case that were interrupted since it was complete; those that were put off do not count."""
    complete = select(func.max(t.event.c.id)).where(t.event.c.case == case, t.event.c.event == CaseEvent.COMPLETE)
    interrupted = (
        select(func.count())
        .select_from(t.event)
        .where(
            t.event.c.case == case,
            t.event.c.event == CaseEvent.INTERRUPTED,
            t.event.c.id > complete.scalar_subquery(),
        )
    )
    return connection.scalar(interrupted) or 0


def _give_up(connection: Connection, row: Row[Any], detail: str, at: datetime) -> None:
    reason = Rejected("RUN-001", detail, f"Look at the log of the worker, then run `pulmonode retry {row.id}`.")
    _advance(connection, row, CaseEvent.EXHAUSTED, detail, at, reason=reason)


def _replace_results(
    connection: Connection,
    case: CaseId,
    results: Sequence[StoredResult],
    destinations: Sequence[Destination],
    at: datetime,
) -> None:
    """Make `results` the current ones; what is still on its way from an earlier run is superseded."""
    connection.execute(update(t.result).where(t.result.c.case == case).values(current=False))
    connection.execute(
        update(t.delivery)
        .where(t.delivery.c.case == case, t.delivery.c.state == DeliveryState.PENDING)
        .values(state=DeliveryState.SUPERSEDED, detail="A later run replaced the result.")
    )
    for made in results:
        _put_result(connection, case, made, [one for one in destinations if one.wants(made.kind)], at)


def add_result(
    connection: Connection, case: CaseId, made: StoredResult, destinations: Sequence[Destination], at: datetime
) -> None:
    """Put a result in the place of the one of its kind, and leave the other results of the case as they are."""
    same = select(t.result.c.id).where(t.result.c.case == case, t.result.c.kind == made.kind)
    connection.execute(
        update(t.delivery)
        .where(t.delivery.c.result.in_(same), t.delivery.c.state == DeliveryState.PENDING)
        .values(state=DeliveryState.SUPERSEDED, detail="A later version replaced the result.")
    )
    connection.execute(update(t.result).where(t.result.c.id.in_(same)).values(current=False))
    _put_result(connection, case, made, destinations, at)


def _put_result(
    connection: Connection, case: CaseId, made: StoredResult, destinations: Sequence[Destination], at: datetime
) -> None:
    values = {
        "case": case,
        "current": True,
        "kind": made.kind,
        "lesion_number": made.lesion_number,
        "sop_class": made.sop_class,
        "sop_instance": made.sop_instance,
        "series": made.series,
        "transfer_syntax": made.transfer_syntax,
        "path": made.file.path,
        "size": made.file.size,
        "sha256": made.file.sha256,
        "released_at": None,
    }
    connection.execute(kept.removal.delete().where(kept.removal.c.path == made.file.path))
    here = (t.result.c.case == case) & (t.result.c.sop_instance == made.sop_instance)
    known = connection.scalar(select(t.result.c.id).where(here))
    if known is None:
        known = connection.scalars(insert(t.result).values(**values).returning(t.result.c.id)).one()
    else:
        connection.execute(update(t.result).where(here).values(**values))
        connection.execute(t.delivery.delete().where(t.delivery.c.result == known))
    for destination in destinations:
        connection.execute(insert(t.delivery).values(**_delivery_values(known, case, destination.peer, at)))


def _replace_verification(
    connection: Connection, case: CaseId, record: VerificationRecord | None, at: datetime
) -> None:
    """Make `record` the one that the case shows; earlier ones stay, since they tell what has been verified."""
    connection.execute(update(t.verification).where(t.verification.c.case == case).values(current=False))
    if record is None:
        return
    key = {"case": case, "inputs": record.inputs, "software_sha256": digest_of(record.software)}
    connection.execute(t.verification.delete().where(*(t.verification.c[name] == value for name, value in key.items())))
    connection.execute(
        insert(t.verification).values(
            **key,
            software=record.software,
            current=True,
            why=record.why,
            compared=sum(found.compared for _, found in record.lesions),
            # JSON knows no infinity; repr keeps every bit of a float
            lesions=[
                [number, asdict(found) | {"deviation": repr(found.deviation)}] for number, found in record.lesions
            ],
            at=at,
        )
    )


def _verification(row: Row[Any]) -> VerificationRecord:
    return VerificationRecord(
        row.why,
        row.inputs,
        row.software,
        tuple(
            (number, Verification(**{**found, "deviation": float(found["deviation"])})) for number, found in row.lesions
        ),
    )


def _delivery_values(result: int, case: CaseId, destination: str, at: datetime) -> dict[str, object]:
    return {
        "result": result,
        "case": case,
        "destination": destination,
        "state": DeliveryState.PENDING,
        "attempts": 0,
        "detail": "",
        "created_at": at,
        "next_at": at,
    }


def _settle(connection: Connection, case: CaseId, sent: Sent, at: datetime) -> None:
    """End a reported case when none of its deliveries is left."""
    row = _locked(connection, case)
    states = connection.execute(
        select(t.delivery.c.state, t.delivery.c.destination)
        .join(t.result, t.result.c.id == t.delivery.c.result)
        .where(t.delivery.c.case == case, t.result.c.current)
    ).all()
    if any(one.state == DeliveryState.PENDING for one in states):
        return
    if any(one.state == DeliveryState.REFUSED for one in states):
        if sent.fault is not None:
            _advance(connection, row, CaseEvent.UNDELIVERABLE, sent.fault.detail, at, reason=sent.fault)
        elif row is not None and row.state == CaseState.REPORTED:
            detail = "A destination refused a result."
            remedy = f"See `pulmonode status {case}`."
            _advance(connection, row, CaseEvent.UNDELIVERABLE, detail, at, reason=Rejected("NET-003", detail, remedy))
        return
    names = sorted({one.destination for one in states})
    _advance(connection, row, CaseEvent.DELIVERED, f"{len(states)} objects stored at {', '.join(names)}.", at)


def stored_file(row: Row[Any]) -> StoredFile:
    """The file that a row names."""
    return StoredFile(row.path, row.size, row.sha256)


def _input(row: Row[Any]) -> InputInstance:
    return InputInstance(SopInstanceUID(row.sop_instance), stored_file(row))


def _result(row: Row[Any]) -> StoredResult:
    return StoredResult(
        row.kind,
        row.lesion_number,
        SopClassUID(row.sop_class),
        SopInstanceUID(row.sop_instance),
        SeriesUID(row.series),
        row.transfer_syntax,
        stored_file(row),
    )


def _ref(row: Row[Any]) -> InstanceRef:
    plane = None
    if row.position_mm is not None and row.orientation is not None:
        x, y, z = row.position_mm
        a, b, c, d, e, f = row.orientation
        plane = Plane((x, y, z), (a, b, c, d, e, f))
    return InstanceRef(
        sop_class=SopClassUID(row.sop_class),
        sop_instance=SopInstanceUID(row.sop_instance),
        key=SeriesKey(StudyUID(row.study), SeriesUID(row.series)),
        transfer_syntax=row.transfer_syntax,
        patient_key=row.patient_key,
        modality=row.modality,
        frame_of_reference=FrameOfReferenceUID(row.frame_of_reference) if row.frame_of_reference else None,
        frames=row.frames,
        plane=plane,
        localizer=row.localizer,
        original=row.original,
        frame_positions_mm=tuple((x, y, z) for x, y, z in row.frame_positions_mm),
        references=References(
            tuple(SeriesUID(uid) for uid in row.referenced_series),
            tuple(SopInstanceUID(uid) for uid in row.referenced_instances),
        ),
    )


def _measurement_values(case: CaseId, measured: Measurement) -> dict[str, object]:
    return {
        "case": case,
        "lesion_number": measured.lesion_number,
        "tracking_uid": measured.tracking_uid,
        "volume_ml": measured.volume_ml,
        # JSON knows no NaN; repr keeps every bit of a float
        "features": {name: repr(value) for name, value in measured.features},
        "rejected": None if measured.rejected is None else asdict(measured.rejected),
    }


def _measurement(row: Row[Any]) -> Measurement:
    return Measurement(
        row.lesion_number,
        row.tracking_uid,
        row.volume_ml,
        tuple((name, float(value)) for name, value in row.features.items()),
        None if row.rejected is None else Rejected(**row.rejected),
    )


def _delivery_row(row: Row[Any]) -> DeliveryRow:
    promise = f"{row.promise} ({row.promised})" if row.promised else row.promise or ""
    return DeliveryRow(row.destination, DeliveryState(row.state), row.attempts, row.status, row.detail, promise)


def _case_rows() -> Any:
    image = t.instance.alias("image")
    slices = (
        select(func.coalesce(func.sum(image.c.frames), 0))
        .where(image.c.series == t.case.c.ct_series, image.c.sop_class.in_(sorted(CT_IMAGES)))
        .correlate(t.case)
    )
    current = (
        select(func.count())
        .select_from(t.delivery.join(t.result, t.result.c.id == t.delivery.c.result))
        .where(t.delivery.c.case == t.case.c.id, t.result.c.current)
        .correlate(t.case)
    )
    return select(
        t.case,
        t.instance.c.calling_ae_title,
        slices.scalar_subquery().label("ct_slices"),
        current.scalar_subquery().label("deliveries"),
        current.where(t.delivery.c.state == DeliveryState.DELIVERED).scalar_subquery().label("delivered"),
    ).join(t.instance, t.instance.c.sop_instance == t.case.c.segmentation)


def _case_row(row: Row[Any]) -> CaseRow:
    return CaseRow(
        case=CaseId(row.id),
        state=CaseState(row.state),
        reason=row.reason,
        code=row.code,
        remedy=row.remedy,
        study=row.ct_study or row.study,
        ct_series=row.ct_series or "",
        ct_slices=row.ct_slices,
        segmentation=row.segmentation,
        calling_ae_title=row.calling_ae_title,
        created_at=row.created_at,
        updated_at=row.updated_at,
        attempt=row.attempt,
        score=None if row.score is None else ScoreSummary(**row.score),
        delivered=row.delivered,
        deliveries=row.deliveries,
    )
