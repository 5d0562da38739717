"""The service that fetches the earlier studies of patients, and what their cases are kept for."""

from datetime import timedelta

from node.bootstrap.gathering import make_query
from node.bootstrap.machine import utc_now
from node.bootstrap.stores import Stores
from node.logs import Log
from node.services.priors import PriorFinder, Reach
from node.settings import Settings
from pipelines.domain.identifiers import CaseId
from pipelines.domain.sop_classes import READER_REPORTS, SEGMENTATIONS


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


def kept_from(stores: Stores, case: CaseId) -> str:
    """The archive that a case was fetched from to be compared with and nothing else; empty for all others."""
    prior = stores.priors.prior_of(case)
    return "" if prior is None or prior.reported else prior.peer
