"""A kombu transport whose messages live in one SQLite file, so that a single machine needs no broker service.

A message is `ready`, `taken` or `bad`. Taking it names the holder, acknowledging deletes it, rejecting with requeue
makes it ready again in its old place. Higher priorities go first, equal ones in the order of arrival. What cannot be
read is parked as `bad`: it blocks nothing, is never delivered again and stays for inspection.

A lease is not a time of day. A holder adds to the `beat` of its messages as long as its process lives, however long
the task takes, and every consumer listens to the others:

- a holder of this machine whose process has ended loses its messages at once;
- any other holder loses them after `lease_s` of silence, measured with the listener's monotonic clock and only while
  the listener itself can write. So neither a clock that jumps, nor a machine that was suspended, nor a file that was
  locked for a while makes anyone look dead.

Delivery is therefore at least once. A holder that was stopped for longer than its lease and then wakes up runs on
beside its successor; the ledger's fencing decides which of them counts.

SQLite (https://www.sqlite.org/howtocorrupt.html, section 2.6) forbids to carry a connection through a fork, and a
prefork worker forks while other threads are busy. A gate closes the connections before each fork instead.
"""

# kombu's methods have no annotations: this module is where they enter
# mypy: disable-error-code="no-untyped-call"

import functools
import json
import os
import sqlite3
import threading
import time
import uuid
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from pathlib import Path
from queue import Empty
from typing import Any, Final

from kombu.exceptions import ContentDisallowed
from kombu.transport import virtual
from kombu.utils.json import dumps, loads

from node.logs import Log

_LOG: Final = Log("sqlite_broker")
_JSON: Final = "application/json"
# kombu keeps its retry policy among the transport's options (Connection._extract_failover_opts)
_RETRY_OPTIONS: Final = frozenset(
    ("max_retries", "interval_start", "interval_step", "interval_max", "connect_retries_timeout", "errback", "callback")
)

_SCHEMA_VERSION: Final = 1
_SCHEMA: Final = (
    # AUTOINCREMENT: a tag that outlived its message must never name a newer one
    """CREATE TABLE IF NOT EXISTS message (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        token TEXT NOT NULL,
        queue TEXT NOT NULL,
        priority INTEGER NOT NULL,
        envelope TEXT NOT NULL,
        state TEXT NOT NULL DEFAULT 'ready' CHECK (state IN ('ready', 'taken', 'bad')),
        holder TEXT,
        beat INTEGER NOT NULL DEFAULT 0,
        deliveries INTEGER NOT NULL DEFAULT 0,
        fault TEXT,
        published_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
    )""",
    "CREATE INDEX IF NOT EXISTS message_ready ON message (queue, priority DESC, id) WHERE state = 'ready'",
    "CREATE INDEX IF NOT EXISTS message_taken ON message (holder) WHERE state = 'taken'",
    """CREATE TABLE IF NOT EXISTS binding (
        exchange TEXT NOT NULL,
        routing_key TEXT NOT NULL,
        pattern TEXT NOT NULL,
        queue TEXT NOT NULL,
        PRIMARY KEY (exchange, routing_key, pattern, queue)
    ) WITHOUT ROWID""",
    f"PRAGMA user_version = {_SCHEMA_VERSION}",
)


