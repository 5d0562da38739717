"""DICOM over TLS with foreign peers: who gets in, who does not, and certificates that are renewed."""

import socket
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import CTImageStorage
from pynetdicom import AE
from pynetdicom.presentation import build_context

from node.adapters import front_door
from node.adapters.association import PeerAddress, associate
from node.adapters.commitment import commitment_service
from node.adapters.front_door import FrontDoor
from node.adapters.ledger import SqlLedger
from node.adapters.spool import FileSpool
from node.adapters.storage_scp import StorageScp
from node.adapters.storage_scu import VERIFYING, Sendable, StorageScu
from node.adapters.tls import Tls, TlsFiles
from node.logs import Log
from node.ports import RefusedAssociation
from node.services.receive import Receiver
from pipelines.domain.reasons import Rejected
from pipelines.domain.sop_classes import CT_IMAGES, STORAGE_COMMITMENT
from tests.dicom import as_bytes, ct_series
from tests.node.adapters.test_front_door import PATIENCE_S, request
from tests.node.certificates import authority
from tests.node.doors import rules
from tests.node.doubles import SetClock
from tests.tools import free_port, running, tool, wait_for


class Hospital:
    """A node that speaks TLS, with certificates for it and for a scanner."""

    def __init__(
        self,
        folder: Path,
        ledger: SqlLedger,
        *,
        require_client_certificate: bool = True,
        network_timeout_s: float = PATIENCE_S,
    ) -> None:
        self.folder = folder
        self.authority = authority(folder / "certificates")
        self.node = self.authority.vouch("node")
        self.scanner = self.authority.vouch("scanner")
        self.refused: list[RefusedAssociation] = []
        self.spool = folder / "spool"
        self.scp = StorageScp(
            Receiver(FileSpool(self.spool, min_free_bytes=0), ledger, SetClock(), Log("receive")),
            Log("receive"),
            rules(network_timeout_s=network_timeout_s),
            storage_classes=CT_IMAGES,
            services=[commitment_service(_Nobody(), lambda ae, report: True, Log("commit"))],
            turned_away=self.refused.append,
            tls=Tls(self.node, require_client_certificate=require_client_certificate),
        )
        self.port = self.scp.start("127.0.0.1", 0)

    def address(self, files: TlsFiles | None) -> PeerAddress:
        tls = None if files is None else Tls(files)
        return PeerAddress("node", "PULMONODE", "127.0.0.1", self.port, PATIENCE_S, tls=tls)


class _Nobody:
    """A custodian whom nobody asks."""

    def knows(self, requester: str) -> bool:
        return False

    def asked(self, requester: str, transaction_uid: str, objects: object) -> int:
        return 0x0110

    def answer_now(self, requester: str, send: object) -> None:
        """Nothing is owed."""


@pytest.fixture
def hospital(tmp_path: Path, sqlite_ledger: SqlLedger) -> Iterator[Hospital]:
    made = Hospital(tmp_path, sqlite_ledger)
    yield made
    made.scp.stop()


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "image.dcm"
    path.write_bytes(as_bytes(ct_series(slices=1, rows=300, columns=300)[0]))
    return path


def sendable(path: Path) -> Sendable:
    meta = dcmread(path, stop_before_pixels=True).file_meta
    return Sendable(path, meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID)


def sent(hospital: Hospital, files: TlsFiles | None, image: Path) -> str | None:
    (answer,) = StorageScu("SCANNER", [], lambda file: Path(file.path)).send_files(
        hospital.address(files), [sendable(image)]
    )
    return None if answer.fault is None else answer.fault.code


def test_one_whom_the_authority_vouches_for_stores_over_tls(hospital: Hospital, image: Path) -> None:
    assert sent(hospital, hospital.scanner, image) is None
    (stored,) = (path for path in (hospital.spool / "received").rglob("*") if path.is_file())
    assert dcmread(stored) == dcmread(image)


def test_one_who_speaks_no_tls_is_not_let_in(hospital: Hospital, image: Path) -> None:
    assert sent(hospital, None, image) == "NET-001"
    wait_for("the refusal", lambda: hospital.refused)
    assert "TLS" in hospital.refused[0].why


