"""The services that assess patients over all their scans."""

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from node import __version__
from node.bootstrap.gathering import make_orders
from node.bootstrap.machine import device_uid, utc_now
from node.bootstrap.peers import destination
from node.bootstrap.site import lesion_rule, tolerances
from node.bootstrap.stores import Stores
from node.logs import Log
from node.settings import Settings
from pipelines.outputs.page.settings import PageSettings

if TYPE_CHECKING:
    from node.adapters.queue_celery import CeleryQueue
    from node.services.respond import Responder
    from node.services.respond_watch import ResponseWatch
    from pipelines.nsclc_progression import Progression


PAGE: Final = "page-response"


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
        page=PageSettings(settings.page.format, settings.page.language) if PAGE in settings.outputs.kinds else None,
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
