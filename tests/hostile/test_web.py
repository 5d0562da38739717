"""STOW-RS from strangers: lying lengths, no parts, parts without end, and what is no HTTP at all."""

import http.client
import socket
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.dicom import as_bytes, ct_series
from tests.hostile.service import Service, service
from tests.tools import free_port, wait_for

TYPE = 'multipart/related; type="application/dicom"; boundary=xx'


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    settings = {"enabled": True, "port": free_port(), "max_request_mb": 8}
    with service(tmp_path_factory.mktemp("web"), "web", web=settings) as made:
        wait_for("an answer", lambda: stores(made) == 200)
        yield made


def post(node: Service, body: bytes, kind: str = TYPE) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", node.settings.web.port, timeout=120)
    try:
        # it may have answered, and be gone, before it has read everything
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.request(
                "POST", "/dicom-web/studies", body, {"Content-Type": kind, "Accept": "application/dicom+json"}
            )
        return connection.getresponse().status
    finally:
        connection.close()


def stores(node: Service) -> int:
    part = as_bytes(ct_series(slices=1, rows=16, columns=16)[0])
    return post(node, b"--xx\r\nContent-Type: application/dicom\r\n\r\n" + part + b"\r\n--xx--\r\n")


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", TYPE),
        (b"no boundary at all", TYPE),
        (b"--xx\r\n" * 10_000, TYPE),
        (b"--xx\r\nContent-Type: application/dicom\r\n\r\n" + bytes(5000), TYPE),
        (b"--xx\r\n" + b"X-Header: 1\r\n" * 100_000, TYPE),
        (b"--xx\r\nContent-Type: application/dicom\r\n\r\n" + bytes(5000) + b"\r\n--xx--\r\n", TYPE),
        (b"{}", "application/json"),
        (b"--\r\n", 'multipart/related; type="application/dicom"; boundary='),
    ],
    ids=[
        "empty",
        "no boundary",
        "only boundaries",
        "no end",
        "endless header",
        "zeros",
        "other type",
        "empty boundary",
    ],
)
def test_a_bad_request_is_refused(web: Service, body: bytes, kind: str) -> None:
    before = web.rss_mb()
    assert 400 <= post(web, body, kind) < 500
    assert stores(web) == 200
    assert web.rss_mb() - before < 64


def test_a_request_beyond_the_limit_is_refused_and_costs_no_memory(web: Service) -> None:
    before = web.rss_mb()
    with socket.create_connection(("127.0.0.1", web.settings.web.port), timeout=120) as wire:
        wire.sendall(f"POST /dicom-web/studies HTTP/1.1\r\nHost: localhost\r\nContent-Type: {TYPE}\r\n".encode())
        wire.sendall(b"Transfer-Encoding: chunked\r\n\r\n")
        begun = b"--xx\r\nContent-Type: application/dicom\r\n\r\n"
        wire.sendall(f"{len(begun):x}\r\n".encode() + begun + b"\r\n")
        most = before
        for _ in range(200):
            # it may be cut off already
            with suppress(OSError):
                wire.sendall(b"100000\r\n" + bytes(2**20) + b"\r\n")
            most = max(most, web.rss_mb())
        with suppress(OSError):
            wire.sendall(b"0\r\n\r\n")
        assert wire.recv(16).startswith(b"HTTP/1.1 413")
    assert stores(web) == 200
    assert most - before < 64


@pytest.mark.parametrize("first", [b"\x16\x03\x01\x02\x00", b"\x01\x00\x00\x00\x00\x04", b"GET " + b"a" * 200_000])
def test_what_is_no_http_ends_the_connection(web: Service, first: bytes) -> None:
    with socket.create_connection(("127.0.0.1", web.settings.web.port), timeout=120) as wire:
        try:
            wire.sendall(first + b"\r\n\r\n")
            answered = wire.recv(64)
        except ConnectionError:
            answered = b""
        assert not answered or b" 4" in answered
    assert stores(web) == 200
