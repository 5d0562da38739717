"""The verb that lists when the next scans are due."""

import click

from node.verbs.context import Node
from node.verbs.failing import reporting_errors


@click.command()
@click.option("--all", "every", is_flag=True, help="Also patients whose next scan the protocol of the site decides.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
@click.pass_obj
@reporting_errors
def due(node: Node, *, every: bool, as_json: bool) -> None:
    """List the latest case of each patient whose next CT is due, overdue ones first. Decision support.

    \b
    Example: pulmonode due
    """
    from node.bootstrap.machine import utc_now
    from node.commands.due import run_due

    today = utc_now().astimezone().date()
    click.echo(run_due(node.stores().history, today, every=every, as_json=as_json))
