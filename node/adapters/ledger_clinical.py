"""The part of the ledger about patients' treatment and fate."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, insert, select

from node.adapters import clinical_schema as c
from node.adapters.ledger import reading, writing
from node.following import EntryRow, EntrySource, Origin
from pipelines.domain.clinical import ClinicalData, Key, PatientKey
from pipelines.domain.clinical_fields import clinical_data


class SqlClinical:
    """Clinical data in the ledger's database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def clinical(self, patient: PatientKey) -> ClinicalData:
        return clinical_data(self.entries(patient))

    def entries(self, patient: PatientKey) -> Mapping[Key, str]:
        with reading(self._engine) as connection:
            return _held(connection, patient)

    def entry_history(self, patient: PatientKey) -> Sequence[EntryRow]:
        with reading(self._engine) as connection:
            return [
                EntryRow(Key(row.name, row.number), row.value, EntrySource(row.source), row.who, row.at)
                for row in _rows(connection, patient)
            ]

    def record(
        self, by_patient: Mapping[PatientKey, Mapping[Key, str]], source: EntrySource, origin: Origin
    ) -> Sequence[PatientKey]:
        changed: list[PatientKey] = []
        with writing(self._engine) as connection:
            for patient, entries in by_patient.items():
                held = _held(connection, patient)
                new = {key: value for key, value in entries.items() if held.get(key, "") != value}
                for key, value in sorted(new.items()):
                    connection.execute(
                        insert(c.clinical_entry).values(
                            patient_key=patient,
                            name=key.name,
                            number=key.number,
                            value=value,
                            source=source,
                            who=origin.who,
                            at=origin.at,
                        )
                    )
                if new:
                    changed.append(patient)
        return changed


def _rows(connection: Connection, patient: PatientKey) -> Sequence[Any]:
    mine = select(c.clinical_entry).where(c.clinical_entry.c.patient_key == patient)
    return connection.execute(mine.order_by(c.clinical_entry.c.id)).all()


def _held(connection: Connection, patient: PatientKey) -> dict[Key, str]:
    last = {Key(row.name, row.number): str(row.value) for row in _rows(connection, patient)}
    return {key: value for key, value in last.items() if value}
