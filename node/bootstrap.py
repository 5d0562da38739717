"""The composition root: turns settings into services; the only place that names concrete adapters."""

import importlib
import os
import pwd
import socket
import sys
import uuid
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from shutil import disk_usage
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit, urlunsplit

from pydicom import DataElement, Dataset, dcmread
from pydicom.errors import InvalidDicomError
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import ImplicitVRLittleEndian
from sqlalchemy import Engine

from node import __version__
from node.adapters.alert_channels import AlertFile, Mail, MailServer, Webhook
from node.adapters.archive_index import ArchiveIndex
from node.adapters.association import PeerAddress
from node.adapters.audit_record import AuditRecord
from node.adapters.commitment import CommitmentScu, commitment_service
from node.adapters.exposition import LookedUp, exposition
from node.adapters.front_door import Rules
from node.adapters.heartbeat import Heartbeat
from node.adapters.ledger import SqlLedger, open_engine
from node.adapters.ledger_audit import SqlAudit, nobody
from node.adapters.ledger_clinical import SqlClinical
from node.adapters.ledger_cohorts import SqlCohorts
from node.adapters.ledger_commitments import SqlCommitments
from node.adapters.ledger_duties import SqlDuties
from node.adapters.ledger_erasure import SqlErasure
from node.adapters.ledger_files import SqlFiles
from node.adapters.ledger_history import SqlHistory
from node.adapters.ledger_meters import SqlMeters
from node.adapters.ledger_priorities import SqlPriorities
from node.adapters.ledger_priors import SqlPriors
from node.adapters.ledger_readings import SqlReadings
from node.adapters.ledger_reassessment import SqlReassessments
from node.adapters.ledger_retention import SqlRetention
from node.adapters.ledger_workflow import SqlWorkflow
from node.adapters.memory import limit_memory
from node.adapters.meter_files import MeterFiles, MeterReader
from node.adapters.query_retrieve import QueryRetrieveScu, Source
from node.adapters.spool import FileSpool
from node.adapters.steps.boards import OwnBoard, PeerBoard, Wanted, send_event
from node.adapters.steps.scp import StepScp
from node.adapters.steps.store import SqlSteps, SqlTasks
from node.adapters.storage_scp import TRANSFER_SYNTAXES, StorageScp
from node.adapters.storage_scu import StorageScu
from node.adapters.stow import Archives, StowClient, WebArchive
from node.adapters.syslog import SyslogSender
from node.adapters.threads import mapper
from node.adapters.tls import Tls, TlsFiles
from node.adapters.worklist import WorklistScu
from node.errors import ConfigError, TransientError
from node.logs import Log
from node.ports import Archive, Destination, RefusedAssociation, StepBoard, StepEvent
from node.services.alert import Alerter, Channel
from node.services.assemble import Assembler, may_start
from node.services.audit_messages import AuditSource
from node.services.commit import Committer, Custodian
from node.services.deliver import Deliverer
from node.services.notify import Notifier
from node.services.orders import Orders
from node.services.perform import Performer
from node.services.prefetch import Prefetcher
from node.services.priors import PriorFinder, Reach
from node.services.read_reports import ReportReader
from node.services.readiness import Readiness, alive, enough_space
from node.services.receive import Receiver
from node.services.record import Recorder
from node.services.retain import Retainer, Terms
from node.services.ship import Shipper
from node.services.trail import AuditedErasure, Trail
from node.services.troubles import Troubles
from node.settings import Peer, Settings, read_secret
from pipelines.domain.feature_codes import can_be_mapped
from pipelines.domain.identifiers import CaseId, SopClassUID
from pipelines.domain.lesion_rule import LesionRule
from pipelines.domain.priority import Precedence, precedence
from pipelines.domain.reasons import Rejected
from pipelines.domain.sop_classes import CT_IMAGES, READER_REPORTS, SEGMENTATIONS, STUDY_ROOT_FIND
from pipelines.extraction.settings import ExtractionSettings, load_profile
from pipelines.imaging.assembly import Patience
from pipelines.imaging.geometry import Tolerances
from pipelines.outputs.page.settings import PageSettings

# each process imports only what it needs: the receiver neither Celery nor what a worker computes with
if TYPE_CHECKING:
    from celery import Celery
    from starlette.applications import Starlette

    from node.adapters.queue_celery import CeleryQueue
    from node.services.models import Models
    from node.services.process import Processor
    from node.services.respond import Responder
    from node.services.respond_watch import ResponseWatch
    from node.web.monitor import Monitor
    from pipelines.base import Pipeline
    from pipelines.nsclc_progression import Progression
    from pipelines.scoring.keys import TrustedKey
    from pipelines.scoring.model import Model