def test_one_whom_another_authority_vouches_for_is_not_let_in(hospital: Hospital, image: Path) -> None:
    stranger = replace(
        authority(hospital.folder / "elsewhere", "Other CA").vouch("stranger"),
        authorities=hospital.node.authorities,
    )
    assert sent(hospital, stranger, image) in ("NET-001", "NET-005")
    assert not [path for path in (hospital.spool / "received").rglob("*") if path.is_file()]


def test_one_without_a_certificate_is_let_in_only_where_that_is_configured(
    tmp_path: Path, sqlite_ledger: SqlLedger
) -> None:
    open_house = Hospital(tmp_path, sqlite_ledger, require_client_certificate=False)
    context = ssl.create_default_context(cafile=str(open_house.node.authorities))
    ae = AE("SCANNER")
    ae.add_requested_context(VERIFYING.abstract_syntax)
    association = ae.associate("127.0.0.1", open_house.port, ae_title="PULMONODE", tls_args=(context, "127.0.0.1"))
    assert association.is_established
    assert association.send_c_echo().Status == 0x0000
    association.release()
    open_house.scp.stop()


def test_other_services_are_served_over_tls_as_well(hospital: Hospital) -> None:
    ae = AE("SCANNER")
    ae.add_requested_context(STORAGE_COMMITMENT)
    ae.add_requested_context(VERIFYING.abstract_syntax)
    association = ae.associate(
        "127.0.0.1",
        hospital.port,
        ae_title="PULMONODE",
        tls_args=(Tls(hospital.scanner).client(), "127.0.0.1"),
    )
    assert association.is_established
    for _ in range(3):
        assert association.send_c_echo().Status == 0x0000
    association.release()


