"""Workers on two hosts that share a ledger, a broker and the spool; one of them is cut off while it works."""

import random
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from node.bootstrap.stores import open_stores
from node.faults import ENVIRONMENT
from node.ports import CaseDetail, CaseRow
from node.settings import Settings, load_settings
from pipelines.domain.case_state import CaseState
from tests.chaos.audit import audit
from tests.chaos.hosts import Host, host
from tests.chaos.pacs import MoodyPacs
from tests.chaos.senders import Senders, make_study
from tests.node.postgres import empty_database, postgresql
from tests.tools import free_port, running, tool, wait_for, write_config

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(1800)]

LEASE_S = 4


@dataclass(frozen=True)
class Site:
    """The receiving machine with its servers, and two hosts for workers."""

    folder: Path
    settings: Settings
    pacs: MoodyPacs
    senders: Senders
    first: Host
    second: Host

    def worker(self, where: Host) -> ExitStack:
        """A worker on that host, until the stack is closed."""
        stack = ExitStack()
        config, log = self.folder / where.name / "node.toml", self.log(where)
        environment = {ENVIRONMENT: str(self.faults(where))}
        stack.enter_context(where.running(["-m", "node", "--config", str(config), "role", "worker"], log, environment))
        return stack

    def faults(self, where: Host) -> Path:
        return self.folder / where.name / "faults"

    def log(self, where: Host) -> Path:
        return self.folder / where.name / "node.log"

    def send(self, *numbers: int) -> None:
        """Give these studies to the senders and wait until every instance is acknowledged."""
        for number in numbers:
            self.senders.give(make_study(number, self.folder / "studies"), random.Random(number))
        wait_for("everything acknowledged", lambda: not self.senders.outstanding(), timeout_s=120)

    def cases(self) -> tuple[CaseRow, ...]:
        return open_stores(self.settings).ledger.overview(limit=100).cases

    def detail(self, row: CaseRow) -> CaseDetail:
        found = open_stores(self.settings).ledger.detail(row.case)
        assert found is not None
        return found

    def all_committed(self, count: int) -> None:
        def look() -> bool:
            rows = self.cases()
            return len(rows) == count and all(row.state is CaseState.COMMITTED for row in rows)

        wait_for(f"{count} cases committed", look, timeout_s=300)

    def faults_found(self) -> list[str]:
        return audit(self.settings, self.senders.receipts.acknowledged, self.pacs.kept).faults


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with ExitStack() as stack:
        first, second = stack.enter_context(host(1)), stack.enter_context(host(2))
        addresses = [first.server, second.server]
        rules = [f"host all all {address}/24 trust" for address in addresses]
        database = empty_database(stack.enter_context(postgresql(addresses=addresses, rules=rules)), "hosts")
        broker = stack.enter_context(_redis(tmp_path, addresses))
        pacs = MoodyPacs()
        port = pacs.start()
        stack.callback(pacs.stop)
        shared, listening = str(tmp_path / "data"), free_port()

        def configured(folder: Path, server: str) -> Path:
            return write_config(
                folder,
                destinations={"MOODY": ("MOODY", port)},
                peer={"commitment": True, "timeout_s": 5},
                node={"port": listening, "data_dir": shared},
                queue={"lease_s": LEASE_S, "resubmit_after_s": 5, "worker_processes": 1, "broker": broker(server)},
                ledger={"url": database.replace("127.0.0.1", server)},
                extraction={"verify_every": 0},
                outputs={"kinds": ["seg", "sr-features", "sr-case"]},
                log={"format": "json"},
            )

        config = configured(tmp_path, "127.0.0.1")
        for where in (first, second):
            configured(tmp_path / where.name, where.server)
            (tmp_path / where.name / "faults").mkdir()
        settings = load_settings(config, environment={})
        for role in ("receiver", "dispatcher"):
            command = [sys.executable, "-m", "node", "--config", str(config), "role", role]
            stack.enter_context(
                running(command, tmp_path / f"{role}.log", port=listening if role == "receiver" else None)
            )
        senders = Senders(listening, seed=1, count=2)
        senders.start()
        stack.callback(senders.stop)
        yield Site(tmp_path, settings, pacs, senders, first, second)


def test_a_host_that_was_cut_off_while_it_worked_loses_its_case_to_the_other_and_is_refused_later(site: Site) -> None:
    (site.faults(site.first) / "process.measured").write_text("HOLD")
    held = site.faults(site.first) / "process.measured.held"
    with site.worker(site.first):
        site.send(1)
        wait_for("the first host measuring", held.exists, timeout_s=120)
        (running_there,) = site.cases()
        assert (running_there.state, running_there.attempt) == (CaseState.RUNNING, 1)
        with site.worker(site.second):
            # it lives, so its lease does too, whoever else is free
            wait_for(
                "the second host being up", lambda: '"working"' in site.log(site.second).read_text(), timeout_s=120
            )
            assert site.cases()[0].state is CaseState.RUNNING
            site.first.cut_off()
            site.all_committed(1)
            site.first.connect()
            held.unlink()
            wait_for("the late result refused", lambda: "case_claim_lost" in site.log(site.first).read_text())
        (row,) = site.cases()
        assert row.attempt == 2
        assert [one.event for one in site.detail(row).events].count("interrupted") == 1
        # the host that was away is as good as before
        site.send(2)
        site.all_committed(2)
    assert site.faults_found() == []
    assert sorted(len(stored) for stored in site.pacs.kept.values()) == [1, 1, 1, 1]


def test_hosts_that_are_cut_off_in_turn_lose_nothing_and_do_nothing_twice(site: Site) -> None:
    with site.worker(site.first), site.worker(site.second):
        for number in range(6):
            away = site.first if number % 2 else site.second
            site.send(number)
            away.cut_off()
            wait_for("the other one going on", partial(_has_committed, site, max(1, number - 1)), timeout_s=240)
            away.connect()
        site.all_committed(6)
    assert site.faults_found() == []


def _has_committed(site: Site, count: int) -> bool:
    return sum(row.state is CaseState.COMMITTED for row in site.cases()) >= count


@contextmanager
def _redis(folder: Path, addresses: Sequence[str]) -> Iterator[Callable[[str], str]]:
    """A Redis at those addresses of this machine; gives its URL at each."""
    port = free_port()
    command = [tool("redis-server", "redis-server"), "--port", str(port), "--bind", "127.0.0.1", *addresses]
    command += ["--protected-mode", "no", "--save", "", "--dir", str(folder)]
    with running(command, folder / "redis.log", port=port):
        yield lambda server: f"redis://{server}:{port}/0"
