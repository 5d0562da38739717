from pathlib import Path

import pytest

from node.commands.extract.journal import Journal
from node.commands.extract.work import Fault, Measured, Row
from node.errors import ConfigError
from pipelines.domain.reasons import Rejected


def outcome(key: str, *codes: str) -> Measured:
    faults = tuple(Fault("error", (("Mask", "m"),), Rejected(code, "why", "what to do")) for code in codes)
    return Measured(key, "state", (Row((("Image", "Ä, 1"),), ("1.5", "nan")),), faults)


def test_what_was_written_is_there_in_the_next_run(tmp_path: Path) -> None:
    with Journal(tmp_path / "j", "method", restart=False) as journal:
        journal.add([outcome("a"), outcome("b", "SEG-003")])
    with Journal(tmp_path / "j", "method", restart=False) as journal:
        assert journal.finished("a", "state") == outcome("a")
        assert journal.finished("b", "state") == outcome("b", "SEG-003")
        assert journal.finished("c", "state") is None


def test_changed_files_and_internal_errors_are_tried_again(tmp_path: Path) -> None:
    with Journal(tmp_path / "j", "method", restart=False) as journal:
        journal.add([outcome("a"), outcome("b", "RUN-002")])
        assert journal.finished("a", "another state") is None
        assert journal.finished("b", "state") is None
        assert journal.outcome("b") == outcome("b", "RUN-002")


@pytest.mark.parametrize("cut", range(1, 40, 7))
def test_half_a_line_is_forgotten_and_all_before_it_kept(cut: int, tmp_path: Path) -> None:
    path = tmp_path / "j"
    with Journal(path, "method", restart=False) as journal:
        journal.add([outcome("a"), outcome("b")])
    path.write_bytes(path.read_bytes()[:-cut])
    with Journal(path, "method", restart=False) as journal:
        assert journal.finished("a", "state") is not None
        assert journal.finished("b", "state") is None
        journal.add([outcome("b")])
    with Journal(path, "method", restart=False) as journal:
        assert journal.finished("b", "state") == outcome("b")


def test_a_journal_of_another_method_is_refused_and_kept(tmp_path: Path) -> None:
    with Journal(tmp_path / "j", "method", restart=False) as journal:
        journal.add([outcome("a")])
    with pytest.raises(ConfigError, match="--restart"):
        Journal(tmp_path / "j", "another", restart=False)
    with Journal(tmp_path / "j", "method", restart=False) as journal:
        assert journal.finished("a", "state") is not None
    with Journal(tmp_path / "j", "another", restart=True) as journal:
        assert journal.finished("a", "state") is None


@pytest.mark.parametrize("content", [b"somebody's notes", b"somebody's notes\nmore\n"])
def test_a_file_of_somebody_else_is_not_touched(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "j").write_bytes(content)
    with pytest.raises(ConfigError, match="not the journal"):
        Journal(tmp_path / "j", "method", restart=False)
    assert (tmp_path / "j").read_bytes() == content


def test_two_runs_cannot_write_one_journal(tmp_path: Path) -> None:
    with Journal(tmp_path / "j", "method", restart=False), pytest.raises(ConfigError, match="another run"):
        Journal(tmp_path / "j", "method", restart=True)
