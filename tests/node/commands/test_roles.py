"""The processes of the node, each started as `serve` starts it."""

import subprocess
import sys
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from node.bootstrap.stores import open_stores
from node.ports import Destination, Report
from node.services.supervise import WRONGLY_CONFIGURED
from node.settings import load_settings
from pipelines.domain.sop_classes import CT_IMAGE
from tests.dicom import as_bytes, ct_series
from tests.node.doubles import SetClock
from tests.node.peers import peer
from tests.node.refs import SENDER, file_of, image, images, result, segmentation
from tests.tools import listens, wait_for, write_config


def role(config: Path, name: str, log_name: str = "") -> "subprocess.Popen[bytes]":
    with (config.parent / f"{log_name or name}.log").open("wb") as log:
        command = [sys.executable, "-m", "node", "--config", str(config), "role", name]
        return subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)


def end(process: "subprocess.Popen[bytes]", timeout_s: float = 250) -> int:
    process.terminate()
    try:
        return process.wait(timeout_s)
    finally:
        process.kill()
        process.wait()


def test_the_receiver_listens_until_sigterm_and_a_second_one_on_its_port_is_wrongly_configured(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    port = load_settings(config, {}).node.port
    first = role(config, "receiver")
    try:
        wait_for("the receiver", lambda: listens(port))
        second = role(config, "receiver", "second")
        assert second.wait(200) == WRONGLY_CONFIGURED
        assert "in use" in (tmp_path / "second.log").read_text()
    finally:
        assert end(first) == 0
    assert not listens(port)


def test_the_dispatcher_can_be_stopped_while_much_is_to_be_delivered(tmp_path: Path) -> None:
    with peer(before_answer=lambda: time.sleep(0.05)) as pacs:
        config = write_config(tmp_path, destinations={"archive": ("PACS", pacs.port)})
        _report_many(config, 400)
        process = role(config, "dispatcher")
        try:
            wait_for("the first result", lambda: pacs.stored)
        finally:
            before = len(pacs.stored)
            assert end(process) == 0
        # a batch of fifty is sent to its end, and perhaps one that was begun when the signal came
        assert len(pacs.stored) - before <= 100
        assert len(pacs.stored) < 400


def _report_many(config: Path, count: int) -> None:
    stores = open_stores(load_settings(config, {}))
    clock = SetClock()
    for ref in (*images(3), segmentation()):
        stores.ledger.received(ref, file_of(ref), SENDER, at=clock())
    case = stores.ledger.collecting()[0].case
    stores.ledger.complete(case, image().key, "3 slices.", at=clock())
    claim = stores.ledger.claim(case, "worker", at=clock(), lease=timedelta(seconds=60))
    assert claim is not None
    data = as_bytes(ct_series(slices=3, rows=8, columns=8)[0])
    results = tuple(
        replace(result(case, kind), sop_class=CT_IMAGE, file=stores.spool.put_result(case, kind, data))
        for kind in (f"kind-{number}" for number in range(count))
    )
    assert stores.ledger.reported(claim, Report((), None, results, "1 lesion."), [Destination("archive")], at=clock())
