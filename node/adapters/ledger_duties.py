"""The part of the ledger about what we promised: storage commitment of what others sent."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Engine, insert, select, update

from node.adapters import ledger_schema as t
from node.adapters import workflow_schema as w
from node.adapters.ledger import reading, stored_file, writing
from node.adapters.ledger_time import LONGEST_WAIT, is_due
from node.ports import Duty, DutyState, ObjectRef, StoredFile
from pipelines.domain.identifiers import SopClassUID, SopInstanceUID


class SqlDuties:
    """Requests for commitment in the ledger's database.

    Parameters
    ----------
    longest_wait
        For which an answer is put off at most.
    """

    def __init__(self, engine: Engine, *, longest_wait: timedelta = LONGEST_WAIT) -> None:
        self._engine = engine
        self._longest_wait = longest_wait

    def take_on(self, requester: str, transaction_uid: str, objects: Sequence[ObjectRef], *, at: datetime) -> bool:
        listed = [[one.sop_class, one.sop_instance] for one in objects]
        same = (w.commitment_duty.c.requester == requester) & (w.commitment_duty.c.transaction_uid == transaction_uid)
        with writing(self._engine) as connection:
            known = connection.execute(select(w.commitment_duty).where(same).with_for_update()).first()
            if known is not None:
                if sorted(known.objects) != sorted(listed):
                    return False
                # asked once more: answered once more
                connection.execute(
                    update(w.commitment_duty)
                    .where(same)
                    .values(state=DutyState.PENDING, attempts=0, next_at=at, requested_at=at)
                )
                return True
            connection.execute(
                insert(w.commitment_duty).values(
                    requester=requester,
                    transaction_uid=transaction_uid,
                    objects=listed,
                    state=DutyState.PENDING,
                    attempts=0,
                    requested_at=at,
                    next_at=at,
                    detail="",
                )
            )
        return True

    def duties(self, *, at: datetime, limit: int) -> Sequence[Duty]:
        with reading(self._engine) as connection:
            rows = connection.execute(
                select(w.commitment_duty)
                .where(
                    w.commitment_duty.c.state == DutyState.PENDING,
                    is_due(w.commitment_duty.c.next_at, at, self._longest_wait),
                )
                .order_by(w.commitment_duty.c.id)
                .limit(limit)
            ).all()
        return [
            Duty(
                row.id,
                row.requester,
                row.transaction_uid,
                tuple(ObjectRef(SopClassUID(a), SopInstanceUID(b)) for a, b in row.objects),
                row.attempts + 1,
                row.requested_at,
            )
            for row in rows
        ]

    def duty_settled(self, duty: Duty, state: DutyState, detail: str, *, at: datetime, next_at: datetime) -> None:
        with writing(self._engine) as connection:
            connection.execute(
                update(w.commitment_duty)
                # the same request may have come again meanwhile, and wants an answer of its own
                .where(w.commitment_duty.c.id == duty.id, w.commitment_duty.c.requested_at == duty.requested_at)
                .values(state=state, attempts=duty.attempts, detail=detail, next_at=next_at)
            )

    def held(self, sop_instance: SopInstanceUID) -> tuple[SopClassUID, StoredFile] | None:
        with reading(self._engine) as connection:
            here = (t.instance.c.sop_instance == sop_instance) & t.instance.c.released_at.is_(None)
            row = connection.execute(select(t.instance).where(here)).first()
        return None if row is None else (SopClassUID(row.sop_class), stored_file(row))
