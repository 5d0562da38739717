"""The record of what a run has measured: durable line by line, so that the next run goes on where this one ended."""

import fcntl
import json
import os
from collections.abc import Iterable
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from node.commands.extract.work import Fault, Measured, Row
from node.errors import ConfigError
from pipelines.domain.reasons import Rejected

_FORMAT: Final = "pulmonode extract 1"
_BEGINNING: Final = f'{{"format": "{_FORMAT}"'.encode()
# what may have had another cause than the files; all else would end the same way again
_WORTH_ANOTHER_TRY: Final = frozenset({"RUN-001", "RUN-002", "VOL-001"})


class Journal:
    """A file of JSON lines: how the numbers are made, then one line for each target that is done.

    Parameters
    ----------
    method
        Digest of everything but the files that the numbers depend on; a journal of another one is refused.
    restart
        True to forget what the file holds.

    Raises
    ------
    ConfigError
        If the file is of another method or no journal, cannot be opened, or is written by another run.
    """

    def __init__(self, path: Path, method: str, *, restart: bool) -> None:
        self.path = path
        self._done: dict[str, Measured] = {}
        try:
            self._file: FileIO = path.open("a+b", buffering=0)
        except OSError as fault:
            raise ConfigError([f"{path} cannot be written: {fault.strerror}"]) from fault
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as fault:
            self._file.close()
            raise ConfigError([f"another run writes {path}"]) from fault
        if restart:
            self._file.truncate(0)
        try:
            self._open(method)
        except ConfigError:
            self._file.close()
            raise

    def __enter__(self) -> "Journal":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def finished(self, key: str, inputs: str) -> Measured | None:
        """Outcome of a target whose files have not changed since; None when it has to be measured."""
        found = self._done.get(key)
        if found is None or found.inputs != inputs:
            return None
        return None if any(fault.reason.code in _WORTH_ANOTHER_TRY for fault in found.faults) else found

    def add(self, outcomes: Iterable[Measured]) -> None:
        """Write outcomes and return when they are on the disk."""
        for one in outcomes:
            self._done[one.key] = one
            self._write(_as_json(one))
        os.fsync(self._file.fileno())

    def outcome(self, key: str) -> Measured | None:
        """The last outcome of a target."""
        return self._done.get(key)

    def _open(self, method: str) -> None:
        self._file.seek(0)
        lines = self._file.read().splitlines(keepends=True)
        if lines and not lines[0].startswith(_BEGINNING):
            raise ConfigError([f"{self.path} is not the journal of a run; choose another --output"])
        if not lines or not lines[0].endswith(b"\n"):
            self._file.truncate(0)
            self._write({"format": _FORMAT, "method": method})
            os.fsync(self._file.fileno())
            return
        if _parsed(lines[0]).get("method") != method:
            raise ConfigError(
                [
                    f"{self.path} holds lesions that were measured with other settings or another version",
                    "choose another --output, or give --restart to measure all of them again",
                ]
            )
        whole = len(lines[0])
        for line in lines[1:]:
            entry = _parsed(line) if line.endswith(b"\n") else {}
            if not entry:
                break
            one = _from_json(entry)
            self._done[one.key] = one
            whole += len(line)
        # what a crash left half written
        self._file.truncate(whole)

    def _write(self, entry: dict[str, Any]) -> None:
        data = (json.dumps(entry, ensure_ascii=False) + "\n").encode(errors="surrogateescape")
        while data:
            data = data[self._file.write(data) :]


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        entry = json.loads(line.decode(errors="surrogateescape"))
    except ValueError:
        return {}
    return entry if isinstance(entry, dict) else {}


def _as_json(one: Measured) -> dict[str, Any]:
    return {
        "key": one.key,
        "inputs": one.inputs,
        "rows": [{"cells": dict(row.cells), "values": list(row.values)} for row in one.rows],
        "faults": [
            {
                "severity": fault.severity,
                "cells": dict(fault.cells),
                "reason": [fault.reason.code, fault.reason.detail, fault.reason.remedy],
            }
            for fault in one.faults
        ],
    }


def _from_json(entry: dict[str, Any]) -> Measured:
    return Measured(
        entry["key"],
        entry["inputs"],
        tuple(Row(tuple(row["cells"].items()), tuple(row["values"])) for row in entry["rows"]),
        tuple(
            Fault(fault["severity"], tuple(fault["cells"].items()), Rejected(*fault["reason"]))
            for fault in entry["faults"]
        ),
    )
