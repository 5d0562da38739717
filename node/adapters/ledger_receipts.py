"""Receipts of instances in the ledger: those that arrive at the same time share one transaction."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, bindparam, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from node.adapters import clinical_schema as c
from node.adapters import ledger_schema as t
from node.adapters.receipt_statements import InFile, OnServer, ReceiptStatements, begun
from node.adapters.turns import Turns
from node.errors import TransientError
from node.ports import Receipt, Sender, StoredFile
from pipelines.domain.instance import InstanceRef
from pipelines.domain.sop_classes import CT_IMAGES, READER_REPORTS, SEGMENTATIONS

# built once: to put a statement together takes longer than to run it
_KNOWN: Final = select(t.instance.c.sop_instance, t.instance.c.sha256).where(
    t.instance.c.sop_instance.in_(bindparam("instances", expanding=True))
)

_PATIENCE_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Arrived:
    """An instance whose file is durable."""

    ref: InstanceRef
    file: StoredFile
    sender: Sender
    at: datetime


class Receipts:
    """Records arrivals, a batch in a transaction.

    Parameters
    ----------
    open_case, reopen_cases
        What a new segmentation and a new CT image mean for the cases.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        open_case: Callable[[Connection, InstanceRef, datetime], None],
        reopen_cases: Callable[[Connection, InstanceRef, datetime], None],
    ) -> None:
        self._engine = engine
        self._open_case = open_case
        self._reopen_cases = reopen_cases
        # a server closes connections that are kept, and its pool knows; a file is opened anew for each transaction
        # otherwise, which takes longer than the transaction
        self._keep_connection = engine.dialect.name == "sqlite"
        self._kept: tuple[int, Connection] | None = None
        self._path = Path(engine.url.database or "")
        self._file: tuple[int, int] | None = None
        self._turns = Turns(f"{engine.url.database}-receipts", patience_s=_PATIENCE_S)
        self._statements: ReceiptStatements = InFile() if self._keep_connection else OnServer()
        make: Any = sqlite.insert if self._keep_connection else postgresql.insert
        self._insert_report = make(c.reader_report).on_conflict_do_nothing()

    def record(self, arrivals: Sequence[Arrived]) -> list[Receipt]:
        """What was known of each instance; all are recorded, or none."""
        with self._transaction() as connection:
            receipts = self._receipts(connection, arrivals)
            new = [one for one, receipt in zip(arrivals, receipts, strict=True) if receipt is Receipt.NEW]
            self._tell_cases(connection, new)
        return receipts

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        if not self._keep_connection:
            with self._engine.begin() as connection:
                yield connection
            return
        # a process that was forked from this one must not touch its connection
        if self._kept is None or self._kept[0] != os.getpid():
            self._file = self._present_file()
            self._kept = (os.getpid(), self._engine.connect().execution_options(isolation_level="AUTOCOMMIT"))
        connection = self._kept[1]
        try:
            with self._turns.mine(), begun(connection):
                yield connection
            if self._present_file() != self._file:
                # it was removed or replaced: what went into the old one is known to nobody who comes later
                raise TransientError("RCV-005", "The ledger cannot be written: its file is not there.")
        except BaseException:
            self._kept = None
            connection.close()
            raise

    def _present_file(self) -> tuple[int, int] | None:
        """Which file stands under the name of the ledger."""
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def _receipts(self, connection: Connection, arrivals: Sequence[Arrived]) -> list[Receipt]:
        first: dict[str, Arrived] = {}
        for one in arrivals:
            first.setdefault(one.ref.sop_instance, one)
        inserted = self._statements.insert(connection, [_instance_values(one) for one in first.values()])
        # nearly all are new, and nobody looks for those
        known = self._known(connection, [uid for uid in first if uid not in inserted])
        known |= {uid: first[uid].file.sha256 for uid in inserted}
        # what had been given up is needed again
        self._statements.keep(connection, [one.file.path for one in arrivals])
        receipts = []
        for one in arrivals:
            if first[one.ref.sop_instance] is one and one.ref.sop_instance in inserted:
                receipts.append(Receipt.NEW)
            elif known[one.ref.sop_instance] == one.file.sha256:
                _take_back(connection, one.ref, one.at)
                receipts.append(Receipt.DUPLICATE)
            else:
                _record_conflict(connection, one)
                receipts.append(Receipt.CONFLICT)
        return receipts

    def _known(self, connection: Connection, instances: Sequence[str]) -> dict[str, str]:
        if not instances:
            return {}
        return {row.sop_instance: row.sha256 for row in connection.execute(_KNOWN, {"instances": list(instances)})}

    def _tell_cases(self, connection: Connection, new: Sequence[Arrived]) -> None:
        images = [one for one in new if one.ref.sop_class in CT_IMAGES]
        for one in new:
            if one.ref.sop_class in SEGMENTATIONS:
                self._open_case(connection, one.ref, one.at)
            elif one.ref.sop_class in READER_REPORTS:
                self._note_report(connection, one)
        if not images:
            return
        series = {one.ref.key.series for one in images}
        concerned = self._statements.concerned(connection, list(series))
        for one in images:
            if None in concerned or one.ref.key.series in concerned:
                self._reopen_cases(connection, one.ref, one.at)

    def _note_report(self, connection: Connection, one: Arrived) -> None:
        """What a reader decided in it is read later, in another process."""
        values = {"sop_instance": one.ref.sop_instance, "patient_key": one.ref.patient_key, "received_at": one.at}
        connection.execute(self._insert_report.values(values))


def _instance_values(one: Arrived) -> dict[str, object]:
    ref, file = one.ref, one.file
    return {
        "sop_instance": ref.sop_instance,
        "sop_class": ref.sop_class,
        "study": ref.key.study,
        "series": ref.key.series,
        "transfer_syntax": ref.transfer_syntax,
        "patient_key": ref.patient_key,
        "modality": ref.modality[:16],
        "frame_of_reference": ref.frame_of_reference,
        "frames": ref.frames,
        "position_mm": ref.plane.position_mm if ref.plane else None,
        "orientation": ref.plane.orientation if ref.plane else None,
        "localizer": ref.localizer,
        "original": ref.original,
        "frame_positions_mm": ref.frame_positions_mm,
        "referenced_series": ref.references.series,
        "referenced_instances": ref.references.instances,
        "path": file.path,
        "size": file.size,
        "sha256": file.sha256,
        "calling_ae_title": one.sender.calling_ae_title,
        "called_ae_title": one.sender.called_ae_title,
        "received_at": one.at,
    }


def _take_back(connection: Connection, ref: InstanceRef, at: datetime) -> None:
    """Keep an instance again whose file had been given up; its time begins anew."""
    connection.execute(
        update(t.instance)
        .where(t.instance.c.sop_instance == ref.sop_instance, t.instance.c.released_at.is_not(None))
        .values(released_at=None, received_at=at)
    )


def _record_conflict(connection: Connection, one: Arrived) -> None:
    known = connection.scalar(
        select(t.conflict.c.id).where(
            t.conflict.c.sop_instance == one.ref.sop_instance, t.conflict.c.sha256 == one.file.sha256
        )
    )
    if known is None:
        connection.execute(
            insert(t.conflict).values(
                sop_instance=one.ref.sop_instance,
                path=one.file.path,
                sha256=one.file.sha256,
                calling_ae_title=one.sender.calling_ae_title,
                received_at=one.at,
            )
        )
