"""The HTTP application: its routes, and who may use them."""

import hmac
from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send


def make_app(dicomweb: Sequence[Route], *, token: str | None, api: Sequence[Route] = ()) -> Starlette:
    """The application; with a `token` every request must carry it."""
    guards = [] if token is None else [Middleware(BearerToken, token=token)]
    mounts = [Mount("/dicom-web", routes=list(dicomweb)), Mount("/api", routes=list(api))]
    return Starlette(routes=mounts, middleware=guards)


class BearerToken:
    """Lets requests through that carry the secret (RFC 6750)."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._expected = f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            given = dict(scope["headers"]).get(b"authorization", b"")
            # in constant time, so that the secret cannot be guessed piece by piece
            if not hmac.compare_digest(given, self._expected):
                refused = JSONResponse({"error": "A bearer token is needed."}, 401, {"WWW-Authenticate": "Bearer"})
                await refused(scope, receive, send)
                return
        await self._app(scope, receive, send)
