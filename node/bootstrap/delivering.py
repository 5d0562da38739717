"""The services that bring results to their destinations, and see to it that they are kept."""

import uuid
from datetime import timedelta

from node.bootstrap.gathering import make_query
from node.bootstrap.machine import utc_now
from node.bootstrap.peers import make_archive, make_commitment_scu
from node.bootstrap.stores import Stores
from node.logs import Log
from node.services.commit import Committer, Custodian
from node.services.deliver import Deliverer
from node.settings import Settings


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
