"""The part of the ledger that is counted: how many cases stand where, and since when."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Engine, func, select

from node.adapters import ledger_schema as t
from node.adapters import workflow_schema as w
from node.adapters.ledger import reading
from node.adapters.ledger_schema import UtcDateTime
from node.ports import DeliveryState
from node.services.troubles import FailedCase, StuckCase
from pipelines.domain.case_state import CaseState
from pipelines.domain.identifiers import CaseId

OPEN_STATES = (CaseState.COLLECTING, CaseState.QUEUED, CaseState.RUNNING, CaseState.WAITING, CaseState.REPORTED)
"""States in which something has yet to happen to a case by itself."""

# a case that is put into the queue again is touched, yet it has not moved: its history tells
_MOVED = (
    select(
        t.case.c.id,
        t.case.c.state,
        func.coalesce(func.max(t.event.c.at), t.case.c.created_at, type_=UtcDateTime).label("since"),
    )
    .select_from(t.case.outerjoin(t.event, t.event.c.case == t.case.c.id))
    .where(t.case.c.state.in_(OPEN_STATES))
    .group_by(t.case.c.id, t.case.c.state, t.case.c.created_at)
    .subquery()
)


class SqlMeters:
    """Counts over the ledger's database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def cases(self) -> dict[CaseState, int]:
        """Number of cases in each state, none left out."""
        with reading(self._engine) as connection:
            rows = connection.execute(select(t.case.c.state, func.count()).group_by(t.case.c.state)).all()
        return dict.fromkeys(CaseState, 0) | {CaseState(state): number for state, number in rows}

    def oldest(self) -> dict[CaseState, datetime]:
        """Since when the longest waiting case of each open state has been in it."""
        with reading(self._engine) as connection:
            rows = connection.execute(select(_MOVED.c.state, func.min(_MOVED.c.since)).group_by(_MOVED.c.state)).all()
        return {CaseState(state): since for state, since in rows}

    def deliveries(self) -> Iterator[tuple[str, DeliveryState, int]]:
        """(destination, state, number) of the results that are to be sent or were."""
        columns = (t.delivery.c.destination, t.delivery.c.state)
        with reading(self._engine) as connection:
            rows = connection.execute(select(*columns, func.count()).group_by(*columns)).all()
        for destination, state, number in rows:
            yield destination, DeliveryState(state), number

    def commitments(self) -> Iterator[tuple[str, int]]:
        """(state, number) of the results whose keeping was asked for."""
        with reading(self._engine) as connection:
            rows = connection.execute(select(w.commitment.c.state, func.count()).group_by(w.commitment.c.state)).all()
        yield from ((state, number) for state, number in rows)

    def failed(self, *, limit: int) -> Sequence[FailedCase]:
        """Cases that failed and have not been run again, newest first."""
        with reading(self._engine) as connection:
            rows = connection.execute(
                select(t.case.c.id, t.case.c.code)
                .where(t.case.c.state == CaseState.FAILED)
                .order_by(t.case.c.id.desc())
                .limit(limit)
            ).all()
        return [FailedCase(CaseId(row.id), row.code) for row in rows]

    def stuck(self, *, at: datetime, after: timedelta, limit: int) -> Sequence[StuckCase]:
        """Open cases that have not moved for that long, the longest first."""
        with reading(self._engine) as connection:
            rows = connection.execute(
                select(_MOVED).where(_MOVED.c.since <= at - after).order_by(_MOVED.c.since).limit(limit)
            ).all()
        return [StuckCase(CaseId(row.id), CaseState(row.state), row.since) for row in rows]

    def alive(self) -> None:
        """Ask the database for anything at all; raises `TransientError` when it does not answer."""
        with reading(self._engine) as connection:
            connection.execute(select(1))
