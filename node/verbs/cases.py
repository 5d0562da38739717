"""The verbs about cases: look at them, run them again or sooner, send their results, delete them."""

import json
from dataclasses import asdict

import click
from rich.console import Console

from node.bootstrap.machine import utc_now
from node.bootstrap.peers import destination
from node.bootstrap.queue import make_queue
from node.bootstrap.stores import open_stores
from node.commands.views import case_view, overview_view
from node.verbs.context import Node
from node.verbs.failing import fail, reporting_errors
from node.verbs.peers import require_peer
from pipelines.domain.case_state import CaseState
from pipelines.domain.identifiers import CaseId
from pipelines.domain.priority import Priority


@click.command()
@click.argument("case", type=int, required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
@click.option("--limit", default=50, show_default=True, help="Number of cases to list, newest first.")
@click.pass_obj
@reporting_errors
def status(node: Node, case: int | None, *, as_json: bool, limit: int) -> None:
    """Show all cases with their state and why, or one CASE with everything about it.

    \b
    Example: pulmonode status 17
    """
    stores = node.stores()
    console = Console(highlight=False)
    if case is None:
        overview, turned_away = stores.ledger.overview(limit=limit), stores.workflow.refused_associations(limit=5)
        if as_json:
            told = asdict(overview) | {"refused_associations": [asdict(one) for one in turned_away]}
            click.echo(json.dumps(told, default=str, indent=2))
        else:
            console.print(overview_view(overview, turned_away))
        return
    detail = stores.ledger.detail(CaseId(case))
    if detail is None:
        fail(1, f"There is no case {case}.")
    assessed = stores.history.assessed(CaseId(case))
    if as_json:
        told = asdict(detail) | {"response": None if assessed is None else asdict(assessed)}
        click.echo(json.dumps(told, default=str, indent=2))
    else:
        console.print(case_view(detail, stores.spool.path, assessed))


@click.command()
@click.argument("case", type=int)
@click.pass_obj
@reporting_errors
def retry(node: Node, case: int) -> None:
    """Run CASE again, rejected or failed ones above all; finished results are made anew.

    \b
    Example: pulmonode retry 17
    """
    try:
        refused_in = node.stores().ledger.retry(CaseId(case), at=utc_now())
    except KeyError:
        fail(1, f"There is no case {case}.")
    if refused_in is not None:
        fail(1, f"Case {case} is {refused_in}; it needs no retry.")
    click.echo(f"Case {case} will run again.")


@click.command()
@click.argument("case", type=int)
@click.option(
    "--as",
    "priority",
    type=click.Choice([one.value for one in Priority]),
    default=Priority.URGENT.value,
    show_default=True,
    help="How soon; off-peak cases wait for queue.off_peak_hours.",
)
@click.pass_obj
@reporting_errors
def prioritise(node: Node, case: int, priority: str) -> None:
    """Have CASE computed before all others, or not before the off-peak hours.

    \b
    Example: pulmonode prioritise 17
    """
    settings, chosen = node.settings(), Priority(priority)
    try:
        state = open_stores(settings).priorities.prioritise(CaseId(case), chosen, at=utc_now())
    except KeyError:
        fail(1, f"There is no case {case}.")
    if state is CaseState.QUEUED and chosen is not Priority.OFF_PEAK:
        # its first message stays where it is, and finds the case taken
        make_queue(settings).submit(CaseId(case), chosen)
    click.echo(f"Case {case} is {priority} ({state}).")


@click.command()
@click.argument("case", type=int)
@click.option("--to", "peer", required=True, help="Name of a configured peer.")
@click.pass_obj
@reporting_errors
def send(node: Node, case: int, peer: str) -> None:
    """Send the finished results of CASE again, to any peer.

    \b
    Example: pulmonode send 17 --to PACS
    """
    settings = node.settings()
    require_peer(settings, peer)
    ledger = open_stores(settings).ledger
    try:
        count = ledger.resend(CaseId(case), destination(settings, peer), at=utc_now())
    except KeyError:
        fail(1, f"There is no case {case}.")
    if count == 0:
        detail = ledger.detail(CaseId(case))
        state = detail.row.state.value if detail else "gone"
        fail(1, f"Case {case} is {state}; only finished results can be sent.")
    click.echo(f"{count} objects of case {case} go to {peer}.")


@click.command()
@click.argument("case", type=int)
@click.option("--patient", is_flag=True, help="All cases, instances and tasks of the patient of CASE.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
@reporting_errors
def delete(node: Node, case: int, *, patient: bool, yes: bool) -> None:
    """Delete CASE for good: its files, numbers and history. What was sent elsewhere stays there.

    The ledger keeps the number of the case and when it was deleted.

    \b
    Example: pulmonode delete 17
    """
    from node.commands.delete import delete_case

    if not yes:
        what = f"everything of the patient of case {case}" if patient else f"case {case}"
        click.confirm(f"Delete {what} for good?", abort=True)
    told, done = delete_case(node.settings(), CaseId(case), patient=patient)
    if not done:
        fail(1, told)
    click.echo(told)
