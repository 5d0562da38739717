"""Audit result tables in files, for people and for programs."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from pipelines.audit.audit import audit
from pipelines.audit.findings import Finding
from pipelines.audit.formats import Listed, read_entries


def run_audit(paths: Sequence[Path], *, as_json: bool) -> int:
    """Audit every file by itself and print what was found; the exit code.

    0 without a conflict, 1 with one, 2 when a file cannot be read, of which all problems are told.
    """
    files = {path: read_entries(path.read_bytes(), path.suffix) for path in paths}
    problems = [f"{path}: {problem}" for path, listed in files.items() for problem in listed.problems]
    if problems:
        for problem in problems:
            click.echo(problem, err=True)
        return 2
    found = {path: audit(listed.entries) for path, listed in files.items()}
    if as_json:
        report = [_facts(path, files[path], findings) for path, findings in found.items()]
        click.echo(json.dumps(report, ensure_ascii=False, indent=2))
    else:
        for path, findings in found.items():
            for line in _lines(path, files[path], findings):
                click.echo(line)
    return 1 if any(_conflicts(findings) for findings in found.values()) else 0


def _conflicts(findings: Sequence[Finding]) -> int:
    return sum(finding.severity == "conflict" for finding in findings)


def _facts(path: Path, listed: Listed, findings: Sequence[Finding]) -> dict[str, Any]:
    return {
        "file": str(path),
        "entries": len(listed.entries),
        "conflicts": _conflicts(findings),
        "findings": [
            {**asdict(finding), "severity": finding.severity, "meaning": finding.meaning} for finding in findings
        ],
    }


def _lines(path: Path, listed: Listed, findings: Sequence[Finding]) -> list[str]:
    conflicts = _conflicts(findings)
    notes = len(findings) - conflicts
    lines = [f"{path}: {len(listed.entries)} entries, {conflicts} conflicts, {notes} notes"]
    for finding in findings:
        place = f"{finding.table}, {finding.row}" if finding.table else finding.row
        lines += [
            "",
            f"{finding.code} {finding.severity}: {finding.meaning}",
            f"  where     {place}",
            f"  printed   {finding.printed}",
            f"  possible  {finding.possible}",
        ]
    return lines
