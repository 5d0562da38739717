"""A whole node with its processes: what a PACS administrator would try, and what goes wrong at night."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread

from node.adapters.demo_pacs import DemoPacs
from node.ports import CaseDetail
from pipelines.domain.case_state import CaseState
from pipelines.domain.reasons import Rejected
from pipelines.imaging.header import parse_ref
from tests.dicom import as_bytes, ct_series, rtstruct_of, seg_of, write_files
from tests.pipelines.outputs.tools import dciodvfy_errors
from tests.tools import (
    RunningNode,
    free_port,
    kill_tree,
    listens,
    node,
    node_command,
    processes_of,
    redis,
    running,
    wait_for,
    write_config,
)

pytestmark = pytest.mark.e2e

SMALL = {"slices": 12, "rows": 40, "columns": 40}


def submit(running_node: RunningNode, instances: Sequence[Dataset], folder: Path) -> None:
    write_files(instances, folder)
    done = running_node.command("submit", str(folder))
    assert done.returncode == 0, done.stderr


def history(detail: CaseDetail) -> list[str]:
    return [event.state for event in detail.events]


def test_segmentation_first_then_ct_in_two_parts_gives_one_delivered_case(tmp_path: Path) -> None:
    pacs = DemoPacs(tmp_path / "pacs")
    ct = ct_series(**SMALL)
    config = write_config(
        tmp_path, destinations={"PACS": ("DEMOPACS", pacs.start())}, assembly={"series_quiet_s": 2, "tick_s": 0.2}
    )
    try:
        with node(config) as running_node:
            submit(running_node, [seg_of(ct)], tmp_path / "1")
            assert running_node.reaches(1, CaseState.COLLECTING).row.state is CaseState.COLLECTING
            submit(running_node, ct[:5], tmp_path / "2")
            submit(running_node, ct[5:], tmp_path / "3")
            detail = running_node.ended()
            assert detail.row.state is CaseState.DELIVERED
            assert history(detail) == ["collecting", "queued", "running", "reported", "delivered"]
            assert "12 CT slices" in detail.events[1].detail
            assert set(pacs.stored()) == {row.result.sop_instance for row in detail.results}
    finally:
        pacs.stop()


def test_a_late_slice_opens_the_case_again(tmp_path: Path) -> None:
    ct = ct_series(**SMALL)
    with node(write_config(tmp_path)) as running_node:
        # the last slice is not known to be missing: the segmentation names the others only
        submit(running_node, [*ct[:-1], seg_of(ct[:-1])], tmp_path / "1")
        first = running_node.reaches(1, CaseState.REPORTED)
        submit(running_node, ct[-1:], tmp_path / "2")
        wait_for("a second run", lambda: len(history(running_node.reaches(1, CaseState.REPORTED))) > 4)
        second = running_node.reaches(1, CaseState.REPORTED)
        assert "late instance" in [event.event for event in second.events]
        assert second.row.ct_slices == 12
        uids = [{row.result.sop_instance for row in detail.results} for detail in (first, second)]
        assert not uids[0] & uids[1]


def test_a_missing_series_rejects_the_case_and_its_arrival_heals_it(tmp_path: Path) -> None:
    ct = ct_series(**SMALL)
    config = write_config(tmp_path, assembly={"missing_timeout_s": 2})
    with node(config) as running_node:
        submit(running_node, [seg_of(ct)], tmp_path / "1")
        detail = running_node.ended()
        assert (detail.row.state, detail.row.code) == (CaseState.REJECTED, "SEG-001")
        shown = running_node.command("status").stdout
        assert "SEG-001" in shown
        assert "What to do" in running_node.command("status", "1").stdout
        submit(running_node, ct, tmp_path / "2")
        assert running_node.reaches(1, CaseState.REPORTED).row.code == ""


def test_a_strict_node_refuses_a_score_and_says_why_where_the_case_is_looked_at(tmp_path: Path) -> None:
    # 7 mm slices; the demonstration was trained on thinner ones
    ct = ct_series(**SMALL, spacing_mm=(1.0, 1.0, 7.0))
    seen = {}
    for strict in (True, False):
        config = write_config(tmp_path / str(strict), scoring={"strict": strict}, maps={"features": []})
        with node(config) as running_node:
            submit(running_node, [*ct, seg_of(ct)], tmp_path / str(strict) / "sent")
            detail = running_node.reaches(1, CaseState.REPORTED)
            (report,) = (row.result for row in detail.results if row.result.kind == "sr-case")
            written = (running_node.settings.data_dir / "spool" / report.file.path).read_bytes()
            seen[strict] = (detail, " ".join(running_node.command("status", "1").stdout.split()), written)
    detail, shown, written = seen[True]
    assert detail.row.code == "" and "sr-features" in {row.result.kind for row in detail.results}
    assert "MODEL-005" in shown and "MODEL-013 The slices are 7 mm thick" in shown
    assert "send a CT that was acquired and contoured as the training data were" in shown
    assert b"MODEL-005" in written and b"MODEL-013" in written
    assert b"Predicted probability" not in written
    detail, shown, written = seen[False]
    assert "MODEL-005" not in shown and "MODEL-013" in shown
    assert b"MODEL-005" not in written and b"Predicted probability" in written


def test_a_structure_set_is_measured_as_a_segmentation_is(tmp_path: Path) -> None:
    ct = ct_series(**SMALL)
    with node(write_config(tmp_path)) as running_node:
        submit(running_node, [*ct, rtstruct_of(ct)], tmp_path / "1")
        detail = running_node.reaches(1, CaseState.REPORTED)
        assert {row.result.kind for row in detail.results} >= {"seg", "sr-features", "sr-case", "map"}


def test_results_wait_for_a_pacs_that_is_down(tmp_path: Path) -> None:
    port = free_port()
    ct = ct_series(**SMALL)
    with node(write_config(tmp_path, destinations={"PACS": ("DEMOPACS", port)})) as running_node:
        submit(running_node, [*ct, seg_of(ct)], tmp_path / "1")
        detail = running_node.reaches(1, CaseState.REPORTED)
        tried = wait_for(
            "a failed try",
            lambda: [d for row in running_node.detail(1).results for d in row.deliveries if d.attempts],  # type: ignore[union-attr]
        )
        assert "NET-001" in tried[0].detail
        pacs = DemoPacs(tmp_path / "pacs")
        pacs.start(port)
        try:
            detail = running_node.reaches(1, CaseState.DELIVERED)
            assert set(pacs.stored()) == {row.result.sop_instance for row in detail.results}
        finally:
            pacs.stop()


def test_a_killed_worker_costs_no_case(tmp_path: Path) -> None:
    ct = ct_series(slices=40, rows=96, columns=96)
    config = write_config(tmp_path, queue={"lease_s": 2, "worker_processes": 1})
    with node(config) as running_node:
        submit(running_node, [*ct, seg_of(ct)], tmp_path / "1")
        running_node.reaches(1, CaseState.RUNNING)
        workers = processes_of(running_node.process.pid, "worker")
        assert workers
        for pid in workers:
            with suppress(ProcessLookupError):  # one ends with another
                os.kill(pid, signal.SIGKILL)
        detail = running_node.reaches(1, CaseState.REPORTED)
        assert history(detail).count("reported") == 1
        assert detail.row.attempt <= 3


def test_a_power_cut_while_a_study_streams_in_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    ct = ct_series(slices=60, rows=128, columns=128)
    write_files([*ct, seg_of(ct)], tmp_path / "study")
    config = write_config(tmp_path, queue={"lease_s": 2})
    with node(config) as running_node:
        sender = subprocess.Popen(
            [sys.executable, "-m", "node", "--config", str(config), "submit", str(tmp_path / "study")],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        ledger = running_node.settings.data_dir / "ledger.sqlite3"
        wait_for("twenty instances", lambda: _received(ledger) >= 20)
        kill_tree(running_node.process)
        sender.wait(120)
    acknowledged = _received(ledger)
    assert acknowledged >= 20
    with node(config) as running_node:
        assert running_node.status()["instances"] == acknowledged
        for path, size in _files(ledger):
            stored = running_node.settings.data_dir / "spool" / path
            assert stored.stat().st_size == size
            assert not isinstance(parse_ref(stored.read_bytes()), Rejected)
        done = running_node.command("submit", str(tmp_path / "study"))
        assert done.returncode == 0, done.stderr
        detail = running_node.reaches(1, CaseState.REPORTED)
        assert detail.row.ct_slices == 60


def _received(ledger: Path) -> int:
    with sqlite3.connect(f"file:{ledger}?mode=ro", uri=True) as connection:
        count: int = connection.execute("select count(*) from instance").fetchone()[0]
        return count


def _files(ledger: Path) -> list[tuple[str, int]]:
    with sqlite3.connect(f"file:{ledger}?mode=ro", uri=True) as connection:
        return connection.execute("select path, size from instance").fetchall()


def test_two_workers_on_redis_compute_many_cases_once_each(tmp_path: Path) -> None:
    with redis(tmp_path / "redis") as url:
        config = write_config(tmp_path, queue={"broker": url, "worker_processes": 1})
        second = [sys.executable, "-m", "node", "--config", str(config), "worker"]
        with node(config) as running_node, running(second, tmp_path / "worker.log"):
            wait_for("two workers", lambda: _waiting_for_work(url) == 2)
            series = [ct_series(**SMALL, seed=n, patient_id=f"TEST-{n}") for n in range(6)]
            submit(running_node, [i for ct in series for i in (*ct, seg_of(ct))], tmp_path / "studies")
            for number in range(1, 7):
                detail = running_node.reaches(number, CaseState.REPORTED)
                assert history(detail).count("reported") == 1
        started = [(tmp_path / name).read_text().count('"case_started"') for name in ("node.log", "worker.log")]
        assert sum(started) == 6
        assert all(started), "both workers had something to do"


def test_a_redis_that_forgets_everything_loses_no_case(tmp_path: Path) -> None:
    ct = ct_series(**SMALL)
    with redis(tmp_path / "redis") as url:
        config = write_config(tmp_path, queue={"broker": url, "resubmit_after_s": 5})
        # no worker runs: the message waits in Redis and is lost with it
        with node(config, "serve", "--no-worker") as running_node:
            submit(running_node, [*ct, seg_of(ct)], tmp_path / "1")
            running_node.reaches(1, CaseState.QUEUED)
            _flush(url)
            worker = [sys.executable, "-m", "node", "--config", str(config), "worker"]
            with running(worker, tmp_path / "worker.log"):
                assert running_node.reaches(1, CaseState.REPORTED).row.attempt == 1


def _waiting_for_work(url: str) -> int:
    """How many workers ask that Redis for messages."""
    import redis as client

    return sum(one["cmd"] == "brpop" for one in client.Redis.from_url(url).client_list())


def _flush(url: str) -> None:
    import redis as client

    client.Redis.from_url(url).flushall()


def test_status_retry_and_send_say_what_they_did(tmp_path: Path) -> None:
    pacs = DemoPacs(tmp_path / "pacs")
    ct = ct_series(**SMALL)
    config = write_config(tmp_path, destinations={"PACS": ("DEMOPACS", pacs.start())})
    try:
        with node(config) as running_node:
            assert running_node.command("echo", "PACS").stdout.strip() == "PACS answers."
            assert running_node.command("echo", "NOBODY").returncode == 2
            submit(running_node, [*ct, seg_of(ct)], tmp_path / "1")
            assert running_node.ended().row.state is CaseState.DELIVERED
            status = running_node.status()
            assert [case["state"] for case in status["cases"]] == ["delivered"]
            assert running_node.command("send", "1", "--to", "PACS").returncode == 0
            detail = running_node.reaches(1, CaseState.DELIVERED)
            assert history(detail)[-2:] == ["reported", "delivered"]
            assert running_node.command("retry", "1").returncode == 0
            wait_for(
                "the second run", lambda: history(running_node.reaches(1, CaseState.DELIVERED)).count("running") == 2
            )
            assert running_node.command("retry", "99").returncode == 1
            assert running_node.command("doctor").returncode == 0
            assert running_node.command("doctor", "--json").returncode == 0
    finally:
        pacs.stop()


def test_a_wrong_configuration_ends_serve_with_all_that_is_wrong(tmp_path: Path) -> None:
    config = write_config(tmp_path, node={"port": 123456}, assembly={"quiet": 3}, scoring={"model": ""})
    done = node_command(config, "serve")
    assert done.returncode == 2
    assert "node.port" in done.stderr
    assert "assembly.quiet: unknown key" in done.stderr


def test_a_port_that_is_taken_ends_serve_instead_of_restarting_for_ever(tmp_path: Path) -> None:
    pacs = DemoPacs(tmp_path / "pacs")
    port = pacs.start()
    try:
        done = node_command(write_config(tmp_path, node={"port": port}), "serve")
        assert done.returncode == 2
        assert "node.port" in done.stderr
    finally:
        pacs.stop()


def test_an_altered_model_is_refused_with_the_reason(tmp_path: Path) -> None:
    altered = tmp_path / "model"
    shutil.copytree(Path(__file__).parents[2] / "config/models/demo", altered)
    model = altered / "model.json"
    model.write_text(model.read_text("utf-8").replace('"licence":"', '"licence":"not ', 1), "utf-8")
    done = node_command(write_config(tmp_path, scoring={"model": str(altered)}), "config", "check")
    assert done.returncode == 2
    assert "MODEL-001" in done.stderr
    done = node_command(write_config(tmp_path, extraction={"profile": "seed-a"}), "config", "check")
    assert done.returncode == 2
    assert "MODEL-003" in done.stderr


def test_a_model_that_is_retired_while_the_node_runs_scores_no_further_case(tmp_path: Path) -> None:
    config = write_config(tmp_path, scoring={"model": "active"}, maps={"features": []})
    demo = Path(__file__).parents[2] / "config/models/demo"
    assert "MODEL-009" in node_command(config, "config", "check").stderr
    assert node_command(config, "model", "activate", str(demo)).returncode == 0
    cases = [ct_series(**SMALL, seed=seed, patient_id=f"TEST-{seed}") for seed in (1, 2)]
    with node(config) as running_node:
        submit(running_node, [*cases[0], seg_of(cases[0])], tmp_path / "1")
        first = running_node.reaches(1, CaseState.REPORTED)
        assert running_node.command("model", "retire", "pulmonode-demo", "1.1.0", "--reason", "test").returncode == 0
        submit(running_node, [*cases[1], seg_of(cases[1])], tmp_path / "2")
        second = running_node.reaches(2, CaseState.REPORTED)
        spool = running_node.settings.data_dir / "spool"
        shown = [running_node.command("status", case).stdout for case in ("1", "2")]
    # what the model said stays, with its name, and with what it did not know
    assert first.row.score is not None
    assert (first.row.score.model, first.row.score.model_version) == ("pulmonode-demo", "1.1.0")
    assert {"MODEL-011", "MODEL-012"} <= {note.code for note in first.notes}
    assert "MODEL-011" in shown[0]
    assert "model pulmonode-demo 1.1.0" in shown[0]
    # the other case is measured, and says why there is no score
    assert second.row.score is None
    assert "not scored: MODEL-009" in second.row.reason
    assert "MODEL-009" in shown[1]
    assert len(second.measurements[0].features) == len(first.measurements[0].features) > 1000
    for detail, wanted in ((first, b"MODEL-011"), (second, b"MODEL-009")):
        (report,) = (row.result.file.path for row in detail.results if row.result.kind == "sr-case")
        assert wanted in (spool / report).read_bytes()
        assert dciodvfy_errors(spool / report) == []


def test_no_patient_is_named_outside_the_spool(tmp_path: Path) -> None:
    ct = ct_series(**SMALL, patient_name="ZZ^SENTINEL", patient_id="SENTINEL-4711")
    config = write_config(tmp_path, log={"level": "debug"})
    with node(config) as running_node:
        submit(running_node, [*ct, seg_of(ct)], tmp_path / "in")
        detail = running_node.reaches(1, CaseState.REPORTED)
        shown = running_node.command("status", "1").stdout + running_node.command("status", "--json").stdout
        assert "SENTINEL" not in shown
        assert "SENTINEL" not in str(asdict(detail))
        result = dcmread(running_node.settings.data_dir / "spool" / detail.results[0].result.file.path)
        assert str(result.PatientName) == "ZZ^SENTINEL"
    for path in tmp_path.rglob("*"):
        inside_spool = (tmp_path / "data" / "spool") in path.parents
        if path.is_file() and not inside_spool and (tmp_path / "in") not in path.parents:
            assert b"SENTINEL" not in path.read_bytes(), path
        assert "SENTINEL" not in path.name


def test_the_demo_shows_its_case_and_leaves_nothing_running_twice_in_a_row(tmp_path: Path) -> None:
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-m", "node", "demo", "--once", "--folder", str(tmp_path / "demo")],
            capture_output=True, text=True, timeout=300, check=False, cwd=tmp_path,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        for words in ("delivered", "probability", "original_shape_", "sr-features", "not for clinical use"):
            assert words in done.stdout
    back = [dcmread(path) for path in (tmp_path / "demo/pacs").glob("*.dcm")]
    assert {made.Modality for made in back} == {"SR", "KO", "DOC", "OT"}
    ports = [line for line in (tmp_path / "demo/node.toml").read_text().splitlines() if line.startswith("port")]
    assert not any(listens(int(line.split("=")[1])) for line in ports)


def test_the_spool_holds_exactly_what_was_sent(tmp_path: Path) -> None:
    ct = ct_series(**SMALL)
    with node(write_config(tmp_path)) as running_node:
        submit(running_node, ct, tmp_path / "in")
        submit(running_node, ct, tmp_path / "in")
        spool = running_node.settings.data_dir / "spool" / "received"
        stored = sorted(path.read_bytes() for path in spool.rglob("*.dcm"))
    sent = sorted(as_bytes(instance) for instance in ct)
    assert len(stored) == len(sent)
    for one, other in zip(stored, sent, strict=True):
        # file meta information differs, the data set is the same to the last byte
        assert one[-len(other) // 2 :] == other[-len(other) // 2 :]


def test_the_first_case_is_verified_and_a_deviation_is_seen_everywhere(tmp_path: Path) -> None:
    noise = np.rint(np.random.default_rng(1).normal(30, 60, (12, 40, 40))).astype(np.int16)
    ct = ct_series(**SMALL, hu=noise)
    # the engines differ in the last digits, which this tolerance does not forgive
    with node(write_config(tmp_path, extraction={"verify_tolerance": 1e-16})) as running_node:
        submit(running_node, [*ct, seg_of(ct)], tmp_path / "1")
        detail = running_node.reaches(1, CaseState.REPORTED)
        shown = " ".join(running_node.command("status", "1").stdout.split())
    assert detail.verification is not None
    assert "Verification first case with this software" in shown
    assert "ROI-010 1218 features compared with PyRadiomics" in shown
    log = running_node.log.read_text()
    assert '"event": "engines_deviate"' in log
    assert '"pyradiomics": "PyRadiomics 3.1.0 (pyradiomics-bhklab 3.1.4)"' in log
