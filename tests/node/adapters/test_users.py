"""Users of the DICOM port: DCMTK gives a name and a passcode, right and wrong, and the file is what it must be."""

import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner
from pynetdicom import AE
from pynetdicom.pdu_primitives import UserIdentityNegotiation

from node.adapters.steps.scp import QUERY
from node.adapters.users import Users, line_of
from node.cli import cli
from node.errors import ConfigError
from pipelines.domain.sop_classes import STORAGE_COMMITMENT, VERIFICATION
from tests.dicom import as_bytes, ct_series
from tests.hostile.service import service
from tests.tools import dcmtk, tool

PASSCODE = "correct horse: battery"


@pytest.fixture
def users_file(tmp_path: Path) -> Path:
    path = tmp_path / "users"
    path.write_text(f"# those of ward 3\n\n{line_of('CT1', PASSCODE)}\n")
    path.chmod(0o600)
    return path


def test_dcmtk_stores_as_a_user_with_his_passcode_and_not_otherwise(tmp_path: Path, users_file: Path) -> None:
    sent = tmp_path / "sent.dcm"
    sent.write_bytes(as_bytes(ct_series(slices=1, rows=16, columns=16)[0]))

    def store(*identity: str) -> tuple[int, str]:
        command = [tool("storescu", "dcmtk"), *identity, "-aec", "PULMONODE", "127.0.0.1", str(node.port), str(sent)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)
        return done.returncode, done.stdout + done.stderr

    with service(tmp_path / "node", receive={"users_file": str(users_file)}) as node:
        assert store("--user", "CT1", "--password", PASSCODE, "--pos-response") == (0, "")
        for identity in (
            (),
            ("--user", "CT1"),
            ("--user", "CT1", "--empty-password"),
            ("--user", "CT1", "--password", "a guess"),
            ("--user", "CT2", "--password", PASSCODE),
            ("--user", "", "--password", ""),
            ("--user", "CT1", "--password", PASSCODE + "x" * 400),
        ):
            status, said = store(*identity)
            assert (status != 0, "Rejected" in said) == (True, True), (identity, said)
        assert len(node.stored()) == 1
        assert set(node.turned_away()) == {"It gave no user name with its passcode, or a wrong one."}
        # passcodes are changed while it runs
        users_file.write_text(line_of("CT1", "another"))
        assert store("--user", "CT1", "--password", PASSCODE)[0] != 0
        assert store("--user", "CT1", "--password", "another") == (0, "")
        # a file that is spoilt lets nobody in
        users_file.write_text("CT1:another")
        assert store("--user", "CT1", "--password", "another")[0] != 0
    told = node.log.read_text()
    assert PASSCODE not in told
    assert "a guess" not in told


# an association that proposes storage commitment beside its images is served by the other of the two services
_PROFILES = """
[[TransferSyntaxes]]
[Plain]
TransferSyntax1 = LittleEndianExplicit
TransferSyntax2 = LittleEndianImplicit
[[PresentationContexts]]
[Images]
PresentationContext1 = CTImageStorage\\Plain
[ImagesAndCommitment]
PresentationContext1 = CTImageStorage\\Plain
PresentationContext2 = 1.2.840.10008.1.20.1\\Plain
[[Profiles]]
[Images]
PresentationContexts = Images
[ImagesAndCommitment]
PresentationContexts = ImagesAndCommitment
"""


def test_dcmtk_hears_that_its_user_was_looked_at_by_whichever_service_takes_it(
    tmp_path: Path, users_file: Path
) -> None:
    sent, profiles = tmp_path / "sent.dcm", tmp_path / "profiles.cfg"
    sent.write_bytes(as_bytes(ct_series(slices=1, rows=16, columns=16)[0]))
    profiles.write_text(_PROFILES)
    identity = ("--user", "CT1", "--password", PASSCODE, "--pos-response")
    with service(tmp_path / "node", receive={"users_file": str(users_file)}) as node:
        called = ("-aec", "PULMONODE", "127.0.0.1", str(node.port), str(sent))
        # DCMTK aborts when it hears nothing of its user
        for profile in ("Images", "ImagesAndCommitment"):
            dcmtk("storescu", *identity, "--config-file", str(profiles), profile, *called)
        assert len(node.stored()) == 1


def test_who_asks_for_a_response_is_told_of_the_user_and_nobody_else_is(tmp_path: Path, users_file: Path) -> None:
    beside: list[tuple[str, ...]] = [(), (STORAGE_COMMITMENT,), (QUERY,)]
    with service(tmp_path / "known", receive={"users_file": str(users_file)}) as node:
        assert [_responses(node.port, one, asked=True) for one in beside] == [[b""]] * 3
        assert [_responses(node.port, one, asked=False) for one in beside] == [[]] * 3
    # PS3.7 D.3.3.7: who does not look at users accepts without a positive response
    with service(tmp_path / "unknown") as node:
        assert [_responses(node.port, one, asked=True) for one in beside] == [[]] * 3


def _responses(port: int, beside: tuple[str, ...], *, asked: bool) -> list[bytes | None]:
    """What an acceptance says of the user, to pynetdicom; a C-ECHO goes over the association."""
    identity = UserIdentityNegotiation()
    identity.user_identity_type, identity.positive_response_requested = 2, asked
    identity.primary_field, identity.secondary_field = b"CT1", PASSCODE.encode()
    ae = AE("CT1")
    for abstract_syntax in (VERIFICATION, *beside):
        ae.add_requested_context(abstract_syntax)
    association = ae.associate("127.0.0.1", port, ae_title="PULMONODE", ext_neg=[identity])
    assert association.is_established
    assert {str(one.abstract_syntax) for one in association.accepted_contexts} == {VERIFICATION, *beside}
    assert association.send_c_echo().Status == 0x0000
    items = association.acceptor.primitive.user_information
    association.release()
    return [item.server_response for item in items if isinstance(item, UserIdentityNegotiation)]


def test_a_line_of_the_file_holds_no_passcode_and_no_two_are_the_same() -> None:
    first, second = line_of("CT1", PASSCODE), line_of("CT1", PASSCODE)
    assert first != second
    assert PASSCODE not in first
    for name in ("", "a:b", "line\nbreak", "x" * 300):
        with pytest.raises(ValueError, match="name"):
            line_of(name, PASSCODE)


@pytest.mark.parametrize("content", ["CT1", "CT1:plain:a:b", "CT1:scrypt:not base64!:AAAA", b"\xff\xfe"])
def test_a_file_that_is_wrong_is_told_at_the_start_without_what_it_holds(
    users_file: Path, content: str | bytes
) -> None:
    users_file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigError) as told:
        Users(users_file)
    assert "receive.users_file" in str(told.value)
    assert "CT1" not in str(told.value)


def test_a_file_that_others_can_read_is_refused(users_file: Path) -> None:
    users_file.chmod(0o640)
    with pytest.raises(ConfigError, match="chmod 600"):
        Users(users_file)


def test_the_command_prints_a_line_that_lets_its_user_in(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["user", "CT1"], input=f"{PASSCODE}\n{PASSCODE}\n")
    assert done.exit_code == 0
    assert done.stdout.count("\n") == 1
    path = tmp_path / "users"
    path.write_text(done.stdout)
    path.chmod(0o600)
    Users(path)
    assert CliRunner().invoke(cli, ["user", "a:b"], input="x\nx\n").exit_code == 2
