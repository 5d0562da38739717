"""The services of procedure steps: the node's own worklist, and those that it works on."""

from datetime import timedelta

from node.adapters.steps.audit import StepAudit
from node.adapters.steps.boards import OwnBoard, PeerBoard, Wanted, send_event
from node.adapters.steps.scp import StepScp
from node.bootstrap.machine import utc_now
from node.bootstrap.peers import peer_address
from node.bootstrap.stores import Stores
from node.bootstrap.trail import make_query_audit
from node.logs import Log
from node.ports import StepBoard, StepEvent
from node.services.notify import Notifier
from node.services.perform import Performer
from node.settings import Settings


def make_step_scp(settings: Settings, stores: Stores) -> StepScp:
    """The node's own worklist, as others reach it."""
    names = {peer.ae_title: peer.name for peer in settings.peers}

    def cancel_requested(keeper: str, step: str) -> bool:
        return stores.tasks.cancel_requested(names.get(keeper, "") if keeper else "", step)

    return StepScp(
        stores.steps,
        utc_now,
        Log("worklist"),
        cancel_requested=cancel_requested,
        receivers=tuple(names),
        queried=make_query_audit(settings, stores.trail).answered,
        accessed=StepAudit(stores.steps, stores.trail.step_accessed, identify=settings.audit.identify_patients),
    )


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
