"""The real receiving process, watched from outside: memory, processor time, log, and whether it still serves."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from node.bootstrap.stores import open_stores
from node.settings import Settings, load_settings
from tests.dicom import ct_series
from tests.node.client import client, message
from tests.tools import running, write_config


@dataclass(frozen=True, slots=True)
class Service:
    """A running `role receiver`."""

    config: Path
    settings: Settings
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def port(self) -> int:
        return self.settings.node.port

    def rss_mb(self) -> float:
        """Memory of its own, without pages that files lend it: a mapped draft is one."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        fields = dict(line.split(":", 1) for line in status.splitlines())
        return int(fields["RssAnon"].split()[0]) / 1024

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def serves(self) -> None:
        """It answers a C-ECHO and stores a good instance."""
        sent = message(ct_series(slices=1, rows=16, columns=16)[0])
        with client(self.port, sent) as sender:
            assert sender.echo() == 0x0000
            assert sender.store(sent) == 0x0000

    def lines(self) -> list[dict[str, Any]]:
        # the last line may be in the making
        whole, _, _ = self.log.read_text().rpartition("\n")
        return [json.loads(line) for line in whole.splitlines() if line.startswith("{")]

    def codes(self) -> list[str]:
        return [line["code"] for line in self.lines() if "code" in line]

    def refusals(self) -> Mapping[str, int]:
        """How often what was refused, as `status` shows it."""
        told: Counter[str] = Counter()
        for row in open_stores(self.settings).ledger.overview(limit=1).refusals:
            told[row.code] += row.count
        return told

    def turned_away(self) -> list[str]:
        """Why associations were refused, as `status` shows it."""
        return [one.refused.why for one in open_stores(self.settings).workflow.refused_associations(limit=5)]

    def stored(self) -> set[Path]:
        """Received instances; those that were acknowledged when nobody is being served."""
        return set((self.settings.data_dir / "spool" / "received").rglob("*.dcm"))

    def has_drafts(self) -> bool:
        return any((self.settings.data_dir / "spool" / "tmp").glob("*"))


@contextmanager
def service(folder: Path, role: str = "receiver", **sections: Mapping[str, Any]) -> Iterator[Service]:
    """A receiving process; `sections` changes its configuration."""
    receive = {"network_timeout_s": 10, "connections_per_minute": 0, "max_object_mb": 64}
    sections = {**sections, "receive": {**receive, **sections.get("receive", {})}}
    config = write_config(folder, log={"level": "debug", "format": "json"}, **sections)
    settings = load_settings(config, environment={})
    command = [sys.executable, "-m", "node", "--config", str(config), "role", role]
    port = settings.web.port if role == "web" else settings.node.port
    with running(command, folder / "service.log", port=port) as process:
        yield Service(config, settings, process, folder / "service.log")
