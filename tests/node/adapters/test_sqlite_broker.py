"""The SQLite transport below Celery: messages, leases, forks, and what happens to a damaged or busy file."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from kombu.connection import Connection
from kombu.entity import Exchange, Queue
from kombu.exceptions import ContentDisallowed
from kombu.message import Message

from node.adapters.holder import Holder
from node.adapters.message_file import BrokerOptions, LeaseKeeper, MessageFile
from tests.tools import wait_for

QUEUE = "cases"


def connect(path: Path, **options: Any) -> Connection:
    return Connection(
        "sqlite://", transport="node.adapters.sqlite_broker:Transport", transport_options={"path": str(path), **options}
    )


def publish(connection: Connection, *cases: int, priority: int = 0) -> None:
    with connection.Producer() as producer:
        for case in cases:
            producer.publish([case], routing_key=QUEUE, priority=priority)


def take(connection: Connection) -> Message | None:
    message: Message | None = connection.default_channel.basic_get(QUEUE)
    return message


def take_all(connection: Connection) -> list[int]:
    cases = []
    while (message := take(connection)) is not None:
        cases.append(message.payload[0])
        message.ack()
    return cases


def rows(path: Path, columns: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as db:
        return db.execute(f"SELECT {columns} FROM message ORDER BY id").fetchall()


@contextmanager
def other_process(code: str, *args: object) -> Iterator[subprocess.Popen[str]]:
    """Run `code`, which prints a line when it is ready, and kill it at the end."""
    command = [sys.executable, "-c", code, *map(str, args)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield process
        finally:
            process.kill()


HOLD_ONE_MESSAGE = """
import sys, time
from kombu import Connection
connection = Connection("sqlite://", transport="node.adapters.sqlite_broker:Transport",
                        transport_options={"path": sys.argv[1], "lease_s": float(sys.argv[2])})
message = connection.default_channel.basic_get("cases")
print(message.payload, flush=True)
time.sleep(60)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "broker.sqlite"


# --- messages


def test_messages_of_a_process_that_has_ended_are_still_there(path: Path) -> None:
    code = """
import os, sys
from kombu import Connection
connection = Connection("sqlite://", transport="node.adapters.sqlite_broker:Transport",
                        transport_options={"path": sys.argv[1]})
for case in (1, 2, 3):
    connection.Producer().publish([case], routing_key="cases")
os._exit(0)
"""
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)
    with connect(path) as connection:
        assert take_all(connection) == [1, 2, 3]


def test_an_acknowledged_message_is_deleted(path: Path) -> None:
    with connect(path) as connection:
        publish(connection, 1)
        message = take(connection)
        assert message is not None
        assert rows(path, "state") == [("taken",)]
        message.ack()
    assert rows(path, "state") == []


def test_a_requeued_message_goes_back_to_its_place_and_says_that_it_comes_again(path: Path) -> None:
    with connect(path) as connection:
        publish(connection, 1, 2)
        first = take(connection)
        assert first is not None
        assert first.delivery_info["redelivered"] is False
        first.requeue()
        again = take(connection)
        assert again is not None
        assert again.payload == [1]
        assert again.delivery_info["redelivered"] is True


def test_a_rejected_message_is_deleted(path: Path) -> None:
    with connect(path) as connection:
        publish(connection, 1)
        message = take(connection)
        assert message is not None
        message.reject()
    assert rows(path, "state") == []


def test_an_unacknowledged_message_is_ready_again_when_its_connection_closes(path: Path) -> None:
    with connect(path) as connection:
        publish(connection, 1)
        assert take(connection) is not None
    assert rows(path, "state, holder") == [("ready", None)]


def test_higher_priorities_go_first_and_equal_ones_in_order(path: Path) -> None:
    with connect(path) as connection:
        publish(connection, 1, 2, priority=0)
        publish(connection, 3, priority=9)
        publish(connection, 4, 5, priority=5)
        assert take_all(connection) == [3, 4, 5, 1, 2]


def test_a_message_taken_without_acknowledgement_is_deleted_at_once(path: Path) -> None:
    with connect(path) as connection:
        publish(connection, 1, 2)
        assert connection.default_channel.basic_get(QUEUE, no_ack=True) is not None
        assert len(rows(path, "id")) == 1
        received: list[Any] = []
        with connection.Consumer([Queue(QUEUE)], callbacks=[lambda body, _: received.append(body)], no_ack=True):
            connection.drain_events(timeout=60)
        assert received == [[2]]
    assert rows(path, "id") == []


