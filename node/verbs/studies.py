"""The verbs that analyse cohorts as published studies did."""

import sys
from pathlib import Path
from typing import Final

import click
from rich.console import Console

from node.verbs.failing import reporting_errors

STUDIES: Final = ("seed-b",)
"""Cohort studies that can be analysed; seed-b is Huang et al. 2025."""

PROFILES_OF_STUDIES: Final = ("seed-b", "recommended")


@click.command()
@click.argument("cohort", metavar="COHORT", type=click.Path(exists=True, path_type=Path))
@click.option("--study", type=click.Choice(STUDIES), required=True, help="What to ask of the cohort.")
@click.option(
    "--profile",
    type=click.Choice(PROFILES_OF_STUDIES),
    default="seed-b",
    show_default=True,
    help="Choices as the paper made them, or as is recommended.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Folder for the report; made if it is not there.",
)
@click.option(
    "--dpi", type=click.IntRange(50, 1200), default=300, show_default=True, help="Pixels per inch of PNG files."
)
@reporting_errors
def analyse(*, cohort: Path, study: str, profile: str, output: Path, dpi: int) -> None:
    """Analyse a cohort: matching, survival, tables and figures in one report.

    COHORT is a table of patients (CSV or .xlsx), or a folder with patients.csv and, if there is one, lesions.csv. The
    exit code is 1 when a cell cannot be used, and also when the report is written but the matched groups are not
    balanced.

    \b
    Example: pulmonode analyse cohort.csv --study seed-b -o report
    """
    from node.commands.analyse import run_analysis

    sys.exit(run_analysis(cohort, profile, output, Console(stderr=True, highlight=False), dpi=dpi))


@click.command()
@click.option("--study", type=click.Choice(STUDIES), required=True, help="The study that the cohort is made for.")
@click.option("--patients", type=click.IntRange(20, 100_000), default=579, show_default=True, help="Eligible patients.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="The same seed, the same cohort.")
@click.option(
    "-o", "--output", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder for the tables."
)
@reporting_errors
def synthetic(*, study: str, patients: int, seed: int, output: Path) -> None:
    """Write a made-up cohort whose truth is known, with the data dictionary of its tables.

    \b
    Example: pulmonode cohort synthetic --study seed-b -o made-up
    """
    from node.commands.analyse import run_synthetic

    sys.exit(run_synthetic(output, patients, seed, Console(stderr=True, highlight=False)))
