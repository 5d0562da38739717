"""Who is slow on purpose is cut off; who is slow because the node asked for it is not."""

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from functools import partial

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from node.web.impatience import ImpatientProtocol
from tests.tools import free_port, listens, wait_for

HEAD_S, PAUSE_S = 2.0, 3.0


async def _echo(request: Request) -> Response:
    return PlainTextResponse(str(len(await request.body())))


async def _endless(request: Request) -> Response:
    async def pieces() -> AsyncIterator[bytes]:
        while True:
            yield bytes(2**20)
            await asyncio.sleep(0)

    return StreamingResponse(pieces())


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    chosen = free_port()
    app = Starlette(routes=[Route("/", _echo, methods=["GET", "POST"]), Route("/endless", _endless)])
    protocol = partial(ImpatientProtocol, head_s=HEAD_S, pause_s=PAUSE_S)
    server = uvicorn.Server(uvicorn.Config(app, http=protocol, ws="none", port=chosen, log_config=None))  # type: ignore[arg-type]
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_for("the server", lambda: listens(chosen))
    yield chosen
    server.should_exit = True
    thread.join(120)


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=120)


def is_cut_off(wire: socket.socket) -> bool:
    """Wait until the other side ends the connection."""
    try:
        while wire.recv(65536):
            pass
    except ConnectionError:
        pass
    return True


@pytest.mark.parametrize("begun", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\nX: "])
def test_a_head_that_does_not_come_ends_the_connection(port: int, begun: bytes) -> None:
    with connected(port) as wire:
        wire.sendall(begun)
        assert is_cut_off(wire)


def test_a_head_that_comes_byte_by_byte_ends_the_connection(port: int) -> None:
    with connected(port) as wire, pytest.raises(ConnectionError):
        for _ in range(1000):
            wire.sendall(b"G")
            time.sleep(0.1)


def test_a_second_request_has_the_same_patience_as_the_first(port: int) -> None:
    with connected(port) as wire:
        wire.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200 OK" in wire.recv(4096)
        wire.sendall(b"GET /")
        assert is_cut_off(wire)


def test_a_body_that_pauses_ends_the_connection_and_one_that_flows_does_not(port: int) -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 48\r\n\r\n"
    with connected(port) as slow, connected(port) as steady:
        slow.sendall(head + bytes(10))
        steady.sendall(head)
        for _ in range(12):
            # in all, longer than any pause may be
            time.sleep(0.3)
            steady.sendall(bytes(4))
        answered = b""
        while b"\r\n\r\n48" not in answered:
            answered += steady.recv(4096)
        assert answered.startswith(b"HTTP/1.1 200 OK")
        assert is_cut_off(slow)


def test_a_reader_that_takes_nothing_is_cut_off(port: int) -> None:
    with connected(port) as wire:
        wire.sendall(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
        assert wire.recv(16)
        time.sleep(2 * PAUSE_S)
        # what the system held back for it, and no more
        assert is_cut_off(wire)
