"""The verbs that tell how an installation is: examined, configured, conforming, made."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console

from node.bootstrap.machine import utc_now
from node.bootstrap.pipeline import load_pipeline
from node.commands.views import diagnosis_view
from node.verbs.context import Node
from node.verbs.failing import reporting_errors


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
@click.option(
    "--probe",
    is_flag=True,
    help="Store one CT image of a patient PULMONODE-PROBE at every peer, have it committed, find it and move it back. "
    "It stays there.",
)
@click.pass_obj
def doctor(node: Node, *, as_json: bool, probe: bool) -> None:
    """Examine the installation, the configuration, the running node and its peers.

    \b
    Example: pulmonode doctor --probe
    """
    from node.commands.doctor import examine

    checks = examine(node.config, probe=probe)
    if as_json:
        click.echo(json.dumps([asdict(check) for check in checks], indent=2))
    else:
        Console(highlight=False).print(diagnosis_view(checks))
    sys.exit(0 if all(check.ok for check in checks) else 1)


@click.command()
@click.option(
    "--output",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="File to write. Default: standard output.",
)
@click.pass_obj
@reporting_errors
def conformance(node: Node, *, output: Path | None) -> None:
    """Write the DICOM Conformance Statement of this configuration, in Markdown.

    It is made from what the node negotiates and from objects that it makes of sample cases. No running node is needed.

    \b
    Example: pulmonode --config node.toml conformance --output conformance.md
    """
    from node.conformance.statement import document

    text = document(node.settings())
    if output is None:
        click.echo(text, nl=False)
        return
    output.write_text(text, encoding="utf-8")
    click.echo(f"Written to {output}.")


@click.command()
def sbom() -> None:
    """List what this installation is made of, as CycloneDX JSON.

    \b
    Example: pulmonode sbom > sbom.json
    """
    from uuid import uuid4

    from node.commands.sbom import bill_of_materials

    click.echo(json.dumps(bill_of_materials(utc_now(), uuid4()), indent=2))


@click.group()
def config() -> None:
    """Look at the configuration."""


@config.command("check")
@click.pass_obj
@reporting_errors
def config_check(node: Node) -> None:
    """Check the whole configuration, the model package included, and list everything that is wrong.

    \b
    Example: pulmonode --config node.toml config check
    """
    from node.commands.models import model_line

    settings = node.settings()
    pipeline = load_pipeline(settings)
    click.echo(f"The configuration is right ({node.config or 'defaults'}).")
    click.echo(f"Model: {model_line(settings)}")
    click.echo(f"Maps: {pipeline.maps or 'none'}.")


@config.command("show")
@click.pass_obj
@reporting_errors
def config_show(node: Node) -> None:
    """Print every setting as it is in force, environment included, as JSON.

    \b
    Example: pulmonode config show
    """
    click.echo(node.settings().model_dump_json(indent=2))