def test_old_protocols_and_weak_ciphers_are_refused(hospital: Hospital) -> None:
    for weak in ("ECDHE-ECDSA-AES128-SHA", "AES128-GCM-SHA256"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(f"{weak}:@SECLEVEL=0")
        context.load_verify_locations(hospital.node.authorities)
        context.load_cert_chain(hospital.scanner.certificate, hospital.scanner.key)
        with (
            socket.create_connection(("127.0.0.1", hospital.port), timeout=PATIENCE_S) as raw,
            pytest.raises(OSError, match=r"(?i)handshake|alert|reset|eof"),
        ):
            context.wrap_socket(raw, server_hostname="127.0.0.1")


def test_one_who_connects_and_shakes_no_hand_is_cut_off(
    tmp_path: Path, sqlite_ledger: SqlLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    # what else could end the connection lasts longer than the test
    monkeypatch.setattr(front_door, "_GREETING_S", 600.0)
    strict = Hospital(tmp_path, sqlite_ledger, network_timeout_s=1)
    with socket.create_connection(("127.0.0.1", strict.port), timeout=PATIENCE_S) as silent:
        assert silent.recv(100) == b""
    strict.scp.stop()


def test_a_certificate_is_renewed_while_the_node_runs(hospital: Hospital, image: Path) -> None:
    def shown() -> bytes:
        with (
            socket.create_connection(("127.0.0.1", hospital.port), timeout=PATIENCE_S) as raw,
            Tls(hospital.scanner).client().wrap_socket(raw, server_hostname="127.0.0.1") as secured,
        ):
            return secured.getpeercert(binary_form=True) or b""

    before = shown()
    hospital.node.key.write_text("half a renewal")
    assert shown() == before
    hospital.authority.vouch("node", valid=timedelta(days=1, hours=5))
    after = shown()
    assert after != before
    assert sent(hospital, hospital.scanner, image) is None


def test_a_peer_whose_certificate_names_another_host_is_not_trusted(hospital: Hospital) -> None:
    address = replace(hospital.address(hospital.scanner), tls_name="pacs.example")
    (answer,) = StorageScu("SCANNER", [], lambda file: Path(file.path)).send_files(
        address, [Sendable(Path("/nowhere"), CTImageStorage, "1.2.840.10008.1.2.1")]
    )
    assert isinstance(answer.fault, Rejected)
    assert answer.fault.code == "NET-001"
    assert "pacs.example" in answer.fault.detail or "ertificate" in answer.fault.detail
    refused = associate("SCANNER", address, [VERIFYING])
    assert isinstance(refused, Rejected)


def test_dcmtk_stores_and_verifies_over_tls(hospital: Hospital, image: Path) -> None:
    options = ["+tls", str(hospital.scanner.key), str(hospital.scanner.certificate)]
    options += ["+cf", str(hospital.scanner.authorities), "-aec", "PULMONODE"]
    for program, files in (("echoscu", []), ("storescu", [str(image)])):
        call = [tool(program, "dcmtk"), *options, "127.0.0.1", str(hospital.port), *files]
        done = subprocess.run(call, capture_output=True, text=True, timeout=200, check=False)
        assert done.returncode == 0, done.stderr
    assert len([path for path in (hospital.spool / "received").rglob("*") if path.is_file()]) == 1


def test_results_go_to_dcmtks_server_over_tls(hospital: Hospital, image: Path, tmp_path: Path) -> None:
    port, store = free_port(), tmp_path / "store"
    store.mkdir()
    pacs = hospital.authority.vouch("pacs")
    command = [tool("storescp", "dcmtk"), "+tls", str(pacs.key), str(pacs.certificate), "+cf", str(pacs.authorities)]
    with running([*command, "-od", str(store), str(port)], tmp_path / "storescp.log", port=port):
        peer = PeerAddress("pacs", "PACS", "localhost", port, PATIENCE_S, tls=Tls(hospital.node))
        scu = StorageScu("PULMONODE", [peer], lambda file: Path(file.path))
        assert [one.fault for one in scu.send_files(peer, [sendable(image)])] == [None]
        assert scu.echo("pacs") is None
    (stored,) = store.iterdir()
    assert dcmread(stored) == dcmread(image)


@pytest.mark.parametrize(("address", "refused"), [("10.1.2.3", 0), ("127.0.0.1", 0), ("203.0.113.9", 1), ("::1", 0)])
def test_an_address_that_is_not_on_the_list_is_rejected(
    tmp_path: Path, sqlite_ledger: SqlLedger, address: str, refused: int
) -> None:
    heard: list[RefusedAssociation] = []
    door = FrontDoor(
        rules(addresses=("10.0.0.0/8",)),
        Receiver(FileSpool(tmp_path / "spool", min_free_bytes=0), sqlite_ledger, SetClock(), Log("receive")),
        Log("receive"),
        contexts=[build_context(CTImageStorage)],
        elsewhere=(),
        hand_over=lambda connection, address, request: None,
        others=lambda: 0,
        turned_away=heard.append,
    )
    here, there = socket.socketpair()
    with here, there:
        there.sendall(request())
        there.shutdown(socket.SHUT_WR)
        # a connection from elsewhere, as the door is told of it
        door._serve(_OverTcp(here), (address, 50000))
        told = there.recv(1)
    assert told == (b"\x03" if refused else b"\x02")
    assert [one.why for one in heard] == ["Its address is not among receive.addresses."] * refused


class _OverTcp(socket.socket):
    """A pair's end that takes the options of TCP."""

    def __init__(self, end: socket.socket) -> None:
        super().__init__(fileno=end.detach())

    def setsockopt(self, *arguments: object) -> None:
        """A pair of sockets on one machine delays nothing."""


def test_one_who_connects_too_often_is_cut_off(tmp_path: Path, sqlite_ledger: SqlLedger) -> None:
    scp = StorageScp(
        Receiver(FileSpool(tmp_path / "spool", min_free_bytes=0), sqlite_ledger, SetClock(), Log("receive")),
        Log("receive"),
        rules(connections_per_minute=5),
        storage_classes=CT_IMAGES,
    )
    port = scp.start("127.0.0.1", 0)
    peer = PeerAddress("node", "PULMONODE", "127.0.0.1", port, PATIENCE_S)

    def refused() -> bool:
        return isinstance(associate("SCANNER", peer, [VERIFYING]), Rejected)

    assert [refused() for _ in range(5)] == [False] * 5
    # a slow machine earns another connection every twelve seconds
    assert any(refused() for _ in range(20))
    scp.stop()