PIPELINE: Final = "nsclc-immunotherapy"
_PATIENT_GROUP: Final = 0x0010
_SILENT_S: Final = 20.0
"""Without a sign of life for which a process counts as hanging; one comes every few seconds."""
RESPONSE: Final = "sr-response"
"""The result that has patients assessed over time, where `outputs.kinds` names it."""


def utc_now() -> datetime:
    """The clock of the running node."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Stores:
    """Where everything is kept."""

    spool: FileSpool
    ledger: SqlLedger
    commitments: SqlCommitments
    duties: SqlDuties
    workflow: SqlWorkflow
    steps: SqlSteps
    tasks: SqlTasks
    index: ArchiveIndex
    files: SqlFiles
    priorities: SqlPriorities
    retention: SqlRetention
    erasure: SqlErasure
    cohorts: SqlCohorts
    clinical: SqlClinical
    readings: SqlReadings
    reassessments: SqlReassessments
    counted: SqlMeters
    meters: MeterFiles
    heartbeat: Heartbeat
    trail: Trail
    history: SqlHistory
    priors: SqlPriors


def packaged_config() -> Path:
    """Folder of the packaged configuration: beside the package in a checkout, else where the wheel put it."""
    checkout = Path(__file__).parents[1] / "config"
    return checkout if (checkout / "node.toml").is_file() else Path(sys.prefix) / "share" / "pulmonode"


def open_stores(settings: Settings) -> Stores:
    """Open spool and ledger, creating them when they are new.

    Raises
    ------
    ConfigError
        If the data folder cannot be used or a secret cannot be read.
    TransientError
        If the database cannot be reached.
    """
    data_dir = settings.data_dir
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o750)
    except OSError as fault:
        raise ConfigError([f"node.data_dir: {data_dir} cannot be created: {fault.strerror}"]) from fault
    if not os.access(data_dir, os.W_OK):
        raise ConfigError([f"node.data_dir: {data_dir} is not writable"])
    engine = open_engine(ledger_url(settings), password=read_secret(settings.ledger.password_file))
    spool = FileSpool(data_dir / "spool", min_free_bytes=settings.receive.min_free_mb * 2**20)
    delivery = settings.delivery
    commitments = SqlCommitments(
        engine,
        retry_first=timedelta(seconds=delivery.retry_first_s),
        retry_max=timedelta(seconds=delivery.retry_max_s),
        give_up_after=timedelta(hours=delivery.give_up_after_h),
    )
    return Stores(
        spool,
        SqlLedger(engine, pipeline=PIPELINE),
        commitments,
        SqlDuties(engine),
        SqlWorkflow(engine),
        SqlSteps(engine),
        SqlTasks(engine),
        ArchiveIndex(engine),
        SqlFiles(engine),
        SqlPriorities(engine),
        SqlRetention(engine, committing=[p.name for p in settings.peers if p.commitment and not p.stow_url]),
        SqlErasure(engine),
        SqlCohorts(engine),
        SqlClinical(engine),
        SqlReadings(engine),
        SqlReassessments(engine, utc_now),
        SqlMeters(engine),
        MeterFiles(data_dir / "meters", sop_classes=sorted(storage_classes(settings))),
        Heartbeat(data_dir / "alive"),
        make_trail(settings, engine),
        SqlHistory(engine),
        SqlPriors(engine),
    )


def ledger_url(settings: Settings) -> str:
    """URL of the ledger's database, without its password."""
    return settings.ledger.url or f"sqlite:///{settings.data_dir / 'ledger.sqlite3'}"


def device_uid(settings: Settings) -> str:
    """UID of this installation; made at the first start and kept in the data folder."""
    path = settings.data_dir / "device-uid"
    if not path.exists():
        made = settings.data_dir / f"device-uid.{uuid.uuid4().hex}"
        made.write_text(f"2.25.{uuid.uuid4().int}\n", "ascii")
        # a link appears whole or not at all, and of processes that start together one wins
        with suppress(FileExistsError):
            path.hardlink_to(made)
        made.unlink()
    return path.read_text("ascii").strip()


def storage_classes(settings: Settings) -> frozenset[SopClassUID]:
    """SOP classes that the node accepts."""
    return (
        CT_IMAGES
        | SEGMENTATIONS
        | READER_REPORTS
        | {SopClassUID(uid) for uid in settings.receive.extra_storage_classes}
    )


