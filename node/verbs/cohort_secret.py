"""The secret from which pseudonyms are made, and the verb that makes it."""

from pathlib import Path
from typing import Final

import click

from node.verbs.context import Node
from node.verbs.failing import fail, reporting_errors

SECRET: Final = click.option(
    "--secret",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File of the secret for pseudonyms.  [default: cohort-secret in the data folder]",
)


def secret_file(node: Node, given: Path | None) -> Path:
    """The file that was given, or where the secret lies by itself."""
    from node.commands.cohort.secret import FILE

    return given or node.settings().data_dir / FILE


@click.command("keygen")
@SECRET
@click.pass_obj
@reporting_errors
def cohort_keygen(node: Node, *, secret: Path | None) -> None:
    """Make the secret from which pseudonyms are made. Keep a copy: without it nobody can make the same again.

    \b
    Example: pulmonode cohort keygen
    """
    from node.commands.cohort.secret import make_secret

    path = secret_file(node, secret)
    if not make_secret(path):
        fail(1, f"{path} exists already; it was left as it is.")
    click.echo(f"Written to {path}.")
