"""The HTTP application: its routes, and who may use them."""

import hmac
from collections.abc import Callable, Sequence
from typing import Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

Denied = Callable[[str], None]
"""Hears the address of somebody who was refused."""

LOOPBACK: Final = ("localhost", "127.0.0.1", "[::1]")
"""The names by which a machine calls itself in an URL."""


def make_app(
    dicomweb: Sequence[Route],
    others: Sequence[BaseRoute],
    *,
    token: str | None,
    denied: Denied,
    hosts: Sequence[str] = (),
) -> Starlette:
    """The application.

    Parameters
    ----------
    token
        What every request must carry; None where nobody but this machine can ask. Then only requests to its own names
        and to `hosts` are answered: a page from elsewhere whose name was made to mean this machine (DNS rebinding) asks
        for its own name.
    denied
        Hears who asked without the token.
    """
    guard = (
        Middleware(TrustedHostMiddleware, allowed_hosts=[*LOOPBACK, *hosts], www_redirect=False)
        if token is None
        else Middleware(BearerToken, token=token, denied=denied)
    )
    routes = [Mount("/dicom-web", routes=list(dicomweb)), *others]
    return Starlette(routes=routes, middleware=[guard], exception_handlers={ClientDisconnect: _gone})


async def _gone(request: Request, fault: Exception) -> Response:
    """Whoever breaks off in the middle of a request hears nothing of it, and no fault of the node is told of."""
    return Response(status_code=400)


class BearerToken:
    """Lets requests through that carry the secret (RFC 6750)."""

    def __init__(self, app: ASGIApp, token: str, denied: Denied) -> None:
        self._app = app
        self._denied = denied
        self._expected = f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            given = dict(scope["headers"]).get(b"authorization", b"")
            # in constant time, so that the secret cannot be guessed piece by piece
            if not hmac.compare_digest(given, self._expected):
                await run_in_threadpool(self._denied, (scope.get("client") or ("",))[0])
                refused = JSONResponse({"error": "A bearer token is needed."}, 401, {"WWW-Authenticate": "Bearer"})
                await refused(scope, receive, send)
                return
        await self._app(scope, receive, send)
