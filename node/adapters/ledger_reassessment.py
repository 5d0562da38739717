"""The part of the ledger that remembers whose assessment has to be made again."""

from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import Engine, insert, select, update
from sqlalchemy.exc import IntegrityError

from node.adapters import clinical_schema as c
from node.adapters.ledger import reading, writing
from pipelines.domain.clinical import PatientKey


class SqlReassessments:
    """Requests in the ledger's database: any process may ask, and one that assesses takes what was asked."""

    def __init__(self, engine: Engine, clock: Callable[[], datetime]) -> None:
        self._engine = engine
        self._clock = clock

    def reassess(self, patient: PatientKey) -> None:
        mine, at = c.reassessment.c.patient_key == patient, self._clock()
        try:
            with writing(self._engine) as connection:
                if connection.execute(update(c.reassessment).where(mine).values(asked_at=at)).rowcount == 0:
                    connection.execute(insert(c.reassessment).values(patient_key=patient, asked_at=at))
        except IntegrityError:
            # somebody else asked in the same moment, which is as good
            return

    def asked(self, *, most: int) -> Sequence[PatientKey]:
        """Patients to be assessed again, the longest waiting first."""
        wanted = select(c.reassessment.c.patient_key).order_by(c.reassessment.c.asked_at).limit(most)
        with reading(self._engine) as connection:
            return [PatientKey(key) for key in connection.scalars(wanted)]

    def taken(self, patient: PatientKey) -> bool:
        """Take a request on, before reading what it is about; False when another process was faster."""
        with writing(self._engine) as connection:
            mine = c.reassessment.c.patient_key == patient
            return connection.execute(c.reassessment.delete().where(mine)).rowcount == 1
