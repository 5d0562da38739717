"""Numbers of several processes, each a real one, as they are read together."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from node.adapters.exposition import exposition
from node.adapters.meter_files import MeterFiles, MeterReader

CT = "1.2.840.10008.5.1.4.1.1.2"
PROCESS = """
import sys, time
from pathlib import Path
from node.adapters.meter_files import MeterFiles
meters = MeterFiles(Path(sys.argv[1]), sop_classes=["1.2.840.10008.5.1.4.1.1.2"])
meters.association("accepted")
meters.associations_open(1)
meters.received("1.2.840.10008.5.1.4.1.1.2", 0, 100)
print("counted", flush=True)
time.sleep(60)
"""


class Process:
    """A process that has counted one association, which it holds, and one instance."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-c", PROCESS, str(folder)]
        self.running = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert self.running.stdout is not None
        assert self.running.stdout.readline() == b"counted\n"

    def kill(self) -> None:
        if self.running.poll() is None:
            self.running.send_signal(signal.SIGKILL)
            self.running.communicate()


@pytest.fixture
def processes() -> Iterator[list[Process]]:
    started: list[Process] = []
    yield started
    for one in started:
        one.kill()


def numbers(folder: Path) -> dict[tuple[str, tuple[str, ...]], float]:
    """Every sample, by its name and the values of its labels."""
    text = exposition([MeterReader(folder)]).decode()
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_what_processes_count_is_added_up_and_nothing_falls_when_one_dies(
    tmp_path: Path, processes: list[Process]
) -> None:
    processes += [Process(tmp_path), Process(tmp_path)]
    assert numbers(tmp_path)["pulmonode_associations_total", ("accepted",)] == 2
    assert numbers(tmp_path)["pulmonode_associations_open", ()] == 2

    processes[0].kill()

    assert numbers(tmp_path)["pulmonode_associations_total", ("accepted",)] == 2
    assert numbers(tmp_path)["pulmonode_associations_open", ()] == 1


def test_a_new_process_takes_over_the_place_of_a_dead_one(tmp_path: Path, processes: list[Process]) -> None:
    processes.append(Process(tmp_path))
    processes[0].kill()
    processes.append(Process(tmp_path))

    assert len(list(tmp_path.glob("counter_*.db"))) == 1
    assert numbers(tmp_path)["pulmonode_associations_total", ("accepted",)] == 2
    assert numbers(tmp_path)["pulmonode_associations_open", ()] == 1


def test_a_process_that_was_forked_after_it_counted_does_not_write_into_the_place_of_its_parent(
    tmp_path: Path,
) -> None:
    meters = MeterFiles(tmp_path)
    meters.association("accepted")
    child = os.fork()
    if not child:
        for _ in range(1000):
            meters.association("accepted")
        os._exit(0)
    for _ in range(1000):
        meters.association("accepted")
    os.waitpid(child, 0)

    assert len(list(tmp_path.glob("counter_*.db"))) == 2
    assert numbers(tmp_path)["pulmonode_associations_total", ("accepted",)] == 2001
    meters.close()


def test_times_fall_into_their_buckets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    meters = MeterFiles(tmp_path)
    began = time.perf_counter()
    with meters.timing("read"):
        pass
    took_s = time.perf_counter() - began
    found = numbers(tmp_path)
    assert found["pulmonode_stage_seconds_count", ("read",)] == 1
    limits = {labels: value for (name, labels), value in found.items() if name == "pulmonode_stage_seconds_bucket"}
    assert len(limits) == 11
    assert max(limits.values()) == 1
    assert 0 < found["pulmonode_stage_seconds_sum", ("read",)] <= took_s
    meters.close()


def test_classes_that_a_sender_invents_are_counted_together(tmp_path: Path) -> None:
    meters = MeterFiles(tmp_path, sop_classes=[CT])
    for number in range(50):
        meters.received(f"1.2.3.{number}", 0xA900, 0)
    meters.received(CT, 0x0000, 7)
    found = numbers(tmp_path)
    received = {
        labels: value for (name, labels), value in found.items() if name == "pulmonode_instances_received_total"
    }
    assert received == {("other", "0xA900"): 50, (CT, "0x0000"): 1}
    assert found["pulmonode_received_bytes_total", (CT,)] == 7
    meters.close()


def test_a_folder_that_is_not_there_yet_has_no_numbers(tmp_path: Path) -> None:
    assert not numbers(tmp_path / "none")
