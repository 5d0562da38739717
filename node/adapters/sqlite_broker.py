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

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from queue import Empty
from typing import Any, Final

from kombu.exceptions import ContentDisallowed
from kombu.transport import virtual
from kombu.utils.json import dumps, loads

from node.adapters.message_file import BrokerOptions, LeaseKeeper, MessageFile, TakenMessage
from node.logs import Log

_LOG: Final = Log("sqlite_broker")
_JSON: Final = "application/json"


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
