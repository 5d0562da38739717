"""The configuration: what is right, what is wrong, where it comes from, and what it never tells."""

import json
from pathlib import Path
from typing import get_args

import pytest

from node.bootstrap.site import lesion_rule
from node.errors import ConfigError
from node.settings import AssumedCharset, Settings, load_settings, read_secret
from pipelines.domain.charsets import ASSUMABLE
from pipelines.domain.lesion_rule import LesionRule

SECRET = "tr0ub4dor-and-3"
TWO_PEERS = """
[[peers]]
name = "PACS"
ae_title = "ARCHIVE"
host = "192.0.2.1"
port = 104

[[peers]]
name = "OTHER"
ae_title = "OTHER"
host = "192.0.2.2"
port = 11112
timeout_s = 5
"""


def load(tmp_path: Path, text: str = "", **environment: str) -> Settings:
    """Settings from a file with `text` and from an environment."""
    path = tmp_path / "node.toml"
    path.write_text(text, encoding="utf-8")
    return load_settings(path, environment)


def problems(tmp_path: Path, text: str = "", **environment: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text, **environment)
    return caught.value.problems


def test_the_defaults_are_valid(tmp_path: Path) -> None:
    assert load_settings(None, {}) == load(tmp_path) == Settings()


def test_every_default_passes_the_checks_of_its_own_key() -> None:
    # defaults are not checked when nothing is set
    for name, field in Settings.model_fields.items():
        if name != "peers":
            assert type(field.default).model_validate(field.default.model_dump()) == field.default


def test_nothing_can_be_changed_once_it_is_loaded() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().node.port = 104  # type: ignore[misc]


def test_a_file_changes_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    settings = load(tmp_path, '[node]\nae_title = "NODE1"\n\n[assembly]\nseries_quiet_s = 5\n')
    assert (settings.node.ae_title, settings.assembly.series_quiet_s) == ("NODE1", 5)
    assert settings.node.port == Settings().node.port


def test_peers_are_found_by_name(tmp_path: Path) -> None:
    settings = load(tmp_path, f'delivery.destinations = ["PACS"]\n{TWO_PEERS}')
    assert settings.peer("PACS").host == "192.0.2.1"
    assert settings.peer("OTHER").timeout_s == 5
    with pytest.raises(KeyError):
        settings.peer("NOBODY")


def test_everything_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    text = f"""
unknown_top = 1
[node]
port = 70000
colour = "red"
ae_title = "A TITLE THAT IS TOO LONG"
[queue]
lease_s = 0
[delivery]
destinations = ["PACS", "NOBODY"]
{TWO_PEERS}
[[peers]]
name = "PACS"
ae_title = "AGAIN"
host = ""
"""
    found = problems(tmp_path, text, PULMONODE_NOWHERE__KEY="1", PULMONODE_LOG__LEVEL="loud")
    for expected in (
        "unknown_top: unknown key",
        "node.port",
        "node.colour: unknown key",
        "node.ae_title",
        "queue.lease_s",
        "peers.2.host",
        "peers.2.port: is missing",
        "log.level",
        "PULMONODE_NOWHERE__KEY names no section",
        "peer PACS is configured twice",
        "delivery.destinations names NOBODY, which is no peer",
    ):
        assert [problem for problem in found if expected in problem], expected
    assert len(found) == 11


def test_a_peer_that_is_configured_twice_and_an_unknown_destination_are_told_alone_as_well(tmp_path: Path) -> None:
    text = f'delivery.destinations = ["NOBODY"]\n{TWO_PEERS}{TWO_PEERS}'
    assert problems(tmp_path, text) == (
        "peer OTHER is configured twice",
        "peer PACS is configured twice",
        "delivery.destinations names NOBODY, which is no peer",
    )


@pytest.mark.parametrize("title", ["", " ", "NODE ", " NODE", "NO\\\\DE", "NÖDE", "A" * 17, "NO\\nDE"])
def test_an_ae_title_that_no_peer_could_call_is_wrong(tmp_path: Path, title: str) -> None:
    assert "node.ae_title" in problems(tmp_path, f'[node]\nae_title = "{title}"')[0]


@pytest.mark.parametrize("title", ["A", "A" * 16, "CT 1", "node[1]", "X-_.#"])
def test_an_ae_title_that_the_standard_allows_is_right(tmp_path: Path, title: str) -> None:
    assert load(tmp_path, f'[node]\nae_title = "{title}"').node.ae_title == title


@pytest.mark.parametrize("value", ["nan", "inf", "-1", '"soon"', "[1]"])
def test_a_number_that_is_none_is_wrong(tmp_path: Path, value: str) -> None:
    assert "assembly.tick_s" in problems(tmp_path, f"[assembly]\ntick_s = {value}")[0]


def test_a_file_that_is_not_there_or_no_toml_is_told_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing\.toml: No such file"):
        load_settings(tmp_path / "missing.toml", {})
    assert "not valid TOML" in problems(tmp_path, "[node\nport = 1")[0]
    (tmp_path / "latin.toml").write_bytes('# Größe\n[node]\nae_title = "N"'.encode("latin-1"))
    with pytest.raises(ConfigError, match="not valid TOML"):
        load_settings(tmp_path / "latin.toml", {})


# the environment


