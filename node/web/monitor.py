"""What those ask who watch over the node: is it alive, is it ready, and how much does it do."""

from collections.abc import Callable, Sequence

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from node.services.readiness import Finding


class Monitor:
    """Answers `/healthz`, `/readyz` and `/metrics`.

    Parameters
    ----------
    look
        Makes the checks of readiness.
    numbers
        All numbers in Prometheus' text format.
    """

    def __init__(self, look: Callable[[], Sequence[Finding]], numbers: Callable[[], bytes]) -> None:
        self._look = look
        self._numbers = numbers

    def routes(self) -> list[Route]:
        return [Route("/healthz", self.alive), Route("/readyz", self.ready), Route("/metrics", self.metrics)]

    async def alive(self, request: Request) -> Response:
        return PlainTextResponse("alive\n")

    async def ready(self, request: Request) -> Response:
        findings = await run_in_threadpool(self._look)
        ready = all(one.ok for one in findings)
        told = {"ready": ready, "checks": {one.name: {"ok": one.ok, "found": one.found} for one in findings}}
        return JSONResponse(told, 200 if ready else 503)

    async def metrics(self, request: Request) -> Response:
        return Response(await run_in_threadpool(self._numbers), media_type=CONTENT_TYPE_LATEST)


def make_monitor_app(monitor: Monitor) -> Starlette:
    """The application of the monitoring port."""
    return Starlette(routes=monitor.routes())
