"""The part of the ledger that keeps patients' scans, and what was said of them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Engine, Row, delete, exists, insert, or_, select, update

from node.adapters import clinical_schema as c
from node.adapters import history_schema as h
from node.adapters import ledger_schema as t
from node.adapters.history_rows import ask, document, document_values, lesion_values, scan_of, scan_values
from node.adapters.ledger import add_result, advance, reading, stored_file, writing
from node.adapters.ledger_priors import fetched_from, measured_scans
from node.history import Assessed, CaseInputs, Due, KeptScan, Placement
from node.ports import Destination, InputInstance, StoredResult
from pipelines.domain.case import SeriesKey
from pipelines.domain.case_state import CaseEvent, CaseState
from pipelines.domain.clinical import PatientKey
from pipelines.domain.history import DocumentRef, Scan
from pipelines.domain.identifiers import CaseId, SeriesUID, SopClassUID, SopInstanceUID, StudyUID
from pipelines.domain.reasons import Rejected
from pipelines.domain.sop_classes import CT_IMAGES

_ENDED_WELL = (CaseState.REPORTED, CaseState.DELIVERED, CaseState.COMMITTED)


class SqlHistory:
    """Scans and assessments in the ledger's database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    # scans

    def unkept(self, case: CaseId) -> CaseInputs | None:
        found = self.inputs(case)
        if found is None:
            return None
        with reading(self._engine) as connection:
            kept = connection.scalar(select(h.time_point.c.inputs).where(h.time_point.c.case == case))
        return None if kept == found.inputs else found

    def inputs(self, case: CaseId) -> CaseInputs | None:
        with reading(self._engine) as connection:
            row = connection.execute(
                select(t.case, t.instance.c.patient_key)
                .join(t.instance, t.instance.c.sop_instance == t.case.c.segmentation)
                .where(t.case.c.id == case, t.case.c.state.in_(_ENDED_WELL), t.instance.c.released_at.is_(None))
            ).first()
            if row is None:
                return None
            ct = SeriesKey(StudyUID(row.ct_study), SeriesUID(row.ct_series))
            images = connection.execute(
                select(t.instance)
                .where(
                    t.instance.c.study == ct.study,
                    t.instance.c.series == ct.series,
                    t.instance.c.sop_class.in_(sorted(CT_IMAGES)),
                    t.instance.c.released_at.is_(None),
                )
                .order_by(t.instance.c.sop_instance)
            ).all()
            drawn = connection.execute(select(t.instance).where(t.instance.c.sop_instance == row.segmentation)).one()
        if not images:
            return None
        return CaseInputs(
            case,
            PatientKey(row.patient_key),
            ct,
            tuple(_input(image) for image in images),
            _input(drawn),
            row.inputs_seen,
        )

    def keep(self, inputs: CaseInputs, scan: Scan | Rejected, *, at: datetime) -> None:
        with writing(self._engine) as connection:
            if _locked(connection, inputs.case) is None:
                # deleted meanwhile
                return
            _forget_scan(connection, inputs.case)
            connection.execute(insert(h.time_point).values(**scan_values(inputs, scan, at)))
            if isinstance(scan, Scan) and scan.sightings:
                connection.execute(insert(h.time_point_lesion), lesion_values(inputs.case, scan))
            ask(connection, inputs.patient, at)

    def patient_of(self, case: CaseId) -> PatientKey | None:
        with reading(self._engine) as connection:
            key = connection.scalar(select(h.time_point.c.patient_key).where(h.time_point.c.case == case))
        return None if key is None else PatientKey(key)

    def scans(self, patient: PatientKey) -> Sequence[KeptScan]:
        wanted = (
            select(h.time_point, t.case.c.state, t.case.c.study)
            .join(t.case, t.case.c.id == h.time_point.c.case)
            .where(h.time_point.c.patient_key == patient, h.time_point.c.rejected.is_(None))
            .order_by(h.time_point.c.case)
        )
        with reading(self._engine) as connection:
            rows = connection.execute(wanted).all()
            of_case: dict[int, list[Any]] = {row.case: [] for row in rows}
            fetched = fetched_from(connection, [row.study for row in rows])
            measured = measured_scans(connection, patient)
            documents = {row.case: _documents(connection, row) for row in rows}
            for lesion in connection.execute(
                select(h.time_point_lesion)
                .where(h.time_point_lesion.c.case.in_(list(of_case)))
                .order_by(h.time_point_lesion.c.case, h.time_point_lesion.c.number)
            ):
                of_case[lesion.case].append(lesion)
        return [
            *(KeptScan(None, scan, False, peer, (report,)) for scan, report, peer in measured),
            *(
                KeptScan(
                    CaseId(row.case),
                    scan_of(row, of_case[row.case]),
                    row.state in _ENDED_WELL and fetched.get(row.study, ("", True))[1],
                    fetched.get(row.study, ("", True))[0],
                    documents[row.case],
                )
                for row in rows
            ),
        ]

    # places

    def placement(self, fixed: Scan, moving: Scan) -> Placement | None:
        here = (h.placement.c.fixed == fixed.digest) & (h.placement.c.moving == moving.digest)
        with reading(self._engine) as connection:
            row = connection.execute(select(h.placement).where(here)).first()
        return None if row is None else Placement(tuple(row.rotation), tuple(row.shift_mm), row.correlation)

    def keep_placement(self, fixed: Scan, moving: Scan, placement: Placement) -> None:
        here = (h.placement.c.fixed == fixed.digest) & (h.placement.c.moving == moving.digest)
        with writing(self._engine) as connection:
            # two workers find the same
            connection.execute(delete(h.placement).where(here))
            connection.execute(
                insert(h.placement).values(
                    fixed=fixed.digest,
                    moving=moving.digest,
                    rotation=list(placement.rotation),
                    shift_mm=list(placement.shift_mm),
                    correlation=placement.correlation,
                )
            )

    # what is asked for, and what was said

    def asked(self, patient: PatientKey) -> datetime | None:
        with reading(self._engine) as connection:
            return connection.scalar(select(c.reassessment.c.asked_at).where(c.reassessment.c.patient_key == patient))

    def ask(self, patient: PatientKey, *, at: datetime) -> None:
        with writing(self._engine) as connection:
            ask(connection, patient, at)

    def answered(self, patient: PatientKey, asked_at: datetime) -> bool:
        with writing(self._engine) as connection:
            here = (c.reassessment.c.patient_key == patient) & (c.reassessment.c.asked_at == asked_at)
            return connection.execute(c.reassessment.delete().where(here)).rowcount == 1

    def assessed(self, case: CaseId) -> Assessed | None:
        current = exists().where(
            t.result.c.case == case, t.result.c.current, t.result.c.sop_instance == h.assessment.c.report_uid
        )
        with reading(self._engine) as connection:
            row = connection.execute(
                select(h.assessment, current.label("current")).where(h.assessment.c.case == case)
            ).first()
        if row is None:
            return None
        return Assessed(
            row.label,
            row.inputs,
            tuple(row.lines),
            tuple(Rejected(**note) for note in row.notes),
            document(row.report),
            document(row.predecessor),
            row.made_at,
            current=bool(row.current) or row.report is None,
            due=None if row.due_from is None else (date.fromisoformat(row.due_from), date.fromisoformat(row.due_until)),
        )

    def say(
        self,
        patient: PatientKey,
        asked_at: datetime,
        case: CaseId,
        said: Assessed,
        results: Sequence[StoredResult],
        destinations: Sequence[Destination],
        *,
        at: datetime,
    ) -> bool:
        with writing(self._engine) as connection:
            row = _locked(connection, case)
            mine = select(c.reassessment.c.asked_at).where(c.reassessment.c.patient_key == patient).with_for_update()
            if row is None or connection.scalar(mine) != asked_at or row.state not in _ENDED_WELL:
                return False
            values = _values(said)
            if (
                connection.execute(update(h.assessment).where(h.assessment.c.case == case).values(**values)).rowcount
                == 0
            ):
                connection.execute(insert(h.assessment).values(case=case, **values))
            takers = [[one for one in destinations if one.wants(made.kind)] for made in results]
            if any(takers):
                advance(connection, case, CaseEvent.ASSESSED, f"Response at {said.label} assessed.", at)
            for made, getting in zip(results, takers, strict=True):
                add_result(connection, case, made, getting, at)
        return True

    def due(self) -> Sequence[Due]:
        wanted = (
            select(h.time_point.c.patient_key, h.assessment)
            .join(h.assessment, h.assessment.c.case == h.time_point.c.case)
            .where(h.assessment.c.report_uid.is_not(None))
            .order_by(h.assessment.c.label, h.assessment.c.case)
        )
        latest: dict[str, Due] = {}
        with reading(self._engine) as connection:
            for row in connection.execute(wanted):
                window = [None if day is None else date.fromisoformat(day) for day in (row.due_from, row.due_until)]
                latest[row.patient_key] = Due(CaseId(row.case), row.label, *window)
        return list(latest.values())

    def waiting(self, *, quiet_since: datetime, most: int) -> Sequence[CaseId]:
        ended = t.case.c.state.in_(_ENDED_WELL)
        quiet = t.case.c.updated_at < quiet_since
        here = t.instance.c.released_at.is_(None)
        reported = exists().where(
            t.result.c.case == t.case.c.id, t.result.c.current, t.result.c.sop_instance == h.assessment.c.report_uid
        )
        of_cases = (
            select(t.case.c.id)
            .join(t.instance, t.instance.c.sop_instance == t.case.c.segmentation)
            .outerjoin(h.time_point, h.time_point.c.case == t.case.c.id)
            .outerjoin(h.assessment, h.assessment.c.case == t.case.c.id)
            .where(
                ended,
                quiet,
                here,
                or_(
                    h.time_point.c.case.is_(None),
                    h.time_point.c.inputs != t.case.c.inputs_seen,
                    h.assessment.c.report_uid.is_not(None) & ~reported,
                ),
            )
            .order_by(t.case.c.id)
            .limit(most)
        )
        of_patients = (
            select(h.time_point.c.case)
            .join(c.reassessment, c.reassessment.c.patient_key == h.time_point.c.patient_key)
            .order_by(h.time_point.c.case)
        )
        with reading(self._engine) as connection:
            cases = list(connection.scalars(of_cases))
            firsts: dict[str, int] = {}
            for row in connection.execute(of_patients.add_columns(h.time_point.c.patient_key).limit(100 * most)):
                firsts.setdefault(row.patient_key, row.case)
        return [CaseId(case) for case in dict.fromkeys([*cases, *list(firsts.values())[:most]])]


