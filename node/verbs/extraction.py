"""The verb that measures lesions in files."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast, get_args

import click
from rich.console import Console

from node.bootstrap.extraction import parameter_file
from node.errors import ConfigError
from node.settings import ExtractionConfig
from pipelines.extraction.settings import PROFILES, load_profile

if TYPE_CHECKING:
    from pipelines.extraction.engine import Engine

ENGINES: Final = get_args(ExtractionConfig.model_fields["engine"].annotation)
"""Names of the extraction engines; they themselves take seconds to import."""


@click.command()
@click.argument("inputs", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path), metavar="IN...")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="Table to write (CSV), one row a lesion. OUT.csv.journal and OUT.errors.csv lie beside it.",
)
@click.option("--preset", type=click.Choice(list(PROFILES)), help="Extraction profile.  [default: recommended]")
@click.option(
    "--parameters",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Parameter file of PyRadiomics (YAML) in place of a profile.",
)
@click.option("--engine", type=click.Choice(ENGINES), default="fast", show_default=True, help="What computes.")
@click.option(
    "--label",
    type=click.IntRange(min=1),
    help="Measure this label of mask files alone. Default: every label; 1 in a list.",
)
@click.option("--with-patient-id", is_flag=True, help="Begin each row with the Patient ID of the CT.")
@click.option(
    "--jobs", type=click.IntRange(min=1), help="Processes that measure at the same time. Default: one a core."
)
@click.option("--restart", is_flag=True, help="Measure everything again instead of going on with OUT.csv.journal.")
def extract(
    inputs: tuple[Path, ...],
    output: Path,
    preset: str | None,
    parameters: Path | None,
    engine: str,
    label: int | None,
    jobs: int | None,
    *,
    with_patient_id: bool,
    restart: bool,
) -> None:
    """Measure the lesions in files, without a node or a PACS, into a table.

    IN is folders and files of DICOM (CT with SEG or RTSTRUCT, any number of patients), an image file and its mask file,
    folders of such pairs, or a list of them as `pyradiomics` takes it. Run again, it keeps what is done and measures
    what is new.

    \b
    Example: pulmonode extract /data/cohort -o features.csv
    """
    from node.commands.extract.run import Request, run_extract

    if preset is not None and parameters is not None:
        raise click.UsageError("--preset and --parameters exclude each other.")
    try:
        chosen = (
            load_profile(preset or "recommended") if parameters is None else parameter_file(parameters, "--parameters")
        )
    except ConfigError as fault:
        raise click.UsageError("; ".join(fault.problems)) from fault
    request = Request(
        inputs=inputs,
        output=output,
        settings=chosen,
        engine=cast("Engine", engine),
        jobs=jobs,
        label=label,
        with_patient_id=with_patient_id,
        restart=restart,
    )
    try:
        sys.exit(run_extract(request, Console(stderr=True, highlight=False)))
    except ConfigError as fault:
        raise click.UsageError("; ".join(fault.problems)) from fault
