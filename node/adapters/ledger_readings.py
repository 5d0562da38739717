"""The part of the ledger about what readers decided, and about the reports that they decided in."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Engine, exists, insert, select, update
from sqlalchemy.exc import IntegrityError

from node.adapters import clinical_schema as c
from node.adapters import ledger_schema as t
from node.adapters.ledger import reading, writing
from node.following import CaseLesion, Origin, ReadCase, Report
from node.ports import StoredFile
from pipelines.domain.clinical import PatientKey
from pipelines.domain.identifiers import CaseId, SopInstanceUID, StudyUID
from pipelines.domain.readings import Decision, Question, Reading, Source, TrackingUID
from pipelines.domain.reasons import Rejected


class SqlReadings:
    """Readers' decisions in the ledger's database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def readings(self, patient: PatientKey) -> Sequence[Reading]:
        wanted = (
            select(c.reading, c.reading_undone.c.reading.label("undone"))
            .outerjoin(c.reading_undone, c.reading_undone.c.reading == c.reading.c.id)
            .where(c.reading.c.patient_key == patient)
        )
        with reading(self._engine) as connection:
            return [_reading(row) for row in connection.execute(wanted.order_by(c.reading.c.id))]

    def case_read(self, case: CaseId) -> ReadCase | None:
        with reading(self._engine) as connection:
            return next(iter(_cases(connection, t.case.c.id == case)), None)

    def cases_of(self, patient: PatientKey) -> Sequence[ReadCase]:
        with reading(self._engine) as connection:
            return _cases(connection, t.instance.c.patient_key == patient)

    def decide(
        self,
        patient: PatientKey,
        decisions: Sequence[Decision],
        source: Source,
        origin: Origin,
        *,
        source_uid: str = "",
        case: CaseId | None = None,
    ) -> Sequence[int]:
        with writing(self._engine) as connection:
            return [_decide(connection, patient, one, source, origin, source_uid, case) for one in decisions]

    def undo(self, patient: PatientKey, number: int, origin: Origin) -> bool:
        mine = (c.reading.c.id == number) & (c.reading.c.patient_key == patient)
        try:
            with writing(self._engine) as connection:
                if connection.execute(select(c.reading.c.id).where(mine)).first() is None:
                    return False
                connection.execute(
                    insert(c.reading_undone).values(reading=number, who=origin.who, reason=origin.reason, at=origin.at)
                )
        except IntegrityError:
            # taken back already
            return False
        return True

    def unread_reports(self, *, most: int) -> Sequence[Report]:
        instance, report = t.instance.c, c.reader_report.c
        wanted = (
            select(t.instance)
            .join(c.reader_report, report.sop_instance == instance.sop_instance)
            .where(report.read_at.is_(None), instance.released_at.is_(None))
            # our own come back where a PACS sends on whatever it gets
            .where(~exists().where(t.result.c.sop_instance == instance.sop_instance))
            .order_by(report.received_at, report.sop_instance)
            .limit(most)
        )
        with reading(self._engine) as connection:
            return [
                Report(
                    SopInstanceUID(row.sop_instance),
                    PatientKey(row.patient_key),
                    StoredFile(row.path, row.size, row.sha256),
                )
                for row in connection.execute(wanted)
            ]

    def report_read(
        self, report: Report, decisions: Sequence[Decision], origin: Origin, notes: Sequence[Rejected]
    ) -> None:
        mine = (c.reader_report.c.sop_instance == report.sop_instance) & c.reader_report.c.read_at.is_(None)
        told = {"read_at": origin.at, "decisions": len(decisions), "notes": [asdict(note) for note in notes]}
        with writing(self._engine) as connection:
            # another process may have been faster, and has written the same
            if connection.execute(update(c.reader_report).where(mine).values(told)).rowcount:
                for one in decisions:
                    _decide(connection, report.patient, one, Source.REPORT, origin, report.sop_instance, None)


def _decide(
    connection: Connection,
    patient: PatientKey,
    decision: Decision,
    source: Source,
    origin: Origin,
    source_uid: str,
    case: CaseId | None,
) -> int:
    written = connection.execute(
        insert(c.reading).values(
            patient_key=patient,
            question=decision.question,
            study=decision.study,
            lesion=decision.lesion,
            answer=decision.answer,
            source=source,
            source_uid=source_uid,
            case=case,
            who=origin.who,
            reason=origin.reason,
            at=origin.at,
        )
    )
    (number,) = written.inserted_primary_key or (0,)
    return int(number)


def _reading(row: Any) -> Reading:
    lesion = None if row.lesion is None else TrackingUID(row.lesion)
    return Reading(
        number=row.id,
        decision=Decision(Question(row.question), StudyUID(row.study), lesion, row.answer),
        at=row.at,
        who=row.who,
        source=Source(row.source),
        reason=row.reason,
        source_uid=row.source_uid,
        case=None if row.case is None else CaseId(row.case),
        undone=row.undone is not None,
    )


def _cases(connection: Connection, which: Any) -> list[ReadCase]:
    wanted = (
        select(t.case.c.id, t.case.c.study, t.case.c.ct_study, t.instance.c.patient_key)
        .join(t.instance, t.instance.c.sop_instance == t.case.c.segmentation)
        .where(which)
        .order_by(t.case.c.id)
    )
    return [
        ReadCase(
            CaseId(row.id),
            PatientKey(row.patient_key),
            StudyUID(row.ct_study or row.study),
            tuple(
                CaseLesion(one.lesion_number, TrackingUID(one.tracking_uid), one.volume_ml)
                for one in connection.execute(
                    select(t.measurement).where(t.measurement.c.case == row.id).order_by(t.measurement.c.lesion_number)
                )
            ),
        )
        for row in connection.execute(wanted).all()
    ]
