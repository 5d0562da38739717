"""The queue with real workers: nothing is lost, whoever is killed, on the embedded broker and on Redis."""

import itertools
import json
import os
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from node.adapters.queue_celery import QUEUE, CeleryQueue, QueueSettings, QueueUnavailable, create_app
from node.tasks import PROCESS_CASE, register
from pipelines.domain.identifiers import CaseId
from tests.tools import redis, wait_for

WORKER_SCRIPT = Path(__file__).with_name("broker_worker.py")
REDIS_VISIBILITY_TIMEOUT_S = 3
_LIMIT_S = 120
# for the kill tests: 40 cases of 50 to 200 ms
CASES = frozenset(range(1, 41))
TASK_S = {str(case): 0.05 + 0.01 * (case % 16) for case in CASES}


@dataclass
class Workers:
    """Starts worker processes on one broker and reads the journal that they share."""

    broker: str
    folder: Path
    settings: Mapping[str, Any]
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)
    started: int = 0

    def start(
        self, *, concurrency: int = 1, task_s: Mapping[str, float] | None = None, **settings: Any
    ) -> "subprocess.Popen[bytes]":
        self.started += 1
        order = {
            "broker": self.broker,
            "journal": str(self.folder / "journal"),
            "hostname": f"worker-{self.started}@test",
            "concurrency": concurrency,
            "task_s": {"default": 0.0, **(task_s or {})},
            "settings": {**self.settings, **settings},
        }
        with (self.folder / f"worker-{self.started}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, str(WORKER_SCRIPT), json.dumps(order)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.running.append(process)
        return process

    def kill(self, process: "subprocess.Popen[bytes]") -> None:
        """Kill a worker and its children with signal 9."""
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        self.running.remove(process)

    def stop(self, process: "subprocess.Popen[bytes]") -> int:
        """Ask a worker to finish and return its exit code."""
        # Celery forgets a task whose child has not reported its start yet, and then waits 30 s for that child
        time.sleep(0.5)
        process.terminate()
        code = process.wait(timeout=_LIMIT_S)
        self.running.remove(process)
        return code

    def events(self, event: str) -> list[dict[str, Any]]:
        journal = self.folder / "journal"
        lines = journal.read_text().splitlines() if journal.exists() else []
        return [entry for entry in map(json.loads, lines) if entry["event"] == event]

    def cases(self, event: str) -> Counter[int]:
        return Counter(entry["case"] for entry in self.events(event))

    def reach(self, what: str, ready: Callable[[], object]) -> None:
        """Wait until `ready`; the workers' log tells why it never came to that."""
        wait_for(f"{what} (logs: {self.folder})", ready, timeout_s=_LIMIT_S, every_s=0.02)

    def log(self) -> str:
        return "".join(path.read_text(errors="replace") for path in sorted(self.folder.glob("worker-*.log")))


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with redis(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture
def sqlite_workers(tmp_path: Path) -> Iterator[Workers]:
    yield from serve(Workers(f"sqlite://{tmp_path}/broker.sqlite", tmp_path, {}))


@pytest.fixture
def redis_workers(redis_url: str, tmp_path: Path) -> Iterator[Workers]:
    with Redis.from_url(redis_url) as client:
        # also what a killed worker of an earlier test has left unacknowledged
        client.flushall()
    settings = {"redis_visibility_timeout_s": REDIS_VISIBILITY_TIMEOUT_S}
    yield from serve(Workers(redis_url, tmp_path, settings))


@pytest.fixture(params=["sqlite_workers", "redis_workers"])
def workers(request: pytest.FixtureRequest) -> Workers:
    made: Workers = request.getfixturevalue(request.param)
    return made


def serve(workers: Workers) -> Iterator[Workers]:
    yield workers
    for process in tuple(workers.running):
        workers.kill(process)


def queue_of(workers: Workers) -> CeleryQueue:
    return CeleryQueue(create_app(workers.broker, settings=QueueSettings()))


def submit(queue: CeleryQueue, *cases: int) -> None:
    for case in cases:
        queue.submit(CaseId(case))


def has_ended(workers: Workers, tasks: int) -> bool:
    return len(workers.events("end")) >= tasks


def kill_working(workers: Workers, *, times: int) -> None:
    """Start a worker, kill it with its children after six tasks, and so on."""
    for _ in range(times):
        enough = len(workers.events("end")) + 6
        worker = workers.start(concurrency=2, task_s=TASK_S)
        workers.reach("six tasks more", partial(has_ended, workers, enough))
        workers.kill(worker)


# --- both brokers


def test_cases_that_were_queued_before_the_worker_started_are_processed(workers: Workers) -> None:
    queue = queue_of(workers)
    submit(queue, 1, 2, 3)
    assert queue.depth() == 3
    worker = workers.start(concurrency=2)
    workers.reach("three cases", lambda: workers.cases("end") == {1: 1, 2: 1, 3: 1})
    workers.reach("an empty queue", lambda: queue.depth() == 0)
    assert workers.stop(worker) == 0
    # the services were made in the children that used them, once each, and never in the parent
    makers = [entry["pid"] for entry in workers.events("services")]
    assert len(makers) == len(set(makers)) <= 2
    assert worker.pid not in makers


def test_a_stopping_worker_finishes_its_task_first(workers: Workers) -> None:
    submit(queue_of(workers), 1)
    worker = workers.start(task_s={"1": 3.0})
    workers.reach("the start", lambda: workers.cases("start") == {1: 1})
    assert workers.stop(worker) == 0
    assert workers.cases("end") == {1: 1}
    assert queue_of(workers).depth() == 0


def test_the_case_of_a_killed_child_process_is_processed_by_the_next(workers: Workers) -> None:
    submit(queue_of(workers), 1)
    workers.start(task_s={"1": 3.0})
    workers.reach("the start", lambda: workers.cases("start") == {1: 1})
    os.kill(workers.events("start")[0]["pid"], signal.SIGKILL)
    workers.reach("its end", lambda: workers.cases("end") == {1: 1})
    assert workers.cases("start") == {1: 2}


# --- the embedded broker


def test_no_case_is_lost_when_workers_are_killed_again_and_again(sqlite_workers: Workers) -> None:
    submit(queue_of(sqlite_workers), *CASES)
    kill_working(sqlite_workers, times=4)
    sqlite_workers.start(concurrency=2, task_s=TASK_S)
    sqlite_workers.reach("all cases", lambda: set(sqlite_workers.cases("end")) == CASES)
    # what the two children of a killed worker were doing is done again, and nothing else
    assert sum(sqlite_workers.cases("start").values()) <= len(CASES) + 2 * 4
    assert queue_of(sqlite_workers).depth() == 0


def test_the_case_of_a_killed_worker_is_processed_by_its_successor_at_once(sqlite_workers: Workers) -> None:
    submit(queue_of(sqlite_workers), 1)
    # the lease outlasts the test
    first = sqlite_workers.start(task_s={"1": 600}, sqlite_lease_s=600.0)
    sqlite_workers.reach("the start", lambda: sqlite_workers.cases("start") == {1: 1})
    sqlite_workers.kill(first)
    sqlite_workers.start(sqlite_lease_s=600.0)
    sqlite_workers.reach("its end", lambda: sqlite_workers.cases("end") == {1: 1})
    assert sqlite_workers.cases("start") == {1: 2}


def test_a_task_that_takes_four_leases_is_not_delivered_twice(sqlite_workers: Workers) -> None:
    submit(queue_of(sqlite_workers), 1)
    for _ in range(2):
        sqlite_workers.start(task_s={"1": 8}, sqlite_lease_s=2.0)
    sqlite_workers.reach("its end", lambda: sqlite_workers.cases("end") == {1: 1})
    time.sleep(0.5)
    assert sqlite_workers.cases("start") == {1: 1}
    assert queue_of(sqlite_workers).depth() == 0


def test_a_task_beyond_its_time_limit_is_ended_and_does_not_come_back(sqlite_workers: Workers) -> None:
    submit(queue_of(sqlite_workers), 1, 2)
    # long enough for a task that does nothing
    sqlite_workers.start(task_s={"1": 600}, time_limit_s=4.0)
    sqlite_workers.reach("the end of the other", lambda: sqlite_workers.cases("end") == {2: 1})
    assert sqlite_workers.cases("start") == {1: 1, 2: 1}


def test_a_used_up_child_process_is_replaced_without_delay(sqlite_workers: Workers) -> None:
    submit(queue_of(sqlite_workers), *range(1, 9))
    sqlite_workers.start(max_tasks_per_child=1)
    sqlite_workers.reach("eight cases", lambda: len(sqlite_workers.cases("end")) == 8)
    starts = sqlite_workers.events("start")
    assert len({entry["pid"] for entry in starts}) == 8
    # Celery alone needs about 5 s for some of them
    assert max(later["at"] - earlier["at"] for earlier, later in itertools.pairwise(starts)) < 4.5


def test_a_worker_waits_for_a_broker_that_is_not_there_yet(tmp_path: Path) -> None:
    later = tmp_path / "later"
    workers = Workers(f"sqlite://{later}/broker.sqlite", tmp_path, {})
    worker = workers.start()
    workers.reach("a try", lambda: "Trying again" in workers.log())
    later.mkdir()
    submit(queue_of(workers), 1)
    workers.reach("its end", lambda: workers.cases("end") == {1: 1})
    assert workers.stop(worker) == 0


def test_start_latency_and_drain_rate(sqlite_workers: Workers, record_property: Callable[[str, object], None]) -> None:
    # wide bounds: the figures are for reading, `--junit-xml` shows them
    queue = queue_of(sqlite_workers)
    submit(queue, *range(1, 201))
    sqlite_workers.start(concurrency=2)
    sqlite_workers.reach("all cases", lambda: len(sqlite_workers.cases("end")) == 200)
    starts = [entry["at"] for entry in sqlite_workers.events("start")]
    drained_per_s = (len(starts) - 1) / (max(starts) - min(starts))
    submitted_at = {}
    for case in range(1001, 1031):
        submitted_at[case] = time.monotonic()
        submit(queue, case)
        time.sleep(0.05)
    sqlite_workers.reach("the last start", lambda: len(sqlite_workers.cases("start")) == 230)
    delays_s = sorted(e["at"] - submitted_at[e["case"]] for e in sqlite_workers.events("start") if e["case"] > 1000)
    record_property("drained_per_s", round(drained_per_s))
    record_property("start_delay_p50_ms", round(1000 * delays_s[len(delays_s) // 2], 1))
    assert drained_per_s > 1
    assert delays_s[len(delays_s) // 2] < 10


# --- Redis


def test_a_case_that_redis_loses_with_a_killed_worker_is_processed_when_it_is_queued_again(
    redis_workers: Workers,
) -> None:
    queue = queue_of(redis_workers)
    submit(queue, *CASES)
    kill_working(redis_workers, times=4)
    redis_workers.start(concurrency=2, task_s=TASK_S)
    # kombu takes a message from the list and notes it as unacknowledged in two steps; a worker killed in between takes
    # it along. What was noted comes back by itself; with the rest, the ledger's reconciler does what is done here
    redis_workers.reach("all that was not taken along", lambda: len(redis_workers.cases("end")) >= len(CASES) - 2 * 4)
    until = time.monotonic() + REDIS_VISIBILITY_TIMEOUT_S + 6
    while time.monotonic() < until and set(redis_workers.cases("end")) != CASES:
        time.sleep(0.1)
    submit(queue, *CASES - set(redis_workers.cases("end")))
    redis_workers.reach("all cases", lambda: set(redis_workers.cases("end")) == CASES)


# --- JSON only


def test_a_pickled_message_in_redis_is_refused_by_the_worker(redis_workers: Workers) -> None:
    app = create_app(redis_workers.broker, settings=QueueSettings())
    app.conf.accept_content = ["json", "pickle"]
    app.send_task(PROCESS_CASE, args=(666,), serializer="pickle")
    submit(CeleryQueue(app), 1)
    worker = redis_workers.start()
    redis_workers.reach("its end", lambda: redis_workers.cases("end") == {1: 1})
    assert redis_workers.stop(worker) == 0
    assert redis_workers.cases("start") == {1: 1}
    assert "ContentDisallowed" in redis_workers.log()


def test_what_is_no_message_in_redis_does_not_end_the_worker(redis_workers: Workers) -> None:
    queue = CeleryQueue(create_app(redis_workers.broker, settings=QueueSettings()))
    worker = redis_workers.start()
    submit(queue, 1)
    redis_workers.reach("its end", lambda: redis_workers.cases("end") == {1: 1})
    properties: dict[str, object] = {"delivery_tag": "x", "delivery_info": {"exchange": "", "routing_key": QUEUE}}
    message = {"content-type": "application/json", "content-encoding": "utf-8", "headers": {"task": PROCESS_CASE}}
    foreign = [
        b"hello \xff\xfe",
        b"[" * 100_000,
        *(json.dumps(one).encode() for one in (42, None, [], {}, "text", {"__type__": "x", "__value__": 1})),
        json.dumps({"body": 5, "headers": [], "properties": None}).encode(),
        json.dumps({**message, "body": "[[1],{},{}]", "properties": {**properties, "delivery_tag": []}}).encode(),
        json.dumps({**message, "body": "A", "properties": {**properties, "body_encoding": "base64"}}).encode(),
        json.dumps({**message, "body": "A", "properties": {**properties, "body_encoding": "none such"}}).encode(),
        json.dumps({**message, "body": "[[1],{},{}]", "headers": 7, "properties": properties}).encode(),
    ]
    with Redis.from_url(redis_workers.broker) as server:
        server.lpush(QUEUE, *foreign)
    submit(queue, 2)
    redis_workers.reach("both cases", lambda: redis_workers.cases("end") == {1: 1, 2: 1})
    assert redis_workers.stop(worker) == 0
    assert redis_workers.log().count("broker_message_dropped") == len(foreign)


def test_a_foreign_pickle_in_the_embedded_broker_is_parked(sqlite_workers: Workers, tmp_path: Path) -> None:
    queue = queue_of(sqlite_workers)
    submit(queue, 666)
    with closing(sqlite3.connect(tmp_path / "broker.sqlite")) as db, db:
        db.execute(
            "UPDATE message SET envelope = replace(envelope, 'application/json', 'application/x-python-serialize')"
        )
    submit(queue, 1)
    sqlite_workers.start()
    sqlite_workers.reach("its end", lambda: sqlite_workers.cases("end") == {1: 1})
    with closing(sqlite3.connect(tmp_path / "broker.sqlite")) as db:
        sqlite_workers.reach(
            "the bad message alone", lambda: db.execute("SELECT state FROM message").fetchall() == [("bad",)]
        )


# --- the application


def test_a_queue_without_a_broker_says_so() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        for broker in ("sqlite:///nowhere/at/all/broker.sqlite", f"redis://127.0.0.1:{closed.getsockname()[1]}/0"):
            queue = CeleryQueue(create_app(broker, settings=QueueSettings()))
            started = time.monotonic()
            with pytest.raises(QueueUnavailable):
                queue.submit(CaseId(1))
            with pytest.raises(QueueUnavailable):
                queue.depth()
            # by itself kombu tries for ever
            assert time.monotonic() - started < 120


@pytest.mark.parametrize("broker", ["", "sqlite://", "sqlite:///", "sqlite://relative/path", "amqp://host", "/a/path"])
def test_a_broker_of_another_kind_is_refused(broker: str) -> None:
    with pytest.raises(ValueError, match="the broker must be"):
        create_app(broker, settings=QueueSettings())


@pytest.mark.parametrize("slashes", ["", "/"])
def test_the_path_of_the_embedded_broker_is_taken_literally(tmp_path: Path, slashes: str) -> None:
    path = tmp_path / "a; strange?name%20+#x.sqlite"
    submit(CeleryQueue(create_app(f"sqlite://{slashes}{path}", settings=QueueSettings())), 1)
    assert path.exists()


def test_a_rediss_server_must_prove_who_it_is_unless_the_url_waives_that() -> None:
    strict = create_app("rediss://host/0", settings=QueueSettings()).connection_for_write()
    assert strict.ssl == {"ssl_cert_reqs": ssl.CERT_REQUIRED}
    lax = create_app("rediss://host/0?ssl_cert_reqs=none", settings=QueueSettings()).connection_for_write()
    assert lax.ssl == {"ssl_cert_reqs": ssl.CERT_NONE}


def test_nothing_but_json_is_accepted_and_messages_are_kept_until_their_task_has_ended() -> None:
    conf = create_app("sqlite:///x/y", settings=QueueSettings(time_limit_s=7, soft_time_limit_s=5)).conf
    assert (conf.accept_content, conf.task_serializer) == (["json"], "json")
    assert conf.task_acks_late and conf.task_reject_on_worker_lost and conf.worker_prefetch_multiplier == 1
    assert (conf.task_soft_time_limit, conf.task_time_limit) == (5, 7)


def test_making_an_application_touches_nothing(tmp_path: Path) -> None:
    app = create_app(f"sqlite://{tmp_path}/broker.sqlite", settings=QueueSettings())
    register(app, lambda: pytest.fail("the services were made before a task needed them"))
    CeleryQueue(app)
    assert PROCESS_CASE in app.tasks
    assert list(tmp_path.iterdir()) == []