def make_scp(settings: Settings, stores: Stores) -> StorageScp:
    """The receiving service."""
    receive = settings.receive
    take = make_committer(settings, stores).take

    def turned_away(refused: RefusedAssociation) -> None:
        stores.trail.turned_away(refused)
        stores.workflow.turned_away(refused, at=utc_now())

    commitment = commitment_service(make_custodian(settings, stores), take, Log("commit"))
    steps = make_step_scp(settings, stores)
    return StorageScp(
        Receiver(stores.spool, stores.ledger, utc_now, Log("receive"), meters=stores.meters),
        Log("receive"),
        Rules(
            ae_title=settings.node.ae_title,
            calling_ae_titles=receive.calling_ae_titles,
            require_called_ae_title=receive.require_called_ae_title,
            max_associations=receive.max_associations,
            max_pdu_bytes=receive.max_pdu_bytes,
            max_object_bytes=receive.max_object_mb * 2**20,
            network_timeout_s=receive.network_timeout_s,
            addresses=allowed_addresses(settings),
            connections_per_minute=receive.connections_per_minute,
        ),
        storage_classes=storage_classes(settings),
        services=[commitment, *(steps.services if settings.tasks.serve else steps.notified_services)],
        turned_away=turned_away,
        meters=stores.meters,
        tls=make_tls(settings) if receive.tls else None,
    )


def make_web(settings: Settings, stores: Stores) -> "Starlette":
    """The HTTP application."""
    from starlette.routing import Mount

    from node.web.app import make_app as make_web_app
    from node.web.dicomweb import DicomWeb
    from node.web.review import ReviewApi

    log = Log("web")
    monitor = make_monitor(settings, stores)
    service = DicomWeb(
        stores.index,
        Receiver(stores.spool, stores.ledger, utc_now, log, meters=stores.meters),
        stores.spool.path,
        log,
        max_request_bytes=settings.web.max_request_mb * 2**20,
    )
    review = ReviewApi(stores.readings, make_recorder(stores))
    return make_web_app(
        service.routes(),
        [*monitor.routes(), Mount("/api", routes=review.routes())],
        token=read_secret(settings.web.token_file),
        denied=stores.trail.denied,
    )


def make_recorder(stores: Stores) -> Recorder:
    """The service that writes down what people know of patients and decide about them."""
    return Recorder(stores.clinical, stores.readings, stores.reassessments, utc_now, Log("record"))


def make_report_reader(stores: Stores) -> ReportReader:
    """The service that reads the reports of readers."""
    return ReportReader(stores.readings, stores.spool, stores.reassessments, utc_now, Log("record"))


def make_trail(settings: Settings, engine: Engine) -> Trail:
    """The audit trail, as all processes add to it."""
    audit = settings.audit
    spool = settings.data_dir / "spool"

    def identify(path: str) -> tuple[str, str]:
        try:
            tags = ["PatientID", "PatientName", "SpecificCharacterSet"]
            header = dcmread(spool / path, stop_before_pixels=True, specific_tags=tags)
        except (OSError, InvalidDicomError):
            return "", ""
        return str(header.get("PatientID", "")), str(header.get("PatientName", ""))

    return Trail(
        AuditRecord(settings.data_dir / "audit") if audit.enabled else None,
        SqlAudit(engine, identify if audit.identify_patients else nobody),
        utc_now,
        Log("audit"),
        source=AuditSource(settings.node.ae_title, socket.gethostname(), os.getpid(), audit.site),
        ae_title=settings.node.ae_title,
        user=account(),
    )


