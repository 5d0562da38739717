"""The part of the ledger that gives up files and rows which nobody needs any more.

The ledger goes first, the disk follows: in one transaction a row says that its file is given up and `removal` names the
file; then the file is unlinked; then the line in `removal` goes. A crash leaves a line, and the next round goes on. The
other order would leave rows whose files are gone, and a case that asks for them would find a broken spool.

Whoever needs a file of that name again deletes its line in `removal` within the transaction that names the file, and
looks afterwards whether the file is still there. Unlinking holds the line, so one of the two always sees the other.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, and_, exists, func, insert, or_, select, union, update

from node.adapters import ledger_schema as t
from node.adapters import retention_schema as kept
from node.adapters import workflow_schema as w
from node.adapters.ledger import reading, writing
from node.keeping import Removal
from node.ports import DeliveryState, DutyState, TaskState
from pipelines.domain.case_state import CaseState
from pipelines.domain.commitment import CommitmentState
from pipelines.domain.identifiers import CaseId
from pipelines.domain.sop_classes import CT_IMAGES

_ENDED = (CaseState.COMMITTED, CaseState.DELIVERED, CaseState.REJECTED, CaseState.FAILED)
# a peer that offers no commitment has told so; nothing more is to be had from it
_SETTLED = (CommitmentState.COMMITTED, CommitmentState.UNSUPPORTED)


class SqlRetention:
    """Retention in the ledger's database.

    Parameters
    ----------
    committing
        Destinations that are asked to keep what they took; until they have answered nothing of the case is given up.
    """

    def __init__(self, engine: Engine, *, committing: Collection[str]) -> None:
        self._engine = engine
        self._committing = sorted(committing)

    def _ended(self, before: datetime) -> ColumnElement[bool]:
        """Cases that ended before that time, with every result where it belongs."""
        on_its_way = (
            select(t.delivery.c.id)
            .join(t.result, t.result.c.id == t.delivery.c.result)
            .outerjoin(w.commitment, w.commitment.c.delivery == t.delivery.c.id)
            .where(
                t.delivery.c.case == t.case.c.id,
                t.result.c.current,
                or_(
                    t.delivery.c.state != DeliveryState.DELIVERED,
                    and_(
                        t.delivery.c.destination.in_(self._committing),
                        or_(w.commitment.c.state.is_(None), w.commitment.c.state.not_in(_SETTLED)),
                    ),
                ),
            )
            .correlate(t.case)
        )
        asked_for = (
            select(t.step_task.c.sop_instance)
            .where(t.step_task.c.case == t.case.c.id, t.step_task.c.state != TaskState.ENDED)
            .correlate(t.case)
        )
        return and_(t.case.c.state.in_(_ENDED), t.case.c.updated_at < before, ~exists(on_its_way), ~exists(asked_for))

    def ended(self, *, before: datetime, cases: int) -> Sequence[CaseId]:
        wanted = select(t.case.c.id).where(self._ended(before)).order_by(t.case.c.updated_at, t.case.c.id).limit(cases)
        with reading(self._engine) as connection:
            return [CaseId(case) for case in connection.scalars(wanted)]

    def release_inputs(self, *, ended_before: datetime, at: datetime, cases: int) -> int:
        spoken_for = self._spoken_for(ended_before)
        mine = _used_by_case() & t.instance.c.released_at.is_(None) & (t.instance.c.received_at < ended_before)
        free = mine & t.instance.c.study.not_in(spoken_for) & t.instance.c.series.not_in(spoken_for)
        wanted = (
            select(t.case.c.id, t.case.c.segmentation, t.case.c.ct_series)
            .where(self._ended(ended_before), exists(select(t.instance.c.sop_instance).where(free).correlate(t.case)))
            .order_by(t.case.c.updated_at, t.case.c.id)
            .limit(cases)
        )
        released = 0
        with writing(self._engine) as connection:
            for case in connection.execute(wanted).all():
                here = or_(
                    t.instance.c.sop_instance == case.segmentation,
                    and_(t.instance.c.series == case.ct_series, t.instance.c.sop_class.in_(sorted(CT_IMAGES))),
                )
                released += _release_instances(
                    connection,
                    here
                    & t.instance.c.released_at.is_(None)
                    & (t.instance.c.received_at < ended_before)
                    & t.instance.c.study.not_in(spoken_for)
                    & t.instance.c.series.not_in(spoken_for),
                    at,
                )
                released += release_order(connection, CaseId(case.id), at)
        return released

    def _spoken_for(self, ended_before: datetime) -> Any:
        """Studies and series that a case may still need which has not ended, or not for so long."""
        # no subquery of the case at hand: any case counts
        case = t.case.alias("open_case")
        ended = select(t.case.c.id).where(self._ended(ended_before)).correlate(None)
        columns = (case.c.study, case.c.ct_study, case.c.ct_series)
        return union(*(select(one).where(one.is_not(None), case.c.id.not_in(ended)) for one in columns))

    def release_unused(self, *, received_before: datetime, at: datetime, instances: int) -> int:
        segmented = select(t.case.c.ct_series).where(t.case.c.ct_series.is_not(None))
        drawn = select(t.case.c.segmentation)
        # a case that waits may be about to find them
        waited_for = select(t.case.c.study).where(t.case.c.state.not_in(_ENDED))
        late = t.instance.alias("late")
        still_coming = select(late.c.series).where(late.c.received_at >= received_before)
        here = and_(
            t.instance.c.released_at.is_(None),
            t.instance.c.series.not_in(segmented),
            t.instance.c.sop_instance.not_in(drawn),
            t.instance.c.study.not_in(waited_for),
            t.instance.c.series.not_in(still_coming),
        )
        oldest = select(t.instance.c.sop_instance).where(here).order_by(t.instance.c.received_at).limit(instances)
        with writing(self._engine) as connection:
            chosen = connection.scalars(oldest).all()
            return _release_instances(connection, t.instance.c.sop_instance.in_(chosen), at) if chosen else 0

    def release_results(self, *, ended_before: datetime, at: datetime, cases: int) -> int:
        there = select(t.result.c.id).where(t.result.c.case == t.case.c.id, t.result.c.released_at.is_(None))
        wanted = (
            select(t.case.c.id)
            .where(self._ended(ended_before), exists(there.correlate(t.case)))
            .order_by(t.case.c.updated_at, t.case.c.id)
            .limit(cases)
        )
        released = 0
        with writing(self._engine) as connection:
            for case in connection.scalars(wanted).all():
                here = (t.result.c.case == case) & t.result.c.released_at.is_(None)
                paths = connection.scalars(select(t.result.c.path).where(here)).all()
                connection.execute(update(t.result).where(here).values(released_at=at))
                to_remove(connection, paths, at, case=CaseId(case))
                released += len(paths)
        return released

    def prune(self, *, before: datetime) -> int:
        transaction, duty = w.commitment_transaction.c, w.commitment_duty.c
        finished = (
            (w.commitment_transaction, func.coalesce(transaction.answered_at, transaction.asked_at) < before),
            (w.commitment_duty, (duty.state != DutyState.PENDING) & (duty.next_at < before)),
            (t.step_task, (t.step_task.c.state == TaskState.ENDED) & (t.step_task.c.updated_at < before)),
            (t.refusal, t.refusal.c.last_at < before),
            (w.refused_association, w.refused_association.c.last_at < before),
            (
                w.retrieval,
                (w.retrieval.c.at < before)
                & w.retrieval.c.case.in_(select(t.case.c.id).where(t.case.c.state.in_(_ENDED))),
            ),
        )
        with writing(self._engine) as connection:
            return sum(connection.execute(table.delete().where(old)).rowcount for table, old in finished)

    def removals(self, *, limit: int) -> Sequence[Removal]:
        with reading(self._engine) as connection:
            rows = connection.execute(select(kept.removal).order_by(kept.removal.c.at).limit(limit)).all()
        return [Removal(row.path, None if row.case is None else CaseId(row.case)) for row in rows]

    def remove(self, removals: Sequence[Removal], unlink: Callable[[str], None]) -> int:
        cases = sorted({removal.case for removal in removals if removal.case is not None})
        owner = {removal.path: removal.case for removal in removals}
        with writing(self._engine) as connection:
            # cases first, as those do who report results
            states = select(t.case.c.id, t.case.c.state).where(t.case.c.id.in_(cases)).order_by(t.case.c.id)
            rows = connection.execute(states.with_for_update()).all()
            # a running case may be writing the same file at this moment, and will say so in the end
            running = {row.id for row in rows if row.state == CaseState.RUNNING}
            named = select(kept.removal.c.path).where(kept.removal.c.path.in_(owner)).order_by(kept.removal.c.path)
            still = [path for path in connection.scalars(named.with_for_update()) if owner[path] not in running]
            for path in still:
                unlink(path)
            connection.execute(kept.removal.delete().where(kept.removal.c.path.in_(still)))
        return len(still)


def _used_by_case() -> ColumnElement[bool]:
    return or_(
        t.instance.c.sop_instance == t.case.c.segmentation,
        and_(t.instance.c.series == t.case.c.ct_series, t.instance.c.sop_class.in_(sorted(CT_IMAGES))),
    )


def _release_instances(connection: Connection, here: ColumnElement[bool], at: datetime) -> int:
    rows = connection.execute(select(t.instance.c.sop_instance, t.instance.c.path).where(here)).all()
    for row in rows:
        connection.execute(
            update(t.instance).where(t.instance.c.sop_instance == row.sop_instance).values(released_at=at)
        )
    to_remove(connection, [row.path for row in rows], at)
    return len(rows) + drop_conflicts(connection, [row.sop_instance for row in rows], at)


def drop_conflicts(connection: Connection, instances: Iterable[str], at: datetime) -> int:
    """Forget what is kept beside instances under the same UID."""
    dropped = 0
    for sop_instance in instances:
        here = t.conflict.c.sop_instance == sop_instance
        paths = connection.scalars(select(t.conflict.c.path).where(here)).all()
        if paths:
            connection.execute(t.conflict.delete().where(here))
            to_remove(connection, paths, at)
            dropped += len(paths)
    return dropped


def release_order(connection: Connection, case: CaseId, at: datetime) -> int:
    """Forget what a worklist answered about a case."""
    here = w.order_lookup.c.case == case
    path = connection.scalar(select(w.order_lookup.c.path).where(here))
    connection.execute(w.order_lookup.delete().where(here))
    if path is None:
        return 0
    to_remove(connection, [path], at, case=case)
    return 1


def to_remove(connection: Connection, paths: Iterable[str], at: datetime, *, case: CaseId | None = None) -> None:
    """Name files that are to be removed once the transaction has ended well."""
    for path in paths:
        connection.execute(kept.removal.delete().where(kept.removal.c.path == path))
        connection.execute(insert(kept.removal).values(path=path, case=case, at=at))
