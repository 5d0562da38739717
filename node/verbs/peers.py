"""The verbs that call another DICOM application, or the node as one."""

import sys
from pathlib import Path

import click
from rich.console import Console

from node.bootstrap.peers import make_archive
from node.settings import Settings
from node.verbs.context import Node
from node.verbs.failing import fail, reporting_errors


def require_peer(settings: Settings, name: str) -> None:
    """Make sure that a peer of that name is configured.

    Raises
    ------
    click.UsageError
        If there is none.
    """
    names = [peer.name for peer in settings.peers]
    if name not in names:
        known = ", ".join(names) or "none is configured"
        raise click.UsageError(f"There is no peer {name} (known: {known}).")


@click.command()
@click.argument("peer")
@click.pass_obj
@reporting_errors
def echo(node: Node, peer: str) -> None:
    """Verify that PEER answers a C-ECHO.

    \b
    Example: pulmonode echo PACS
    """
    settings = node.settings()
    require_peer(settings, peer)
    fault = make_archive(settings, lambda file: Path(file.path)).echo(peer)
    if fault is not None:
        fail(1, str(fault))
    click.echo(f"{peer} answers.")


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path), metavar="PATH...")
@click.pass_obj
@reporting_errors
def submit(node: Node, paths: tuple[Path, ...]) -> None:
    """Send files, or folders with all that is in them, to the running node by C-STORE.

    \b
    Example: pulmonode submit /data/ct /data/seg.dcm
    """
    from node.commands.submit import submit_paths

    sys.exit(submit_paths(node.settings(), paths, Console(stderr=True, highlight=False)))
