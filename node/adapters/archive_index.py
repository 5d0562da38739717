"""What the node holds, received and made, by study, series and instance."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, Row, and_, func, select, union_all
from sqlalchemy.exc import OperationalError

from node.adapters import ledger_schema as t
from node.errors import TransientError
from node.ports import StoredFile


@dataclass(frozen=True, slots=True)
class HeldStudy:
    """A study with what the node holds of it."""

    study: str
    series: int
    instances: int
    newest: datetime | None


@dataclass(frozen=True, slots=True)
class HeldInstance:
    """One instance that the node holds."""

    study: str
    series: str
    sop_instance: str
    sop_class: str
    transfer_syntax: str
    file: StoredFile


def _held() -> Any:
    """Rows of all instances: those received, and the current results in the study of their CT."""
    received = select(
        t.instance.c.study,
        t.instance.c.series,
        t.instance.c.sop_instance,
        t.instance.c.sop_class,
        t.instance.c.transfer_syntax,
        t.instance.c.path,
        t.instance.c.size,
        t.instance.c.sha256,
        t.instance.c.received_at.label("at"),
    ).where(t.instance.c.released_at.is_(None))
    made = (
        select(
            t.case.c.ct_study.label("study"),
            t.result.c.series,
            t.result.c.sop_instance,
            t.result.c.sop_class,
            t.result.c.transfer_syntax,
            t.result.c.path,
            t.result.c.size,
            t.result.c.sha256,
            t.case.c.updated_at.label("at"),
        )
        .join(t.case, t.case.c.id == t.result.c.case)
        .where(t.result.c.current, t.result.c.released_at.is_(None), t.case.c.ct_study.is_not(None))
    )
    return union_all(received, made).subquery()


class ArchiveIndex:
    """Reads the ledger as an archive would be read."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        try:
            with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                yield connection
        except OperationalError as fault:
            raise TransientError("RCV-005", "The ledger cannot be read.") from fault

    def studies(self, *, studies: Sequence[str] = (), limit: int, offset: int = 0) -> Sequence[HeldStudy]:
        """Studies, the one with the newest instance first; only those named when any are."""
        held = _held()
        query = (
            select(
                held.c.study,
                func.count(func.distinct(held.c.series)).label("series"),
                func.count(func.distinct(held.c.sop_instance)).label("instances"),
                func.max(held.c.at).label("newest"),
            )
            .group_by(held.c.study)
            .order_by(func.max(held.c.at).desc(), held.c.study)
            .limit(limit)
            .offset(offset)
        )
        if studies:
            query = query.where(held.c.study.in_(studies))
        with self._reading() as connection:
            rows = connection.execute(query).all()
        return [HeldStudy(row.study, row.series, row.instances, row.newest) for row in rows]

    def one_of_each_series(self, studies: Sequence[str]) -> Mapping[str, Sequence[HeldInstance]]:
        """For each of the studies an instance of each of its series."""
        held, again = _held(), _held()
        chosen = (
            select(held.c.study, held.c.series, func.min(held.c.sop_instance).label("sop_instance"))
            .where(held.c.study.in_(studies))
            .group_by(held.c.study, held.c.series)
            .subquery()
        )
        query = (
            select(again)
            .join(
                chosen,
                and_(
                    again.c.study == chosen.c.study,
                    again.c.series == chosen.c.series,
                    again.c.sop_instance == chosen.c.sop_instance,
                ),
            )
            .order_by(again.c.study, again.c.series)
        )
        with self._reading() as connection:
            rows = connection.execute(query).all()
        found: dict[str, dict[str, HeldInstance]] = {study: {} for study in studies}
        for row in rows:
            found[row.study][row.series] = _instance(row)
        return {study: list(series.values()) for study, series in found.items()}

    def instances(
        self, study: str, *, series: str | None = None, sop_instance: str | None = None
    ) -> Sequence[HeldInstance]:
        """Instances of a study, or of one series of it, or one of them."""
        held = _held()
        query = select(held).where(held.c.study == study).order_by(held.c.series, held.c.sop_instance)
        if series is not None:
            query = query.where(held.c.series == series)
        if sop_instance is not None:
            query = query.where(held.c.sop_instance == sop_instance)
        with self._reading() as connection:
            rows = connection.execute(query).all()
        # two cases of one segmentation may share a result; it is held once
        found = {row.sop_instance: _instance(row) for row in rows}
        return list(found.values())


def _instance(row: Row[Any]) -> HeldInstance:
    return HeldInstance(
        row.study,
        row.series,
        row.sop_instance,
        row.sop_class,
        row.transfer_syntax,
        StoredFile(row.path, row.size, row.sha256),
    )
