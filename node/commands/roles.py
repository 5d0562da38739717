"""What each process of the node does from its start to SIGTERM."""

import os
import signal
import socket
import threading
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Final

from node.bootstrap.delivering import make_committer, make_custodian, make_deliverer
from node.bootstrap.extraction import pyradiomics_identity
from node.bootstrap.gathering import make_assembler, make_prefetcher
from node.bootstrap.keeping import make_retainer
from node.bootstrap.monitoring import make_alerter, make_monitor
from node.bootstrap.peers import make_commitment_scu
from node.bootstrap.pipeline import load_pipeline
from node.bootstrap.priors import make_prior_finder
from node.bootstrap.queue import make_app, make_queue
from node.bootstrap.receiving import make_scp
from node.bootstrap.records import make_report_reader
from node.bootstrap.responding import make_respond_watch
from node.bootstrap.site import RESPONSE
from node.bootstrap.steps import make_notifier, make_performer
from node.bootstrap.stores import Stores, open_stores
from node.bootstrap.trail import make_shipper
from node.bootstrap.web import make_web
from node.errors import ConfigError, TransientError
from node.logs import Log
from node.services.deliver import Deliverer
from node.settings import Settings

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from node.services.ship import Shipper

# no file takes that long to be written, so whoever began it is dead
_UNFINISHED_AFTER_S: Final = 3600.0
_BEAT_EVERY_S: Final = 3.0
_AUDIT_EVERY: Final = timedelta(seconds=30)


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
    stores = open_stores(settings)
    stores.spool.discard_unfinished(older_than_s=_UNFINISHED_AFTER_S)
    stores.spool.prepare()
    scp = make_scp(settings, stores)
    try:
        port = scp.start(settings.node.bind, settings.node.port, share_port=settings.receive.processes > 1)
    except OSError as fault:
        raise _port_taken(settings, fault) from fault
    log.info("listening", ae=settings.node.ae_title, address=settings.node.bind, port=port)
    while scp.listening:
        _beat(stores, "receiver", log)
        if stop.wait(_BEAT_EVERY_S):
            break
    scp.stop()
    log.info("stopped")


def _audit(stores: Stores, shipper: "Shipper | None") -> None:
    stores.trail.received()
    if shipper is not None:
        shipper.tick()


def _beat(stores: Stores, role: str, log: Log) -> None:
    try:
        stores.heartbeat.beat(role)
    except OSError as fault:
        log.warning("heartbeat_not_written", role=role, reason=fault.strerror)


def require_free_port(settings: Settings) -> None:
    """Make sure that nobody listens where the receiving processes are going to, who would share the port with him.

    Raises
    ------
    ConfigError
        If somebody does.
    """
    with socket.socket(socket.AF_INET6 if ":" in settings.node.bind else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.node.bind, settings.node.port))
        except OSError as fault:
            raise _port_taken(settings, fault) from fault


def _port_taken(settings: Settings, fault: OSError) -> ConfigError:
    return ConfigError([f"node.port: {settings.node.bind}:{settings.node.port}: {fault.strerror}"])


def dispatcher(settings: Settings) -> None:
    """Start complete cases and deliver results, each destination in a thread of its own."""
    stop, log = stop_on_signals(), Log("dispatch")
    stores = open_stores(settings)
    assembler = make_assembler(settings, stores, make_queue(settings))
    deliverer = make_deliverer(settings, stores)
    pause = timedelta(seconds=settings.assembly.tick_s)
    # peers are all served: a person may send results to one that is no standing destination
    work: dict[str, Callable[[], object]] = {
        f"deliver-{peer.name}": _delivery(deliverer, peer.name, stop) for peer in settings.peers
    }
    work |= _about_peers(settings, stores)
    work["reports"] = make_report_reader(stores).tick
    threads = [threading.Thread(target=_repeat, args=(one, stop, pause, log), name=name) for name, one in work.items()]
    threads.append(threading.Thread(target=_worklist, args=(settings, stores, stop, log), name="worklist"))
    retainer, seldom = make_retainer(settings, stores), timedelta(seconds=settings.retain.look_s)
    threads.append(threading.Thread(target=_repeat, args=(retainer.tick, stop, seldom, log), name="retain"))
    audit = partial(_audit, stores, make_shipper(settings))
    threads.append(threading.Thread(target=_repeat, args=(audit, stop, _AUDIT_EVERY, log), name="audit"))
    alerter, looked = make_alerter(settings, stores), timedelta(seconds=settings.alerts.look_s)
    if alerter is not None:
        threads.append(threading.Thread(target=_repeat, args=(alerter.tick, stop, looked, log), name="alert"))
    for thread in threads:
        thread.start()
    log.info("dispatching", destinations=", ".join(settings.delivery.destinations) or "none")

    def look() -> None:
        _beat(stores, "dispatcher", log)
        assembler.tick()

    _repeat(look, stop, pause, log)
    for thread in threads:
        thread.join()
    log.info("stopped")


