"""Those whom a node tells what happens: a repository of audit messages, and a web server that takes alerts."""

import json
import socket
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from node.adapters.tls import Tls, TlsFiles
from tests.tools import tool

_SCHEMA = Path(__file__).parents[1] / "audit.rng"


class Repository:
    """Takes syslog over TLS with counted octets, and keeps the messages."""

    def __init__(self, files: TlsFiles, port: int) -> None:
        self.port = port
        self.messages: list[bytes] = []
        self.faults: list[Exception] = []
        self._context = Tls(files).server()
        self._listening = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listening.close()

    def _serve(self) -> None:
        while True:
            try:
                plain, _ = self._listening.accept()
            except OSError:
                return
            try:
                with self._context.wrap_socket(plain, server_side=True) as connection:
                    self._take(connection)
            except (OSError, ValueError) as fault:
                self.faults.append(fault)

    def _take(self, connection: ssl.SSLSocket) -> None:
        taken = b""
        while part := connection.recv(65536):
            taken += part
        while taken:
            length, _, rest = taken.partition(b" ")
            self.messages.append(rest[: int(length)])
            taken = rest[int(length) :]


class Hook:
    """A web server that keeps what is posted to it, and refuses it while it is `down`."""

    def __init__(self) -> None:
        self.posted: list[dict[str, Any]] = []
        self.headers: list[str | None] = []
        self.down = False
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if not hook.down:
                    hook.posted.append(json.loads(body))
                    hook.headers.append(self.headers["Authorization"])
                self.send_response(503 if hook.down else 204)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None: ...

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def schema_faults(line: str, folder: Path) -> str:
    """What libxml2 says against an audit message, a line of syslog, by the schema of PS3.15 A.5.1.1; mostly nothing."""
    path = folder / "message.xml"
    path.write_text(line.partition("\ufeff")[2], encoding="utf-8")
    command = [tool("xmllint", "libxml2-utils"), "--noout", "--nonet", "--relaxng", str(_SCHEMA), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else f"{done.stderr}\n{line}"
