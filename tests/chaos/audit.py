"""Counts after a run: what was acknowledged, what the ledger knows, what lies in the spool, what the PACS took."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import create_engine, text

from node.bootstrap.stores import open_stores
from node.ports import CaseDetail
from node.settings import Settings
from pipelines.domain.case_state import CaseState
from tests.chaos.senders import Sendable
from tests.node.client import dataset_of


@dataclass(slots=True)
class Audit:
    """What was found.

    Attributes
    ----------
    faults
        Everything that breaks the promise; empty when it was kept.
    sent_again
        Results that the PACS got more than once, the same to the last byte.
    leftovers
        Files that nobody was told of: drafts, received files without a row, and results as they were being sent.
    """

    acknowledged: int = 0
    cases: Counter[str] = field(default_factory=Counter)
    results: int = 0
    runs: int = 0
    sent_again: int = 0
    leftovers: int = 0
    faults: list[str] = field(default_factory=list)


def audit(settings: Settings, receipts: Mapping[str, Sendable], kept: Mapping[str, Sequence[str]]) -> Audit:
    """Compare the senders' receipts, the ledger, the spool and the PACS.

    Parameters
    ----------
    receipts
        Acknowledged instances by UID.
    kept
        Digests of the data sets that the PACS stored, by UID.
    """
    found = Audit(acknowledged=len(receipts))
    found.faults += _received(settings, receipts)
    found.faults += _cases(settings, receipts, kept, found)
    found.faults += _files(settings, {one.sha256 for one in receipts.values()}, found)
    return found


def count_of_ended(settings: Settings) -> int:
    """Cases whose results have reached the PACS."""
    (row,) = _rows(settings, "select count(*) from \"case\" where state in ('delivered', 'committed')")
    return int(row[0])


def _rows(settings: Settings, query: str) -> list[tuple[str, ...]]:
    url = settings.ledger.url or f"sqlite:///{settings.data_dir / 'ledger.sqlite3'}"
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(query))]
    finally:
        engine.dispose()


def _received(settings: Settings, receipts: Mapping[str, Sendable]) -> Iterator[str]:
    rows = {
        uid: (path, digest) for uid, path, digest in _rows(settings, "select sop_instance,path,sha256 from instance")
    }
    for uid, sent in receipts.items():
        if uid not in rows:
            yield f"LOST: {uid} was acknowledged and is in no ledger"
            continue
        path, digest = rows[uid]
        try:
            data = (settings.data_dir / "spool" / path).read_bytes()
        except OSError as fault:
            yield f"LOST: the file of {uid}: {fault.strerror}"
            continue
        if hashlib.sha256(data).hexdigest() != digest:
            yield f"LOST: the file of {uid} is not what the ledger says"
        if hashlib.sha256(dataset_of(data)).hexdigest() != sent.sha256:
            yield f"LOST: the data set of {uid} is not what was sent"
    conflicts = _rows(settings, "select sop_instance from conflict")
    yield from (f"CONFLICT: {uid}" for (uid,) in conflicts)


def _cases(
    settings: Settings, receipts: Mapping[str, Sendable], kept: Mapping[str, Sequence[str]], found: Audit
) -> Iterator[str]:
    ledger = open_stores(settings).ledger
    wanted: dict[str, str] = {}
    segmentations = Counter(row.segmentation for row in ledger.overview(limit=1_000_000).cases)
    acknowledged = {uid for uid, one in receipts.items() if one.path.stem.endswith("-6")}
    yield from (f"LOST: no case for segmentation {uid}" for uid in acknowledged - segmentations.keys())
    yield from (f"DOUBLE: {times} cases for {uid}" for uid, times in segmentations.items() if times > 1)
    for row in ledger.overview(limit=1_000_000).cases:
        detail = ledger.detail(row.case)
        assert detail is not None
        found.cases[row.state.value] += 1
        found.runs += row.attempt
        yield from _case(detail)
        for made in detail.results:
            data = (settings.data_dir / "spool" / made.result.file.path).read_bytes()
            if hashlib.sha256(data).hexdigest() != made.result.file.sha256:
                yield f"LOST: the result {made.result.file.path} is not what the ledger says"
            wanted[made.result.sop_instance] = hashlib.sha256(dataset_of(data)).hexdigest()
    found.results = len(wanted)
    for uid, digest in wanted.items():
        stored = kept.get(uid, ())
        found.sent_again += max(0, len(stored) - 1)
        if not stored:
            yield f"LOST: result {uid} is not in the PACS"
        elif set(stored) != {digest}:
            yield f"DOUBLE: result {uid} reached the PACS with other bytes"
    yield from (f"DOUBLE: the PACS has {uid}, which is no result" for uid in kept.keys() - wanted.keys() if kept[uid])


def _case(detail: CaseDetail) -> Iterator[str]:
    row = detail.row
    if row.state not in (CaseState.DELIVERED, CaseState.COMMITTED):
        yield f"LOST: case {row.case} ended as {row.state}: {row.code} {row.reason}"
    reported = [event for event in detail.events if event.event == "reported"]
    if len(reported) != 1:
        yield f"DOUBLE: case {row.case} was reported {len(reported)} times"


def _files(settings: Settings, sent: set[str], found: Audit) -> Iterator[str]:
    spool = settings.data_dir / "spool"
    known = {path for (path,) in _rows(settings, "select path from instance union select path from result")}
    for folder in ("received", "results"):
        for path in (one for one in (spool / folder).rglob("*") if one.is_file()):
            if str(path.relative_to(spool)) in known:
                continue
            found.leftovers += 1
            # the form that one peer wanted, of a result that is there: removed when the node starts later
            if path.parent.name.startswith(".sending-"):
                continue
            # a file whose sender was told nothing; he sent it again, and it is the same file then
            if folder == "results" or hashlib.sha256(dataset_of(path.read_bytes())).hexdigest() in sent:
                yield f"ORPHAN: {path.relative_to(spool)}"
    found.leftovers += sum(1 for path in (spool / "tmp").glob("*") if Path(path).is_file())
