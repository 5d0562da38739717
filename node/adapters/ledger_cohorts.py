"""The part of the ledger about cohorts: their patients, and the cases that the node has of these."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Engine, Row, insert, select

from node.adapters import cohort_schema as c
from node.adapters import ledger_schema as t
from node.adapters.ledger import reading, writing
from node.ports import StoredFile
from pipelines.cohort.members import Member, as_json, from_json
from pipelines.domain.case_state import CaseState
from pipelines.domain.sop_classes import CT_IMAGES

_REPORT: Final = "sr-features"
"""Kind of the report that names the settings with which a case was measured."""
_AT_ONCE: Final = 500
"""Values in one question; SQLite takes no more than some thousands."""
_ENDED: Final = (CaseState.REPORTED, CaseState.DELIVERED, CaseState.COMMITTED, CaseState.REJECTED, CaseState.FAILED)


@dataclass(frozen=True, slots=True)
class LesionRow:
    """A lesion of a case with its features, as they were reported; none when it could not be measured."""

    number: int
    tracking_uid: str
    volume_ml: float
    features: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class CohortCase:
    """A case of a patient of a cohort.

    Attributes
    ----------
    images, segmentation, report
        The files that are still there: all CT images, the segmentation, the measurement report.
    notes
        Codes of what was noted on the case.
    """

    case: int
    patient_key: str
    state: CaseState
    series: str
    images: tuple[StoredFile, ...]
    segmentation: StoredFile | None
    report: StoredFile | None
    notes: tuple[str, ...]
    lesions: tuple[LesionRow, ...]


class SqlCohorts:
    """Cohorts in the ledger's database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def put(self, cohort: str, members: Sequence[Member], *, at: datetime) -> int:
        """Add patients, or renew what is known of those that are there, all in one transaction; how many are new."""
        with writing(self._engine) as connection:
            if connection.scalar(select(c.cohort.c.name).where(c.cohort.c.name == cohort)) is None:
                connection.execute(insert(c.cohort).values(name=cohort, created_at=at))
            mine = c.cohort_member.c.cohort == cohort
            known = set(connection.scalars(select(c.cohort_member.c.patient_key).where(mine)))
            for member in members:
                here = mine & (c.cohort_member.c.patient_key == member.key)
                connection.execute(c.cohort_member.delete().where(here))
                connection.execute(
                    insert(c.cohort_member).values(
                        cohort=cohort, patient_key=member.key, facts=as_json(member), updated_at=at
                    )
                )
        return len({member.key for member in members} - known)

    def names(self) -> dict[str, int]:
        """All cohorts with the number of their patients."""
        with reading(self._engine) as connection:
            found = dict.fromkeys(connection.scalars(select(c.cohort.c.name).order_by(c.cohort.c.name)), 0)
            for name in connection.scalars(select(c.cohort_member.c.cohort)):
                found[name] += 1
        return found

    def members(self, cohort: str) -> tuple[Member, ...]:
        """The patients of a cohort, ordered by their keys.

        Raises
        ------
        KeyError
            If there is no such cohort.
        """
        with reading(self._engine) as connection:
            if connection.scalar(select(c.cohort.c.name).where(c.cohort.c.name == cohort)) is None:
                raise KeyError(cohort)
            rows = connection.execute(
                select(c.cohort_member)
                .where(c.cohort_member.c.cohort == cohort)
                .order_by(c.cohort_member.c.patient_key)
            ).all()
        return tuple(from_json(row.patient_key, row.facts) for row in rows)

    def cases(self, keys: Sequence[str]) -> tuple[CohortCase, ...]:
        """All cases of these patients that have ended and have a CT, ordered by their numbers."""
        found: list[CohortCase] = []
        with reading(self._engine) as connection:
            for start in range(0, len(keys), _AT_ONCE):
                drawn = t.instance.alias()
                rows = connection.execute(
                    select(
                        t.case,
                        drawn.c.patient_key,
                        drawn.c.path,
                        drawn.c.size,
                        drawn.c.sha256,
                        drawn.c.released_at.label("gone"),
                    )
                    .join(drawn, t.case.c.segmentation == drawn.c.sop_instance)
                    .where(
                        drawn.c.patient_key.in_(keys[start : start + _AT_ONCE]),
                        t.case.c.ct_series.is_not(None),
                        t.case.c.state.in_(_ENDED),
                    )
                ).all()
                for row in rows:
                    images = connection.execute(
                        select(t.instance.c.path, t.instance.c.size, t.instance.c.sha256)
                        .where(
                            t.instance.c.series == row.ct_series,
                            t.instance.c.sop_class.in_(sorted(CT_IMAGES)),
                            t.instance.c.released_at.is_(None),
                        )
                        .order_by(t.instance.c.sop_instance)
                    ).all()
                    report = connection.execute(
                        select(t.result.c.path, t.result.c.size, t.result.c.sha256).where(
                            t.result.c.case == row.id,
                            t.result.c.current,
                            t.result.c.kind == _REPORT,
                            t.result.c.released_at.is_(None),
                        )
                    ).first()
                    lesions = connection.execute(
                        select(t.measurement)
                        .where(t.measurement.c.case == row.id)
                        .order_by(t.measurement.c.lesion_number)
                    ).all()
                    found.append(_case(row, images, report, lesions))
        return tuple(sorted(found, key=lambda one: one.case))


def _case(row: Row[Any], images: Sequence[Any], report: Any, lesions: Sequence[Row[Any]]) -> CohortCase:
    return CohortCase(
        case=row.id,
        patient_key=row.patient_key,
        state=CaseState(row.state),
        series=row.ct_series,
        images=tuple(_file(image) for image in images),
        segmentation=None if row.gone is not None else _file(row),
        report=None if report is None else _file(report),
        notes=tuple(note["code"] for note in row.notes or ()),
        lesions=tuple(
            LesionRow(one.lesion_number, one.tracking_uid, one.volume_ml, _features(one.features)) for one in lesions
        ),
    )


def _file(row: Any) -> StoredFile:
    return StoredFile(row.path, row.size, row.sha256)


def _features(kept: Mapping[str, str]) -> tuple[tuple[str, float], ...]:
    return tuple((name, float(value)) for name, value in kept.items())
