"""Send results by STOW-RS (PS3.18 10.5), for archives that are reached over HTTP."""

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx2

from node.ports import Archive, Sent, StoredFile, StoredResult
from pipelines.domain.reasons import Rejected

_CHUNK: Final = 1 << 20
_SOP_INSTANCE: Final = "00081155"
_FAILED, _FAILURE_REASON = "00081198", "00081197"
# PS3.18 table I.2-2: what a later try cannot change
_PERMANENT: Final = frozenset({0x0122, 0xA900, 0xC000, 0x0124})


@dataclass(frozen=True, slots=True)
class WebArchive:
    """Where an archive takes instances over HTTP.

    Attributes
    ----------
    token
        Bearer token, None for none.
    """

    name: str
    url: str
    timeout_s: float
    token: str | None = None


class StowClient:
    """Sends results, one request for each, so that each has an answer of its own."""

    def __init__(self, archives: Iterable[WebArchive], locate: Callable[[StoredFile], Path]) -> None:
        self._archives = {archive.name: archive for archive in archives}
        self._locate = locate

    def send(self, peer: str, results: Sequence[StoredResult]) -> Iterator[tuple[StoredResult, Sent]]:
        archive = self._archives[peer]
        headers = {"Accept": "application/dicom+json"}
        if archive.token is not None:
            headers["Authorization"] = f"Bearer {archive.token}"
        with httpx2.Client(timeout=archive.timeout_s, headers=headers) as client:
            for made in results:
                yield made, self._store(client, archive, made)

    def echo(self, peer: str) -> Rejected | None:
        """Ask for one study, which every DICOMweb service answers."""
        archive = self._archives[peer]
        headers = {} if archive.token is None else {"Authorization": f"Bearer {archive.token}"}
        try:
            answer = httpx2.get(
                f"{archive.url.rstrip('/')}/studies", params={"limit": 1}, headers=headers, timeout=archive.timeout_s
            )
        except httpx2.HTTPError as fault:
            what = type(fault).__name__
            return Rejected("NET-001", f"{archive.name} cannot be reached: {what}.", "Check its URL.")
        return None if answer.status_code in (200, 204) else judge(answer.status_code, {}, "", peer).fault

    def _store(self, client: httpx2.Client, archive: WebArchive, made: StoredResult) -> Sent:
        boundary = secrets.token_hex(16)
        kind = f'multipart/related; type="application/dicom"; boundary={boundary}'
        try:
            answer = client.post(
                f"{archive.url.rstrip('/')}/studies",
                content=_body(boundary, self._locate(made.file)),
                headers={"Content-Type": kind},
            )
        except httpx2.HTTPError as fault:
            what = type(fault).__name__
            reason = Rejected("NET-001", f"{archive.name} cannot be reached: {what}.", "Check its URL.")
            return Sent(None, reason)
        except OSError as fault:
            reason = Rejected("RCV-005", f"A file cannot be sent: {fault.strerror}.", "Look whether it can be read.")
            return Sent(None, reason)
        return judge(answer.status_code, _json(answer), made.sop_instance, archive.name)


class Archives:
    """Each peer by the archive that is responsible for it."""

    def __init__(self, by_peer: Mapping[str, Archive], otherwise: Archive) -> None:
        self._by_peer = dict(by_peer)
        self._otherwise = otherwise

    def send(self, peer: str, results: Sequence[StoredResult]) -> Iterator[tuple[StoredResult, Sent]]:
        yield from self._by_peer.get(peer, self._otherwise).send(peer, results)

    def echo(self, peer: str) -> Rejected | None:
        return self._by_peer.get(peer, self._otherwise).echo(peer)


def judge(status: int, answer: Mapping[str, Any], sop_instance: str, peer: str) -> Sent:
    """Tell from a STOW-RS response whether the peer has the instance (PS3.18 10.5.3, I.2).

    Examples
    --------
    >>> judge(503, {}, "1.2", "PACS").permanent
    False
    """
    failure = _reason(answer.get(_FAILED), sop_instance)
    if status in (200, 202) and failure is None:
        return Sent(0x0000)
    remedy = f"Look at the log of that system, then run `pulmonode send CASE --to {peer}`."
    if failure is not None:
        reason = Rejected("NET-003", f"{peer} answered with failure reason 0x{failure:04X}.", remedy)
        return Sent(failure, reason, permanent=failure in _PERMANENT)
    if status in (401, 403):
        return Sent(None, Rejected("NET-002", f"{peer} answered {status}.", "Check its token (stow_token_file)."))
    if status in (404, 405, 415):
        reason = Rejected("NET-004", f"{peer} answered {status}: it takes no STOW-RS there.", "Check stow_url.")
        return Sent(None, reason, permanent=True)
    return Sent(None, Rejected("NET-003", f"{peer} answered {status}.", remedy), permanent=400 <= status < 500)


def _reason(failed: Any, sop_instance: str) -> int | None:
    """Failure Reason of the instance among the failed ones; None when it is not there."""
    items = failed.get("Value", []) if isinstance(failed, dict) else []
    for item in items:
        if _first(item, _SOP_INSTANCE) in (sop_instance, None):
            return int(_first(item, _FAILURE_REASON) or 0x0110)
    return None


def _first(item: Any, tag: str) -> Any:
    values = item.get(tag, {}).get("Value", [])
    return values[0] if values else None


def _json(answer: httpx2.Response) -> Mapping[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _body(boundary: str, path: Path) -> Iterator[bytes]:
    yield f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk
    yield f"\r\n--{boundary}--\r\n".encode()
