"""The queue of cases: Celery over the embedded SQLite broker or Redis, and the worker that serves it.

The ledger is the only truth about a case. The queue may repeat a message or lose one, and everything here that looks
lax follows from that: a task that fails or runs out of time is acknowledged, because the ledger decides about another
attempt; results are not kept, because the ledger has them.
"""

import logging
import ssl
from dataclasses import dataclass
from typing import Any, Final

from celery import Celery, bootsteps, signals
from celery.exceptions import SoftTimeLimitExceeded
from kombu.exceptions import ChannelError, OperationalError

from node.errors import TransientError
from node.tasks import PROCESS_CASE
from pipelines.domain.identifiers import CaseId
from pipelines.domain.priority import Priority

QUEUE: Final = "pulmonode"
_SQLITE_TRANSPORT: Final = "node.adapters.sqlite_broker:Transport"
_REDIS_TRANSPORT: Final = "node.adapters.redis_broker:Transport"

# three of the four lists that kombu keeps for a queue in Redis
_FIRST_FIRST: Final = {Priority.URGENT: 0, Priority.NORMAL: 3, Priority.OFF_PEAK: 6}
_LAST_FIRST: Final = {Priority.URGENT: 9, Priority.NORMAL: 6, Priority.OFF_PEAK: 3}

OutOfTime: Final = SoftTimeLimitExceeded
"""Raised within a task that has reached its soft time limit."""


class QueueUnavailable(TransientError):
    """The broker cannot be reached or written; the message was not queued."""

    def __init__(self, detail: str) -> None:
        super().__init__("RUN-003", detail)


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """How tasks are run and how the broker is used.

    Attributes
    ----------
    soft_time_limit_s, time_limit_s
        Seconds until a task is asked to stop (`SoftTimeLimitExceeded` inside the task) and until its process is killed.
    max_tasks_per_child
        Tasks after which a worker process is replaced by a fresh one.
    max_memory_per_child_kb
        Resident memory after which a worker process is replaced, once its task has ended.
    sqlite_lease_s
        Seconds of silence after which a worker that cannot be asked for loses its messages (SQLite).
    sqlite_polling_interval_s
        Seconds between two looks at the queue (SQLite).
    redis_visibility_timeout_s
        Seconds after which Redis delivers a message again that was not acknowledged, even when its task still runs.
        Must be longer than the longest task.
    redis_ca_file
        Certificates of the authorities that may vouch for a `rediss` server; None for those of the system.
    """

    soft_time_limit_s: float | None = None
    time_limit_s: float | None = None
    max_tasks_per_child: int | None = None
    max_memory_per_child_kb: int | None = None
    sqlite_lease_s: float = 30.0
    sqlite_polling_interval_s: float = 0.02
    redis_visibility_timeout_s: int = 21600
    redis_ca_file: str | None = None


def create_app(broker: str, *, settings: QueueSettings) -> Celery:
    """Make the Celery application of the node, without connecting to anything.

    Parameters
    ----------
    broker
        `sqlite:///ABSOLUTE/PATH` for the embedded broker, `redis://…` or `rediss://…` for Redis. A `rediss` server must
        have a certificate that is valid for this machine, unless the URL says otherwise (`?ssl_cert_reqs=…`).

    Raises
    ------
    ValueError
        If `broker` is none of these.
    """
    app = Celery("pulmonode", backend="disabled", set_as_current=False, fixups=[])
    app.conf.update(
        **_broker_configuration(broker, settings),
        # a broker that is not there yet is waited for, at start as later
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        task_default_queue=QUEUE,
        # JSON in and out, and nothing that runs code when it is read
        accept_content=["json"],
        task_serializer="json",
        result_serializer="json",
        event_serializer="json",
        task_ignore_result=True,
        # a message stays in the queue until its task has ended, and comes back when the process died
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        # a lost connection does not stop a long task: it ends, and the ledger turns the repeated message away
        worker_cancel_long_running_tasks_on_connection_loss=False,
        task_soft_time_limit=settings.soft_time_limit_s,
        task_time_limit=settings.time_limit_s,
        worker_max_tasks_per_child=settings.max_tasks_per_child,
        worker_max_memory_per_child=settings.max_memory_per_child_kb,
        # a busy machine needs more than Celery's 4 s to start a process
        worker_proc_alive_timeout=30.0,
        enable_utc=True,
        timezone="UTC",
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        # nobody asks for these, and each costs queues of its own
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_disable_rate_limits=True,
    )
    app.steps["worker"].add(_ReplaceChildren)
    return app


