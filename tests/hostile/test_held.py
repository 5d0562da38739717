"""Many associations that only wait cost little memory, no processor time, and nobody else his turn."""

import resource
import time
from contextlib import ExitStack

import pytest

from tests.hostile.service import service
from tests.hostile.wire import associated


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
        start, cpu = time.monotonic(), node.cpu_s()
        time.sleep(3)
        idle = (node.cpu_s() - cpu) / (time.monotonic() - start)
        node.serves()
        print(f"{count} associations held: {each_kb:.0f} kB each, {100 * idle:.1f} % of a core while they wait")
        assert each_kb < 128
        assert idle < 0.02
