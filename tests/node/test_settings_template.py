"""The packaged configuration file says what the settings are."""

import re
import tomllib
from pathlib import Path

from node.bootstrap.machine import packaged_config
from node.settings import Peer, Settings, load_settings
from node.settings_template import rows, template


def test_the_packaged_file_is_written_from_the_settings() -> None:
    assert (packaged_config() / "node.toml").read_text("utf-8") == template()


def test_the_packaged_file_changes_nothing() -> None:
    assert load_settings(packaged_config() / "node.toml", {}) == Settings()


def test_every_key_in_the_file_stands_there_with_its_default(tmp_path: Path) -> None:
    uncommented = re.sub(r"^# (\w+ = .+|\[\[peers\]\])$", r"\1", template(), flags=re.MULTILINE)
    values = tomllib.loads(uncommented)
    (peer,) = values.pop("peers")
    path = tmp_path / "node.toml"
    path.write_text(uncommented, encoding="utf-8")
    settings = load_settings(path, {})
    assert settings.model_copy(update={"peers": ()}) == Settings()
    assert set(peer) == set(Peer.model_fields)
    for name, field in Settings.model_fields.items():
        if name != "peers":
            shown = {key for key, value in field.default.model_dump().items() if value is not None}
            assert set(values.get(name, {})) == shown


def test_every_setting_has_a_description_and_every_time_a_unit() -> None:
    for key, _, _, description in rows():
        assert description, key
    timed = [key for key, default, _, _ in rows() if re.search(r"timeout|retry|lease|quiet|tick|limit|give_up", key)]
    assert [key for key in timed if not key.endswith(("_s", "_h"))] == []


def test_no_line_of_the_file_is_too_long_to_read() -> None:
    assert max(map(len, template().splitlines())) <= 120
