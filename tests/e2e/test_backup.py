"""A node that is backed up in the middle of its work, killed, and put back from the backup on another disk."""

import json
from pathlib import Path

import pytest

from node.adapters.demo_pacs import DemoPacs
from pipelines.domain.case_state import CaseState
from tests.dicom import ct_series, seg_of, write_files
from tests.tools import kill_tree, node, node_command, wait_for, write_config

pytestmark = pytest.mark.e2e

SMALL = {"slices": 12, "rows": 40, "columns": 40}


def test_a_restored_node_goes_on_where_the_backup_was_made(tmp_path: Path) -> None:
    pacs = DemoPacs(tmp_path / "pacs")
    ports = {"PACS": ("DEMOPACS", pacs.start())}
    config = write_config(tmp_path, destinations=ports)
    ct = ct_series(**SMALL)
    write_files([*ct, seg_of(ct)], tmp_path / "first")
    write_files(ct_series(**SMALL, study="1.2.3.4", seed=2), tmp_path / "second")
    try:
        with node(config) as running_node:
            assert running_node.command("submit", str(tmp_path / "first")).returncode == 0
            wait_for("a case", running_node.cases)
            # whatever the case is doing: it is computed, sent, or waits
            done = running_node.command("backup", str(tmp_path / "backup"))
            assert done.returncode == 0, done.stderr
            kill_tree(running_node.process)
        elsewhere = tmp_path / "elsewhere" / "data"
        config = write_config(tmp_path / "elsewhere", destinations=ports)
        done = node_command(config, "restore", str(tmp_path / "backup"), "--into", str(elsewhere))
        assert done.returncode == 0, done.stderr
        with node(config) as restored:
            detail = restored.ended()
            assert detail.row.state in (CaseState.DELIVERED, CaseState.COMMITTED)
            assert {row.result.sop_instance for row in detail.results} <= set(pacs.stored())
            assert restored.command("submit", str(tmp_path / "second")).returncode == 0
            compared = restored.command("verify", "--json")
            assert (compared.returncode, json.loads(compared.stdout)) == (0, [])
    finally:
        pacs.stop()
