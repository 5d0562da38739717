"""The part of the ledger that tells which files must be in the spool."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Column, Engine, Row, Select, select

from node.adapters import ledger_schema as t
from node.adapters import retention_schema as kept
from node.adapters import workflow_schema as w
from node.adapters.ledger import reading
from node.keeping import ListedFile

_INSTANCES = select(t.instance.c.path, t.instance.c.size, t.instance.c.sha256, t.instance.c.sop_instance).where(
    t.instance.c.released_at.is_(None)
)
_RESULTS = select(t.result.c.path, t.result.c.size, t.result.c.sha256, t.result.c.case).where(
    t.result.c.released_at.is_(None)
)
_CONFLICTS = select(t.conflict.c.path, t.conflict.c.sha256, t.conflict.c.sop_instance)
_ORDERS = select(w.order_lookup.c.path, w.order_lookup.c.size, w.order_lookup.c.sha256, w.order_lookup.c.case).where(
    w.order_lookup.c.path.is_not(None)
)
_AT_ONCE = 1000


class SqlFiles:
    """The files that the ledger names."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def listed(self) -> Iterator[ListedFile]:
        for row in self._pages(_INSTANCES, t.instance.c.path):
            yield ListedFile(row.path, row.size, row.sha256, f"instance {row.sop_instance}")
        for row in self._pages(_RESULTS, t.result.c.path):
            yield ListedFile(row.path, row.size, row.sha256, f"result of case {row.case}")
        for row in self._pages(_CONFLICTS, t.conflict.c.path):
            yield ListedFile(row.path, None, row.sha256, f"another instance {row.sop_instance}")
        for row in self._pages(_ORDERS, w.order_lookup.c.path):
            yield ListedFile(row.path, row.size, row.sha256, f"order of case {row.case}")

    def _pages(self, wanted: Select[Any], path: Column[str]) -> Iterator[Row[Any]]:
        """All rows, without a connection held open while the caller works on them."""
        last = ""
        while True:
            with reading(self._engine) as connection:
                rows = connection.execute(wanted.where(path > last).order_by(path).limit(_AT_ONCE)).all()
            yield from rows
            if len(rows) < _AT_ONCE:
                return
            last = rows[-1].path

    def is_listed(self, path: str) -> bool:
        return self.must_exist(path) or self._found(select(kept.removal.c.path).where(kept.removal.c.path == path))

    def must_exist(self, path: str) -> bool:
        parts = (one.subquery() for one in (_INSTANCES, _RESULTS, _CONFLICTS, _ORDERS))
        return any(self._found(select(one.c.path).where(one.c.path == path)) for one in parts)

    def _found(self, wanted: Select[tuple[str]]) -> bool:
        with reading(self._engine) as connection:
            return connection.execute(wanted.limit(1)).first() is not None