def web(settings: Settings) -> None:
    """Serve HTTP until SIGTERM.

    Raises
    ------
    ConfigError
        If the address cannot be bound.
    """
    app = make_web(settings, open_stores(settings))
    try:
        listening = _listening(settings.web.bind, settings.web.port)
    except OSError as fault:
        raise ConfigError([f"web.port: {settings.web.bind}:{settings.web.port}: {fault.strerror}"]) from fault
    _serve(app, listening, Log("web"))


def monitor(settings: Settings) -> None:
    """Serve what those ask who watch over the node, until SIGTERM.

    Raises
    ------
    TransientError
        If the address cannot be bound: no reason for the node to stop receiving.
    """
    from node.web.monitor import make_monitor_app

    watched = settings.monitoring
    app = make_monitor_app(make_monitor(settings, open_stores(settings)))
    try:
        listening = _listening(watched.bind, watched.port)
    except OSError as fault:
        told = f"monitoring.port: {watched.bind}:{watched.port}: {fault.strerror}"
        raise TransientError("MON-002", told) from fault
    _serve(app, listening, Log("monitor"))


def _listening(bind: str, port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET6 if ":" in bind else socket.AF_INET)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((bind, port))
    except OSError:
        listening.close()
        raise
    return listening


def _serve(app: "Starlette", listening: socket.socket, log: Log) -> None:
    import uvicorn

    from node.web.impatience import ImpatientProtocol

    address, port = listening.getsockname()[:2]
    log.info("serving", address=address, port=port)
    # no access log: its lines would name what a query asks for, and that may be a patient
    server = uvicorn.Server(
        uvicorn.Config(app, http=ImpatientProtocol, ws="none", log_config=None, access_log=False, server_header=False)
    )
    server.run(sockets=[listening])
    log.info("stopped")


def worker(settings: Settings) -> int:
    """Compute cases until SIGTERM; the exit code.

    Raises
    ------
    ConfigError
        If the pipeline cannot be set up.
    """
    from node.adapters.queue_celery import run_worker

    identity = pyradiomics_identity()
    pipeline = load_pipeline(settings)  # a wrong model shows here, not at the first case
    processes = settings.queue.worker_processes or os.cpu_count() or 1
    log = Log("worker")
    if os.geteuid() == 0:
        log.warning("running_as_root", advice="run the node under an account of its own")
    log.info("working", processes=processes, maps=pipeline.maps or "none", pyradiomics=identity)
    return run_worker(
        make_app(settings),
        concurrency=processes,
        hostname=f"pulmonode-{os.getpid()}@{socket.gethostname()}",
        log_level=settings.log.level,
    )


def _worklist(settings: Settings, stores: Stores, stop: threading.Event, log: Log) -> None:
    performer = make_performer(settings, stores)
    notifier = make_notifier(settings, stores)

    def look() -> None:
        performer.tick()
        notifier.tick()

    _repeat(look, stop, timedelta(seconds=settings.tasks.poll_s), log)


def _about_peers(settings: Settings, stores: Stores) -> dict[str, Callable[[], object]]:
    """What is done again and again with other applications beside delivering, each in a thread of its own."""
    committer = make_committer(settings, stores)
    custodian = make_custodian(settings, stores)
    answers = partial(custodian.answer_due, make_commitment_scu(settings))
    work: dict[str, Callable[[], object]] = {"commitment-answers": answers}
    work |= {
        f"commit-{peer.name}": partial(committer.commit, peer.name)
        for peer in settings.peers
        if peer.commitment and not peer.stow_url
    }
    if RESPONSE in settings.outputs.kinds:
        work["response"] = make_respond_watch(settings, stores, make_queue(settings)).tick
    if settings.priors.fetch:
        work["priors"] = make_prior_finder(settings, stores).tick
    if any(peer.query for peer in settings.peers):
        work["prefetch"] = make_prefetcher(settings, stores).tick
    return work


def _delivery(deliverer: Deliverer, peer: str, stop: threading.Event) -> Callable[[], None]:
    def deliver() -> None:
        # however much is due, the node can be stopped after each batch
        while not stop.is_set() and deliverer.deliver(peer):
            pass

    return deliver


def _repeat(work: Callable[[], object], stop: threading.Event, pause: timedelta, log: Log) -> None:
    """Do `work` again and again; whatever goes wrong ends one round only."""
    while not stop.is_set():
        try:
            work()
        except TransientError as fault:
            log.warning("round_failed", code=fault.code, reason=str(fault))
        except Exception:
            log.error("round_failed", code="RUN-002", traceback=True)
        stop.wait(pause.total_seconds())
