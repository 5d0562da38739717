"""The messages of the embedded broker in one SQLite file, with the leases on them."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

from node.adapters.fork_gate import fork_gate
from node.adapters.holder import Holder
from node.logs import Log

_LOG: Final = Log("message_file")
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
        self._gate = fork_gate()
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