def test_the_waiting_messages_are_counted_and_purged_but_not_the_taken_ones(path: Path) -> None:
    with connect(path) as connection:
        publish(connection, 1, 2, 3)
        assert take(connection) is not None
        assert connection.default_channel.queue_declare(QUEUE).message_count == 2
        assert connection.default_channel.queue_purge(QUEUE) == 2
        assert rows(path, "state") == [("taken",)]


def test_a_waiting_consumer_gets_a_message_from_another_connection(path: Path) -> None:
    with connect(path) as receiver, connect(path) as sender:
        arrived: list[Any] = []
        # it has looked in vain some fifteen times before, and goes on looking
        with receiver.Consumer([Queue(QUEUE)], callbacks=[lambda body, _: arrived.append(body)]):
            later = threading.Timer(0.3, publish, (sender, 1))
            later.start()
            receiver.drain_events(timeout=120)
            later.join()
        assert arrived == [[1]]
        with pytest.raises(TimeoutError), receiver.Consumer([Queue(QUEUE)], callbacks=[print]):
            receiver.drain_events(timeout=0.1)


def test_direct_topic_and_fanout_exchanges_reach_queues_that_another_connection_declared(path: Path) -> None:
    direct, topic, fanout = (Exchange(kind, type=kind) for kind in ("direct", "topic", "fanout"))
    with connect(path) as declarer, connect(path) as sender:
        for queue in (
            Queue("one", direct, "a"),
            Queue("any", topic, "case.*"),
            Queue("left", fanout),
            Queue("right", fanout),
        ):
            queue(declarer.default_channel).declare()
        with sender.Producer() as producer:
            producer.publish([1], exchange=direct, routing_key="a", declare=[direct])
            producer.publish([2], exchange=direct, routing_key="b", declare=[direct])
            producer.publish([3], exchange=topic, routing_key="case.new", declare=[topic])
            producer.publish([4], exchange=fanout, declare=[fanout])
        arrived = {queue: json.loads(json.loads(envelope)["body"]) for queue, envelope in rows(path, "queue, envelope")}
        assert arrived == {"one": [1], "any": [3], "left": [4], "right": [4]}
        Queue("one", direct, "a")(declarer.default_channel).unbind_from(direct, "a")
        sender.Producer().publish([5], exchange=direct, routing_key="a", declare=[direct])
        assert len(rows(path, "id")) == 4


# --- what cannot be read


def test_a_pickled_message_is_refused_when_it_is_published(path: Path) -> None:
    with connect(path) as connection, pytest.raises(ContentDisallowed):
        connection.Producer(serializer="pickle").publish([1], routing_key=QUEUE)
    assert rows(path, "id") == []


def envelope(**changes: Any) -> str:
    message = {
        "body": "[7]",
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": {},
        "properties": {"delivery_tag": "x", "body_encoding": "utf-8", "delivery_info": {}, "priority": 0},
    }
    return json.dumps({**message, **changes})


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "not json",
        "[]",
        "{}",
        "[" * 100_000,
        envelope(body="[7"),
        envelope(body=None),
        envelope(headers=None),
        envelope(headers={"task": ["unhashable"]}),
        envelope(headers={"compression": "application/x-gzip"}),
        envelope(properties={"body_encoding": "base64", "delivery_info": {}}),
        envelope(**{"content-type": "application/x-python-serialize"}),
    ],
    ids=lambda text: text[:60],
)
def test_an_unreadable_message_is_parked_and_blocks_nothing(path: Path, bad: str) -> None:
    with connect(path) as connection:
        publish(connection, 1)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE message SET envelope = ?", (bad,))
    with connect(path) as connection:
        publish(connection, 2)
        assert take_all(connection) == [2]
    with connect(path) as connection:
        assert take_all(connection) == []
    [(state, fault, kept)] = rows(path, "state, fault, envelope")
    assert (state, kept) == ("bad", bad)
    assert fault


def test_a_message_that_ends_every_worker_is_parked_in_the_end(path: Path) -> None:
    with connect(path, max_deliveries=3) as connection:
        publish(connection, 1, 2)
        for _ in range(3):
            message = take(connection)
            assert message is not None
            assert message.payload == [1]
            message.requeue()
        assert take_all(connection) == [2]
    assert rows(path, "state") == [("bad",)]


