"""The part of the ledger about what destinations promised: storage commitment of our results."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Engine, Row, Select, insert, or_, select, update

from node.adapters import ledger_schema as t
from node.adapters import workflow_schema as w
from node.adapters.ledger import advance, note, reading, writing
from node.adapters.ledger_time import is_due
from node.ports import CommitmentReport, DeliveryState, ObjectRef, Owed
from node.services.deliver import backoff
from pipelines.domain.case_state import CaseEvent, CaseState
from pipelines.domain.commitment import CommitmentEvent, CommitmentState, next_commitment
from pipelines.domain.identifiers import CaseId, SeriesUID, SopClassUID, SopInstanceUID, StudyUID
from pipelines.domain.reasons import Rejected

# PS3.3 C.14.1.1
_FAILURE_REASONS: Final = {
    0x0110: "processing failure",
    0x0112: "it has no such object",
    0x0119: "it has an object of another class under that UID",
    0x0122: "it does not support the class",
    0x0131: "the transaction UID is in use",
    0x0213: "it has no room",
}

_LONGEST_TIMEOUT: Final = timedelta(weeks=1)
"""That `delivery.commitment_timeout_s` allows."""


class SqlCommitments:
    """Commitments in the ledger's database.

    Parameters
    ----------
    retry_first, retry_max
        Wait before an object that was denied is sent again; doubled after each time.
    give_up_after
        Age of a delivery from which on a denial is final.
    timeout
        How long a destination may take to report.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        retry_first: timedelta,
        retry_max: timedelta,
        give_up_after: timedelta,
        timeout: timedelta = _LONGEST_TIMEOUT,
    ) -> None:
        self._engine = engine
        self._retry_first = retry_first
        self._retry_max = retry_max
        self._give_up_after = give_up_after
        self._longest_wait = max(retry_max, timeout)

    def owed(self, destination: str, *, at: datetime, limit: int) -> Sequence[Owed]:
        due = or_(
            w.commitment.c.delivery.is_(None),
            w.commitment.c.state == CommitmentState.MISSING,
            (w.commitment.c.state == CommitmentState.DUE) & is_due(w.commitment.c.next_at, at, self._retry_max),
        )
        with reading(self._engine) as connection:
            rows = connection.execute(
                _delivered(destination)
                .where(due, t.case.c.state.in_((CaseState.REPORTED, CaseState.DELIVERED)))
                .limit(limit)
            ).all()
        return [_owed(row) for row in rows]

    def ask(
        self, transaction_uid: str, destination: str, owed: Sequence[Owed], *, at: datetime, deadline: datetime
    ) -> None:
        with writing(self._engine) as connection:
            self._open(connection, transaction_uid, destination, [one.object for one in owed], at)
            for one in owed:
                state = connection.scalar(select(w.commitment.c.state).where(w.commitment.c.delivery == one.delivery))
                if state is None:
                    connection.execute(insert(w.commitment).values(**_new(one.delivery, at)))
                elif state == CommitmentState.MISSING:
                    _change(connection, one.delivery, CommitmentEvent.DELIVERED, "", next_at=at)
                _change(connection, one.delivery, CommitmentEvent.ASKED, "", next_at=deadline, tries=one.attempts + 1)

    def probe(self, transaction_uid: str, destination: str, objects: Sequence[ObjectRef], *, at: datetime) -> None:
        with writing(self._engine) as connection:
            self._open(connection, transaction_uid, destination, objects, at)

    @staticmethod
    def _open(
        connection: Connection, transaction_uid: str, destination: str, objects: Iterable[ObjectRef], at: datetime
    ) -> None:
        connection.execute(
            insert(w.commitment_transaction).values(
                transaction_uid=transaction_uid,
                destination=destination,
                objects=[one.sop_instance for one in objects],
                asked_at=at,
                confirmed=0,
                denied=0,
            )
        )

    def put_off(self, owed: Sequence[Owed], reason: Rejected, *, at: datetime, next_at: datetime) -> None:
        with writing(self._engine) as connection:
            for one in owed:
                _change(connection, one.delivery, CommitmentEvent.PUT_OFF, str(reason), next_at=next_at)

    def not_offered(self, owed: Sequence[Owed], reason: Rejected, *, at: datetime) -> None:
        with writing(self._engine) as connection:
            for one in owed:
                _change(connection, one.delivery, CommitmentEvent.NOT_OFFERED, reason.detail.rstrip("."), next_at=at)

    def report(self, report: CommitmentReport, *, at: datetime) -> bool:
        with writing(self._engine) as connection:
            asked = connection.execute(
                select(w.commitment_transaction)
                .where(w.commitment_transaction.c.transaction_uid == report.transaction_uid)
                .with_for_update()
            ).first()
            if asked is None:
                return False
            mine = frozenset(asked.objects)
            denied = {str(ref.sop_instance): why for ref, why in report.denied if ref.sop_instance in mine}
            kept = {str(ref.sop_instance) for ref in report.kept if ref.sop_instance in mine} - denied.keys()
            connection.execute(
                update(w.commitment_transaction)
                .where(w.commitment_transaction.c.transaction_uid == report.transaction_uid)
                .values(answered_at=at, confirmed=len(kept), denied=len(denied))
            )
            mentioned = kept | denied.keys()
            rows = [
                row
                for row in connection.execute(_delivered(asked.destination).with_for_update(of=t.delivery)).all()
                if row.sop_instance in mentioned
            ]
            self._take(connection, rows, denied, at)
        return True

    def _take(self, connection: Connection, rows: Sequence[Row[Any]], denied: Mapping[str, int], at: datetime) -> None:
        for row in rows:
            if row.sop_instance not in denied:
                _change(connection, row.delivery, CommitmentEvent.CONFIRMED, "", next_at=at)
                continue
            reason = denied[row.sop_instance]
            why = _FAILURE_REASONS.get(reason, f"failure reason 0x{reason:04X}")
            if _change(connection, row.delivery, CommitmentEvent.DENIED, why, next_at=at):
                self._send_again(connection, row, why, at)
        for case in sorted({row.case for row in rows}):
            _conclude(connection, CaseId(case), at)

    def answered(self, transaction_uid: str) -> tuple[int, int] | None:
        with reading(self._engine) as connection:
            row = connection.execute(
                select(w.commitment_transaction).where(
                    w.commitment_transaction.c.transaction_uid == transaction_uid,
                    w.commitment_transaction.c.answered_at.is_not(None),
                )
            ).first()
        return None if row is None else (row.confirmed, row.denied)

    def silent(self, destination: str, *, at: datetime, limit: int) -> Sequence[Owed]:
        overdue = _delivered(destination).where(
            is_due(w.commitment.c.next_at, at, self._longest_wait),
            w.commitment.c.state.in_((CommitmentState.ASKED, CommitmentState.SILENT)),
            t.case.c.state.in_((CaseState.REPORTED, CaseState.DELIVERED)),
        )
        with reading(self._engine) as connection:
            rows = connection.execute(overdue.limit(limit)).all()
        if any(row.state == CommitmentState.ASKED for row in rows):
            with writing(self._engine) as connection:
                for row in rows:
                    _change(connection, row.delivery, CommitmentEvent.UNANSWERED, "", next_at=at)
        return [_owed(row) for row in rows]

    def looked_up(self, owed: Owed, *, present: bool, at: datetime) -> None:
        with writing(self._engine) as connection:
            row = connection.execute(
                _delivered(None).where(t.delivery.c.id == owed.delivery).with_for_update(of=t.delivery)
            ).first()
            if row is None:
                return
            if present:
                _change(connection, owed.delivery, CommitmentEvent.FOUND, "found by a query", next_at=at)
            elif _change(connection, owed.delivery, CommitmentEvent.ABSENT, "a query does not find it", next_at=at):
                self._send_again(connection, row, "a query does not find it", at)
            _conclude(connection, owed.case, at)

    def not_looked_up(self, owed: Owed, reason: Rejected, *, at: datetime, next_at: datetime) -> None:
        with writing(self._engine) as connection:
            created_at = connection.scalar(select(t.delivery.c.created_at).where(t.delivery.c.id == owed.delivery))
            if created_at is None:
                return
            if at - created_at < self._give_up_after:
                _change(connection, owed.delivery, CommitmentEvent.UNVERIFIABLE, str(reason), next_at=next_at)
            elif _change(connection, owed.delivery, CommitmentEvent.NOT_OFFERED, "it never reported", next_at=at):
                note(connection, owed.case, "not committed", f"{reason.code} The destination never reported.", at)

    def _send_again(self, connection: Connection, row: Row[Any], why: str, at: datetime) -> None:
        """Put a delivery that the peer has forgotten back into the outbox, or give it up."""
        detail = f"{row.destination} does not keep object {row.sop_instance}: {why}."
        given_up = at - row.created_at >= self._give_up_after
        reason = Rejected(
            "NET-006",
            f"{detail} Gave up." if given_up else detail,
            f"Look at the log of that system, then run `pulmonode send {row.case} --to {row.destination}`."
            if given_up
            else "The object is sent again.",
        )
        wait = backoff(max(1, row.tries), first=self._retry_first, longest=self._retry_max)
        connection.execute(
            update(t.delivery)
            .where(t.delivery.c.id == row.delivery)
            .values(
                state=DeliveryState.REFUSED if given_up else DeliveryState.PENDING,
                detail=str(reason),
                next_at=at + wait,
            )
        )
        what = CaseEvent.UNDELIVERABLE if given_up else CaseEvent.NOT_COMMITTED
        state = connection.scalar(select(t.case.c.state).where(t.case.c.id == row.case))
        if state in (CaseState.DELIVERED, CaseState.COMMITTED):
            advance(connection, CaseId(row.case), what, reason.detail, at, reason=reason)
        else:
            note(connection, CaseId(row.case), "not committed", f"{reason.code} {reason.detail}", at)


