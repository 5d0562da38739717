"""The queue under strain: urgent cases, a case that kills whoever takes it or wants all memory, a locked Redis."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from node.adapters.ledger import SqlLedger, open_engine
from node.adapters.ledger_priorities import SqlPriorities
from node.adapters.queue_celery import CeleryQueue, QueueSettings, QueueUnavailable, create_app
from node.bootstrap.queue import make_queue
from node.logs import Log
from node.services.assemble import Assembler
from node.settings import load_settings
from pipelines.domain.case_state import CaseState
from pipelines.domain.identifiers import CaseId
from pipelines.domain.priority import Precedence, Priority
from pipelines.imaging.assembly import Patience
from tests.node.refs import SENDER, file_of, image, images, segmentation
from tests.tools import free_port, redis, running, tool, wait_for

ROOT = Path(__file__).parents[3]
NEEDS_TOO_MUCH = """
import sys
from node.adapters.memory import limit_memory
import numpy
limit_memory(int(sys.argv[1]))
try:
    numpy.ones(300 * 2**20 // 8)
except MemoryError:
    print("MemoryError")
else:
    print("enough")
"""


@pytest.fixture(params=["sqlite", "redis"])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """URL of an empty broker; the test runs once on each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'queue.sqlite3'}"
        return
    with redis(tmp_path / "redis") as url:
        yield url


def test_urgent_cases_are_taken_first_and_off_peak_cases_last(broker: str) -> None:
    app = create_app(broker, settings=QueueSettings())
    queue = CeleryQueue(app)
    wanted = (Priority.OFF_PEAK, Priority.NORMAL, Priority.URGENT, Priority.NORMAL, Priority.URGENT)
    for case, priority in enumerate(wanted, start=1):
        queue.submit(CaseId(case), priority)
    assert queue.depth() == 5
    taken = []
    with app.connection_for_read() as connection:
        channel = connection.channel()
        for _ in wanted:
            message = channel.basic_get("pulmonode")
            taken.append(message.payload[0][0])
            channel.basic_ack(message.delivery_tag)
    assert taken == [3, 5, 2, 4, 1]


def test_a_case_that_kills_its_process_again_and_again_is_given_up_and_the_others_are_done(
    broker: str, tmp_path: Path
) -> None:
    database = f"sqlite:///{tmp_path / 'ledger.sqlite3'}"
    engine = open_engine(database)
    ledger = SqlLedger(engine, pipeline="test")
    for ref in (*images(3), segmentation(1), segmentation(2)):
        ledger.received(ref, file_of(ref), SENDER, at=datetime.now(UTC))
    poison, sound = (waiting.case for waiting in ledger.collecting())
    for case in (poison, sound):
        assert ledger.complete(case, image().key, "3 slices.", at=datetime.now(UTC))
    assembler = Assembler(
        ledger,
        CeleryQueue(create_app(broker, settings=QueueSettings())),
        lambda: datetime.now(UTC),
        Log("assemble"),
        patience=Patience(timedelta(seconds=1), timedelta(seconds=1)),
        max_attempts=3,
        resubmit_after=timedelta(seconds=1),
        priorities=SqlPriorities(engine),
        rule=Precedence(),
    )

    def states() -> list[CaseState]:
        assembler.tick()
        return [row.state for row in sorted(ledger.overview(limit=9).cases, key=lambda row: row.case)]

    command = [sys.executable, str(Path(__file__).with_name("poison_worker.py")), database, broker, str(poison)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with (tmp_path / "log").open("wb") as log:
        worker = subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)
    try:
        wait_for("the end", lambda: states() == [CaseState.FAILED, CaseState.REPORTED], timeout_s=280)
    finally:
        worker.kill()
        worker.wait()
    detail = ledger.detail(poison)
    assert detail is not None
    assert (detail.row.code, detail.row.reason) == ("RUN-001", "The worker died in 3 attempts.")
    assert [event.event for event in detail.events].count("claimed") == 3


def test_a_process_gets_no_more_memory_than_its_limit() -> None:
    def told(megabytes: int) -> str:
        command = [sys.executable, "-c", NEEDS_TOO_MUCH, str(megabytes)]
        return subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout.strip()

    assert [told(200), told(4000), told(0)] == ["MemoryError", "enough", "enough"]


def _certificates(folder: Path) -> tuple[Path, Path, Path]:
    """An authority, and the certificate with its key that it gave to 127.0.0.1."""
    now = datetime.now(UTC)

    def issue(name: str, key: ec.EllipticCurvePrivateKey, by: str, with_key: ec.EllipticCurvePrivateKey) -> Path:
        named = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, one)]) for one in (name, by)]
        builder = (
            x509.CertificateBuilder()
            .subject_name(named[0])
            .issuer_name(named[1])
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=name == by, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        )
        path = folder / f"{name}.pem"
        signed = builder.sign(with_key, hashes.SHA256())
        path.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        return path

    authority, server = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    key = folder / "server.key"
    key.write_bytes(
        server.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return issue("authority", authority, "authority", authority), issue("server", server, "authority", authority), key


@contextmanager
def locked_redis(folder: Path, password: str) -> Iterator[tuple[int, Path]]:
    """A Redis that speaks TLS alone and wants a password; its port, and who vouches for it."""
    program = tool("redis-server", "redis-server")
    authority, certificate, key = _certificates(folder)
    port = free_port()
    options = {
        "port": "0",
        "tls-port": str(port),
        "bind": "127.0.0.1",
        "save": "",
        "dir": str(folder),
        "requirepass": password,
        "tls-cert-file": str(certificate),
        "tls-key-file": str(key),
        "tls-ca-cert-file": str(authority),
        "tls-auth-clients": "no",
    }
    command = [program, *(part for name, value in options.items() for part in (f"--{name}", value))]
    with running(command, folder / "redis.log", port=port):
        yield port, authority


def test_a_redis_with_tls_and_a_password_from_a_file_is_used_and_no_other(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    # every character that has a meaning in a URL
    secret.write_text("p@ss/w:rd?#%20\n")
    with locked_redis(tmp_path, "p@ss/w:rd?#%20") as (port, authority):

        def queue(**environment: str) -> CeleryQueue:
            values = {
                "NODE__DATA_DIR": str(tmp_path / "data"),
                "QUEUE__BROKER": f"rediss://127.0.0.1:{port}/0",
                "QUEUE__BROKER_PASSWORD_FILE": str(secret),
                "QUEUE__BROKER_CA_FILE": str(authority),
            } | environment
            return make_queue(load_settings(None, {f"PULMONODE_{name}": value for name, value in values.items()}))

        queue().submit(CaseId(1), Priority.URGENT)
        assert queue().depth() == 1
        wrong = tmp_path / "wrong"
        wrong.write_text("guess")
        strangers = tmp_path / "strangers"
        strangers.mkdir()
        other, _, _ = _certificates(strangers)
        with pytest.raises(QueueUnavailable):
            queue(QUEUE__BROKER_CA_FILE=str(other)).depth()
        with pytest.raises(QueueUnavailable):
            queue(QUEUE__BROKER_PASSWORD_FILE=str(wrong)).depth()
        with pytest.raises(QueueUnavailable):
            queue(QUEUE__BROKER=f"redis://127.0.0.1:{port}/0").depth()
