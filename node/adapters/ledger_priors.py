"""The part of the ledger about earlier studies that were fetched from an archive."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, exists, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from node.adapters import ledger_schema as t
from node.adapters import priors_schema as p
from node.adapters.history_rows import ask
from node.adapters.ledger import note, reading, stored_file, writing
from node.ports import InputInstance
from node.priors import Prior, Wanting
from pipelines.domain.case import SeriesKey
from pipelines.domain.clinical import PatientKey
from pipelines.domain.history import MEASURED_ONLY, DocumentRef, Scan
from pipelines.domain.identifiers import (
    CaseId,
    FrameOfReferenceUID,
    SeriesUID,
    SopClassUID,
    SopInstanceUID,
    StudyUID,
)
from pipelines.domain.identity import NOWHERE, Sighting
from pipelines.domain.organs import Organ
from pipelines.domain.recist import Tenths
from pipelines.domain.scan_date import ScanDate
from pipelines.domain.sop_classes import READER_REPORTS, SEGMENTATIONS


class SqlPriors:
    """Searches and what they found, in the ledger's database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def wanting(self, *, since: datetime, at: datetime, most: int) -> Sequence[Wanting]:
        wanted = (
            select(t.case.c.id, t.instance, p.prior_search.c.attempts)
            .join(t.instance, t.instance.c.sop_instance == t.case.c.segmentation)
            .outerjoin(p.prior_search, p.prior_search.c.case == t.case.c.id)
            .where(
                t.case.c.created_at >= since,
                t.instance.c.released_at.is_(None),
                or_(p.prior_search.c.case.is_(None), p.prior_search.c.again_at <= at),
                ~exists().where(p.prior_study.c.study == t.instance.c.study),
            )
            .order_by(t.case.c.id)
            .limit(most)
        )
        with reading(self._engine) as connection:
            return [
                Wanting(
                    CaseId(row.id),
                    PatientKey(row.patient_key),
                    StudyUID(row.study),
                    stored_file(row),
                    row.attempts or 0,
                )
                for row in connection.execute(wanted)
            ]

    def searched(self, case: CaseId, detail: str, *, at: datetime, again_at: datetime | None) -> None:
        with writing(self._engine) as connection:
            if connection.scalar(select(t.case.c.id).where(t.case.c.id == case)) is None:
                # deleted meanwhile
                return
            mine = p.prior_search.c.case == case
            values = {"again_at": again_at, "detail": detail, "at": at}
            again = update(p.prior_search).where(mine).values(attempts=p.prior_search.c.attempts + 1, **values)
            before = connection.scalar(select(p.prior_search.c.detail).where(mine))
            if connection.execute(again).rowcount == 0:
                connection.execute(insert(p.prior_search).values(case=case, attempts=1, **values))
            if detail != before:
                note(connection, case, "priors", detail, at)

    def drawn(self, study: StudyUID) -> bool:
        here = t.instance.c.study == study
        wanted = select(t.instance.c.sop_instance).where(here, t.instance.c.sop_class.in_(sorted(SEGMENTATIONS)))
        with reading(self._engine) as connection:
            return connection.execute(wanted.limit(1)).first() is not None

    def expect(self, prior: Prior, *, at: datetime) -> None:
        values = {"patient_key": prior.patient, "peer": prior.peer, "reported": prior.reported, "at": at}
        try:
            with writing(self._engine) as connection:
                if connection.scalar(select(p.prior_study.c.study).where(p.prior_study.c.study == prior.study)) is None:
                    connection.execute(insert(p.prior_study).values(study=prior.study, **values))
        except IntegrityError:
            # another process looks after another case of the patient
            return

    def prior_of(self, case: CaseId) -> Prior | None:
        wanted = (
            select(p.prior_study)
            .join(t.instance, t.instance.c.study == p.prior_study.c.study)
            .join(t.case, t.case.c.segmentation == t.instance.c.sop_instance)
            .where(t.case.c.id == case)
        )
        with reading(self._engine) as connection:
            row = connection.execute(wanted).first()
        return None if row is None else Prior(StudyUID(row.study), PatientKey(row.patient_key), row.peer, row.reported)

    def reports_of(self, study: StudyUID) -> Sequence[InputInstance]:
        wanted = (
            select(t.instance)
            .where(
                t.instance.c.study == study,
                t.instance.c.sop_class.in_(sorted(READER_REPORTS)),
                t.instance.c.released_at.is_(None),
            )
            .order_by(t.instance.c.sop_instance)
        )
        with reading(self._engine) as connection:
            return [
                InputInstance(SopInstanceUID(row.sop_instance), stored_file(row)) for row in connection.execute(wanted)
            ]

    def keep_report(self, prior: Prior, report: SopInstanceUID, scan: Scan, *, at: datetime) -> None:
        mine = p.prior_report.c.study == prior.study
        with writing(self._engine) as connection:
            if connection.scalar(select(p.prior_report.c.digest).where(mine)) == scan.digest:
                return
            connection.execute(p.prior_report.delete().where(mine))
            connection.execute(
                insert(p.prior_report).values(
                    study=prior.study,
                    series=scan.ct.series,
                    report=report,
                    patient_key=prior.patient,
                    scanned_on=f"{scan.scanned_on.earliest.isoformat()}/{scan.scanned_on.latest.isoformat()}",
                    lesions=[_lesion_values(seen) for seen in scan.sightings],
                    digest=scan.digest,
                    at=at,
                )
            )
            ask(connection, prior.patient, at)


