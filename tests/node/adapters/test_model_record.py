import json
import multiprocessing
from datetime import UTC, datetime
from pathlib import Path

from node.adapters.model_record import ModelRecord
from pipelines.domain.reasons import Rejected
from pipelines.scoring.keys import new_key
from pipelines.scoring.lifecycle import ModelEvent, Recorded
from pipelines.scoring.package import Package, open_package
from tests.models import signed_package, trust

KEY = new_key()
FILES = signed_package(key=KEY)


def line(version: str = "1") -> Recorded:
    at = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    return Recorded(at, ModelEvent.RETIRED, "signature", version, "a" * 64, "b" * 64, "c" * 32, "年 old")


def package() -> Package:
    made = open_package(FILES, [trust(KEY)])
    assert isinstance(made, Package)
    return made


def test_what_was_recorded_is_read_again(tmp_path: Path) -> None:
    record = ModelRecord(tmp_path / "models")
    assert record.events() == ()
    assert not (tmp_path / "models").exists()
    assert record.add(line("1")) is None
    assert record.add(line("2")) is None
    assert ModelRecord(tmp_path / "models").events() == (line("1"), line("2"))


def _add(folder: Path, first: int) -> None:
    record = ModelRecord(folder)
    for number in range(first, first + 25):
        assert record.add(line(str(number))) is None


def test_processes_that_write_at_the_same_time_lose_no_line(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_add, args=(tmp_path, 100 * n)) for n in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    events = ModelRecord(tmp_path).events()
    assert not isinstance(events, Rejected)
    assert sorted(int(event.version) for event in events) == sorted(100 * n + i for n in range(4) for i in range(25))


def test_a_line_that_a_crash_cut_short_does_not_count_and_spoils_no_other(tmp_path: Path) -> None:
    record = ModelRecord(tmp_path)
    record.add(line("1"))
    with (tmp_path / "events.jsonl").open("ab") as file:
        file.write(b'{"at": "2026-')
    assert record.events() == (line("1"),)
    record.add(line("2"))
    assert record.events() == (line("1"), line("2"))


def test_a_damaged_record_is_refused_as_model_019(tmp_path: Path) -> None:
    record = ModelRecord(tmp_path)
    for text in ("{}\n", "nonsense\n", json.dumps({"at": "yesterday"}) + "\n", "[]\n", "3\n"):
        (tmp_path / "events.jsonl").write_text(text)
        outcome = record.events()
        assert isinstance(outcome, Rejected)
        assert outcome.code == "MODEL-019"


def test_a_kept_package_does_not_change_with_its_source_and_is_made_anew_when_damaged(tmp_path: Path) -> None:
    record, made = ModelRecord(tmp_path), package()
    event = Recorded(line().at, ModelEvent.ACTIVATED, "signature", "2.1", "", made.package_sha256, "")
    for _ in range(2):
        assert record.keep(made, FILES) is None
        assert record.files(event) == FILES
    (tmp_path / "packages" / made.package_sha256 / "card.md").write_bytes(b"")
    assert record.keep(made, FILES) is None
    assert record.files(event) == FILES
    assert [path.name for path in (tmp_path / "packages").iterdir()] == [made.package_sha256]


def test_a_folder_that_cannot_be_written_is_refused_as_model_019(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file in its place")
    record = ModelRecord(tmp_path / "models")
    for outcome in (record.add(line()), record.keep(package(), FILES)):
        assert isinstance(outcome, Rejected)
        assert outcome.code == "MODEL-019"