def account() -> str:
    """Name of the account that this process runs under."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def make_shipper(settings: Settings) -> Shipper | None:
    """The service that sends the audit trail to its repository; None without one."""
    audit = settings.audit
    if not audit.enabled or not audit.repository:
        return None
    sender = SyslogSender(audit.repository, make_tls(settings))
    return Shipper(AuditRecord(settings.data_dir / "audit"), sender.send, Log("audit"))


def make_alerter(settings: Settings, stores: Stores) -> Alerter | None:
    """The service that tells people what needs them; None when nobody is to be told."""
    alerts = settings.alerts
    channels: list[Channel] = []
    if alerts.webhook_url:
        channels.append(Webhook(alerts.webhook_url, read_secret(alerts.webhook_token_file)))
    if alerts.mail_to:
        server = MailServer(
            alerts.smtp_host,
            alerts.smtp_port,
            alerts.smtp_security,
            alerts.smtp_user,
            read_secret(alerts.smtp_password_file),
            alerts.smtp_authorities_file,
        )
        channels.append(Mail(server, alerts.mail_from, alerts.mail_to))
    if not channels:
        return None
    troubles = Troubles(
        stores.counted,
        utc_now,
        stuck_after=timedelta(seconds=alerts.stuck_after_s),
        least_free_bytes=alerts.free_mb * 2**20,
        free_bytes=stores.spool.free_bytes,
        restarting=stores.heartbeat.restarting,
    )
    book = AlertFile(settings.data_dir / "alerts.json")
    return Alerter(troubles.look, channels, book, utc_now, Log("alert"), node=settings.node.ae_title)


def make_erasure(stores: Stores) -> AuditedErasure:
    """What deletes cases, and tells the audit trail."""
    return AuditedErasure(stores.erasure, stores.trail)


def _audit_query(trail: Trail, peer: str, keys: Dataset, *, identify: bool) -> None:
    told = Dataset()
    told.update(keys)
    if not identify:
        for element in told:
            if element.tag.group == _PATIENT_GROUP:
                told[element.tag] = DataElement(element.tag, element.VR, None)
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, True
    write_dataset(buffer, told)
    trail.queried(peer, STUDY_ROOT_FIND, buffer.getvalue(), ImplicitVRLittleEndian)


def make_monitor(settings: Settings, stores: Stores) -> "Monitor":
    """What is told to those who watch over the node."""
    from node.web.monitor import Monitor

    queue = make_queue(settings)
    spool = settings.data_dir / "spool"
    least = settings.receive.min_free_mb * 2**20

    def ledger() -> str:
        stores.counted.alive()
        return "answers"

    def writable() -> str:
        if not os.access(spool if spool.exists() else settings.data_dir, os.W_OK):
            raise TransientError("RCV-005", "The spool is not writable.")
        return "writable"

    readiness = Readiness(
        {
            "ledger": ledger,
            "spool": writable,
            "queue": lambda: f"{queue.depth()} cases wait",
            "receiver": lambda: alive("receiver", stores.heartbeat.age_s("receiver"), longest_s=_SILENT_S),
            "dispatcher": lambda: alive("dispatcher", stores.heartbeat.age_s("dispatcher"), longest_s=_SILENT_S),
            "disk": lambda: enough_space(disk_usage(settings.data_dir).free, least_bytes=least),
        }
    )
    looked_up = LookedUp(stores.counted, queue.depth, settings.data_dir, utc_now, version=__version__)
    collectors = [looked_up, MeterReader(settings.data_dir / "meters")]
    return Monitor(readiness.look, lambda: exposition(collectors))


def make_step_scp(settings: Settings, stores: Stores) -> StepScp:
    """The node's own worklist, as others reach it."""
    names = {peer.ae_title: peer.name for peer in settings.peers}

    def cancel_requested(keeper: str, step: str) -> bool:
        return stores.tasks.cancel_requested(names.get(keeper, "") if keeper else "", step)

    return StepScp(stores.steps, utc_now, Log("worklist"), cancel_requested=cancel_requested, receivers=tuple(names))


def make_performer(settings: Settings, stores: Stores) -> Performer:
    """The service that claims procedure steps and tells how they end."""
    tasks = settings.tasks
    wanted = Wanted(settings.node.ae_title, frozenset(tasks.workitems))
    boards: dict[str, StepBoard] = {"": OwnBoard(stores.steps, utc_now, wanted)} if tasks.serve else {}
    for peer in settings.peers:
        if peer.tasks:
            boards[peer.name] = PeerBoard(settings.node.ae_title, peer_address(settings, peer), wanted)
    return Performer(
        boards,
        stores.tasks,
        stores.ledger,
        utc_now,
        Log("worklist"),
        station=settings.node.ae_title,
        destinations=[settings.peer(name).ae_title for name in settings.delivery.destinations],
        input_timeout=timedelta(seconds=tasks.input_timeout_s),
    )


def make_notifier(settings: Settings, stores: Stores) -> Notifier:
    """The service that tells subscribers of procedure steps."""
    addresses = {peer.ae_title: peer_address(settings, peer) for peer in settings.peers}

    def send(event: StepEvent) -> bool:
        address = addresses.get(event.receiving_ae_title)
        return address is not None and send_event(settings.node.ae_title, address, event)

    return Notifier(stores.steps, send, utc_now, Log("worklist"))


def make_tls(settings: Settings, *, check_names: bool = True) -> Tls | None:
    """TLS as it is configured; None when its files are not named."""
    files = settings.tls
    if files.certificate_file is None or files.key_file is None or files.authorities_file is None:
        return None
    return Tls(
        TlsFiles(files.certificate_file, files.key_file, files.authorities_file),
        require_client_certificate=files.require_client_certificate,
        check_names=check_names,
    )


def allowed_addresses(settings: Settings) -> tuple[str, ...]:
    """Who may connect: the networks that are configured, and the peers where their names are known."""
    allowed = list(settings.receive.addresses)
    for peer in settings.peers:
        # a peer whose name nobody knows now can still be called later
        with suppress(OSError):
            found = socket.getaddrinfo(peer.host, None, type=socket.SOCK_STREAM)
            allowed += sorted({str(address[0]).partition("%")[0] for *_, address in found})
    return tuple(dict.fromkeys(allowed))


