"""R's numbers and the data they were computed from."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Table = dict[str, list[str]]


@pytest.fixture(scope="session")
def oracles(shared_data: Path) -> Path:
    folder = shared_data.parent / "oracles"
    if not folder.is_dir():
        pytest.skip("R's reference values are not on this machine")
    return folder


@pytest.fixture(scope="session")
def oracle(oracles: Path) -> Callable[[str], Any]:
    def read(name: str) -> Any:
        return json.loads((oracles / f"{name}.json").read_text("utf-8"))

    return read


@pytest.fixture(scope="session")
def table(oracles: Path) -> Callable[[str], Table]:
    """A data set as columns of text."""

    def read(name: str) -> Table:
        with (oracles / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        return {column: [row[column] for row in rows] for column in rows[0]}

    return read
