import os
from pathlib import Path

import pytest

from node.adapters import model_folder
from node.adapters.model_folder import add_file, read_folder, write_folder
from pipelines.domain.reasons import Rejected

FILES = {"model.json": b"{}", "tables/roc.csv": b"1,2\n"}


def code(folder: Path) -> str:
    outcome = read_folder(folder)
    assert isinstance(outcome, Rejected)
    return outcome.code


def test_a_folder_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_folder(tmp_path / "new" / "package", FILES)
    assert read_folder(tmp_path / "new" / "package") == FILES
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["package"]


def test_a_package_is_never_changed_in_place(tmp_path: Path) -> None:
    write_folder(tmp_path / "package", FILES)
    with pytest.raises(FileExistsError):
        write_folder(tmp_path / "package", {})
    assert read_folder(tmp_path / "package") == FILES


def test_a_file_takes_the_place_of_another(tmp_path: Path) -> None:
    write_folder(tmp_path / "package", FILES)
    add_file(tmp_path / "package", "model.json", b"[]")
    assert read_folder(tmp_path / "package") == {**FILES, "model.json": b"[]"}


def test_links_and_pipes_are_refused_and_not_followed(tmp_path: Path) -> None:
    for number, make in enumerate((lambda path: path.symlink_to("/etc/hostname"), os.mkfifo)):
        folder = tmp_path / str(number)
        write_folder(folder, FILES)
        make(folder / "odd")
        assert code(folder) == "MODEL-004"


def test_what_is_no_folder_or_missing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert code(tmp_path / "file") == code(tmp_path / "missing") == "MODEL-004"


def test_a_folder_that_is_no_package_does_not_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_folder(tmp_path / "package", FILES)
    monkeypatch.setattr(model_folder, "MAX_BYTES", 5)
    assert code(tmp_path / "package") == "MODEL-004"
    monkeypatch.setattr(model_folder, "MAX_BYTES", 6)
    assert read_folder(tmp_path / "package") == FILES
