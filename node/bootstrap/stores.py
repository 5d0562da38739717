"""Where everything is kept: the spool, and the tables of the ledger."""

import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Final

from node.adapters.archive_index import ArchiveIndex
from node.adapters.heartbeat import Heartbeat
from node.adapters.ledger import SqlLedger, open_engine
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
from node.adapters.meter_files import MeterFiles
from node.adapters.spool import FileSpool
from node.adapters.spool_identity import SpoolIdentity
from node.adapters.steps.store import SqlSteps, SqlTasks
from node.bootstrap.machine import utc_now
from node.bootstrap.site import PIPELINE, storage_classes
from node.bootstrap.trail import make_trail
from node.errors import ConfigError, TransientError
from node.services.deliver import LONGEST_CASE_WAIT
from node.services.trail import Trail
from node.settings import Settings, read_secret

SPOOL_IDENTITY: Final = "PULMONODE_SPOOL_IDENTITY"
"""Variable by which a node tells its processes which spool is theirs."""
_LOOKED_FOR: Final = 100


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


def open_stores(settings: Settings) -> Stores:
    """Open spool and ledger, creating them when they are new.

    Raises
    ------
    ConfigError
        If the data folder cannot be used or a secret cannot be read.
    TransientError
        If the database cannot be reached, or the spool is not the one of the node that started this process.
    """
    data_dir = settings.data_dir
    known = os.environ.get(SPOOL_IDENTITY, "")
    identity = SpoolIdentity(data_dir / "spool", known=known, forsaken=lambda: _none_there(files, data_dir / "spool"))
    spool = FileSpool(data_dir / "spool", min_free_bytes=settings.receive.min_free_mb * 2**20, identity=identity)
    if known:
        # a ledger that lies beside a spool that is away would be made anew
        spool.require()
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o750)
    except OSError as fault:
        raise ConfigError([f"node.data_dir: {data_dir} cannot be created: {fault.strerror}"]) from fault
    if not os.access(data_dir, os.W_OK):
        raise ConfigError([f"node.data_dir: {data_dir} is not writable"])
    engine = open_engine(ledger_url(settings), password=read_secret(settings.ledger.password_file))
    files = SqlFiles(engine)
    # a new spool gets its name before the ledger names files; whoever needs one that is away hears of it then
    with suppress(TransientError):
        spool.require()
    delivery = settings.delivery
    retry_first, retry_max = timedelta(seconds=delivery.retry_first_s), timedelta(seconds=delivery.retry_max_s)
    longest_wait = max(retry_first, retry_max, LONGEST_CASE_WAIT)
    commitments = SqlCommitments(
        engine,
        retry_first=retry_first,
        retry_max=retry_max,
        give_up_after=timedelta(hours=delivery.give_up_after_h),
        timeout=timedelta(seconds=delivery.commitment_timeout_s),
    )
    return Stores(
        spool,
        SqlLedger(engine, pipeline=PIPELINE, longest_wait=longest_wait),
        commitments,
        SqlDuties(engine, longest_wait=longest_wait),
        SqlWorkflow(engine),
        SqlSteps(engine),
        SqlTasks(engine),
        ArchiveIndex(engine),
        files,
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
        make_trail(settings, engine, spool.require),
        SqlHistory(engine),
        SqlPriors(engine),
    )


def _none_there(files: SqlFiles, root: Path) -> bool:
    """True when the ledger names files of the spool, and of some that it names none is there."""
    some = list(islice(files.listed(), _LOOKED_FOR))
    return bool(some) and not any((root / one.path).exists() for one in some)


def ledger_url(settings: Settings) -> str:
    """URL of the ledger's database, without its password."""
    return settings.ledger.url or f"sqlite:///{settings.data_dir / 'ledger.sqlite3'}"
