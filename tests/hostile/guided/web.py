"""Readers of what comes over HTTP: bodies of many parts, parameters of searches, and stored objects asked for again."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.hostile.guided.catalogue import Read
from tests.hostile.guided.network import no_draft_in, receiver_in, strict_log


class _Index:
    """One instance, which everybody asks for."""

    def __init__(self, held: Any, study: Any) -> None:
        self._held, self._study = held, study

    def studies(self, **_: object) -> Sequence[Any]:
        return [self._study]

    def instances(self, *_: object, **__: object) -> Sequence[Any]:
        return [self._held]

    def one_of_each_series(self, *_: object) -> dict[str, Sequence[Any]]:
        return {"1.2": [self._held]}


def _service(own: Path) -> Any:
    from node.adapters.archive_index import HeldInstance, HeldStudy
    from node.ports import StoredFile
    from node.web.dicomweb import DicomWeb

    held = HeldInstance("1.2", "1.2.3", "1.2.3.4", "1.2", "1.2.840.10008.1.2.1", StoredFile("held.dcm", 1, "0"))
    index = _Index(held, HeldStudy("1.2", 1, 1, None))
    return DicomWeb(
        index,  # type: ignore[arg-type]
        receiver_in(own),
        lambda file: own / file.path,
        strict_log(),
        max_request_bytes=2**20,
    )


def _asked(path: dict[str, str], *, query: bytes = b"", kind: bytes = b"", body: Sequence[bytes] = ()) -> Any:
    from starlette.requests import Request

    scope = {
        "type": "http",
        "method": "POST",
        "scheme": "http",
        "server": ("127.0.0.1", 80),
        "path": "/",
        "query_string": query,
        "headers": [(b"content-type", kind)],
        "client": ("127.0.0.1", 1),
        "path_params": path,
    }
    pieces = list(body) or [b""]

    async def receive() -> dict[str, object]:
        piece = pieces.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

    return Request(scope, receive)


def stow(own: Path, shared: Path) -> Read:
    """A request to store: the first line is its Content-Type, the rest its body, which comes in pieces."""
    service, loop = _service(own), asyncio.new_event_loop()

    def read(data: bytes) -> None:
        kind, _, body = data.partition(b"\n")
        size = 1 + (sum(kind) * 31) % 3000
        pieces = [body[at : at + size] for at in range(0, len(body), size)]
        answer = loop.run_until_complete(service.store(_asked({}, kind=kind, body=pieces)))
        assert answer.status_code in (200, 202, 400, 409), answer.status_code
        no_draft_in(own)

    return read


def search(own: Path, shared: Path) -> Read:
    """Parameters of a search."""
    service = _service(own)
    (own / "held.dcm").write_bytes((shared / "ct-0.dcm").read_bytes())
    path = {"study": "1.2", "series": "1.2.3"}

    def read(data: bytes) -> None:
        for find in (service._find_studies, service._find_series, service._find_instances):
            assert find(_asked(path, query=data)).status_code == 200

    return read


def metadata(own: Path, shared: Path) -> Read:
    """An object that was taken, asked for again: what it says, its frames, a value on its own, and searches for it."""
    from node.web.headers import Headers
    from pipelines.domain.reasons import Rejected
    from pipelines.imaging.header import parse_ref

    service = _service(own)

    def read(data: bytes) -> None:
        if isinstance(parse_ref(data), Rejected):
            return
        # those that were read before are remembered by their path
        service._headers = Headers(remembered=1)
        (own / "held.dcm").write_bytes(data)
        path = {"study": "1.2", "series": "1.2.3", "instance": "1.2.3.4"}
        assert service._metadata(_asked(path)).status_code in (200, 404)
        assert service._frames(_asked({**path, "frames": "1,2"})).status_code in (200, 400, 404)
        for tag in ("00080018", "7FE00010", "00081115"):
            assert service._bulk_data(_asked({**path, "tag": tag})).status_code in (200, 404)
        for find in (service._find_studies, service._find_series, service._find_instances):
            assert (
                find(_asked(path, query=b"PatientName=*A*&StudyDate=2020-2021&Rows=5&Modality=CT")).status_code == 200
            )

    return read
