"""The part of the ledger that the audit trail asks: which studies arrived, and which a case or a patient has."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Engine, func, or_, select

from node.adapters import ledger_schema as t
from node.adapters.ledger import reading
from node.services.trail import Arrived, AuditedPatient, AuditedStudy
from pipelines.domain.identifiers import CaseId

Identify = Callable[[str], tuple[str, str]]
"""Reads ID and name of the patient from a file of the spool, by its path."""


def nobody(path: str) -> tuple[str, str]:
    """Tells nobody's ID and name."""
    return "", ""


class SqlAudit:
    """Questions to the ledger's database.

    Parameters
    ----------
    identify
        Who a study is about; by default the trail knows a pseudonym alone.
    """

    def __init__(self, engine: Engine, identify: Identify = nobody) -> None:
        self._engine = engine
        self._identify = identify

    def arrived(self, *, after: datetime, until: datetime) -> Sequence[Arrived]:
        senders = (t.instance.c.calling_ae_title, t.instance.c.called_ae_title)
        rows = self._counted((t.instance.c.received_at > after) & (t.instance.c.received_at <= until), *senders)
        return [
            Arrived(calling, called, self._study(group)) for (calling, called, _, _), group in _grouped(rows, senders)
        ]

    def of_case(self, case: CaseId) -> Sequence[AuditedStudy]:
        wanted = t.case.c.id == case
        return self._studies(
            or_(
                t.instance.c.sop_instance.in_(select(t.case.c.segmentation).where(wanted)),
                t.instance.c.series.in_(select(t.case.c.ct_series).where(wanted)),
            )
        )

    def of_patient(self, case: CaseId) -> Sequence[AuditedStudy]:
        """All studies of the patient of a case."""
        drawn = select(t.case.c.segmentation).where(t.case.c.id == case)
        key = select(t.instance.c.patient_key).where(t.instance.c.sop_instance.in_(drawn))
        return self._studies(t.instance.c.patient_key.in_(key))

    def of_study(self, study: str) -> Sequence[AuditedStudy]:
        """A study, for each patient that it is of."""
        return self._studies(t.instance.c.study == study)

    def _studies(self, wanted: ColumnElement[bool]) -> Sequence[AuditedStudy]:
        return [self._study(group) for _, group in _grouped(self._counted(wanted), ())]

    def _counted(self, wanted: ColumnElement[bool], *senders: Any) -> Sequence[Any]:
        one = t.instance.c
        keys = (*senders, one.study, one.patient_key, one.sop_class)
        asked = select(*keys, func.count().label("number"), func.min(one.path).label("path"))
        with reading(self._engine) as connection:
            return connection.execute(asked.where(wanted).group_by(*keys).order_by(*keys)).all()

    def _study(self, rows: Sequence[Any]) -> AuditedStudy:
        first = rows[0]
        number, name = self._identify(first.path)
        patient = AuditedPatient(first.patient_key, number, name)
        return AuditedStudy(first.study, patient, {row.sop_class: row.number for row in rows})


def _grouped(rows: Iterable[Any], senders: Sequence[Any]) -> Iterable[tuple[tuple[str, ...], list[Any]]]:
    """Rows of one study of one patient from one sender together."""
    groups: dict[tuple[str, ...], list[Any]] = {}
    for row in rows:
        groups.setdefault(tuple(row[: len(senders) + 2]), []).append(row)
    return groups.items()