def test_a_consumer_that_chokes_on_a_message_does_not_keep_it(path: Path) -> None:
    with connect(path) as connection:
        publish(connection, 1)
        received: list[Any] = []

        def choke_once(body: Any, message: Message) -> None:
            received.append(body)
            if len(received) == 1:
                raise LookupError
            message.ack()

        with connection.Consumer([Queue(QUEUE)], callbacks=[choke_once], prefetch_count=1):
            with pytest.raises(LookupError):
                connection.drain_events(timeout=60)
            connection.drain_events(timeout=60)
    assert received == [[1], [1]]
    assert rows(path, "id") == []


# --- leases


def test_a_killed_holder_loses_its_message_at_once_even_before_it_is_reaped(path: Path) -> None:
    # the lease outlasts the test
    with connect(path, lease_s=600) as connection:
        publish(connection, 1)
        with other_process(HOLD_ONE_MESSAGE, path, 600) as holder:
            assert take(connection) is None
            holder.kill()
            # not waited for: it is a zombie with a valid process id
            wait_for("the end of its lease", lambda: rows(path, "state") == [("ready",)])
        assert take_all(connection) == [1]


def test_a_living_holder_keeps_its_message_far_beyond_the_lease(path: Path) -> None:
    with connect(path, lease_s=2) as connection:
        publish(connection, 1)
        with other_process(HOLD_ONE_MESSAGE, path, 2):
            until = time.monotonic() + 6
            while time.monotonic() < until:
                assert take(connection) is None
                time.sleep(0.02)


def test_a_stopped_holder_loses_its_message_after_the_lease(path: Path) -> None:
    with connect(path, lease_s=1) as connection:
        publish(connection, 1)
        with other_process(HOLD_ONE_MESSAGE, path, 1) as holder:
            assert take(connection) is None
            stopped_at = time.monotonic()
            holder.send_signal(signal.SIGSTOP)
            wait_for("the end of its lease", lambda: rows(path, "state") == [("ready",)])
            assert time.monotonic() - stopped_at >= 0.6


def test_a_holder_in_another_container_is_believed_until_it_is_silent(path: Path) -> None:
    listening, holder = (MessageFile(path, busy_timeout_s=60) for _ in range(2))
    holder.put(QUEUE, token="t", priority=0, envelope="{}")
    assert holder.take(QUEUE) is not None
    elsewhere = Holder("boot/pid:[1]", 1, "1", "x")
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE message SET holder = ?", (str(elsewhere),))
    freed: list[bool] = []
    keeper = LeaseKeeper(listening, 0.6, on_freed=lambda: freed.append(True))
    # looks at two leases and more, at the pace of the keeper's own thread
    for _ in range(10):
        keeper.tick()
        time.sleep(keeper.period_s)
        with closing(sqlite3.connect(path)) as db, db:
            db.execute("UPDATE message SET beat = beat + 1")
    assert not freed
    for _ in range(6):
        keeper.tick()
        time.sleep(keeper.period_s)
    assert freed
    assert listening.take(QUEUE) is not None


def test_a_listener_that_slept_does_not_take_its_own_pause_for_silence(path: Path) -> None:
    sleepy, holder = (MessageFile(path, busy_timeout_s=60) for _ in range(2))
    holder.put(QUEUE, token="t", priority=0, envelope="{}")
    assert holder.take(QUEUE) is not None
    freed: list[bool] = []
    keeper = LeaseKeeper(sleepy, 0.8, on_freed=lambda: freed.append(True))
    keeper.tick()
    # the machine was suspended, or the clock went wrong, for longer than the lease
    time.sleep(1.2)
    keeper.tick()
    assert not freed
    for _ in range(3):
        time.sleep(keeper.period_s)
        keeper.tick()
    assert freed


def test_an_acknowledgement_outlives_the_lease_but_a_late_release_does_not(path: Path) -> None:
    slow, fast = (MessageFile(path, busy_timeout_s=60) for _ in range(2))
    slow.put(QUEUE, token="t", priority=0, envelope="{}")
    lost = slow.take(QUEUE)
    assert lost is not None
    assert fast.free_lost(lambda _: True) == 1
    again = fast.take(QUEUE)
    assert again is not None
    slow.release(lost.tag)
    assert rows(path, "state, holder") == [("taken", fast.holder)]
    slow.finish(lost.tag)
    assert rows(path, "id") == []


def test_a_process_that_runs_and_one_that_has_ended_are_told_apart() -> None:
    here = Holder.here()
    assert Holder.parse(str(here)) == here
    assert not here.has_ended()
    assert Holder(here.realm, here.pid, "1", "x").has_ended()
    assert not Holder("another boot", here.pid, "1", "x").has_ended()
    assert Holder.parse("anything else") is None


