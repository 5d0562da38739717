"""The verbs about model packages."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from node.verbs.context import Node
from node.verbs.failing import fail, reporting_errors
from pipelines.domain.reasons import Rejected

if TYPE_CHECKING:
    from node.commands.models import Told


@click.group()
def model() -> None:
    """Look after the models that score: their keys, their signatures, and which of them is used."""


_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")


_PACKAGE = click.Path(exists=True, file_okay=False, path_type=Path)


def _tell(told: "Told | Rejected", *, as_json: bool) -> None:
    if isinstance(told, Rejected):
        if as_json:
            click.echo(json.dumps(asdict(told), indent=2))
        fail(1, str(told))
    click.echo(json.dumps(told.facts, indent=2) if as_json else "\n".join(told.lines))


@model.command("keygen")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File of the private key. Default: keys/model-signing.pem in the data folder.",
)
@_JSON
@click.pass_obj
@reporting_errors
def model_keygen(node: Node, *, output: Path | None, as_json: bool) -> None:
    """Make the key with which this site signs models; it is never written over another.

    \b
    Example: pulmonode model keygen
    """
    from node.commands import models

    _tell(models.keygen(node.settings(), output), as_json=as_json)


@model.command("sign")
@click.argument("folder", type=_PACKAGE)
@click.option(
    "--key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File of the private key. Default: keys/model-signing.pem in the data folder.",
)
@_JSON
@click.pass_obj
@reporting_errors
def model_sign(node: Node, folder: Path, *, key: Path | None, as_json: bool) -> None:
    """Sign the package in FOLDER with the key of this site, in place of any other signature.

    \b
    Example: pulmonode model sign signature-2.1
    """
    from node.commands import models

    _tell(models.sign(node.settings(), folder, key), as_json=as_json)


@model.command("verify")
@click.argument("folder", type=_PACKAGE)
@_JSON
@click.pass_obj
@reporting_errors
def model_verify(node: Node, folder: Path, *, as_json: bool) -> None:
    """Check every file of the package in FOLDER, its signature, and that it was not retired here.

    \b
    Example: pulmonode model verify signature-2.1
    """
    from node.commands import models

    _tell(models.verify(node.settings(), folder), as_json=as_json)


@model.command("list")
@_JSON
@click.pass_obj
@reporting_errors
def model_list(node: Node, *, as_json: bool) -> None:
    """List the models that were activated or retired here.

    \b
    Example: pulmonode model list
    """
    from node.commands import models

    _tell(models.listed(node.settings()), as_json=as_json)


@model.command("compare")
@click.argument("first", type=_PACKAGE, metavar="A")
@click.argument("second", type=_PACKAGE, metavar="B")
@click.option(
    "--cohort",
    type=_PACKAGE,
    help="Folder with clinical.csv and features.csv, as `pulmonode train` reads it: score its patients with both.",
)
@_JSON
@click.pass_obj
@reporting_errors
def model_compare(node: Node, first: Path, second: Path, *, cohort: Path | None, as_json: bool) -> None:
    """Tell in what the packages in A and B differ, and with --cohort how each does on the same patients.

    \b
    Example: pulmonode model compare signature-2.0 signature-2.1 --cohort /data/cohort
    """
    from node.commands.model_compare import compare

    _tell(compare(node.settings(), first, second, cohort), as_json=as_json)


@model.command("activate")
@click.argument("folder", type=_PACKAGE)
@click.option("--reinstate", is_flag=True, help="Take back that this model was retired.")
@_JSON
@click.pass_obj
@reporting_errors
def model_activate(node: Node, folder: Path, *, reinstate: bool, as_json: bool) -> None:
    """Verify the package in FOLDER, keep a copy, and score with it where scoring.model is "active".

    \b
    Example: pulmonode model activate signature-2.1
    """
    from node.commands import models

    _tell(models.activate(node.settings(), folder, reinstate=reinstate), as_json=as_json)


@model.command("retire")
@click.argument("name")
@click.argument("version")
@click.option("--reason", default="", help="Why, for those who ask later.")
@_JSON
@click.pass_obj
@reporting_errors
def model_retire(node: Node, name: str, version: str, *, reason: str, as_json: bool) -> None:
    """Refuse the model NAME VERSION from the next case on; results that it made stay as they are.

    \b
    Example: pulmonode model retire signature 2.1 --reason "scanner replaced"
    """
    from node.commands import models

    _tell(models.retire(node.settings(), name, version, reason), as_json=as_json)
