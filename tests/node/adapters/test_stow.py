"""Sending over HTTP: to Orthanc's DICOMweb service, to the node's own, and to services that refuse or are away."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from pydicom import Dataset

from node.adapters.stow import Archives, StowClient, WebArchive, judge
from node.ports import Sent, StoredResult
from pipelines.domain.identifiers import CaseId
from tests.dicom import as_bytes, ct_series, seg_of
from tests.node.client import dataset_of
from tests.node.refs import result
from tests.tools import free_port, orthanc


@pytest.fixture(scope="module")
def instances() -> list[Dataset]:
    ct = ct_series(slices=2, rows=16, columns=16)
    return [*ct, seg_of(ct)]


@pytest.fixture
def results(instances: list[Dataset], tmp_path: Path) -> list[StoredResult]:
    made = []
    for number, instance in enumerate(instances):
        path = tmp_path / f"{number}.dcm"
        path.write_bytes(as_bytes(instance))
        one = result(CaseId(1), f"kind-{number}")
        file = replace(one.file, path=str(path))
        made.append(replace(one, sop_instance=instance.SOPInstanceUID, sop_class=instance.SOPClassUID, file=file))
    return made


def client(url: str, token: str | None = None) -> StowClient:
    return StowClient([WebArchive("archive", url, 120, token)], lambda file: Path(file.path))


def test_orthanc_takes_results_over_http(results: list[StoredResult], instances: list[Dataset], tmp_path: Path) -> None:
    with orthanc(tmp_path / "orthanc", dicomweb=True) as pacs:
        url = f"http://127.0.0.1:{pacs.http_port}/dicom-web"
        assert client(url).echo("archive") is None
        assert list(client(url).send("archive", results)) == [(one, Sent(0)) for one in results]
        stored = [path.read_bytes() for path in pacs.download(tmp_path / "out")]
    assert sorted(map(dataset_of, stored)) == sorted(dataset_of(as_bytes(one)) for one in instances)


@contextmanager
def answering(status: int, body: bytes = b"") -> Iterator[str]:
    """A service that always gives the same answer."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            while (size := int(self.rfile.readline().strip() or b"0", 16)) > 0:
                self.rfile.read(size + 2)
            self.rfile.readline()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("status", "code", "permanent"),
    [
        (400, "NET-003", True),
        (401, "NET-002", False),
        (403, "NET-002", False),
        (404, "NET-004", True),
        (415, "NET-004", True),
        (500, "NET-003", False),
        (503, "NET-003", False),
    ],
)
def test_an_error_says_what_it_is_and_whether_trying_again_can_help(
    results: list[StoredResult], status: int, code: str, permanent: bool
) -> None:
    with answering(status) as url:
        ((_, sent),) = client(url).send("archive", results[:1])
    assert sent.fault is not None
    assert (sent.fault.code, sent.permanent) == (code, permanent)


def test_a_service_that_is_away_is_tried_again(results: list[StoredResult]) -> None:
    away = client(f"http://127.0.0.1:{free_port()}")
    ((_, sent),) = away.send("archive", results[:1])
    assert sent.fault is not None
    assert (sent.fault.code, sent.permanent) == ("NET-001", False)
    fault = away.echo("archive")
    assert fault is not None
    assert fault.code == "NET-001"


def test_an_instance_among_the_failed_ones_is_not_stored_whatever_the_status() -> None:
    failed = {"00081198": {"Value": [{"00081155": {"Value": ["1.2"]}, "00081197": {"Value": [0xA900]}}]}}
    sent = judge(202, failed, "1.2", "PACS")
    assert sent.fault is not None
    assert (sent.status, sent.permanent) == (0xA900, True)
    assert judge(202, failed, "1.3", "PACS").fault is None


def test_peers_without_a_web_service_are_reached_by_dimse(results: list[StoredResult]) -> None:
    with answering(200, b"{}") as url:
        over_http, over_dimse = client(url), client(f"http://127.0.0.1:{free_port()}")
        archives = Archives({"archive": over_http}, over_dimse)
        assert [sent for _, sent in archives.send("archive", results[:1])] == [Sent(0)]
        with pytest.raises(KeyError):
            list(archives.send("other", results[:1]))
