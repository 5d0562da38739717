"""The verbs that screen a cohort and export it."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console

from node.verbs.cohort_secret import SECRET, secret_file
from node.verbs.context import Node
from node.verbs.failing import reporting_errors

_COHORT_RULES: Final = (
    click.option(
        "--days", type=(int, int), default=(-28, 0), show_default=True, help="Day of the CT, from the first dose."
    ),
    click.option(
        "--slice-mm", type=(float, float), default=(0.4, 5.0), show_default=True, help="Least and most slice thickness."
    ),
    click.option(
        "--any-stage", is_flag=True, help="Take patients of every stage, and of none known.  [default: III and IV]"
    ),
    click.option(
        "--least-doses", type=click.IntRange(min=1), default=1, show_default=True, help="Doses of immunotherapy."
    ),
    click.option(
        "--refuse-note",
        "refuse_notes",
        multiple=True,
        default=("CT-006", "CT-007", "CT-008", "CT-011"),
        show_default=True,
        help="Code of a message that rules a CT out; none with an empty one.",
    ),
    click.option(
        "--features",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="Features from a table of `pulmonode extract --with-patient-id` instead of the ledger.",
    ),
)


def _with_cohort_rules(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(_COHORT_RULES):
        command = option(command)
    return command


def _cohort_rules(
    days: tuple[int, int], slice_mm: tuple[float, float], doses: int, notes: tuple[str, ...], *, any_stage: bool
) -> Any:
    from pipelines.cohort.eligibility import Rules
    from pipelines.cohort.members import ADVANCED

    try:
        return Rules(*days, *slice_mm, () if any_stage else ADVANCED, doses, tuple(note for note in notes if note))
    except ValueError as fault:
        raise click.UsageError("A lower limit of --days or --slice-mm lies above the upper one.") from fault


@click.command("screen")
@click.argument("name")
@_with_cohort_rules
@click.pass_obj
@reporting_errors
def cohort_screen(
    node: Node,
    name: str,
    days: tuple[int, int],
    slice_mm: tuple[float, float],
    least_doses: int,
    refuse_notes: tuple[str, ...],
    features: Path | None,
    *,
    any_stage: bool,
) -> None:
    """Show how many patients of the cohort NAME are eligible, and why the others are not.

    \b
    Example: pulmonode cohort screen nsclc
    """
    from node.commands.cohort.export import run_screen

    rules = _cohort_rules(days, slice_mm, least_doses, refuse_notes, any_stage=any_stage)
    sys.exit(run_screen(node.settings(), node.stores(), name, rules, features, Console(highlight=False)))


@click.command("export")
@click.argument("name")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder to write; it must not exist.",
)
@click.option(
    "--lesions",
    type=click.Choice(["largest", "all", "weighted"]),
    default="largest",
    show_default=True,
    help="Of several lesions of a patient: the largest, all, or means weighted by volume.",
)
@click.option("--dicom", is_flag=True, help="Write the de-identified CTs and segmentations, too.")
@SECRET
@_with_cohort_rules
@click.pass_obj
@reporting_errors
def cohort_export(
    node: Node,
    name: str,
    output: Path,
    lesions: Any,
    secret: Path | None,
    days: tuple[int, int],
    slice_mm: tuple[float, float],
    least_doses: int,
    refuse_notes: tuple[str, ...],
    features: Path | None,
    *,
    dicom: bool,
    any_stage: bool,
) -> None:
    """Write the eligible patients of the cohort NAME, under pseudonyms, as the folder that `pulmonode train` takes.

    \b
    Example: pulmonode cohort export nsclc -o cohort
    """
    from node.commands.cohort.export import ExportRequest, run_export

    rules = _cohort_rules(days, slice_mm, least_doses, refuse_notes, any_stage=any_stage)
    request = ExportRequest(name, rules, lesions, features, secret_file(node, secret), output.absolute(), dicom)
    sys.exit(run_export(node.settings(), node.stores(), request, Console(stderr=True, highlight=False)))
