"""The part of the ledger that remembers whose assessment has to be made again."""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Engine, insert, update
from sqlalchemy.exc import IntegrityError

from node.adapters import clinical_schema as c
from node.adapters.ledger import writing
from pipelines.domain.clinical import PatientKey


class SqlReassessments:
    """Requests in the ledger's database, where whoever assesses finds them: any process may ask."""

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
