import stat
from pathlib import Path

import pytest

from node.adapters.key_file import private_key, public_keys, write_keys
from pipelines.domain.reasons import Rejected
from pipelines.scoring.keys import SigningKey, new_key
from tests.models import trust


def test_a_private_key_is_written_for_its_owner_alone(tmp_path: Path) -> None:
    key = new_key()
    public = write_keys(tmp_path / "keys" / "site.pem", key)
    assert stat.S_IMODE((tmp_path / "keys" / "site.pem").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    again = private_key(tmp_path / "keys" / "site.pem")
    assert isinstance(again, SigningKey)
    assert again.key_id == key.key_id
    (found,) = public_keys([public])
    assert not isinstance(found, Rejected)
    assert found.raw == key.public


def test_a_key_is_never_written_over_another(tmp_path: Path) -> None:
    write_keys(tmp_path / "site.pem", new_key())
    before = (tmp_path / "site.pem").read_bytes()
    with pytest.raises(FileExistsError):
        write_keys(tmp_path / "site.pem", new_key())
    (tmp_path / "site.pub").unlink()
    with pytest.raises(FileExistsError):
        write_keys(tmp_path / "site.pem", new_key())
    assert (tmp_path / "site.pem").read_bytes() == before


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_private_key_that_others_can_read_is_not_used(tmp_path: Path, mode: int) -> None:
    write_keys(tmp_path / "site.pem", new_key())
    (tmp_path / "site.pem").chmod(mode)
    outcome = private_key(tmp_path / "site.pem")
    assert isinstance(outcome, Rejected)
    assert outcome.code == "MODEL-010"
    assert "chmod 600" in outcome.remedy


def test_a_folder_of_public_keys_stands_for_all_of_them(tmp_path: Path) -> None:
    keys = [new_key(), new_key()]
    for number, key in enumerate(keys):
        write_keys(tmp_path / f"{number}.pem", key)
    found = public_keys([tmp_path])
    assert [one.key_id for one in found if not isinstance(one, Rejected)] == [trust(key).key_id for key in keys]


def test_what_holds_no_key_is_told(tmp_path: Path) -> None:
    (tmp_path / "bad.pub").write_text("no key")
    (tmp_path / "empty").mkdir()
    for path in (tmp_path, tmp_path / "empty", tmp_path / "missing.pub"):
        (found,) = public_keys([path])
        assert isinstance(found, Rejected)
        assert found.code == "MODEL-010"
    missing = private_key(tmp_path / "missing.pem")
    assert isinstance(missing, Rejected)