# --- threads, forks, other processes


def test_a_process_may_fork_while_its_threads_use_the_file(path: Path) -> None:
    file = MessageFile(path, busy_timeout_s=120)
    file.connect()
    stop = threading.Event()

    def publish_on(queue: str) -> None:
        while not stop.is_set():
            file.put(queue, token="t", priority=0, envelope="{}")

    threads = [threading.Thread(target=publish_on, args=(f"thread {n}",)) for n in range(2)]
    for thread in threads:
        thread.start()
    children = []
    for _ in range(15):
        child = os.fork()
        if child == 0:
            try:
                inherited = [os.path.realpath(descriptor) for descriptor in Path("/proc/self/fd").iterdir()]
                assert not any(file_name.startswith(str(path)) for file_name in inherited)
                # the inherited object works, and so does a connection of the child's own
                file.put("child", token="t", priority=0, envelope="{}")
                MessageFile(path, busy_timeout_s=120).put("child", token="t", priority=0, envelope="{}")
            except BaseException:
                os._exit(1)
            os._exit(0)
        children.append(child)
    codes = {os.waitpid(child, 0)[1] for child in children}
    stop.set()
    for thread in threads:
        thread.join()
    assert codes == {0}
    assert file.waiting("child") == 30
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_child_process_does_not_hold_the_messages_of_its_parent(path: Path) -> None:
    file = MessageFile(path, busy_timeout_s=60)
    file.put(QUEUE, token="t", priority=0, envelope="{}")
    taken = file.take(QUEUE)
    assert taken is not None
    child = os.fork()
    if child == 0:
        file.release(taken.tag)
        os._exit(0)
    os.waitpid(child, 0)
    assert rows(path, "state, holder") == [("taken", file.holder)]


def test_many_processes_may_make_the_file_at_the_same_time(tmp_path: Path) -> None:
    for attempt in range(10):
        path = tmp_path / f"{attempt}.sqlite"
        start_at = time.monotonic() + 0.05
        children = []
        for _ in range(6):
            child = os.fork()
            if child == 0:
                while time.monotonic() < start_at:
                    pass
                try:
                    MessageFile(path, busy_timeout_s=120).put(QUEUE, token="t", priority=0, envelope="{}")
                except BaseException:
                    os._exit(1)
                os._exit(0)
            children.append(child)
        assert [os.waitpid(child, 0)[1] for child in children] == [0] * 6
        assert len(rows(path, "id")) == 6


# --- the file


def test_the_file_is_durable_and_survives_readers_and_one_writer_at_a_time(path: Path) -> None:
    file = MessageFile(path, busy_timeout_s=60)
    with file._reading() as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert db.execute("PRAGMA synchronous").fetchone() == (2,)


def test_an_acknowledgement_that_meets_a_locked_file_is_made_up_for(path: Path) -> None:
    with connect(path, busy_timeout_s=0.05, lease_s=1) as connection, closing(sqlite3.connect(path)) as other:
        publish(connection, 1, 2)
        message = take(connection)
        assert message is not None
        other.execute("BEGIN IMMEDIATE")
        message.ack()
        # nor does the consumer fail
        assert take(connection) is None
        other.rollback()
        wait_for("the message that is left", lambda: rows(path, "state") == [("ready",)])


def test_publishing_into_a_file_that_stays_locked_fails(path: Path) -> None:
    with connect(path, busy_timeout_s=0.05) as connection:
        publish(connection, 1)
        with closing(sqlite3.connect(path)) as other, pytest.raises(sqlite3.OperationalError):
            other.execute("BEGIN IMMEDIATE")
            publish(connection, 2)


def test_both_sides_move_on_when_the_file_is_replaced(path: Path) -> None:
    with connect(path) as sender, connect(path) as receiver:
        publish(sender, 1)
        assert take_all(receiver) == [1]
        for part in path.parent.iterdir():
            part.unlink()
        publish(sender, 2)
        assert take_all(receiver) == [2]


def test_a_file_of_another_version_is_refused(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(sqlite3.DatabaseError, match="another version"):
        MessageFile(path, busy_timeout_s=60).connect()


def test_wrong_options_are_refused() -> None:
    for wrong in ({}, {"path": "relative"}, {"path": "/x", "lease": 1}, {"path": "/x", "lease_s": 0}):
        with pytest.raises(ValueError, match=r"transport options|absolute path|positive"):
            BrokerOptions.parse(wrong)