def _delivered(destination: str | None) -> Select[Any]:
    """Deliveries of current results that have been acknowledged, with what is known of their commitment."""
    found = (
        select(
            t.delivery.c.id.label("delivery"),
            t.delivery.c.case,
            t.delivery.c.destination,
            t.delivery.c.created_at,
            t.result.c.sop_class,
            t.result.c.sop_instance,
            t.result.c.series,
            t.case.c.ct_study,
            w.commitment.c.state,
            w.commitment.c.attempts.label("tries"),
        )
        .join(t.result, t.result.c.id == t.delivery.c.result)
        .join(t.case, t.case.c.id == t.delivery.c.case)
        .outerjoin(w.commitment, w.commitment.c.delivery == t.delivery.c.id)
        .where(t.delivery.c.state == DeliveryState.DELIVERED, t.result.c.current)
        .order_by(t.delivery.c.id)
    )
    return found if destination is None else found.where(t.delivery.c.destination == destination)


def _owed(row: Row[Any]) -> Owed:
    return Owed(
        row.delivery,
        CaseId(row.case),
        ObjectRef(SopClassUID(row.sop_class), SopInstanceUID(row.sop_instance)),
        StudyUID(row.ct_study),
        SeriesUID(row.series),
        row.tries or 0,
    )


def _new(delivery: int, at: datetime) -> dict[str, object]:
    return {"delivery": delivery, "state": CommitmentState.DUE, "attempts": 0, "next_at": at, "detail": ""}


