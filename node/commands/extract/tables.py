"""Write the table of lesions and the table of what went wrong."""

import csv
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from node.commands.extract.plan import Plan
from node.commands.extract.work import Fault, Measured
from node.errors import ConfigError
from pipelines.extraction.table import DIAGNOSTICS

_FAULT_COLUMNS: Final = ("Severity", "Code", "Image", "Mask", "Label", "Reason", "Remedy")


def write_lesions(
    path: Path,
    plan: Plan,
    outcome: Callable[[str], Measured | None],
    features: Sequence[str],
    *,
    with_patient_id: bool,
) -> int:
    """Write one row a lesion in the order of the plan; the number of lesions.

    A row of a list that was not measured is written with empty features, as PyRadiomics does.
    """
    columns = plan.columns(with_patient_id=with_patient_id)
    lesions = 0
    with _writer(path) as writer:
        writer.writerow((*columns, *DIAGNOSTICS, *features))
        for target in plan.targets:
            found = outcome(target.key)
            for row in found.rows if found else ():
                cells = dict(row.cells)
                writer.writerow((*(cells.get(column, "") for column in (*columns, *DIAGNOSTICS)), *row.values))
                lesions += 1
            if plan.list_columns is not None and not (found and found.rows):
                cells = dict(target.cells)
                empty = [""] * (len(DIAGNOSTICS) + len(features))
                writer.writerow((*(cells[column] for column in columns), *empty))
    return lesions


def write_faults(path: Path, faults: Iterable[Fault]) -> None:
    """Write one row for each fault; without any there is no file."""
    told = list(faults)
    if not told:
        path.unlink(missing_ok=True)
        return
    with _writer(path) as writer:
        writer.writerow(_FAULT_COLUMNS)
        for fault in told:
            cells = dict(fault.cells)
            named = (cells.get(column, "") for column in ("Image", "Mask", "Label"))
            writer.writerow((fault.severity, fault.reason.code, *named, fault.reason.detail, fault.reason.remedy))


@contextmanager
def _writer(path: Path) -> Iterator[Any]:
    """A CSV writer whose file takes the place of the old one when all is written."""
    made = path.with_name(f"{path.name}.new")
    try:
        with made.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            yield csv.writer(file, lineterminator="\n")
            file.flush()
            os.fsync(file.fileno())
        made.replace(path)
    except OSError as fault:
        raise ConfigError([f"{path} cannot be written: {fault.strerror}"]) from fault