@dataclass(frozen=True, slots=True)
class BrokerOptions:
    """Transport options.

    Attributes
    ----------
    path
        Absolute path of the SQLite file, on a local disk; its folder must exist.
    lease_s
        Seconds of silence after which a holder that cannot be asked for counts as dead.
    polling_interval_s
        Seconds between two looks at an empty queue; half of it is the mean delay of a task.
    busy_timeout_s
        Seconds to wait for another process that is writing.
    max_deliveries
        A message that was delivered more often is parked: it ends the workers that take it.
    """

    path: Path
    lease_s: float = 30.0
    polling_interval_s: float = 0.02
    busy_timeout_s: float = 10.0
    max_deliveries: int = 100

    def __post_init__(self) -> None:
        if not self.path.is_absolute():
            raise ValueError(f"the broker file needs an absolute path, not {self.path}")
        if min(self.lease_s, self.polling_interval_s, self.busy_timeout_s, self.max_deliveries) <= 0:
            raise ValueError("the times and numbers of the broker must be positive")

    @classmethod
    def parse(cls, options: Mapping[str, Any]) -> "BrokerOptions":
        """Read kombu's `transport_options`; an unknown name is an error."""
        own = {name: value for name, value in options.items() if name not in _RETRY_OPTIONS}
        unknown = own.keys() - {field.name for field in fields(cls)}
        if unknown or "path" not in own:
            raise ValueError(f"transport options must name a path and nothing unknown: {sorted(unknown)}")
        return cls(**{**own, "path": Path(own["path"])})


@dataclass(frozen=True, slots=True)
class Holder:
    """A connection that holds messages, named so that others can find out whether its process still runs.

    Attributes
    ----------
    realm
        Kernel boot and PID namespace: where `pid` means something. Two containers on one file have different realms.
    started
        Start of the process in clock ticks since boot, because a PID is used again.
    serial
        Tells the connections of one process apart.
    """

    realm: str
    pid: int
    started: str
    serial: str

    @classmethod
    def here(cls) -> "Holder":
        """Name a new connection of this process."""
        pid = os.getpid()
        serial = uuid.uuid4().hex[:12]
        started = _started(pid)
        # a system that cannot tell gets a realm of its own, so that only silence counts there
        return cls((started and _realm()) or serial, pid, started or "?", serial)

    @classmethod
    def parse(cls, text: str) -> "Holder | None":
        match text.split(" "):
            case [realm, pid, started, serial] if pid.isdecimal():
                return cls(realm, int(pid), started, serial)
            case _:
                return None

    def __str__(self) -> str:
        return f"{self.realm} {self.pid} {self.started} {self.serial}"

    def has_ended(self) -> bool:
        """True when it is certain that the process no longer runs."""
        if self.realm != _realm():
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return _started(self.pid) not in (self.started, None)


def _realm() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _started(pid: int) -> str | None:
    """Start time of a running process; "ended" for one that only waits to be reaped; None when it cannot be told.

    References
    ----------
    proc(5), /proc/pid/stat, fields 3 (state) and 22 (starttime); field 2 may hold spaces and brackets.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return "ended" if fields[0] in ("Z", "X") else fields[19]


class _ForkGate:
    """Lets a process fork only while none of its threads is inside SQLite and no connection is open."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._files: weakref.WeakSet[MessageFile] = weakref.WeakSet()

    def guard(self, file: "MessageFile") -> None:
        with self.lock:
            self._files.add(file)

    def before_fork(self) -> None:
        self.lock.acquire()
        for file in tuple(self._files):
            file.disconnect()

    def after_fork_in_parent(self) -> None:
        self.lock.release()

    def after_fork_in_child(self) -> None:
        self.lock = threading.RLock()
        for file in tuple(self._files):
            file.forget_holder()


@functools.cache
def _fork_gate() -> _ForkGate:
    """The gate of this process: a fork concerns all threads, and its hooks can be set but never taken back."""
    gate = _ForkGate()
    os.register_at_fork(
        before=gate.before_fork,
        after_in_parent=gate.after_fork_in_parent,
        after_in_child=gate.after_fork_in_child,
    )
    return gate


@dataclass(frozen=True, slots=True)
class TakenMessage:
    """A message that this process holds; `tag` names it when it is acknowledged or rejected."""

    tag: str
    envelope: str
    deliveries: int


@dataclass(frozen=True, slots=True)
class HeldMessage:
    """A message that someone else holds; `beat` has changed whenever the holder was alive in between."""

    number: int
    holder: str
    beat: int