class _ReplaceChildren(bootsteps.StartStopStep):  # type: ignore[misc]
    """Replaces ended child processes without delay.

    Celery is told when a child closes its pipe, a moment before the child can be reaped. When it is too quick it finds
    the child alive, and looks again after 5 s; a task that was meant for this child waits as long.
    """

    requires = ("celery.worker.components:Pool",)

    def register_with_event_loop(self, worker: Any, hub: Any) -> None:
        hub.call_repeatedly(0.2, worker.pool.maintain_pool)


def _broker_configuration(broker: str, settings: QueueSettings) -> dict[str, Any]:
    scheme, _, rest = broker.partition("://")
    if scheme == "sqlite" and rest.startswith("/") and rest.strip("/"):
        return {
            "broker_url": "sqlite://",
            "broker_transport": _SQLITE_TRANSPORT,
            "broker_transport_options": {
                # SQLAlchemy writes an absolute path with a fourth slash; both forms mean the same here
                "path": "/" + rest.lstrip("/"),
                "lease_s": settings.sqlite_lease_s,
                "polling_interval_s": settings.sqlite_polling_interval_s,
            },
        }
    if scheme in ("redis", "rediss"):
        return {
            "broker_url": broker,
            "broker_transport": _REDIS_TRANSPORT,
            "broker_transport_options": {
                "visibility_timeout": settings.redis_visibility_timeout_s,
                # look that often for messages that ran out of it, and each time rather than every tenth
                "unacked_restore_interval": max(1, min(10, settings.redis_visibility_timeout_s // 3)),
                "unacked_restore_throttle": 1,
                # without them a server that stopped answering holds its client for ever
                "socket_connect_timeout": 5.0,
                "socket_timeout": 30.0,
            },
            # kombu does not check the certificate unless told to
            "broker_use_ssl": _tls(settings.redis_ca_file) if scheme == "rediss" else False,
        }
    # not repeated in the message, for it may hold a password
    raise ValueError("the broker must be sqlite:///ABSOLUTE/PATH, redis://… or rediss://…")


def _tls(ca_file: str | None) -> dict[str, Any]:
    return {"ssl_cert_reqs": ssl.CERT_REQUIRED} | ({} if ca_file is None else {"ssl_ca_certs": ca_file})


class CeleryQueue:
    """The queue of cases that wait for a worker."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        # the embedded broker takes the highest number first, as AMQP does, and kombu's Redis the lowest
        self._numbers = _LAST_FIRST if app.conf.broker_transport == _SQLITE_TRANSPORT else _FIRST_FIRST

    def submit(self, case_id: CaseId, priority: Priority = Priority.NORMAL) -> None:
        """Queue a case; on the SQLite broker it is on the disk when this returns.

        Raises
        ------
        QueueUnavailable
            If the broker could not be reached within a few seconds.
        """
        try:
            self._app.send_task(PROCESS_CASE, args=(int(case_id),), priority=self._numbers[priority])
        except OperationalError as error:
            raise QueueUnavailable(f"the queue cannot be written: {error}") from error

    def depth(self) -> int:
        """Number of messages that no worker has taken yet.

        Raises
        ------
        QueueUnavailable
            If the broker could not be reached.
        """
        with self._app.connection_for_read() as connection:
            try:
                connection.ensure_connection(max_retries=1)
                return int(connection.default_channel.queue_declare(queue=QUEUE, passive=True).message_count)
            except ChannelError:
                # Redis has no queue while it is empty
                return 0
            except (OperationalError, *connection.connection_errors) as error:
                raise QueueUnavailable(f"the queue cannot be read: {error}") from error


def run_worker(app: Celery, *, concurrency: int, hostname: str, log_level: str) -> int:
    """Serve the queue with `concurrency` child processes until SIGTERM, then finish the running tasks and return.

    Must be called in the main thread of a process of its own; needs neither a terminal nor standard streams. The signal
    is for this process alone: a child that gets it dies, and its task starts again elsewhere. A task that was handed to
    a child in the very moment of the signal ends, yet Celery forgets it: the worker then takes 30 s longer to stop and
    the message is delivered once more.

    Parameters
    ----------
    hostname
        Name of the worker, unique among those on one broker.
    log_level
        Level of Celery's own log where the process has not set up logging; otherwise that set-up stays as it is.

    Returns
    -------
    int
        Exit code for the process, 0 after a warm shutdown.
    """
    if logging.getLogger().handlers:
        signals.setup_logging.connect(_keep_logging, weak=False)
    worker = app.Worker(
        hostname=hostname,
        concurrency=concurrency,
        pool="prefork",
        loglevel=log_level,
        quiet=True,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    )
    worker.start()
    return int(worker.exitcode or 0)


def _keep_logging(**_: object) -> None:
    """Celery leaves logging alone when anyone answers its signal."""
