"""The receiving service, with all that others may ask of it."""

from node.adapters.commitment import commitment_service
from node.adapters.front_door import Rules
from node.adapters.storage_scp import StorageScp
from node.adapters.users import Users
from node.bootstrap.delivering import make_committer, make_custodian
from node.bootstrap.machine import utc_now
from node.bootstrap.peers import allowed_addresses, make_tls
from node.bootstrap.site import storage_classes
from node.bootstrap.steps import make_step_scp
from node.bootstrap.stores import Stores
from node.logs import Log
from node.ports import RefusedAssociation
from node.services.receive import Receiver
from node.settings import Settings


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
        users=Users(receive.users_file.expanduser()) if receive.users_file else None,
    )
