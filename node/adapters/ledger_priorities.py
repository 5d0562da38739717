"""The part of the ledger about which case goes first."""

from datetime import datetime

from sqlalchemy import Engine, select, update

from node.adapters import ledger_schema as t
from node.adapters.ledger import note, reading, writing
from pipelines.domain.case_state import CaseState
from pipelines.domain.identifiers import CaseId
from pipelines.domain.priority import Priority


class SqlPriorities:
    """Priorities in the ledger's database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def sender_and_choice(self, case: CaseId) -> tuple[str, Priority | None]:
        with reading(self._engine) as connection:
            row = connection.execute(
                select(t.instance.c.calling_ae_title, t.case.c.priority)
                .join(t.case, t.case.c.segmentation == t.instance.c.sop_instance)
                .where(t.case.c.id == case)
            ).first()
        if row is None:
            return "", None
        return row.calling_ae_title, None if row.priority is None else Priority(row.priority)

    def prioritise(self, case: CaseId, priority: Priority, *, at: datetime) -> CaseState:
        with writing(self._engine) as connection:
            state = connection.scalar(select(t.case.c.state).where(t.case.c.id == case).with_for_update())
            if state is None:
                raise KeyError(case)
            connection.execute(update(t.case).where(t.case.c.id == case).values(priority=priority))
            note(connection, case, "priority", f"A person made it {priority}.", at)
        return CaseState(state)

    def held_back(self, case: CaseId, why: str) -> None:
        with writing(self._engine) as connection:
            here = (t.case.c.id == case) & (t.case.c.state == CaseState.QUEUED)
            connection.execute(update(t.case).where(here).values(reason=why))
