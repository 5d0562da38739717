"""The verb that looks for contradictions in printed results."""

import sys
from pathlib import Path

import click


@click.command()
@click.argument(
    "tables", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="TABLES..."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
def audit(tables: tuple[Path, ...], *, as_json: bool) -> None:
    """Find numbers in result TABLES that contradict each other.

    TABLES are CSV, XLSX or TOML files that list printed percentages, counts, p values, ratios and intervals. A finding
    says that the numbers cannot all be right, not which of them is wrong. The exit code is 1 when something conflicts.

    \b
    Example: pulmonode audit table1.csv
    """
    from node.commands.audit import run_audit

    sys.exit(run_audit(tables, as_json=as_json))
