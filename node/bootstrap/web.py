"""The HTTP application."""

from typing import TYPE_CHECKING

from node.adapters.query_audit import WebAudit
from node.bootstrap.machine import utc_now
from node.bootstrap.monitoring import make_monitor
from node.bootstrap.records import make_recorder
from node.bootstrap.stores import Stores
from node.bootstrap.trail import make_query_audit
from node.logs import Log
from node.services.receive import Receiver
from node.settings import Settings, read_secret

if TYPE_CHECKING:
    from starlette.applications import Starlette


def make_web(settings: Settings, stores: Stores) -> "Starlette":
    """The HTTP application."""
    from starlette.routing import Mount

    from node.web.app import make_app as make_web_app
    from node.web.dicomweb import DicomWeb
    from node.web.review import ReviewApi

    log = Log("web")
    monitor = make_monitor(settings, stores)
    service = DicomWeb(
        stores.index,
        Receiver(stores.spool, stores.ledger, utc_now, log, meters=stores.meters),
        stores.spool.path,
        log,
        max_request_bytes=settings.web.max_request_mb * 2**20,
        readers=WebAudit(stores.trail, make_query_audit(settings, stores.trail)),
    )
    review = ReviewApi(stores.readings, make_recorder(stores))
    return make_web_app(
        service.routes(),
        [*monitor.routes(), Mount("/api", routes=review.routes())],
        token=read_secret(settings.web.token_file),
        denied=stores.trail.denied,
        hosts=settings.web.hosts,
    )
