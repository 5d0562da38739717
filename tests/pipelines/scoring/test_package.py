import base64
import json
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.domain.reasons import Rejected
from pipelines.scoring.card import card_files
from pipelines.scoring.keys import demonstration_key, demonstration_trust, new_key
from pipelines.scoring.model import canonical_json
from pipelines.scoring.package import Package, intact, open_package, package_files, signed
from tests.models import facts, model_of, signed_package, trust

KEY = new_key()
FILES = signed_package(key=KEY)
DEMO = Path(__file__).parents[3] / "config" / "models" / "demo"


def code(files: dict[str, bytes]) -> str:
    outcome = open_package(files, [trust(KEY)])
    assert isinstance(outcome, Rejected)
    return outcome.code


def test_a_package_that_a_trusted_key_signed_is_opened() -> None:
    package = open_package(FILES, [demonstration_trust(), trust(KEY)])
    assert isinstance(package, Package)
    assert package.model == model_of(facts())
    assert package.signed_by == trust(KEY)


@pytest.mark.parametrize("name", sorted(FILES))
def test_no_byte_of_any_file_can_be_changed(name: str) -> None:
    data = FILES[name]
    # every byte of the small files, and of the card as many as there is patience for
    for index in range(0, len(data), max(1, len(data) // 500)):
        for mask in (0x01, 0x20, 0x80):
            altered = data[:index] + bytes([data[index] ^ mask]) + data[index + 1 :]
            assert code({**FILES, name: altered}) in ("MODEL-001", "MODEL-007"), (name, index, mask)


@pytest.mark.parametrize("name", sorted(FILES))
def test_no_byte_can_be_added_or_taken_away(name: str) -> None:
    for altered in (FILES[name] + b"\n", FILES[name] + b" ", b" " + FILES[name], FILES[name][:-1], b""):
        assert code({**FILES, name: altered}) == "MODEL-001"


@pytest.mark.parametrize("name", sorted(FILES))
def test_no_file_can_be_missing(name: str) -> None:
    without = {path: data for path, data in FILES.items() if path != name}
    expected = {"model.sig": "MODEL-006", "tables/roc.csv": "MODEL-001"}.get(name, "MODEL-004")
    assert code(without) == expected


def test_a_file_that_the_manifest_does_not_name_is_refused() -> None:
    outcome = open_package({**FILES, "tables/extra.csv": b""}, [trust(KEY)])
    assert isinstance(outcome, Rejected)
    assert outcome.code == "MODEL-001"
    assert "tables/extra.csv" in outcome.detail


def test_a_manifest_that_was_made_anew_does_not_fit_the_signature() -> None:
    changed = facts(cut_off={"value": 0.2, "rule": "Youden"})
    assert code({**FILES, **package_files(changed, card_files(changed), {"tables/roc.csv": b""})}) == "MODEL-001"


def test_the_signature_of_another_package_does_not_fit() -> None:
    other = signed_package(facts(version="2.2"), KEY)
    assert code({**FILES, "model.sig": other["model.sig"]}) == "MODEL-001"


def test_a_signature_that_names_the_digests_of_another_package_does_not_fit() -> None:
    other = json.loads(signed_package(facts(version="2.2"), KEY)["model.sig"])
    said = json.loads(FILES["model.sig"]) | {"signature": other["signature"]}
    assert code({**FILES, "model.sig": canonical_json(said)}) == "MODEL-001"


def test_a_package_of_an_unknown_key_is_refused_as_model_007_that_names_the_key() -> None:
    stranger = new_key()
    outcome = open_package(signed_package(key=stranger), [trust(KEY), demonstration_trust()])
    assert isinstance(outcome, Rejected)
    assert outcome.code == "MODEL-007"
    assert stranger.key_id in outcome.detail


def test_a_stranger_who_takes_the_name_of_a_trusted_key_is_refused() -> None:
    said = json.loads(signed_package(key=new_key())["model.sig"]) | {"key_id": KEY.key_id}
    assert code({**FILES, "model.sig": canonical_json(said)}) == "MODEL-001"


def test_the_key_that_everybody_has_signs_demonstrations_and_nothing_else() -> None:
    trusted = [demonstration_trust()]
    outcome = open_package(signed_package(facts(demonstration=False), demonstration_key()), trusted)
    assert isinstance(outcome, Rejected)
    assert outcome.code == "MODEL-007"
    assert isinstance(open_package(signed_package(facts(demonstration=True), demonstration_key()), trusted), Package)


def test_a_package_without_a_signature_is_intact_and_refused_as_model_006() -> None:
    files = {name: data for name, data in FILES.items() if name != "model.sig"}
    assert intact(files) == model_of(facts())
    assert code(files) == "MODEL-006"


def test_the_same_model_and_key_give_the_same_bytes() -> None:
    assert signed_package(key=KEY) == FILES


def test_signing_again_changes_the_signature_alone() -> None:
    again = signed(FILES, new_key())
    assert {name for name in FILES if again[name] != FILES[name]} == {"model.sig"}


@pytest.mark.parametrize("path", ["model.json", "model.sig", "../out.csv", "/etc/x", "a//b", ".hidden", "a b", ""])
def test_an_attachment_cannot_have_a_path_that_leads_elsewhere(path: str) -> None:
    with pytest.raises(ValueError, match="no paths for attachments"):
        package_files(facts(), card_files(facts()), {path: b""})


def test_the_signature_is_one_that_openssl_verifies(tmp_path: Path) -> None:
    # Ed25519 as in RFC 8032, over the words of the format and the two digests
    said = json.loads(FILES["model.sig"])
    message = b"pulmonode model package 1\n" + bytes.fromhex(said["model_sha256"] + said["manifest_sha256"])
    (tmp_path / "message").write_bytes(message)
    (tmp_path / "signature").write_bytes(base64.b64decode(said["signature"]))
    (tmp_path / "key.pub").write_bytes(KEY.public_pem())
    try:
        done = subprocess.run(
            ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "key.pub", "-rawin", "-in", "message",
             "-sigfile", "signature"],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
    except FileNotFoundError:
        pytest.skip("OpenSSL (package openssl) is not installed")
    assert "Signature Verified Successfully" in done.stdout, done.stderr


def test_the_packaged_demonstration_is_signed_and_says_so() -> None:
    files = {path.name: path.read_bytes() for path in DEMO.iterdir()}
    package = open_package(files, [demonstration_trust()])
    assert isinstance(package, Package)
    assert package.model.demonstration
    assert package.signed_by.demonstration


def test_verifying_does_not_load_a_machine_learning_library() -> None:
    heavy = "('sklearn', 'scipy', 'radiomics', 'pandas')"
    code = f"import sys, pipelines.scoring.package as p; print([m for m in {heavy} if m in sys.modules], p.MODEL)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[] model.json"
