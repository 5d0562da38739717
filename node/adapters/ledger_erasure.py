"""The part of the ledger that deletes cases, of which nothing remains but that and when it was done."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import Connection, Engine, insert, or_, select

from node.adapters import clinical_schema as c
from node.adapters import cohort_schema
from node.adapters import history_schema as h
from node.adapters import ledger_schema as t
from node.adapters import priors_schema as p
from node.adapters import retention_schema as kept
from node.adapters import workflow_schema as w
from node.adapters.history_rows import ask
from node.adapters.ledger import writing
from node.adapters.ledger_priors import forget_priors
from node.adapters.ledger_retention import drop_conflicts, release_order, to_remove
from node.adapters.steps.datasets import decoded
from node.keeping import Why
from node.ports import TaskState
from pipelines.domain.case_state import CaseState
from pipelines.domain.identifiers import CaseId, digest_of
from pipelines.domain.procedure_step import StepState
from pipelines.domain.sop_classes import CT_IMAGES


class SqlErasure:
    """Deletions in the ledger's database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def erase(self, case: CaseId, why: Why, detail: str, *, at: datetime) -> CaseState | None:
        with writing(self._engine) as connection:
            refused_in = _forbidden(connection, [case])
            if refused_in is None:
                _erase(connection, case, why, detail, at)
        if refused_in is None:
            self._forget_pages()
        return refused_in

    def erase_patient(self, case: CaseId, detail: str, *, at: datetime) -> Sequence[CaseId] | CaseState:
        with writing(self._engine) as connection:
            key = connection.scalar(
                select(t.instance.c.patient_key)
                .join(t.case, t.case.c.segmentation == t.instance.c.sop_instance)
                .where(t.case.c.id == case)
            )
            if key is None:
                raise KeyError(case)
            of_patient = t.instance.c.patient_key == key
            series = select(t.instance.c.series).where(of_patient)
            drawn = select(t.instance.c.sop_instance).where(of_patient)
            wanted = select(t.case.c.id).where(or_(t.case.c.segmentation.in_(drawn), t.case.c.ct_series.in_(series)))
            cases = [CaseId(one) for one in connection.scalars(wanted.order_by(t.case.c.id))]
            refused_in = _forbidden(connection, cases)
            if refused_in is not None:
                return refused_in
            for one in cases:
                _erase(connection, one, Why.PERSON, detail, at)
            _drop_instances(connection, connection.scalars(drawn).all(), at)
            _drop_steps(connection, key)
            in_cohorts = cohort_schema.cohort_member
            connection.execute(in_cohorts.delete().where(in_cohorts.c.patient_key == key))
            _drop_clinical(connection, key)
        self._forget_pages()
        return cases

    def _forget_pages(self) -> None:
        """Leave what was deleted in no unused page of the file and in no journal."""
        if self._engine.dialect.name == "sqlite":
            with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")