class MessageFile:
    """Messages, leases and bindings in one SQLite file.

    Every method may be called from any thread and raises `sqlite3.DatabaseError` when the file cannot be used.
    """

    def __init__(self, path: Path, *, busy_timeout_s: float) -> None:
        self._path = path
        self._busy_timeout_s = busy_timeout_s
        self._db: sqlite3.Connection | None = None
        self._inode: tuple[int, int] | None = None
        self._holder: Holder | None = None
        self._gate = _fork_gate()
        self._gate.guard(self)

    # --- connection

    def connect(self) -> None:
        """Open the file, making it when there is none."""
        with self._reading():
            pass

    def disconnect(self) -> None:
        """Close the file; the next use opens it again."""
        with self._gate.lock:
            if self._db is not None:
                self._db.close()
                self._db = None

    def forget_holder(self) -> None:
        """Give up the identity of the parent process: its messages are not ours."""
        self._holder = None

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._gate.lock:
            inode = _inode(self._path)
            if self._db is not None and self._inode != inode:
                # the file was replaced; through the old one we would talk to nobody
                self.disconnect()
            if self._db is None:
                self._db = _open(self._path, self._busy_timeout_s)
                self._inode = _inode(self._path)
            yield self._db

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._reading() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise

    @property
    def holder(self) -> str:
        """Name under which this connection holds messages."""
        with self._gate.lock:
            if self._holder is None:
                self._holder = Holder.here()
            return str(self._holder)

    # --- messages

    def put(self, queue: str, *, token: str, priority: int, envelope: str) -> None:
        """Add a message; it is on the disk when this returns."""
        with self._writing() as db:
            db.execute(
                "INSERT INTO message (token, queue, priority, envelope) VALUES (?, ?, ?, ?)",
                (token, queue, priority, envelope),
            )

    def take(self, queue: str) -> TakenMessage | None:
        """Take the next message of `queue`, or None when none is ready."""
        with self._reading() as db:
            # most looks find nothing, and this one does not need the write lock
            ready = db.execute("SELECT 1 FROM message WHERE state = 'ready' AND queue = ? LIMIT 1", (queue,)).fetchone()
        if ready is None:
            return None
        with self._writing() as db:
            row = db.execute(
                "SELECT id, token, envelope, deliveries + 1 FROM message WHERE state = 'ready' AND queue = ?"
                " ORDER BY priority DESC, id LIMIT 1",
                (queue,),
            ).fetchone()
            if row is None:
                return None
            number, token, envelope, deliveries = row
            db.execute(
                "UPDATE message SET state = 'taken', holder = ?, beat = beat + 1, deliveries = ? WHERE id = ?",
                (self.holder, deliveries, number),
            )
        return TakenMessage(f"{number}:{token}", envelope, deliveries)

    def finish(self, tag: str) -> None:
        """Delete a message for good.

        Whoever holds it by now: the work has been done, and doing it again would help nobody.
        """
        with self._writing() as db:
            db.execute("DELETE FROM message WHERE id = ? AND token = ?", _key(tag))

    def release(self, tag: str) -> None:
        """Make a message ready again if this connection still holds it."""
        with self._writing() as db:
            db.execute(
                "UPDATE message SET state = 'ready', holder = NULL"
                " WHERE id = ? AND token = ? AND state = 'taken' AND holder = ?",
                (*_key(tag), self.holder),
            )

    def park(self, tag: str, fault: str) -> None:
        """Put a message aside that nobody can read."""
        with self._writing() as db:
            db.execute(
                "UPDATE message SET state = 'bad', holder = NULL, fault = ? WHERE id = ? AND token = ?",
                (fault, *_key(tag)),
            )

    def waiting(self, queue: str) -> int:
        """Number of messages that are ready."""
        with self._reading() as db:
            row = db.execute("SELECT count(*) FROM message WHERE state = 'ready' AND queue = ?", (queue,)).fetchone()
        return int(row[0])

    def purge(self, queue: str) -> int:
        """Delete the messages that are ready and return how many there were."""
        with self._writing() as db:
            return db.execute("DELETE FROM message WHERE state = 'ready' AND queue = ?", (queue,)).rowcount

    # --- leases

    def renew(self) -> None:
        """Show that the holder of this connection's messages is alive."""
        with self._writing() as db:
            db.execute("UPDATE message SET beat = beat + 1 WHERE state = 'taken' AND holder = ?", (self.holder,))

    def free_lost(self, is_lost: Callable[[HeldMessage], bool]) -> int:
        """Make ready what others hold and `is_lost` judges to be lost; return how many messages that were.

        The judge is asked with the write lock in hand, hence no beat can be on its way meanwhile.
        """
        others = "FROM message WHERE state = 'taken' AND holder != ?"
        with self._reading() as db:
            if db.execute(f"SELECT 1 {others} LIMIT 1", (self.holder,)).fetchone() is None:
                return 0
        with self._writing() as db:
            held = [HeldMessage(*row) for row in db.execute(f"SELECT id, holder, beat {others}", (self.holder,))]
            lost = [message for message in held if is_lost(message)]
            db.executemany(
                "UPDATE message SET state = 'ready', holder = NULL WHERE id = ?",
                [(message.number,) for message in lost],
            )
        return len(lost)

    # --- bindings

    def bind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None:
        with self._writing() as db:
            db.execute("INSERT OR IGNORE INTO binding VALUES (?, ?, ?, ?)", (exchange, routing_key, pattern, queue))

    def unbind(self, exchange: str, routing_key: str, queue: str) -> None:
        with self._writing() as db:
            db.execute(
                "DELETE FROM binding WHERE exchange = ? AND routing_key = ? AND queue = ?",
                (exchange, routing_key, queue),
            )

    def bindings(self, exchange: str) -> list[tuple[str, str, str]]:
        """Routing key, pattern and queue of every binding of `exchange`."""
        with self._reading() as db:
            return db.execute(
                "SELECT routing_key, pattern, queue FROM binding WHERE exchange = ?", (exchange,)
            ).fetchall()


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _open(path: Path, busy_timeout_s: float) -> sqlite3.Connection:
    # the gate's lock, not the thread, decides who may use the connection
    db = sqlite3.connect(path, timeout=busy_timeout_s, isolation_level=None, check_same_thread=False)
    try:
        _enter_wal_mode(db, path, give_up_at=time.monotonic() + busy_timeout_s)
        db.execute("PRAGMA synchronous = FULL")
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, _SCHEMA_VERSION):
            raise sqlite3.DatabaseError(f"{path} has the format {version} of another version of this program")
        if version == 0:
            db.execute("BEGIN IMMEDIATE")
            for statement in _SCHEMA:
                db.execute(statement)
            db.execute("COMMIT")
    except BaseException:
        db.close()
        raise
    return db


