"""Examine an installation: each check says what it looked at, what it found, and what to do."""

import platform
import shutil
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from node import __version__
from node.bootstrap.extraction import pyradiomics_identity
from node.bootstrap.peers import make_scu
from node.bootstrap.pipeline import load_pipeline
from node.bootstrap.queue import make_queue
from node.bootstrap.stores import open_stores
from node.commands.models import model_line
from node.commands.own import own_address, own_scu
from node.commands.probe import Check, offered, probed
from node.errors import ConfigError, TransientError
from node.settings import Settings, load_settings
from pipelines.extraction import native


def examine(config: Path | None, *, probe: bool = False) -> list[Check]:
    """Run all checks; those that need what failed are left out.

    Parameters
    ----------
    probe
        Try every service of every peer with an object, which stays there.
    """
    checks = [_software()]
    try:
        settings = load_settings(config)
    except ConfigError as fault:
        return [
            *checks,
            Check("configuration", ok=False, found="; ".join(fault.problems), remedy=f"Correct {config or 'it'}."),
        ]
    return [*checks, Check("configuration", ok=True, found=str(config or "defaults")), *_node(settings, probe=probe)]


def _software() -> Check:
    names = ("pydicom", "pynetdicom", "highdicom", "SimpleITK", "celery", "SQLAlchemy")
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in names)
    return Check("software", ok=True, found=f"pulmonode {__version__}, Python {platform.python_version()}, {versions}")


def _node(settings: Settings, *, probe: bool) -> Iterator[Check]:
    yield _pyradiomics()
    yield _kernels()
    yield _pipeline(settings)
    try:
        stores = open_stores(settings)
    except (ConfigError, TransientError) as fault:
        yield Check("data folder and ledger", ok=False, found=str(fault), remedy="See [node] and [ledger].")
        return
    yield Check("data folder and ledger", ok=True, found=str(settings.data_dir))
    yield _disk(settings)
    yield _queue(settings)
    yield _own_service(settings)
    scu = make_scu(settings, stores.spool.path)
    for peer in settings.peers:
        silent = scu.echo(peer.name)
        where = f"{peer.ae_title} at {peer.host}:{peer.port}"
        yield Check(
            f"peer {peer.name}",
            ok=silent is None,
            found=f"{where} answers" if silent is None else f"{silent.code} {silent.detail}",
            remedy="" if silent is None else silent.remedy,
        )
        if silent is None or silent.code == "NET-004":
            yield from offered(settings, peer)
            if probe:
                yield from probed(settings, stores, peer)
    if not settings.delivery.destinations:
        yield Check("destinations", ok=True, found="none: results stay in the data folder")
    for refusal in stores.ledger.overview(limit=1).refusals:
        found = f"{refusal.count} x {refusal.code}, last: {refusal.last_detail}"
        yield Check(f"refused from {refusal.calling_ae_title}", ok=True, found=found)
    for turned_away in stores.workflow.refused_associations(limit=10):
        refused = turned_away.refused
        found = (
            f"{refused.times} x, called {refused.called_ae_title}, last {turned_away.last_at:%Y-%m-%d %H:%M:%S} UTC: "
            f"{refused.why} {refused.remedy}"
        )
        yield Check(f"association refused to {refused.calling_ae_title} at {refused.address}", ok=True, found=found)


def _pyradiomics() -> Check:
    try:
        return Check("PyRadiomics", ok=True, found=pyradiomics_identity())
    except ConfigError as fault:
        return Check("PyRadiomics", ok=False, found="; ".join(fault.problems))


def _kernels() -> Check:
    unusable = native.unusable()
    if unusable is None:
        return Check("fast engine", ok=True, found="its kernels are there")
    return Check(
        "fast engine",
        ok=False,
        found=f"{unusable}: PyRadiomics does its work, many times slower",
        remedy="Install the node again, with a C compiler.",
    )


def _pipeline(settings: Settings) -> Check:
    try:
        pipeline = load_pipeline(settings)
    except ConfigError as fault:
        return Check(
            "pipeline and model",
            ok=False,
            found="; ".join(fault.problems),
            remedy="See [extraction], [scoring] and [maps].",
        )
    return Check(
        "pipeline and model",
        ok=True,
        found=f"{pipeline.name} {pipeline.version}, model {model_line(settings)}; maps: {pipeline.maps or 'none'}",
    )


def _disk(settings: Settings) -> Check:
    free = shutil.disk_usage(settings.data_dir).free // 2**20
    enough = free >= settings.receive.min_free_mb
    return Check("disk", ok=enough, found=f"{free} MB free", remedy="Free space, or lower receive.min_free_mb.")


def _queue(settings: Settings) -> Check:
    try:
        waiting = make_queue(settings).depth()
    except (ConfigError, TransientError) as fault:
        return Check("queue", ok=False, found=str(fault), remedy="Check that the broker runs; see [queue].")
    kind = "Redis" if settings.queue.broker else "embedded"
    return Check("queue", ok=True, found=f"{kind}, {waiting} cases waiting")


def _own_service(settings: Settings) -> Check:
    where = own_address(settings)
    fault = own_scu(settings).echo(where.name)
    return Check(
        "DICOM service",
        ok=fault is None,
        found=f"{where.ae_title} at {where.host}:{where.port} {'answers' if fault is None else 'does not answer'}",
        remedy="Start the node: pulmonode serve",
    )