def _forbidden(connection: Connection, cases: Sequence[CaseId]) -> CaseState | None:
    """The state of a case that cannot be deleted now; raises `KeyError` when one is not there."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA secure_delete=ON")
    rows = connection.execute(
        select(t.case.c.id, t.case.c.state).where(t.case.c.id.in_(cases)).order_by(t.case.c.id).with_for_update()
    ).all()
    missing = set(cases) - {row.id for row in rows}
    if missing:
        raise KeyError(min(missing))
    # its worker would write files that nobody knows of
    return next((CaseState(row.state) for row in rows if row.state == CaseState.RUNNING), None)


def _erase(connection: Connection, case: CaseId, why: Why, detail: str, at: datetime) -> None:
    row = connection.execute(select(t.case).where(t.case.c.id == case)).one()
    # the history of a case goes only when this is written down
    connection.execute(insert(kept.erasure).values(case=case, at=at, why=why, detail=detail))
    paths = connection.scalars(select(t.result.c.path).where(t.result.c.case == case)).all()
    to_remove(connection, paths, at, case=case)
    release_order(connection, case, at)
    _drop_scan(connection, case, at)
    for table in (t.delivery, t.result, t.measurement, t.verification, t.event, w.retrieval):
        connection.execute(table.delete().where(table.c.case == case))
    mine = t.step_task.c.case == case
    connection.execute(t.step_task.delete().where(mine, t.step_task.c.state == TaskState.ENDED))
    # a task that has not ended finds no case any more, and is cancelled in its time
    connection.execute(t.step_task.update().where(mine).values(case=None, state=TaskState.WAITING))
    connection.execute(p.prior_search.delete().where(p.prior_search.c.case == case))
    connection.execute(t.case.delete().where(t.case.c.id == case))
    images = (t.instance.c.series == row.ct_series) & t.instance.c.sop_class.in_(sorted(CT_IMAGES))
    used = select(t.case.c.ct_series).where(t.case.c.ct_series.is_not(None))
    drawn = select(t.case.c.segmentation)
    here = (t.instance.c.sop_instance == row.segmentation) | (images & t.instance.c.series.not_in(used))
    instances = select(t.instance.c.sop_instance).where(here, t.instance.c.sop_instance.not_in(drawn))
    _drop_instances(connection, connection.scalars(instances).all(), at)


def _drop_scan(connection: Connection, case: CaseId, at: datetime) -> None:
    """Delete what was kept of a case for the comparison over time; the patient's other scans are assessed anew."""
    row = connection.execute(select(h.time_point).where(h.time_point.c.case == case)).first()
    if row is not None:
        either = (h.placement.c.fixed == row.digest) | (h.placement.c.moving == row.digest)
        connection.execute(h.placement.delete().where(either))
        for table in (h.time_point_lesion, h.time_point):
            connection.execute(table.delete().where(table.c.case == case))
        mine = h.time_point.c.patient_key == row.patient_key
        if connection.execute(select(h.time_point.c.case).where(mine).limit(1)).first() is None:
            connection.execute(c.reassessment.delete().where(c.reassessment.c.patient_key == row.patient_key))
        else:
            ask(connection, row.patient_key, at)
    connection.execute(h.assessment.delete().where(h.assessment.c.case == case))


def _drop_instances(connection: Connection, instances: Iterable[str], at: datetime) -> None:
    for sop_instance in instances:
        here = t.instance.c.sop_instance == sop_instance
        row = connection.execute(select(t.instance.c.path, t.instance.c.released_at).where(here)).one()
        if row.released_at is None:
            to_remove(connection, [row.path], at)
        drop_conflicts(connection, [sop_instance], at)
        connection.execute(t.instance.delete().where(here))


def _drop_clinical(connection: Connection, patient_key: str) -> None:
    """Delete what people told about a patient and decided."""
    forget_priors(connection, patient_key)
    mine = select(c.reading.c.id).where(c.reading.c.patient_key == patient_key)
    connection.execute(c.reading_undone.delete().where(c.reading_undone.c.reading.in_(mine)))
    for table in (c.reading, c.clinical_entry, c.reader_report, c.reassessment):
        connection.execute(table.delete().where(table.c.patient_key == patient_key))


def _drop_steps(connection: Connection, patient_key: str) -> None:
    """Delete the finished tasks of a patient from the node's own worklist, and what is still to be told about them."""
    ended = t.procedure_step.c.state.in_([StepState.COMPLETED, StepState.CANCELED])
    for row in connection.execute(select(t.procedure_step).where(ended)).all():
        step = decoded(row.dataset)
        named = digest_of(str(step.get("PatientID", "")).strip(), str(step.get("IssuerOfPatientID", "")).strip())
        if named == patient_key:
            for table in (t.step_subscription, t.step_event, t.step_task, t.procedure_step):
                connection.execute(table.delete().where(table.c.sop_instance == row.sop_instance))
