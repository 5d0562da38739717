"""The verbs that look after what the node keeps: copy it, put it back, compare it with the ledger."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

import click

from node.bootstrap.machine import utc_now
from node.services.compare import compare
from node.verbs.context import Node
from node.verbs.failing import reporting_errors


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--copy", is_flag=True, help="Copy files also where the disk is the same, instead of linking them.")
@click.pass_obj
@reporting_errors
def backup(node: Node, folder: Path, *, copy: bool) -> None:
    """Write everything that the node keeps into a new FOLDER, while the node runs.

    \b
    Example: pulmonode backup /backup/2026-03-01
    """
    from node.commands.backup import back_up

    done = back_up(node.settings(), node.config, folder.absolute(), link=not copy, at=utc_now())
    click.echo(f"{done.files} files, {done.megabytes} MB, and the ledger are in {folder}.")
    for code, paths in (("LDG-003 missing", done.missing), ("LDG-004 changed", done.damaged)):
        for path in paths:
            click.echo(f"{code}: {path}", err=True)
    sys.exit(1 if done.missing or done.damaged else 0)


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--into",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Empty data folder; set node.data_dir to it.",
)
@click.pass_obj
@reporting_errors
def restore(node: Node, folder: Path, into: Path) -> None:
    """Put the backup in FOLDER back, after every file of it was compared with its SHA-256.

    With ledger.url the ledger goes there, into an empty database; otherwise it becomes a file in the data folder.

    \b
    Example: pulmonode restore /backup/2026-03-01 --into /var/lib/pulmonode
    """
    from node.commands.backup import restore as put_back

    done = put_back(node.settings(), folder.absolute(), into.absolute())
    click.echo(f"{done.files} files, {done.megabytes} MB, and the ledger are in {into}.")
    for path in done.missing:
        click.echo(f"LDG-003 missing when the backup was made: {path}", err=True)


@click.command()
@click.option("--quick", is_flag=True, help="Look at names and sizes only, without reading the files.")
@click.option("--repair", is_flag=True, help="Move files that nobody knows into spool/lost+found.")
@click.option("--adopt", is_flag=True, help="First take the folder for the spool, when its files are lost for good.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
@click.pass_obj
@reporting_errors
def verify(node: Node, *, quick: bool, repair: bool, adopt: bool, as_json: bool) -> None:
    """Compare the ledger with the files on the disk: missing, changed and unknown ones. The node may run meanwhile.

    \b
    Example: pulmonode verify --repair
    """
    stores = node.stores()
    if adopt:
        stores.spool.identity.adopt()
    faults = list(compare(stores.spool, stores.files, digests=not quick, repair=repair))
    if as_json:
        click.echo(json.dumps([asdict(fault) for fault in faults], indent=2))
    else:
        for fault in faults:
            click.echo(f"{fault.reason}" + (f" Moved to {fault.moved_to}." if fault.moved_to else ""))
        click.echo(f"{len(faults)} faults.")
    sys.exit(1 if any(not fault.moved_to for fault in faults) else 0)
