"""The services that give up what need not be kept."""

from datetime import timedelta

from node.bootstrap.machine import utc_now
from node.bootstrap.stores import Stores
from node.logs import Log
from node.services.retain import Retainer, Terms
from node.services.trail import AuditedErasure
from node.settings import Settings


def make_erasure(stores: Stores) -> AuditedErasure:
    """What deletes cases, and tells the audit trail."""
    return AuditedErasure(stores.erasure, stores.trail)


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
