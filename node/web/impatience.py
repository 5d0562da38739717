"""HTTP connections that are waited for within limits: whoever sends a request drop by drop is cut off."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_S: Final = 20.0
"""Seconds within which the head of a request has to arrive, from the connection or from its first byte on."""
PAUSE_S: Final = 60.0
"""Seconds that the sender of a body may say nothing, and that the reader of an answer may take nothing."""


class ImpatientProtocol(H11Protocol):
    """uvicorn's protocol, which by itself waits for a request as long as its sender likes.

    Parameters
    ----------
    head_s, pause_s
        As `HEAD_S` and `PAUSE_S`.
    """

    def __init__(self, *args: Any, head_s: float = HEAD_S, pause_s: float = PAUSE_S, **named: Any) -> None:
        super().__init__(*args, **named)
        self._head_s, self._pause_s = head_s, pause_s
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._wait()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._start("reader", self._pause_s, self._cut)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop("reader")

    def connection_lost(self, exc: Exception | None) -> None:
        for what in tuple(self._timers):
            self._stop(what)
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._stop("body")
        if self.cycle is None or self.cycle.response_complete:
            # from the first byte on, however many more come
            if "head" not in self._timers:
                self._start("head", self._head_s, self._cut)
            return
        self._stop("head")
        if self.cycle.more_body:
            self._start("body", self._pause_s, self._look)

    def _look(self) -> None:
        """Cut off a sender that pauses; one that was asked to wait is not to blame."""
        if self.flow.read_paused:
            self._start("body", self._pause_s, self._look)
        elif not self.cycle.response_complete:
            self._cut()

    def _cut(self) -> None:
        # what could not be sent is not waited for
        self.transport.abort()

    def _start(self, what: str, seconds: float, then: Callable[[], None]) -> None:
        self._timers[what] = self.loop.call_later(seconds, then)

    def _stop(self, what: str) -> None:
        timer = self._timers.pop(what, None)
        if timer is not None:
            timer.cancel()
