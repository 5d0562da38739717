"""The verb that trains a model."""

import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from pipelines.extraction.settings import PROFILES


@click.command()
@click.argument("cohort", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder to write: the model package, unsigned, with report.html, tables and figures. It must not exist.",
)
@click.option(
    "--profile",
    type=click.Choice(["recommended", "seed-a"]),
    default="recommended",
    show_default=True,
    help="How to train and to judge: nested cross-validation, or the split of Dong & Chen 2025.",
)
@click.option("--seed", type=click.IntRange(min=0, max=2**31), default=0, show_default=True, help="Of every draw.")
@click.option(
    "--outcome", default="response", show_default=True, help="Column of clinical.csv with what the model predicts."
)
@click.option(
    "--positive", default="CR,PR", show_default=True, help="Values of that column that are positive, with commas."
)
@click.option("--negative", help="Values that are negative.  [default: SD,PD for response, else all others]")
@click.option("--positive-class", help="Name of the positive class.  [default: responder (CR/PR), else the values]")
@click.option("--negative-class", help="Name of the other.  [default: non-responder (SD/PD), else the values]")
@click.option("--covariates", help="Columns to compare the score with, with commas.  [default: all other columns]")
@click.option(
    "--reliable",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with the names of the features to look at, one a line, such as those with a sufficient ICC.",
)
@click.option("--measure", type=click.Choice(["deviance", "auc", "class"]), help="Error of the lasso's folds.")
@click.option("--rule", type=click.Choice(["min", "1se"]), help="Which penalty: of the least error, or within 1 SE.")
@click.option("--by-site", is_flag=True, help="Keep the patients of a hospital (column site) in one outer fold.")
@click.option("--bootstraps", type=click.IntRange(min=0), help="Samples for the optimism; 0 for none.")
@click.option("--permutations", type=click.IntRange(min=0), help="Draws of shuffled labels; 0 for none.")
@click.option("--repeats", type=click.IntRange(min=0), help="Repeats of the nested cross-validation; 0 for none.")
@click.option(
    "--extraction", type=click.Choice(list(PROFILES)), help="Settings of the features, if features.csv lacks it."
)
@click.option("--data-from", help="First study date, YYYY-MM-DD, if clinical.csv has no study_date.")
@click.option("--data-to", help="Last study date.")
@click.option("--name", default="rad-signature", show_default=True, help="Of the model.")
@click.option("--model-version", default="1.0.0", show_default=True, help="Of the model.")
@click.option("--licence", default="not licensed to others", show_default=True, help="Of the model.")
@click.option(
    "--intended-use", default="Research; not for clinical use", show_default=True, help="Printed in every report."
)
@click.option("--data", "described", default="not described", help="Who the patients are, for the model card.")
@click.option("--demonstration", is_flag=True, help="The model must not be used for patients.")
@click.option("--jobs", type=click.IntRange(min=1), help="Processes that fit at the same time. Default: one a core.")
@click.pass_context
def train(context: click.Context, /, **_: Any) -> None:
    """Train a Rad-signature on a cohort, and judge it.

    COHORT is a folder with clinical.csv (a column `patient`, the outcome, covariates) and features.csv as
    `pulmonode extract` writes it. The same call gives the same bytes.

    \b
    Example: pulmonode train cohort -o model
    """
    from node.commands.train.options import request_of
    from node.commands.train.run import run_train

    sys.exit(run_train(request_of(context), Console(stderr=True, highlight=False)))