def _locked(connection: Connection, case: CaseId) -> Row[Any] | None:
    return connection.execute(select(t.case).where(t.case.c.id == case).with_for_update()).first()


def _documents(connection: Connection, row: Row[Any]) -> tuple[DocumentRef, ...]:
    """The segmentation of a scan and the images that it was drawn on, as they were received."""
    images = (t.instance.c.series == row.ct_series) & t.instance.c.sop_class.in_(sorted(CT_IMAGES))
    wanted = (
        select(t.instance.c.study, t.instance.c.series, t.instance.c.sop_class, t.instance.c.sop_instance)
        .where(or_(t.instance.c.sop_instance == row.segmentation, images))
        .order_by(images, t.instance.c.sop_instance)
    )
    return tuple(
        DocumentRef(
            SeriesKey(StudyUID(one.study), SeriesUID(one.series)),
            SopClassUID(one.sop_class),
            SopInstanceUID(one.sop_instance),
        )
        for one in connection.execute(wanted)
    )


def _input(row: Row[Any]) -> InputInstance:
    return InputInstance(SopInstanceUID(row.sop_instance), stored_file(row))


def _forget_scan(connection: Connection, case: CaseId) -> None:
    for table in (h.time_point_lesion, h.time_point):
        connection.execute(table.delete().where(table.c.case == case))


def _values(said: Assessed) -> Mapping[str, object]:
    return {
        "label": said.label,
        "inputs": said.inputs,
        "lines": list(said.lines),
        "notes": [asdict(note) for note in said.notes],
        "report": document_values(said.report),
        "report_uid": None if said.report is None else said.report.sop_instance,
        "predecessor": document_values(said.predecessor),
        "made_at": said.made_at,
        "due_from": None if said.due is None else said.due[0].isoformat(),
        "due_until": None if said.due is None else said.due[1].isoformat(),
    }
