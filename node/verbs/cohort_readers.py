"""The verbs that compare the readers of a cohort."""

import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from node.verbs.cohort_secret import SECRET, secret_file
from node.verbs.context import Node
from node.verbs.failing import reporting_errors


@click.command("sample")
@click.argument("name")
@click.option("-n", "count", type=click.IntRange(min=1), default=20, show_default=True, help="Number of cases.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="The same seed, the same cases.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="CSV file to write.")
@click.pass_obj
@reporting_errors
def cohort_sample(node: Node, name: str, count: int, seed: int, output: Path | None) -> None:
    """Choose at random the cases of the cohort NAME that a second reader draws again.

    \b
    Example: pulmonode cohort sample nsclc -n 20 --seed 7
    """
    from node.commands.cohort.second_reader import run_sample

    sys.exit(run_sample(node.stores(), name, count, seed, output, Console(stderr=True, highlight=False)))


@click.command("agreement")
@click.argument("name")
@click.option(
    "--form",
    type=click.Choice(["ICC1", "ICC2", "ICC3", "ICC1k", "ICC2k", "ICC3k"]),
    default="ICC2",
    show_default=True,
    help="Of Shrout & Fleiss; ICC2 is ICC(2,1), absolute agreement.",
)
@click.option(
    "--rule",
    type=click.Choice(["estimate", "lower"]),
    default="estimate",
    show_default=True,
    help="What must lie above the threshold: the coefficient, or its lower 95 % limit.",
)
@click.option(
    "--threshold", type=click.FloatRange(0, 1), default=0.8, show_default=True, help="Features at it are dropped."
)
@click.option("--every-lesion", is_flag=True, help="Compare all lesions instead of the largest of each patient.")
@click.option(
    "--any-reader", is_flag=True, help="Compare drawings that bear the same reader's name, too: the program writes it."
)
@click.option("-o", "--output", type=click.Path(file_okay=False, path_type=Path), help="Folder for tables and figure.")
@SECRET
@click.pass_obj
@reporting_errors
def cohort_agreement(
    node: Node,
    name: str,
    form: Any,
    rule: Any,
    threshold: float,
    output: Path | None,
    secret: Path | None,
    *,
    every_lesion: bool,
    any_reader: bool,
) -> None:
    """Compare two readers of the cohort NAME: overlap of lesions, agreement of features, and which features to keep.

    A second reader's segmentation is another one of the same CT, under another reader's name. `train --reliable`
    takes OUTPUT/reliable.txt.

    \b
    Example: pulmonode cohort agreement nsclc -o agreement
    """
    from node.commands.cohort.second_reader import AgreementRequest, run_agreement

    request = AgreementRequest(name, form, rule, threshold, every_lesion, any_reader, output, secret_file(node, secret))
    sys.exit(run_agreement(node.settings(), node.stores(), request, Console(highlight=False)))