def peer_address(settings: Settings, peer: Peer) -> PeerAddress:
    """A configured peer as the sending adapters know it."""
    return PeerAddress(
        peer.name,
        peer.ae_title,
        peer.host,
        peer.port,
        peer.timeout_s,
        deflate=peer.deflate,
        charset=peer.charset or "",
        tls=make_tls(settings) if peer.tls else None,
        tls_name=peer.tls_name,
        associations=peer.associations,
    )


def destination(settings: Settings, name: str) -> Destination:
    """What the peer of that name shall get."""
    peer = next(peer for peer in settings.peers if peer.name == name)
    return Destination(name, frozenset(peer.outputs))


def make_scu(settings: Settings, locate: Callable[..., Path]) -> StorageScu:
    """The sending service; `locate` finds the file of a result."""
    return StorageScu(settings.node.ae_title, [peer_address(settings, peer) for peer in settings.peers], locate)


def make_assembler(settings: Settings, stores: Stores, queue: "CeleryQueue") -> Assembler:
    """The service that starts complete cases."""
    assembly = settings.assembly
    return Assembler(
        stores.ledger,
        queue,
        utc_now,
        Log("assemble"),
        patience=Patience(timedelta(seconds=assembly.series_quiet_s), timedelta(seconds=assembly.missing_timeout_s)),
        max_attempts=settings.queue.max_attempts,
        resubmit_after=timedelta(seconds=settings.queue.resubmit_after_s),
        tolerances=tolerances(settings),
        meters=stores.meters,
        priorities=stores.priorities,
        rule=precedence_rule(settings),
    )


def precedence_rule(settings: Settings) -> Precedence:
    """Which cases go first at this site."""
    queue = settings.queue
    return precedence(queue.urgent_from, queue.off_peak_from, queue.off_peak_hours)


def make_archive(settings: Settings, locate: Callable[..., Path]) -> Archive:
    """Every peer by the protocol that it is configured for."""
    scu = make_scu(settings, locate)
    archives = [
        WebArchive(peer.name, peer.stow_url, peer.timeout_s, read_secret(peer.stow_token_file))
        for peer in settings.peers
        if peer.stow_url
    ]
    stow = StowClient(archives, locate)
    return Archives({archive.name: stow for archive in archives}, scu)


def make_deliverer(settings: Settings, stores: Stores) -> Deliverer:
    """The service that brings results to their destinations."""
    delivery = settings.delivery
    return Deliverer(
        stores.ledger,
        make_archive(settings, stores.spool.path),
        utc_now,
        Log("deliver"),
        retry_first=timedelta(seconds=delivery.retry_first_s),
        retry_max=timedelta(seconds=delivery.retry_max_s),
        give_up_after=timedelta(hours=delivery.give_up_after_h),
        meters=stores.meters,
        begins=stores.trail.sending,
    )


def make_commitment_scu(settings: Settings) -> CommitmentScu:
    """The service that asks and answers about storage commitment on associations of its own."""
    addresses = [peer_address(settings, peer) for peer in settings.peers]
    return CommitmentScu(settings.node.ae_title, addresses, hold_s=settings.delivery.commitment_hold_s)


def make_query(
    settings: Settings, stores: Stores, *, storage_classes: Collection[SopClassUID] = CT_IMAGES
) -> QueryRetrieveScu:
    """The service that finds and retrieves."""
    node = settings.node.ae_title
    sources = [
        Source(peer_address(settings, peer), peer.retrieve, peer.move_destination or node) for peer in settings.peers
    ]
    return QueryRetrieveScu(
        node,
        sources,
        Receiver(stores.spool, stores.ledger, utc_now, Log("receive"), meters=stores.meters),
        Log("query"),
        storage_classes=storage_classes,
        transfer_syntaxes=TRANSFER_SYNTAXES,
        retrieve_timeout_s=settings.prefetch.retrieve_timeout_s,
        queried=partial(_audit_query, stores.trail, identify=settings.audit.identify_patients),
    )


def make_committer(settings: Settings, stores: Stores) -> Committer:
    """The service that makes sure that destinations keep the results."""
    delivery = settings.delivery
    return Committer(
        stores.commitments,
        make_commitment_scu(settings),
        make_query(settings, stores),
        utc_now,
        Log("commit"),
        new_uid=lambda: f"2.25.{uuid.uuid4().int}",
        timeout=timedelta(seconds=delivery.commitment_timeout_s),
        retry_first=timedelta(seconds=delivery.retry_first_s),
        retry_max=timedelta(seconds=delivery.retry_max_s),
        meters=stores.meters,
    )


