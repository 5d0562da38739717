"""The verbs that put cohorts together."""

import sys
from pathlib import Path

import click
from rich.console import Console

from node.verbs.cohort_export import cohort_export, cohort_screen
from node.verbs.cohort_readers import cohort_agreement, cohort_sample
from node.verbs.cohort_secret import cohort_keygen
from node.verbs.context import Node
from node.verbs.failing import reporting_errors
from node.verbs.studies import synthetic


@click.group(
    commands=[cohort_agreement, cohort_export, cohort_keygen, cohort_sample, cohort_screen, synthetic],
)
def cohort() -> None:
    """Put cohorts together, screen and export them, and compare readers."""


@cohort.command("import")
@click.argument("name")
@click.argument("table", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.pass_obj
@reporting_errors
def cohort_import(node: Node, name: str, table: Path) -> None:
    """Read the patients of TABLE (CSV or .xlsx) into the cohort NAME: all of them, or none when a cell is wrong.

    The Patient ID is turned into a digest at once; patients that are there already are renewed.

    \b
    Example: pulmonode cohort import nsclc patients.xlsx
    """
    from node.commands.cohort.keep import run_import

    sys.exit(run_import(node.settings(), node.stores(), name, table, Console(stderr=True, highlight=False)))


@cohort.command("add")
@click.argument("name")
@click.option("--patient", required=True, help="Patient ID as in the DICOM files; only a digest of it is kept.")
@click.option("--set", "facts", multiple=True, metavar="COLUMN=VALUE", help="A column of the data dictionary.")
@click.pass_obj
@reporting_errors
def cohort_add(node: Node, name: str, patient: str, facts: tuple[str, ...]) -> None:
    """Add one patient to the cohort NAME, or renew all that is known of one.

    \b
    Example: pulmonode cohort add nsclc --patient 4711 --set therapy_start=2024-03-01 --set response=PR
    """
    from node.commands.cohort.keep import run_add

    pairs = [fact.partition("=") for fact in facts]
    if any(not between for _, between, _ in pairs):
        raise click.UsageError("--set needs COLUMN=VALUE.")
    known = {"patient_id": patient, **{column: value for column, _, value in pairs}}
    sys.exit(run_add(node.settings(), node.stores(), name, known, Console(stderr=True, highlight=False)))


@cohort.command("list")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
@click.pass_obj
@reporting_errors
def cohort_list(node: Node, name: str | None, *, as_json: bool) -> None:
    """Show all cohorts, or the patients of the cohort NAME by their digests.

    \b
    Example: pulmonode cohort list nsclc
    """
    from node.commands.cohort.keep import run_list

    sys.exit(run_list(node.stores().cohorts, name, as_json_text=as_json))
