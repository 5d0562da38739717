"""Many associations that only wait cost little memory, no processor time, and nobody else his turn."""

import resource
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from pipelines.domain.sop_classes import STORAGE_COMMITMENT, VERIFICATION
from tests.dicom import as_bytes, ct_series
from tests.hostile.service import Service, service
from tests.hostile.wire import EXPLICIT, associated, command, status, value
from tests.tools import tool, wait_for


def serves_strangers(node: Service, folder: Path) -> None:
    """DCMTK stores at our own service, and pynetdicom's behind it, for associations that want more, answers as well."""
    instance = folder / "sent.dcm"
    instance.write_bytes(as_bytes(ct_series(slices=1, rows=16, columns=16, seed=5)[0]))
    store = [tool("storescu", "dcmtk"), "-aec", "PULMONODE", "127.0.0.1", str(node.port), str(instance)]
    assert subprocess.run(store, check=False, timeout=120).returncode == 0
    with associated(node.port, [(STORAGE_COMMITMENT, EXPLICIT), (VERIFICATION, EXPLICIT)]) as wire:
        wire.sendall(value(3, 3, command(VERIFICATION, "", field=0x0030, data_set=0x0101)))
        assert status(wire) == 0x0000


@pytest.mark.parametrize("count", [300, pytest.param(2000, marks=pytest.mark.slow)])
def test_held_associations_are_cheap(tmp_path_factory: pytest.TempPathFactory, count: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 3 * count)), hard))
    folder = tmp_path_factory.mktemp("held")
    with (
        service(folder, receive={"max_associations": count + 10, "network_timeout_s": 600}) as node,
        ExitStack() as held,
    ):
        node.serves()
        before = node.rss_mb()
        for _ in range(count):
            held.enter_context(associated(node.port))
        each_kb = (node.rss_mb() - before) * 1024 / count
        # what they were let in with may take a while to come to rest on a busy machine
        idle = wait_for("rest", lambda: (share := _share_of_a_core(node)) < 0.02 and [share])[0]
        serves_strangers(node, folder)
        print(f"{count} associations held: {each_kb:.0f} kB each, {100 * idle:.1f} % of a core while they wait")
        assert each_kb < 128


def _share_of_a_core(node: Service) -> float:
    start, cpu = time.monotonic(), node.cpu_s()
    time.sleep(3)
    return (node.cpu_s() - cpu) / (time.monotonic() - start)