def make_custodian(settings: Settings, stores: Stores) -> Custodian:
    """The service that answers those who ask whether we keep what they sent."""
    delivery = settings.delivery
    return Custodian(
        stores.duties,
        stores.spool,
        utc_now,
        Log("commit"),
        requesters={peer.ae_title: peer.name for peer in reversed(settings.peers)},
        retry_first=timedelta(seconds=delivery.retry_first_s),
        retry_max=timedelta(seconds=delivery.retry_max_s),
        give_up_after=timedelta(hours=delivery.give_up_after_h),
    )


def make_prefetcher(settings: Settings, stores: Stores) -> Prefetcher:
    """The service that fetches what cases lack."""
    after_s = min(settings.prefetch.after_s, settings.assembly.missing_timeout_s / 2)
    return Prefetcher(
        stores.ledger,
        stores.workflow,
        make_query(settings, stores),
        utc_now,
        Log("prefetch"),
        peers=[peer.name for peer in settings.peers if peer.query],
        after=timedelta(seconds=after_s),
        max_attempts=settings.prefetch.max_attempts,
        retry_max=timedelta(seconds=settings.delivery.retry_max_s),
        tolerances=tolerances(settings),
        at_once=lambda case: stores.priors.prior_of(case) is not None,
    )


def make_prior_finder(settings: Settings, stores: Stores) -> PriorFinder:
    """The service that fetches the earlier studies of patients."""
    chosen = settings.priors
    return PriorFinder(
        stores.priors,
        make_query(settings, stores, storage_classes=SEGMENTATIONS | READER_REPORTS),
        stores.spool,
        utc_now,
        Log("priors"),
        peers=chosen.peers or [peer.name for peer in settings.peers if peer.query],
        reach=Reach(chosen.days, chosen.most_studies, chosen.report),
        retry_max=timedelta(seconds=settings.delivery.retry_max_s),
        give_up_after=timedelta(hours=settings.delivery.give_up_after_h),
    )


def _kept_from(stores: Stores, case: CaseId) -> str:
    prior = stores.priors.prior_of(case)
    return "" if prior is None or prior.reported else prior.peer


def make_retainer(settings: Settings, stores: Stores) -> Retainer:
    """The service that gives up what need not be kept."""
    retain = settings.retain

    def after(days: float) -> timedelta | None:
        return timedelta(days=days) if days else None

    terms = Terms(
        inputs=after(retain.inputs_days),
        results=after(retain.results_days),
        cases=after(retain.cases_days),
        unused=after(retain.unused_days),
        bookkeeping=after(retain.bookkeeping_days),
        emergency_free_bytes=retain.emergency_free_mb * 2**20,
    )
    return Retainer(
        stores.retention,
        make_erasure(stores),
        stores.spool,
        utc_now,
        Log("retain"),
        terms=terms,
        forget_steps=stores.steps.forget,
    )


def make_processor(settings: Settings, stores: Stores, model: "Model | Rejected | None") -> "Processor":
    """The service that runs cases and scores them with `model`, or tells why it does not."""
    from node.adapters.queue_celery import OutOfTime
    from node.services.process import Processor

    pipeline = pipeline_with(settings, model)
    if isinstance(pipeline, Rejected):
        # a case is measured whatever became of the model
        pipeline = pipeline_with(settings, pipeline)
        assert not isinstance(pipeline, Rejected)
    return Processor(
        pipeline,
        stores.spool,
        stores.ledger,
        utc_now,
        Log("process"),
        owner=f"{socket.gethostname()}:{os.getpid()}",
        station=settings.node.ae_title,
        device_uid=device_uid(settings),
        software_version=__version__,
        destinations=[destination(settings, name) for name in settings.delivery.destinations],
        lease=timedelta(seconds=settings.queue.lease_s),
        retry_after=timedelta(seconds=settings.delivery.retry_first_s),
        assume_charset=settings.receive.assume_charset,
        out_of_time=OutOfTime,
        orders=make_orders(settings, stores),
        tolerances=tolerances(settings),
        meters=stores.meters,
        opened=stores.trail.opened,
        may_start=partial(may_start, stores.priorities, precedence_rule(settings), utc_now),
        follows=RESPONSE in settings.outputs.kinds,
        kept_from=partial(_kept_from, stores),
    )


def make_responder(settings: Settings, stores: Stores) -> "Responder":
    """The service that assesses patients over all their scans."""
    from node.services.respond import CaseReading, Responder

    return Responder(
        progression(settings),
        stores.history,
        stores.clinical,
        stores.readings,
        stores.spool,
        utc_now,
        Log("respond"),
        reading=CaseReading(lesion_rule(settings), settings.receive.assume_charset, tolerances(settings)),
        station=settings.node.ae_title,
        device_uid=device_uid(settings),
        software_version=__version__,
        destinations=[destination(settings, name) for name in settings.delivery.destinations],
        orders=make_orders(settings, stores),
        page=PageSettings(settings.page.format, settings.page.language)
        if "page-response" in settings.outputs.kinds
        else None,
    )