def test_the_environment_goes_before_the_file(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        f'[node]\nport = 104\nae_title = "FILE"\n{TWO_PEERS}',
        PULMONODE_NODE__PORT="4242",
        PULMONODE_DELIVERY__DESTINATIONS='["PACS"]',
        PULMONODE_RECEIVE__REQUIRE_CALLED_AE_TITLE="false",
        PULMONODE_LEDGER__PASSWORD_FILE="/run/secrets/ledger",
    )
    assert (settings.node.port, settings.node.ae_title) == (4242, "FILE")
    assert settings.delivery.destinations == ("PACS",)
    assert settings.receive.require_called_ae_title is False
    assert settings.ledger.password_file == Path("/run/secrets/ledger")


def test_the_environment_may_be_written_in_small_letters(tmp_path: Path) -> None:
    assert load(tmp_path, pulmonode_node__port="4242").node.port == 4242


def test_peers_may_come_from_the_environment(tmp_path: Path) -> None:
    peer = {"name": "PACS", "ae_title": "ARCHIVE", "host": "192.0.2.1", "port": 104}
    assert load(tmp_path, PULMONODE_PEERS=json.dumps([peer])).peer("PACS").port == 104


def test_no_other_environment_than_the_given_one_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULMONODE_NODE__PORT", "4242")
    assert load(tmp_path).node.port == Settings().node.port
    assert Settings().node.port == 11112
    path = tmp_path / "node.toml"
    assert load_settings(path).node.port == 4242


def test_what_is_wrong_in_the_environment_is_told_with_what_is_wrong_in_the_file(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        "[queue]\nlease_s = 0",
        PULMONODE_NODE__PROT="1",
        PULMONODE_DELIVERY__DESTINATIONS="PACS",
        PULMONODE_CONFIG="/etc/pulmonode/node.toml",
        OTHER="1",
    )
    assert any("delivery" in problem for problem in found)
    assert any("queue.lease_s" in problem for problem in found)
    assert not any("OTHER" in problem or "CONFIG" in problem for problem in found)


def test_an_unknown_key_in_the_environment_is_told(tmp_path: Path) -> None:
    assert problems(tmp_path, PULMONODE_NODE__PROT="1") == ("node.prot: unknown key",)


# secrets


def test_a_secret_is_read_from_its_file_without_the_line_end(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"{SECRET} \n", encoding="utf-8")
    assert read_secret(tmp_path / "secret") == f"{SECRET} "
    assert read_secret(None) is None


def test_a_secret_that_cannot_be_read_is_a_fault_of_the_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        read_secret(tmp_path / "missing")
    (tmp_path / "binary").write_bytes(b"\xff" + SECRET.encode())
    with pytest.raises(ConfigError, match="not UTF-8") as caught:
        read_secret(tmp_path / "binary")
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("section", "key", "url"),
    [
        ("ledger", "url", f"postgresql+psycopg://node:{SECRET}@db/ledger"),
        ("ledger", "url", f"postgresql+psycopg://node@db/ledger?password={SECRET}"),
        ("queue", "broker", f"redis://:{SECRET}@queue/0"),
        ("queue", "broker", f"rediss://node:{SECRET}@queue/0"),
    ],
)
def test_a_password_in_a_url_is_refused_and_not_repeated(tmp_path: Path, section: str, key: str, url: str) -> None:
    (found,) = problems(tmp_path, f'[{section}]\n{key} = "{url}"')
    assert f"{section}.{key}: holds a password" in found
    assert SECRET not in found


@pytest.mark.parametrize(
    ("section", "key", "url"),
    [
        ("ledger", "url", "postgresql+psycopg://node@db:5432/ledger"),
        ("ledger", "url", "sqlite:////var/lib/pulmonode/ledger.sqlite3"),
        ("queue", "broker", "rediss://node@queue:6379/0"),
    ],
)
def test_a_url_without_a_password_is_right(tmp_path: Path, section: str, key: str, url: str) -> None:
    assert getattr(getattr(load(tmp_path, f'[{section}]\n{key} = "{url}"'), section), key) == url


def test_no_secret_is_part_of_the_settings(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET, encoding="utf-8")
    settings = load(tmp_path, f'[ledger]\npassword_file = "{tmp_path / "secret"}"\n')
    assert read_secret(settings.ledger.password_file) == SECRET
    assert SECRET not in repr(settings) + settings.model_dump_json()


def test_a_data_folder_in_the_home_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load(tmp_path, '[node]\ndata_dir = "~/data"').data_dir == tmp_path / "data"
    assert load(tmp_path, '[node]\ndata_dir = "data"').data_dir.is_absolute()


def test_every_character_set_that_can_be_assumed_may_be_configured() -> None:
    assert set(get_args(AssumedCharset)) == {"", *ASSUMABLE}


def test_the_rule_for_lesions_is_what_is_configured(tmp_path: Path) -> None:
    path = tmp_path / "node.toml"
    path.write_text('[lesions]\ninclude = ["^target"]\nexclude_codes = ["SCT:1"]\nunnamed = "all"\n', "utf-8")
    rule = lesion_rule(load_settings(path, {}))
    assert rule == LesionRule(include=("^target",), exclude_codes=("SCT:1",), unnamed="all")
    assert lesion_rule(load_settings(None, {})) == LesionRule()


def test_a_pattern_that_is_no_regular_expression_is_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "node.toml"
    path.write_text('[lesions]\ninclude = ["("]\n', "utf-8")
    with pytest.raises(ConfigError, match=r"lesions\.include\.0: is no regular expression"):
        load_settings(path, {})
