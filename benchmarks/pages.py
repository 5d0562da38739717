"""Where the benchmarks keep what they found: a table in the page about benchmarks, and the numbers as JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any


def keep(folder: Path, name: str, table: str, rows: Sequence[Any]) -> None:
    """Write `table` between the marks of `name` in the page, and `rows`, which are dataclasses, to `name`.json."""
    page = folder / "benchmarks.md"
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, _, rest = page.read_text("utf-8").partition(begin)
    page.write_text(f"{before}{begin}\n{table}\n{end}{rest.partition(end)[2]}", "utf-8")
    (folder / f"{name}.json").write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n", "utf-8")
