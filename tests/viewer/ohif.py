"""OHIF as its makers built it, and a server that gives it and a DICOMweb service out from one origin."""

import base64
import hashlib
import os
import shutil
import socket
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx2
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.tools import wait_for

VERSION: Final = "3.13.2"
_INTEGRITY: Final = "WZdxmpmG7rqFgW9ZJLcbgr3XCtLi1KDNPoMaeY5PPe6j4G4fjEjjkycZM6C6Zk2F87BKxFfpq+jd5xXZB9E8EA=="
"""SHA-512 of the package in base64, as its registry states it."""

_CONFIG: Final = """
window.config = {
  routerBasename: null,
  extensions: [],
  modes: [],
  customizationService: {},
  showStudyList: true,
  disableConfirmationPrompts: true,
  maxNumberOfWebWorkers: 2,
  showErrorDetails: 'always',
  defaultDataSourceName: 'node',
  dataSources: [{
    namespace: '@ohif/extension-default.dataSourcesModule.dicomweb',
    sourceName: 'node',
    configuration: {
      friendlyName: 'The service under test',
      name: 'node',
      qidoRoot: '/dicom-web',
      wadoRoot: '/dicom-web',
      wadoUriRoot: '/dicom-web',
      qidoSupportsIncludeField: false,
      imageRendering: 'wadors',
      thumbnailRendering: 'wadors',
      enableStudyLazyLoad: true,
      supportsFuzzyMatching: false,
      supportsWildcard: true,
      bulkDataURI: { enabled: true },
    },
  }],
};
"""


def ohif() -> Path:
    """Folder with the files of OHIF's web application; the first call downloads them.

    The test is skipped where they are not there and cannot be fetched.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pulmonode-tests"
    folder = cache / f"ohif-{VERSION}"
    if not folder.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        unpacked = cache / f"unpacking-{os.getpid()}"
        try:
            _unpack(_downloaded(unpacked), unpacked)
            (unpacked / "package" / "dist").rename(folder)
        finally:
            shutil.rmtree(unpacked, ignore_errors=True)
    return folder


def _downloaded(folder: Path) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm, which fetches OHIF, is not installed")
    folder.mkdir(parents=True)
    command = [npm, "pack", f"@ohif/app@{VERSION}", "--silent", "--pack-destination", str(folder)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=280, check=False)
    if done.returncode:
        pytest.skip(f"OHIF {VERSION} cannot be fetched by npm: {done.stderr.strip()[-200:]}")
    (package,) = folder.glob("*.tgz")
    digest = base64.b64encode(hashlib.sha512(package.read_bytes()).digest()).decode()
    assert digest == _INTEGRITY, f"the package of OHIF {VERSION} is not the one that this test was written with"
    return package


def _unpack(package: Path, folder: Path) -> None:
    with tarfile.open(package) as archive:
        # two thirds of it are models for segmenting by hand
        wanted = [one for one in archive if not one.name.startswith("package/dist/ort/")]
        archive.extractall(folder, wanted, filter="data")


@contextmanager
def ohif_before(dicomweb_port: int) -> Iterator[str]:
    """URL of OHIF, beside the DICOMweb service at /dicom-web of `dicomweb_port` of loopback, as a proxy would."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    app = _application(ohif(), f"http://127.0.0.1:{dicomweb_port}")
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        wait_for("the viewer's server", lambda: server.started)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(30)
        listening.close()


def _application(files: Path, backend: str) -> Starlette:
    # a new connection each time: Orthanc closes those that it kept open just when they are used again
    client = httpx2.AsyncClient(timeout=60, limits=httpx2.Limits(max_keepalive_connections=0))

    async def forward(request: Request) -> Response:
        # the client's Host goes on, so that the service can name URLs that the client reaches
        kept = {name: value for name, value in request.headers.items() if name in ("accept", "host")}
        url = f"{backend}{request.url.path}" + (f"?{request.url.query}" if request.url.query else "")
        answer = await client.send(client.build_request(request.method, url, headers=kept), stream=True)
        headers = {name: answer.headers[name] for name in ("content-type",) if name in answer.headers}
        return StreamingResponse(
            answer.aiter_bytes(), answer.status_code, headers, background=BackgroundTask(answer.aclose)
        )

    async def configuration(request: Request) -> Response:
        return Response(_CONFIG, media_type="text/javascript")

    async def file(request: Request) -> Response:
        asked = files / request.path_params["path"]
        # every other path is a page of the one application
        return FileResponse(asked if asked.is_file() else files / "index.html")

    return Starlette(
        routes=[
            Route("/dicom-web/{path:path}", forward),
            Route("/app-config.js", configuration),
            Route("/{path:path}", file),
        ]
    )
