"""The service that runs cases."""

import os
import socket
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from node import __version__
from node.bootstrap.gathering import make_orders
from node.bootstrap.machine import device_uid, utc_now
from node.bootstrap.models import scoring_model
from node.bootstrap.peers import destination
from node.bootstrap.pipeline import pipeline_with
from node.bootstrap.priors import kept_from
from node.bootstrap.site import RESPONSE, precedence_rule, tolerances
from node.bootstrap.stores import Stores
from node.errors import ConfigError
from node.logs import Log
from node.services.assemble import may_start
from node.settings import Settings
from pipelines.domain.identifiers import CaseId
from pipelines.domain.reasons import Rejected

if TYPE_CHECKING:
    from node.services.process import Processor
    from pipelines.scoring.model import Model


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
        kept_from=partial(kept_from, stores),
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
