"""Many at once on one ledger, on SQLite and on PostgreSQL: associations, workers, nodes that start together."""

import json
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Engine, func, select

from node.adapters import ledger_schema as t
from node.adapters.ledger import SqlLedger, open_engine
from node.ports import Destination, Receipt, Report
from pipelines.domain.case_state import CaseState
from pipelines.domain.identifiers import CaseId
from pipelines.domain.reasons import Rejected
from tests.node.doubles import SetClock
from tests.node.refs import SENDER, file_of, image, images, segmentation

RACERS = 8
LEASE = timedelta(seconds=60)
MISSING_CT = Rejected("SEG-001", "The CT has not arrived.", "Send it.")
Answer = TypeVar("Answer")

# each process stores the same objects and prints what it was told
STORES_THE_SAME = """
import json, sys
from node.adapters.ledger import SqlLedger, open_engine
from tests.node.doubles import SetClock
from tests.node.refs import SENDER, file_of, images, segmentation
ledger = SqlLedger(open_engine(sys.argv[1]), pipeline="test")
print("ready", flush=True)
sys.stdin.readline()
refs = (segmentation(), *images(20))
print(json.dumps([ledger.received(ref, file_of(ref), SENDER, at=SetClock()()) for ref in refs]))
"""


def all_at_once(work: Callable[[int], Answer], count: int = RACERS) -> list[Answer]:
    """What `work` answers in `count` threads that start together."""
    start = threading.Barrier(count)

    def run(number: int) -> Answer:
        start.wait()
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def queued(ledger: SqlLedger, clock: SetClock) -> CaseId:
    for ref in (*images(3), segmentation()):
        ledger.received(ref, file_of(ref), SENDER, at=clock())
    (waiting,) = ledger.collecting()
    assert ledger.complete(waiting.case, image().key, "3 slices.", at=clock())
    return waiting.case


def test_of_many_associations_that_store_the_same_first_object_one_is_told_that_it_is_new(
    ledger: SqlLedger, clock: SetClock
) -> None:
    drawn = segmentation()
    told = all_at_once(lambda number: ledger.received(drawn, file_of(drawn), SENDER, at=clock()))
    assert Counter(told) == {Receipt.NEW: 1, Receipt.DUPLICATE: RACERS - 1}
    assert len(ledger.collecting()) == 1


def test_of_many_objects_with_one_uid_and_different_bytes_one_is_kept(ledger: SqlLedger, clock: SetClock) -> None:
    told = all_at_once(lambda number: ledger.received(image(), file_of(image(), str(number)), SENDER, at=clock()))
    assert Counter(told) == {Receipt.NEW: 1, Receipt.CONFLICT: RACERS - 1}
    kept = ledger.known(image().sop_instance)
    assert kept == file_of(image(), str(told.index(Receipt.NEW)))


def test_of_many_processes_that_store_the_same_objects_one_is_told_that_each_is_new(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path / 'ledger.sqlite3'}"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", STORES_THE_SAME, database],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[3],
        )
        for _ in range(3)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    told = [json.loads(process.communicate(timeout=250)[0]) for process in processes]
    for answers in zip(*told, strict=True):
        assert Counter(answers) == {"new": 1, "duplicate": 2}
    assert len(SqlLedger(open_engine(database), pipeline="test").collecting()) == 1


def test_of_many_workers_that_race_for_a_case_one_gets_it(ledger: SqlLedger, clock: SetClock) -> None:
    case = queued(ledger, clock)
    claims = all_at_once(lambda number: ledger.claim(case, f"worker {number}", at=clock(), lease=LEASE))
    assert len([claim for claim in claims if claim is not None]) == 1


def test_of_a_worker_that_reports_and_the_dispatcher_that_gives_it_up_one_wins(
    ledger: SqlLedger, clock: SetClock
) -> None:
    claim = ledger.claim(queued(ledger, clock), "worker", at=clock(), lease=LEASE)
    assert claim is not None
    clock.forward(61)

    def end(number: int) -> bool:
        if number % 2:
            return ledger.reported(claim, Report((), None, (), "1 lesion."), [Destination("PACS")], at=clock())
        return bool(ledger.reconcile(at=clock(), max_attempts=3, resubmit_after=timedelta(hours=1)))

    won = all_at_once(end)
    assert won.count(True) == 1
    detail = ledger.detail(claim.case)
    assert detail is not None
    assert detail.row.state is (CaseState.REPORTED if won.index(True) % 2 else CaseState.QUEUED)


def test_every_refusal_is_counted_when_many_come_at_once(ledger: SqlLedger, clock: SetClock) -> None:
    all_at_once(lambda number: ledger.refused("CT1", MISSING_CT, at=clock()))
    (row,) = ledger.overview(limit=1).refusals
    assert row.count == RACERS


def test_slices_that_come_at_once_open_a_rejected_case_once(ledger: SqlLedger, clock: SetClock) -> None:
    drawn = segmentation()
    ledger.received(drawn, file_of(drawn), SENDER, at=clock())
    (waiting,) = ledger.collecting()
    ledger.incomplete(waiting.case, None, MISSING_CT, at=clock())
    slices = images(RACERS)
    all_at_once(lambda number: ledger.received(slices[number], file_of(slices[number]), SENDER, at=clock()))
    detail = ledger.detail(waiting.case)
    assert detail is not None
    assert [event.event for event in detail.events] == ["received", "incomplete", "late instance"]


def test_slices_of_many_series_at_once_do_not_stand_in_each_others_way(ledger: SqlLedger, clock: SetClock) -> None:
    drawn = [segmentation(number) for number in range(1, 5)]
    for ref in (*images(3), *drawn):
        ledger.received(ref, file_of(ref), SENDER, at=clock())
    for waiting in ledger.collecting():
        ledger.complete(waiting.case, image().key, "3 slices.", at=clock())
    late = [image(number) for number in range(10, 10 + RACERS)]
    told = all_at_once(lambda number: ledger.received(late[number], file_of(late[number]), SENDER, at=clock()))
    assert told == [Receipt.NEW] * RACERS
    assert len(ledger.collecting()) == 4


def test_nodes_that_start_together_on_a_new_database_all_start(database: str) -> None:
    engines = all_at_once(lambda number: open_engine(database))
    with engines[0].begin() as connection:
        assert connection.scalar(select(func.count()).select_from(t.schema)) == 1


def test_those_who_read_do_not_wait_for_those_who_write(ledger: SqlLedger, engine: Engine, clock: SetClock) -> None:
    queued(ledger, clock)
    with engine.begin() as writing:
        writing.execute(t.case.update().values(reason="Being written."))
        # who waited for the writer would wait until the database gives up: it ends after this
        assert ledger.overview(limit=1).cases[0].reason == "3 slices."
        assert ledger.collecting() == []


def test_many_who_write_for_a_while_all_come_through(ledger: SqlLedger, clock: SetClock) -> None:
    def store(number: int) -> list[Receipt]:
        return [
            ledger.received(ref, file_of(ref), SENDER, at=clock())
            for ref in images(5, series=number + 1)
            if ledger.known(ref.sop_instance) is None
        ]

    assert all_at_once(store, 16) == [[Receipt.NEW] * 5] * 16