def _change(
    connection: Connection,
    delivery: int,
    what: CommitmentEvent,
    detail: str,
    *,
    next_at: datetime,
    tries: int | None = None,
) -> bool:
    """Move one commitment along the table of transitions; False when there is no such way."""
    here = w.commitment.c.delivery == delivery
    state = connection.scalar(select(w.commitment.c.state).where(here).with_for_update())
    following = None if state is None else next_commitment(CommitmentState(state), what)
    if following is None:
        return False
    values: dict[str, object] = {"state": following, "detail": detail, "next_at": next_at}
    if tries is not None:
        values["attempts"] = tries
    connection.execute(update(w.commitment).where(here).values(**values))
    return True


def _conclude(connection: Connection, case: CaseId, at: datetime) -> None:
    """Call a delivered case committed when every destination keeps every result."""
    rows = connection.execute(
        select(t.delivery.c.destination, t.delivery.c.state.label("delivered"), w.commitment.c.state)
        .join(t.result, t.result.c.id == t.delivery.c.result)
        .outerjoin(w.commitment, w.commitment.c.delivery == t.delivery.c.id)
        .where(t.delivery.c.case == case, t.result.c.current)
    ).all()
    if all((row.delivered, row.state) == (DeliveryState.DELIVERED, CommitmentState.COMMITTED) for row in rows):
        names = ", ".join(sorted({row.destination for row in rows}))
        advance(connection, case, CaseEvent.COMMITTED, f"{len(rows)} objects are kept by {names}.", at)
