"""What each process of the node does from its start to SIGTERM."""

import os
import signal
import socket
import threading
from collections.abc import Callable
from datetime import timedelta
from types import FrameType
from typing import Final

from node import bootstrap
from node.errors import ConfigError, TransientError
from node.logs import Log
from node.services.deliver import Deliverer
from node.settings import Settings

# no file takes that long to be written, so whoever began it is dead
_UNFINISHED_AFTER_S: Final = 3600.0


def stop_on_signals() -> threading.Event:
    """An event that SIGTERM and SIGINT set."""
    stop = threading.Event()

    def set_stop(number: int, frame: FrameType | None) -> None:
        stop.set()

    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, set_stop)
    return stop


def receiver(settings: Settings) -> None:
    """Receive instances.

    Raises
    ------
    ConfigError
        If the address cannot be bound.
    """
    stop, log = stop_on_signals(), Log("receive")
    stores = bootstrap.open_stores(settings)
    stores.spool.discard_unfinished(older_than_s=_UNFINISHED_AFTER_S)
    scp = bootstrap.make_scp(settings, stores)
    try:
        port = scp.start(settings.node.bind, settings.node.port)
    except OSError as fault:
        raise ConfigError([f"node.port: {settings.node.bind}:{settings.node.port}: {fault.strerror}"]) from fault
    log.info("listening", ae=settings.node.ae_title, address=settings.node.bind, port=port)
    stop.wait()
    scp.stop()
    log.info("stopped")


def dispatcher(settings: Settings) -> None:
    """Start complete cases and deliver results, each destination in a thread of its own."""
    stop, log = stop_on_signals(), Log("dispatch")
    stores = bootstrap.open_stores(settings)
    assembler = bootstrap.make_assembler(settings, stores, bootstrap.make_queue(settings))
    deliverer = bootstrap.make_deliverer(settings, stores)
    pause = timedelta(seconds=settings.assembly.tick_s)
    # peers are all served: a person may send results to one that is no standing destination
    threads = [
        threading.Thread(
            target=_repeat, args=(_delivery(deliverer, peer.name, stop), stop, pause, log), name=f"deliver-{peer.name}"
        )
        for peer in settings.peers
    ]
    for thread in threads:
        thread.start()
    log.info("dispatching", destinations=", ".join(settings.delivery.destinations) or "none")
    _repeat(assembler.tick, stop, pause, log)
    for thread in threads:
        thread.join()
    log.info("stopped")


def worker(settings: Settings) -> int:
    """Compute cases until SIGTERM; the exit code.

    Raises
    ------
    ConfigError
        If the pipeline cannot be set up.
    """
    from node.adapters.queue_celery import run_worker

    identity = bootstrap.pyradiomics_identity()
    bootstrap.load_pipeline(settings)  # a wrong model shows here, not at the first case
    processes = settings.queue.worker_processes or os.cpu_count() or 1
    log = Log("worker")
    if os.geteuid() == 0:
        log.warning("running_as_root", advice="run the node under an account of its own")
    log.info("working", processes=processes, pyradiomics=identity)
    return run_worker(
        bootstrap.make_app(settings),
        concurrency=processes,
        hostname=f"pulmonode-{os.getpid()}@{socket.gethostname()}",
        log_level=settings.log.level,
    )


def _delivery(deliverer: Deliverer, peer: str, stop: threading.Event) -> Callable[[], None]:
    def deliver() -> None:
        # however much is due, the node can be stopped after each batch
        while not stop.is_set() and deliverer.deliver(peer):
            pass

    return deliver


def _repeat(work: Callable[[], None], stop: threading.Event, pause: timedelta, log: Log) -> None:
    """Do `work` again and again; whatever goes wrong ends one round only."""
    while not stop.is_set():
        try:
            work()
        except TransientError as fault:
            log.warning("round_failed", code=fault.code, reason=str(fault))
        except Exception:
            log.error("round_failed", code="RUN-002", traceback=True)
        stop.wait(pause.total_seconds())