def progression(settings: Settings) -> "Progression":
    """The pipeline that follows lesions over time, with the rules of the site."""
    from pipelines.domain.identity import Gates
    from pipelines.domain.progression import PatternRules
    from pipelines.domain.recist import RecistRules
    from pipelines.nsclc_progression import Progression
    from pipelines.response.assess import RuleSet
    from pipelines.response.follow_up import HUANG_2025, FollowUpTable
    from pipelines.response.resistance import RULE_SETS

    chosen = settings.response
    rules = RuleSet(
        recist=RecistRules(
            pr_carry=chosen.pr_carry,
            relapse_after_cr=chosen.relapse_after_cr,
            confirm=chosen.confirm,
            least_sd_days=chosen.least_sd_days,
        ),
        pattern=PatternRules(most_lesions=chosen.oligo_lesions),
        resistance=RULE_SETS[chosen.resistance],
        follow_up=FollowUpTable(HUANG_2025.rows, chosen.protocol_weeks),
    )
    return Progression(rules, Gates(distance_mm=chosen.match_distance_mm))


def make_respond_watch(settings: Settings, stores: Stores, queue: "CeleryQueue") -> "ResponseWatch":
    """The service that finds the patients who wait for an assessment."""
    from node.services.respond_watch import ResponseWatch

    return ResponseWatch(
        stores.history,
        queue,
        utc_now,
        Log("respond"),
        again_after=timedelta(seconds=settings.queue.resubmit_after_s),
    )


def process_with_current_model(settings: Settings, stores: Stores) -> Callable[[CaseId], None]:
    """What runs a case with the model as it is when the case is run: retired since the start, altered, or another."""
    log = Log("models")
    current = _model_now(settings)
    processor = make_processor(settings, stores, current)

    def process(case: CaseId) -> None:
        nonlocal current, processor
        found = _model_now(settings)
        if found != current:
            if isinstance(found, Rejected):
                log.error("model_refused", code=found.code, reason=found.detail)
            elif found is not None:
                log.info("model_changed", model=found.name, version=found.version, sha256=found.sha256)
            current, processor = found, make_processor(settings, stores, found)
        processor.process(case)

    return process


def _model_now(settings: Settings) -> "Model | Rejected | None":
    """The model that is configured; a key that was removed since the start stops no case."""
    try:
        return scoring_model(settings)
    except ConfigError as fault:
        return Rejected("MODEL-010", f"{'; '.join(fault.problems)}.", "Run pulmonode config check, and mend it.")


def make_orders(settings: Settings, stores: Stores) -> Orders | None:
    """The service that fills in what the worklist knows; None when no peer has one."""
    peer = next((peer for peer in settings.peers if peer.worklist), None)
    if peer is None:
        return None
    worklist = WorklistScu(settings.node.ae_title, peer_address(settings, peer))
    return Orders(worklist, stores.workflow, stores.spool, utc_now, Log("worklist"))


def tolerances(settings: Settings) -> Tolerances:
    """How exactly the slices of a CT have to stack up."""
    imaging = settings.imaging
    return Tolerances(imaging.position_tolerance_mm, imaging.spacing_tolerance, imaging.angle_tolerance_degrees)


def extraction_settings(settings: Settings) -> ExtractionSettings:
    """The extraction profile or parameter file that is configured.

    Raises
    ------
    ConfigError
        If the parameter file cannot be used, or smoothing is asked of a profile that has none.
    """
    chosen = settings.extraction
    if chosen.parameters is None:
        try:
            return load_profile(chosen.profile, gaussian_sigma_mm=chosen.gaussian_sigma_mm)
        except ValueError as fault:
            raise ConfigError([f"extraction.gaussian_sigma_mm: {fault}"]) from fault
    if chosen.gaussian_sigma_mm is not None:
        raise ConfigError(["extraction.gaussian_sigma_mm: belongs to a profile; unset it beside extraction.parameters"])
    return parameter_file(chosen.parameters.expanduser(), "extraction.parameters")


