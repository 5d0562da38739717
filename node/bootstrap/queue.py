"""The queue: its broker, its application, and those who fill it."""

from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit, urlunsplit

from node.adapters.memory import limit_memory
from node.bootstrap.computing import process_with_current_model
from node.bootstrap.responding import make_responder
from node.bootstrap.site import RESPONSE
from node.bootstrap.stores import open_stores
from node.errors import ConfigError
from node.settings import Settings, read_secret
from pipelines.domain.identifiers import CaseId

if TYPE_CHECKING:
    from celery import Celery

    from node.adapters.queue_celery import CeleryQueue


def broker_url(settings: Settings) -> str:
    """URL of the queue's broker, with its password."""
    configured = settings.queue.broker
    if not configured:
        return f"sqlite:///{settings.data_dir / 'queue.sqlite3'}"
    password = read_secret(settings.queue.broker_password_file)
    if password is None:
        return configured
    parts = urlsplit(configured)
    host = parts.netloc.rpartition("@")[2]
    user = parts.username or ""
    return urlunsplit(parts._replace(netloc=f"{user}:{quote(password, safe='')}@{host}"))


def make_app(settings: Settings) -> "Celery":
    """The Celery application, with its tasks.

    Raises
    ------
    ConfigError
        If the broker's URL is of no known kind.
    """
    from node.adapters.queue_celery import QueueSettings, create_app
    from node.tasks import register

    authorities = settings.queue.broker_ca_file
    limits = QueueSettings(
        soft_time_limit_s=settings.queue.time_limit_s,
        time_limit_s=settings.queue.time_limit_s + 60,
        max_tasks_per_child=100,
        # a process that has grown is replaced before the next case meets its limit
        max_memory_per_child_kb=settings.queue.max_memory_mb * 1024 or None,
        sqlite_lease_s=settings.queue.lease_s,
        redis_visibility_timeout_s=settings.queue.time_limit_s + 600,
        redis_ca_file=str(authorities.expanduser()) if authorities else None,
    )
    try:
        app = create_app(broker_url(settings), settings=limits)
    except ValueError as fault:
        raise ConfigError([f"queue.broker: {fault}"]) from fault

    def services() -> Callable[[CaseId], None]:
        stores = open_stores(settings)
        process = process_with_current_model(settings, stores)
        respond = make_responder(settings, stores).respond if RESPONSE in settings.outputs.kinds else None
        # in the child that computes, once it has loaded what it computes with
        limit_memory(settings.queue.max_memory_mb)
        if respond is None:
            return process

        def process_and_respond(case: CaseId) -> None:
            process(case)
            respond(case)

        return process_and_respond

    register(app, services)
    return app


def make_queue(settings: Settings) -> "CeleryQueue":
    """The queue as those see it who fill it."""
    from node.adapters.queue_celery import CeleryQueue

    return CeleryQueue(make_app(settings))
