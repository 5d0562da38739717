"""Audit messages on their way to a repository: over TLS, over UDP, and while nobody takes them."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from node.adapters.audit_record import AuditRecord
from node.adapters.syslog import SyslogSender
from node.adapters.tls import Tls, TlsFiles
from node.errors import TransientError
from node.logs import Log
from node.services.ship import Shipper
from tests.node.certificates import authority
from tests.node.listeners import Repository
from tests.tools import free_port, wait_for


@pytest.fixture
def parties(tmp_path: Path) -> tuple[TlsFiles, TlsFiles]:
    """Files of the repository and of the node."""
    ours = authority(tmp_path / "ca")
    return ours.vouch("repository"), ours.vouch("node")


@pytest.fixture
def start(parties: tuple[TlsFiles, TlsFiles]) -> Iterator[Callable[[int], Repository]]:
    started: list[Repository] = []

    def run(port: int) -> Repository:
        started.append(Repository(parties[0], port))
        return started[-1]

    yield run
    for one in started:
        one.close()


def test_messages_arrive_whole_and_in_order_over_tls(
    parties: tuple[TlsFiles, TlsFiles], start: Callable[[int], Repository]
) -> None:
    port = free_port()
    repository = start(port)
    lines = [b"<85>1 - - - - - - \xef\xbb\xbf" + b"12 34 " * number for number in (1, 100, 20_000)]
    SyslogSender(f"tls://127.0.0.1:{port}", Tls(parties[1])).send(lines)
    wait_for("the messages", lambda: len(repository.messages) == 3)
    assert repository.messages == lines
    assert repository.faults == []


def test_a_repository_that_shows_a_strange_certificate_gets_nothing(
    tmp_path: Path, start: Callable[[int], Repository]
) -> None:
    port = free_port()
    repository = start(port)
    stranger = Tls(authority(tmp_path / "other").vouch("node"))
    with pytest.raises(TransientError) as raised:
        SyslogSender(f"tls://127.0.0.1:{port}", stranger).send([b"secret"])
    assert raised.value.code == "MON-004"
    wait_for("the end of the connection", lambda: repository.faults)
    assert repository.messages == []


def test_messages_arrive_over_udp_one_in_a_datagram() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as there:
        there.bind(("127.0.0.1", 0))
        there.settimeout(120)
        SyslogSender(f"udp://127.0.0.1:{there.getsockname()[1]}", None).send([b"first", b"second"])
        assert [there.recv(100), there.recv(100)] == [b"first", b"second"]


def test_what_cannot_be_sent_waits_and_goes_out_once_in_order(
    tmp_path: Path, parties: tuple[TlsFiles, TlsFiles], start: Callable[[int], Repository]
) -> None:
    port = free_port()
    sender = SyslogSender(f"tls://127.0.0.1:{port}", Tls(parties[1]))
    record = AuditRecord(tmp_path / "audit")
    for number in range(450):
        record.append(b"message %d" % number)
    with pytest.raises(TransientError):
        Shipper(record, sender.send, Log("audit")).tick()

    repository = start(port)
    # another process, as after a restart
    assert Shipper(AuditRecord(tmp_path / "audit"), sender.send, Log("audit")).tick() == 450
    record.append(b"message 450")
    assert Shipper(AuditRecord(tmp_path / "audit"), sender.send, Log("audit")).tick() == 1
    assert Shipper(AuditRecord(tmp_path / "audit"), sender.send, Log("audit")).tick() == 0
    wait_for("the messages", lambda: len(repository.messages) == 451)
    assert repository.messages == [b"message %d" % number for number in range(451)]


def test_a_line_that_is_being_written_is_not_sent_yet(tmp_path: Path) -> None:
    record = AuditRecord(tmp_path)
    record.append(b"whole")
    (path,) = tmp_path.glob("*.log")
    with path.open("ab") as file:
        file.write(b"half")
    sent: list[bytes] = []
    shipper = Shipper(record, sent.extend, Log("audit"))
    assert shipper.tick() == 1
    with path.open("ab") as file:
        file.write(b" and half\n")
    assert shipper.tick() == 1
    assert sent == [b"whole", b"half and half"]


def test_a_new_month_is_sent_after_the_one_before(tmp_path: Path) -> None:
    (tmp_path / "2026-01.log").write_bytes(b"one\n")
    (tmp_path / "2026-02.log").write_bytes(b"two\n")
    sent: list[bytes] = []
    shipper = Shipper(AuditRecord(tmp_path), sent.extend, Log("audit"))
    shipper.tick()
    with (tmp_path / "2026-02.log").open("ab") as file:
        file.write(b"three\n")
    shipper.tick()
    assert sent == [b"one", b"two", b"three"]