def parameter_file(path: Path, asked_by: str) -> ExtractionSettings:
    """What a parameter file of PyRadiomics asks for; `asked_by` begins the message when it cannot be used.

    Raises
    ------
    ConfigError
        If it cannot be used.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        raise ConfigError([f"{asked_by}: ENG-002 {path} cannot be read: {fault}"]) from fault
    parameters = importlib.import_module("pipelines.extraction.parameters")
    read: ExtractionSettings | Rejected = parameters.read_parameters(text, name=path.name)
    if isinstance(read, Rejected):
        raise ConfigError([f"{asked_by}: {read}"])
    return read


def pyradiomics_identity() -> str:
    """Name and version of the PyRadiomics that is installed; imports it.

    Raises
    ------
    ConfigError
        If it is missing or not the one that the node was tested with.
    """
    found = importlib.import_module("pipelines.extraction.toolbox").examined()
    if isinstance(found, Rejected):
        raise ConfigError([str(found)])
    return str(found.identity)


def make_models(settings: Settings) -> "Models":
    """The service that knows which model scores.

    Raises
    ------
    ConfigError
        If a trusted key cannot be used.
    """
    from node.adapters.model_folder import read_folder
    from node.adapters.model_record import ModelRecord
    from node.services.models import Models

    return Models(ModelRecord(settings.data_dir / "models"), read_folder, trusted_keys(settings), utc_now)


def trusted_keys(settings: Settings) -> list["TrustedKey"]:
    """The keys whose signatures are believed, the one for demonstrations among them.

    Raises
    ------
    ConfigError
        If one cannot be used.
    """
    from node.adapters.key_file import public_keys
    from pipelines.scoring.keys import demonstration_trust

    found = public_keys([path.expanduser() for path in settings.scoring.trusted_keys])
    wrong = [f"scoring.trusted_keys: {key}" for key in found if isinstance(key, Rejected)]
    if wrong:
        raise ConfigError(wrong)
    return [demonstration_trust(), *(key for key in found if not isinstance(key, Rejected))]


def scoring_model(settings: Settings) -> "Model | Rejected | None":
    """The model that is configured, verified anew; None when the node shall not score.

    Raises
    ------
    ConfigError
        If a trusted key cannot be used.
    """
    chosen = settings.scoring.model
    if not chosen:
        return None
    models = make_models(settings)
    if chosen == "active":
        package = models.active()
    else:
        package = models.verify(demo_model() if chosen == "demo" else Path(chosen).expanduser())
    return package if isinstance(package, Rejected) else package.model


def demo_model() -> Path:
    """Folder of the packaged demonstration model."""
    return packaged_config() / "models" / "demo"


def lesion_rule(settings: Settings) -> LesionRule:
    """Which segments are lesions at this site."""
    chosen = settings.lesions
    return LesionRule(
        chosen.include,
        chosen.exclude,
        chosen.include_codes,
        chosen.exclude_codes,
        chosen.algorithms,
        chosen.unnamed,
    )


def load_pipeline(settings: Settings) -> "Pipeline":
    """Import and set up the pipeline, with the model that is configured.

    Raises
    ------
    ConfigError
        If PyRadiomics is not the right one, or the parameter file, the model package or the maps do not fit.
    """
    model = scoring_model(settings)
    wrong = [f"scoring.model: {model}"] if isinstance(model, Rejected) else []
    try:
        made = pipeline_with(settings, model)
    except ConfigError as fault:
        raise ConfigError([*fault.problems, *wrong]) from fault
    if isinstance(made, Rejected):
        raise ConfigError([f"scoring.model: {made}"])
    if wrong:
        raise ConfigError(wrong)
    return made


def pipeline_with(settings: Settings, model: "Model | Rejected | None") -> "Pipeline | Rejected":
    """Import and set up the pipeline with `model`; `Rejected` when that one does not fit.

    Raises
    ------
    ConfigError
        If PyRadiomics is not the right one, or the parameter file or the maps do not fit.
    """
    pyradiomics_identity()
    module = importlib.import_module(f"pipelines.{PIPELINE.replace('-', '_')}")
    names = importlib.import_module("pipelines.extraction.names")
    extraction = extraction_settings(settings)
    images = names.image_types(extraction)
    problems = [
        f"maps.features: {feature} is no feature that can be mapped"
        for feature in settings.maps.features
        if feature != "model" and (feature.partition("_")[0] not in images or not can_be_mapped(feature))
    ]
    if settings.maps.features and extraction.customisation is not None:
        problems += [
            f"maps.features: maps cannot be made with {name} of extraction.parameters; set maps.features = []"
            for name in ("binCount", "normalize")
            if extraction.customisation.setting(name)
        ]
    made: Pipeline | Rejected = module.pipeline(
        extraction,
        model=model,
        maps=module.MapSettings(
            settings.maps.features,
            settings.maps.model_features,
            settings.maps.kernel_radius_voxels,
            settings.maps.max_mb,
        ),
        engine=settings.extraction.engine,
        kinds=settings.outputs.kinds,
        verify_every=settings.extraction.verify_every,
        tolerance=settings.extraction.verify_tolerance,
        mapper=mapper(settings.extraction.threads),
        lesions=lesion_rule(settings),
        page=PageSettings(settings.page.format, settings.page.language),
        strict=settings.scoring.strict,
    )
    if problems:
        raise ConfigError([*problems, *([f"scoring.model: {made}"] if isinstance(made, Rejected) else [])])
    return made


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
