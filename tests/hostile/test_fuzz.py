"""Whatever bytes come, a reader gives a value or a reason, soon."""

from pathlib import Path

import pytest

from tests.hostile.fuzz import fuzz, target_of


@pytest.mark.parametrize("name", ["header", "association", "command", "response"])
def test_mutations_are_answered(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = fuzz(target_of(name, tmp_path), name=name, seed=20, seconds=1)
    assert found.findings == 0, capsys.readouterr().out
    assert found.executions > 50