def measured_scans(connection: Connection, patient: str) -> list[tuple[Scan, DocumentRef, str]]:
    """Visits of a patient of which reports tell and no segmentation, with the report and the peer that it came from."""
    of_study = t.instance.alias()
    drawn = exists().where(of_study.c.study == p.prior_report.c.study, of_study.c.sop_class.in_(sorted(SEGMENTATIONS)))
    wanted = (
        select(p.prior_report, p.prior_study.c.peer, t.instance.c.sop_class)
        .join(t.instance, t.instance.c.sop_instance == p.prior_report.c.report)
        .join(p.prior_study, p.prior_study.c.study == p.prior_report.c.study)
        .where(p.prior_report.c.patient_key == patient, ~drawn)
        .order_by(p.prior_report.c.study)
    )
    return [
        (scan := _scan(row), DocumentRef(scan.ct, SopClassUID(row.sop_class), scan.segmentation), row.peer)
        for row in connection.execute(wanted)
    ]


def fetched_from(connection: Connection, studies: Sequence[str]) -> dict[str, tuple[str, bool]]:
    """Peer, and whether it is reported, of each of `studies` that was fetched."""
    wanted = select(p.prior_study).where(p.prior_study.c.study.in_(studies))
    return {row.study: (row.peer, row.reported) for row in connection.execute(wanted)}


def forget_priors(connection: Connection, patient: str) -> None:
    """Delete what is known of the earlier studies of a patient."""
    for table in (p.prior_report, p.prior_study):
        connection.execute(table.delete().where(table.c.patient_key == patient))


def _lesion_values(seen: Sighting) -> dict[str, object]:
    return {
        "tracking_id": seen.tracking_id,
        "tracking_uid": seen.tracking_uid,
        "own_uid": seen.own_uid,
        "organ": seen.organ.value,
        "long_axis": seen.long_axis,
        "short_axis": seen.short_axis,
        "volume_ml": seen.volume_ml,
    }


def _scan(row: Any) -> Scan:
    first, _, last = row.scanned_on.partition("/")
    return Scan(
        ScanDate(ScanDate.parse(first).earliest, ScanDate.parse(last).latest),
        SeriesKey(StudyUID(row.study), SeriesUID(row.series)),
        SopInstanceUID(row.report),
        FrameOfReferenceUID(""),
        tuple(_sighting(number, values) for number, values in enumerate(row.lesions, 1)),
        MEASURED_ONLY,
        row.digest,
    )


def _sighting(number: int, values: dict[str, Any]) -> Sighting:
    organ = Organ(values["organ"])
    return Sighting(
        number=number,
        tracking_id=values["tracking_id"],
        tracking_uid=values["tracking_uid"],
        own_uid=values["own_uid"],
        organ=organ,
        is_node=organ is Organ.LYMPH_NODE,
        long_axis=Tenths(values["long_axis"]),
        short_axis=Tenths(values["short_axis"]),
        volume_ml=values["volume_ml"],
        points_mm=NOWHERE,
        step_mm=1.0,
    )