def _enter_wal_mode(db: sqlite3.Connection, path: Path, *, give_up_at: float) -> None:
    while True:
        try:
            mode = db.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        except sqlite3.OperationalError:
            # SQLite does not wait here when several processes open a new file at the same time
            if time.monotonic() >= give_up_at:
                raise
            time.sleep(0.01)
            continue
        if mode != "wal":
            raise sqlite3.OperationalError(f"the file system of {path} does not support write-ahead logging")
        return


def _key(tag: str) -> tuple[int, str]:
    number, _, token = tag.partition(":")
    return int(number), token


class LeaseKeeper:
    """A thread that renews the leases of one connection and frees those of dead holders.

    Attributes
    ----------
    period_s
        Seconds between two looks at the other holders.
    """

    def __init__(self, file: MessageFile, lease_s: float, *, on_freed: Callable[[], None]) -> None:
        self.period_s = min(1.0, lease_s / 4)
        self._file = file
        self._lease_s = lease_s
        self._on_freed = on_freed
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._unfinished: set[str] = set()
        self._renewed_at = time.monotonic()
        self._listened_at = time.monotonic()
        self._silence: dict[int, tuple[int, float]] = {}

    def start(self) -> None:
        """Start the thread unless it runs."""
        if self._thread is None or not self._thread.is_alive():
            self._stop.clear()
            self._thread = threading.Thread(target=self._run, name="sqlite-broker-leases", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Stop the thread; leases that are still held run out."""
        self._stop.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout=self.period_s)
        self._thread = None

    def finish(self, tag: str) -> None:
        """Delete a message, later if the file cannot be written now.

        The task is done and its worker waits for the next; raising would leave the message held for as long as this
        process lives.
        """
        try:
            self._file.finish(tag)
        except sqlite3.OperationalError as error:
            self._unfinished.add(tag)
            _LOG.warning("broker_ack_delayed", reason=str(error))

    def tick(self) -> None:
        """Do what is due: late acknowledgements, own leases, the leases of others."""
        for tag in tuple(self._unfinished):
            self._file.finish(tag)
            self._unfinished.discard(tag)
        now = time.monotonic()
        if now - self._renewed_at >= self._lease_s / 3:
            self._file.renew()
            self._renewed_at = now
        freed = self._listen(now)
        if freed:
            _LOG.warning("broker_leases_freed", messages=freed)
            self._on_freed()

    def _listen(self, now: float) -> int:
        # a longer pause was ours, not the holder's: we slept or could not write
        step_s = min(now - self._listened_at, 2 * self.period_s)
        heard: dict[int, tuple[int, float]] = {}

        def is_lost(message: HeldMessage) -> bool:
            beat, silence_s = self._silence.get(message.number, (message.beat, -step_s))
            silence_s = silence_s + step_s if beat == message.beat else 0.0
            heard[message.number] = (message.beat, silence_s)
            holder = Holder.parse(message.holder)
            return silence_s >= self._lease_s or (holder is not None and holder.has_ended())

        freed = self._file.free_lost(is_lost)
        self._silence = heard
        self._listened_at = now
        return freed

    def _run(self) -> None:
        while True:
            try:
                self.tick()
            except sqlite3.DatabaseError as error:
                _LOG.warning("broker_leases_unattended", reason=str(error))
            except Exception:
                # a bug must not end the thread: without its beats all running tasks would be delivered again
                _LOG.error("broker_leases_unattended", traceback=True)
            if self._stop.wait(self.period_s):
                return


class QoS(virtual.QoS):
    """Limits how many messages a channel holds, and settles them."""

    def ack(self, delivery_tag: str) -> None:
        self.channel.settle(delivery_tag)
        super().ack(delivery_tag)
        self.channel.connection.on_settled()

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        if not requeue:
            self.channel.settle(delivery_tag)
        super().reject(delivery_tag, requeue=requeue)
        self.channel.connection.on_settled()

    def forget(self, delivery_tag: str) -> None:
        """Count a message no longer as held."""
        if delivery_tag in self._delivered:
            super().ack(delivery_tag)


class Channel(virtual.Channel):
    """Routes, delivers and settles messages of one `MessageFile`."""

    QoS = QoS
    supports_fanout = True
    # the body is JSON text already; base64 would only hide it from whoever inspects the file
    body_encoding = "utf-8"

    def __init__(self, connection: "Transport") -> None:
        super().__init__(connection)
        self._file = connection.file
        self._keeper = connection.keeper
        self._max_deliveries = connection.max_deliveries
        self._unacknowledged_queues: set[str] = set()
        self._unwell_until = 0.0

    # --- consuming

    def basic_consume(self, queue: str, no_ack: bool, callback: Any, consumer_tag: str, **kwargs: Any) -> None:
        if no_ack:
            self._unacknowledged_queues.add(queue)
        self._keeper.start()
        super().basic_consume(queue, no_ack, callback, consumer_tag, **kwargs)

    def basic_get(self, queue: str, no_ack: bool = False, **kwargs: Any) -> Any:
        self._keeper.start()
        message = super().basic_get(queue, no_ack=no_ack, **kwargs)
        if no_ack and message is not None and queue not in self._unacknowledged_queues:
            self.settle(message.delivery_tag)
        return message

    def settle(self, delivery_tag: str) -> None:
        """Delete a message that was dealt with."""
        self._keeper.finish(delivery_tag)

    def _get_and_deliver(self, queue: str, callback: Callable[[dict[str, Any], str], None]) -> None:
        message = self._get(queue)
        try:
            callback(message, queue)
        except Exception:
            # the consumer choked on the message and will never answer; it must not keep its place in the prefetch count
            tag = message["properties"]["delivery_tag"]
            self._file.release(tag)
            self.qos.forget(tag)
            raise

    def _get(self, queue: str, timeout: float | None = None) -> dict[str, Any]:
        if time.monotonic() < self._unwell_until:
            raise Empty
        try:
            while (taken := self._file.take(queue)) is not None:
                message = self._read(taken)
                if message is not None:
                    if queue in self._unacknowledged_queues:
                        self.settle(taken.tag)
                    return message
        except sqlite3.OperationalError as error:
            # a locked file or a full disk passes; losing the connection over it would requeue tasks that are running
            _LOG.warning("broker_unwell", reason=str(error))
            self._unwell_until = time.monotonic() + 1.0
        raise Empty

    def _read(self, taken: TakenMessage) -> dict[str, Any] | None:
        """Parse a message so far that nothing behind can stumble over it, or park it."""
        try:
            if taken.deliveries > self._max_deliveries:
                raise ValueError("delivered too often")
            message: dict[str, Any] = loads(taken.envelope)
            if not _is_plain_json(message):
                raise ValueError("not a message of plain JSON")
            properties = message["properties"]
            json.loads(self.decode_body(message["body"], properties["body_encoding"]))
            properties["delivery_info"]["redelivered"] = taken.deliveries > 1
            properties["delivery_tag"] = taken.tag
            # Celery looks these up before it knows whether they are any good
            message["headers"] = dict(message["headers"])
            hash(message["headers"].get("task"))
        except Exception as error:
            # a foreign text can make a parser raise anything, and the fault is always the text's
            self._file.park(taken.tag, f"{type(error).__name__}: {error}")
            _LOG.error("broker_message_parked", message=taken.tag, fault=type(error).__name__)
            return None
        return message

    def _restore(self, message: Any) -> None:
        try:
            self._file.release(message.delivery_tag)
        except sqlite3.DatabaseError as error:
            # the lease runs out by itself; kombu would write the message into a temporary file as a pickle
            _LOG.warning("broker_release_failed", reason=str(error))

    # --- publishing

    def _put(self, queue: str, message: dict[str, Any], **kwargs: Any) -> None:
        if not _is_plain_json(message):
            raise ContentDisallowed("the broker carries plain JSON only")
        self._file.put(
            queue,
            token=message["properties"]["delivery_tag"],
            priority=self._get_message_priority(message),
            envelope=dumps(message),
        )
        self.connection.wake()

    def _put_fanout(self, exchange: str, message: dict[str, Any], routing_key: str, **kwargs: Any) -> None:
        for queue in {queue for _, _, queue in self.get_table(exchange)}:
            self._put(queue, message)

    # --- queues and bindings

    def _size(self, queue: str) -> int:
        return self._file.waiting(queue)

    def _purge(self, queue: str) -> int:
        return self._file.purge(queue)

    def _delete(self, queue: str, exchange: str, routing_key: str, pattern: str | None, **kwargs: Any) -> None:
        self._file.purge(queue)
        self._file.unbind(exchange, routing_key or "", queue)

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str | None, queue: str) -> None:
        self._file.bind(exchange, routing_key or "", pattern or "", queue)

    def queue_unbind(
        self, queue: str, exchange: str = "", routing_key: str = "", arguments: Any = None, **kwargs: Any
    ) -> None:
        super().queue_unbind(queue, exchange, routing_key, arguments, **kwargs)
        self._file.unbind(exchange, routing_key or "", queue)

    def get_table(self, exchange: str) -> list[tuple[str, str, str]]:
        # from the file, because the publisher need not be the process that declared the queue
        return self._file.bindings(exchange)


def _is_plain_json(message: Mapping[str, Any]) -> bool:
    return message["content-type"] == _JSON and "compression" not in message["headers"]


class Transport(virtual.Transport):
    """Connects kombu to a `MessageFile`; use it as `transport="node.adapters.sqlite_broker:Transport"`."""

    Channel = Channel  # type: ignore[assignment]
    driver_type = "sqlite"
    driver_name = "sqlite3"
    # the file is named by the transport option `path`, for a URL may not hold every path (kombu splits it at ";")
    can_parse_url = True
    connection_errors = (*virtual.Transport.connection_errors, sqlite3.DatabaseError)  # type: ignore[assignment]
    cycle: Any
    # served by Celery's event loop: its other way of running children is made of threads that look around every 0.8 s
    implements = virtual.Transport.implements.extend(
        asynchronous=True, exchange_type=frozenset(("direct", "topic", "fanout"))
    )

    def __init__(self, client: Any, **kwargs: Any) -> None:
        options = BrokerOptions.parse(client.transport_options)
        super().__init__(client, **kwargs)
        self._path = options.path
        self.polling_interval = options.polling_interval_s
        self.max_deliveries = options.max_deliveries
        self._awake = threading.Event()
        self.file = MessageFile(options.path, busy_timeout_s=options.busy_timeout_s)
        self.keeper = LeaseKeeper(self.file, options.lease_s, on_freed=self.wake)
        self._loop: Any = None
        self._timer: Any = None

    def wake(self) -> None:
        """Let a waiting `drain_events` look for messages now rather than at its next poll."""
        self._awake.set()

    def establish_connection(self) -> "Transport":
        self.file.connect()
        super().establish_connection()
        return self

    def close_connection(self, connection: "Transport") -> None:
        self._leave_event_loop()
        super().close_connection(connection)
        self.keeper.stop()
        self.file.disconnect()

    def as_uri(self, uri: str, include_password: bool = False, mask: str = "**") -> str:
        return f"sqlite://{self._path}"

    def driver_version(self) -> str:
        return sqlite3.sqlite_version

    # --- blocking

    def drain_events(  # type: ignore[override]
        self, connection: "Transport", timeout: float | None = None
    ) -> None:
        give_up_at = None if timeout is None else time.monotonic() + timeout
        while True:
            self._awake.clear()
            try:
                self.cycle.get(self._deliver)
                return
            except Empty:
                pause_s = self.polling_interval
                if give_up_at is not None:
                    left_s = give_up_at - time.monotonic()
                    if left_s <= 0:
                        raise TimeoutError from None
                    pause_s = min(pause_s, left_s)
                self._awake.wait(pause_s)

    # --- in Celery's event loop

    def register_with_event_loop(self, connection: "Transport", loop: Any) -> None:
        self._loop = loop
        self._timer = loop.call_repeatedly(self.polling_interval, self._deliver_ready)

    def unregister_from_event_loop(self, connection: "Transport", loop: Any) -> None:
        self._leave_event_loop()

    def _leave_event_loop(self) -> None:
        if self._loop is not None:
            self._timer.cancel()
            self._loop = self._timer = None

    def on_settled(self) -> None:
        """Use the place that has become free at once."""
        self.wake()
        if self._loop is not None:
            # A turn of the loop runs what is ready (us), fires timers, asks the pool what to write to its children, and
            # waits. A timer without delay is the one way to take a message and have it written in this very turn.
            self._loop.call_later(0, self._deliver_ready)

    def _deliver_ready(self) -> None:
        with suppress(Empty):
            while True:
                self.cycle.get(self._deliver)
