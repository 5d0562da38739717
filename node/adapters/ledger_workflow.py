"""The part of the ledger about retrievals, orders and who was refused at the door."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Engine, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from node.adapters import ledger_schema as t
from node.adapters import retention_schema as kept
from node.adapters import workflow_schema as w
from node.adapters.ledger import note, reading, writing
from node.ports import Attempt, OrderLookup, RefusedAssociation, RefusedAssociationRow, StoredFile
from pipelines.domain.case_state import CaseEvent
from pipelines.domain.identifiers import CaseId

_KEPT_REFUSALS = 200


class SqlWorkflow:
    """Retrievals, orders and refused associations in the ledger's database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    # retrievals

    def attempts(self, case: CaseId) -> Sequence[Attempt]:
        opened_again = (
            select(func.max(t.event.c.at))
            .where(t.event.c.case == case, t.event.c.event == CaseEvent.RETRY)
            .scalar_subquery()
        )
        with reading(self._engine) as connection:
            since = connection.scalar(select(opened_again))
            tried = select(w.retrieval).where(w.retrieval.c.case == case).order_by(w.retrieval.c.id)
            rows = connection.execute(tried if since is None else tried.where(w.retrieval.c.at >= since)).all()
        return [Attempt(row.peer, row.at, row.instances, row.code) for row in rows]

    def attempted(self, case: CaseId, attempt: Attempt, detail: str) -> None:
        with writing(self._engine) as connection:
            connection.execute(
                insert(w.retrieval).values(
                    case=case,
                    peer=attempt.peer,
                    at=attempt.at,
                    instances=attempt.instances,
                    code=attempt.code,
                    detail=detail,
                )
            )
            note(connection, case, "retrieval", f"{attempt.code} {detail}".strip(), attempt.at)

    # orders

    def order_lookup(self, case: CaseId, inputs_digest: str) -> OrderLookup | None:
        with reading(self._engine) as connection:
            row = connection.execute(
                select(w.order_lookup).where(
                    w.order_lookup.c.case == case, w.order_lookup.c.inputs_digest == inputs_digest
                )
            ).first()
        if row is None:
            return None
        return OrderLookup(None if row.path is None else StoredFile(row.path, row.size, row.sha256), row.detail)

    def order_looked_up(self, case: CaseId, inputs_digest: str, lookup: OrderLookup, *, at: datetime) -> None:
        file = lookup.file
        values = {
            "inputs_digest": inputs_digest,
            "path": file.path if file else None,
            "size": file.size if file else None,
            "sha256": file.sha256 if file else None,
            "detail": lookup.detail,
            "at": at,
        }
        with writing(self._engine) as connection:
            if file is not None:
                connection.execute(kept.removal.delete().where(kept.removal.c.path == file.path))
            again = update(w.order_lookup).where(w.order_lookup.c.case == case).values(**values)
            if not connection.execute(again).rowcount:
                connection.execute(insert(w.order_lookup).values(case=case, **values))
            note(connection, case, "worklist", lookup.detail, at)

    # the door

    def turned_away(self, refused: RefusedAssociation, *, at: datetime) -> None:
        table = w.refused_association
        who = (
            (table.c.calling_ae_title == refused.calling_ae_title)
            & (table.c.called_ae_title == refused.called_ae_title)
            & (table.c.address == refused.address[:64])
        )
        again = (
            update(table).where(who).values(why=refused.why, remedy=refused.remedy, times=table.c.times + 1, last_at=at)
        )
        with writing(self._engine) as connection:
            if connection.execute(again).rowcount:
                return
            # whoever calls under ever new names must not fill the disk
            kept = select(table.c.last_at).order_by(table.c.last_at.desc()).offset(_KEPT_REFUSALS - 1).limit(1)
            oldest = connection.scalar(kept)
            if oldest is not None:
                connection.execute(table.delete().where(table.c.last_at <= oldest))
            try:
                with connection.begin_nested():
                    connection.execute(
                        insert(table).values(
                            calling_ae_title=refused.calling_ae_title,
                            called_ae_title=refused.called_ae_title,
                            address=refused.address[:64],
                            why=refused.why,
                            remedy=refused.remedy,
                            times=1,
                            last_at=at,
                        )
                    )
            except IntegrityError:  # another association was faster
                connection.execute(again)

    def refused_associations(self, *, limit: int) -> Sequence[RefusedAssociationRow]:
        table = w.refused_association
        with reading(self._engine) as connection:
            rows = connection.execute(select(table).order_by(table.c.last_at.desc()).limit(limit)).all()
        return [
            RefusedAssociationRow(
                RefusedAssociation(
                    row.calling_ae_title, row.called_ae_title, row.address, row.why, row.remedy, row.times
                ),
                row.last_at,
            )
            for row in rows
        ]
