"""The ledger in a PostgreSQL that wants TLS and a password, and that has to prove who it is."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

from node.adapters.ledger import SqlLedger, open_engine
from node.errors import TransientError
from tests.node.certificates import authority
from tests.node.doubles import SetClock
from tests.node.postgres import empty_database, postgresql
from tests.node.refs import SENDER, file_of, image

PASSWORD = "a secret of the node"
RULES = ("hostssl all node 127.0.0.1/32 scram-sha-256", "host all node 0.0.0.0/0 reject", "host all node ::0/0 reject")


@dataclass(frozen=True)
class Server:
    """A PostgreSQL with a certificate for localhost, and whose authority vouched for it."""

    port: int
    authorities: Path
    strangers: Path

    def url(self, *, mode: str = "verify-full", authorities: Path | None = None, host: str = "localhost") -> str:
        # the address is given beside the name, so that the name need not be known to anybody
        where = f"host={host}&hostaddr=127.0.0.1&sslmode={mode}&sslrootcert={authorities or self.authorities}"
        return f"postgresql+psycopg://node@:{self.port}/ledger?{where}"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("postgresql-tls")
    files = authority(folder / "ours").vouch("server")
    strangers = authority(folder / "theirs", "Another CA")
    lines = ("ssl=on", "ssl_cert_file=server.pem", "ssl_key_file=server.key", "ssl_min_protocol_version=TLSv1.2")
    with postgresql(rules=RULES, lines=lines, files=[files.certificate, files.key]) as url:
        empty_database(url, "ledger")
        port = int(url.rpartition(":")[2])
        with psycopg.connect(f"postgresql://postgres@127.0.0.1:{port}/ledger", autocommit=True) as connection:
            connection.execute(f"CREATE ROLE node LOGIN PASSWORD '{PASSWORD}'")
            connection.execute("GRANT ALL ON SCHEMA public TO node")
        yield Server(port, folder / "ours" / "ca.pem", strangers.folder / "ca.pem")


def test_the_ledger_is_kept_over_tls(server: Server, clock: SetClock) -> None:
    engine = open_engine(server.url(), password=PASSWORD)
    ledger, ref = SqlLedger(engine, pipeline="test"), image()
    ledger.received(ref, file_of(ref), SENDER, at=clock())
    assert ledger.known(ref.sop_instance) == file_of(ref)
    with engine.connect() as connection:
        asked = text("SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
        assert connection.execute(asked).one() == (True, "TLSv1.3")
    engine.dispose()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"host": "db.example"}, "certificate"),
        ({"authorities": "strangers"}, "certificate verify failed"),
        ({"mode": "disable"}, "rejects connection"),
    ],
    ids=["another name", "another authority", "no TLS"],
)
def test_a_server_that_cannot_prove_who_it_is_gets_no_password(
    server: Server, changed: dict[str, str], said: str
) -> None:
    given = {name: server.strangers if value == "strangers" else value for name, value in changed.items()}
    with pytest.raises(TransientError, match=said) as refused:
        open_engine(server.url(**given), password=PASSWORD)  # type: ignore[arg-type]
    assert PASSWORD not in str(refused.value)


def test_a_wrong_password_opens_nothing(server: Server) -> None:
    with pytest.raises(TransientError, match="password authentication failed") as refused:
        open_engine(server.url(), password="a guess")
    assert "a guess" not in str(refused.value)
