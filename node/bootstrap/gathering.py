"""The services that bring together what a case needs."""

from collections.abc import Collection
from datetime import timedelta
from typing import TYPE_CHECKING

from node.adapters.query_retrieve import QueryRetrieveScu, Source
from node.adapters.storage_scp import TRANSFER_SYNTAXES
from node.adapters.worklist import WorklistScu
from node.bootstrap.machine import utc_now
from node.bootstrap.peers import peer_address
from node.bootstrap.site import precedence_rule, tolerances
from node.bootstrap.stores import Stores
from node.bootstrap.trail import make_query_audit
from node.logs import Log
from node.services.assemble import Assembler
from node.services.orders import Orders
from node.services.prefetch import Prefetcher
from node.services.receive import Receiver
from node.settings import Settings
from pipelines.domain.identifiers import SopClassUID
from pipelines.domain.sop_classes import CT_IMAGES
from pipelines.imaging.assembly import Patience

if TYPE_CHECKING:
    from node.adapters.queue_celery import CeleryQueue


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
        queried=make_query_audit(settings, stores.trail).asked,
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


def make_orders(settings: Settings, stores: Stores) -> Orders | None:
    """The service that fills in what the worklist knows; None when no peer has one."""
    peer = next((peer for peer in settings.peers if peer.worklist), None)
    if peer is None:
        return None
    queried = make_query_audit(settings, stores.trail).asked
    worklist = WorklistScu(settings.node.ae_title, peer_address(settings, peer), queried=queried)
    return Orders(worklist, stores.workflow, stores.spool, utc_now, Log("worklist"))
