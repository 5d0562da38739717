"""The verbs that run the node: all of it, one process of it, or a demonstration."""

import os
import sys
from pathlib import Path

import click
from rich.console import Console

from node import __version__, faults
from node.bootstrap.pipeline import load_pipeline
from node.bootstrap.stores import SPOOL_IDENTITY, open_stores
from node.commands import roles
from node.logs import Log, watch_threads
from node.services.supervise import Supervisor
from node.verbs.context import Node
from node.verbs.failing import reporting_errors


@click.command()
@click.option("--no-worker", is_flag=True, help="Leave the computing to `pulmonode worker` on other machines.")
@click.pass_obj
@reporting_errors
def serve(node: Node, *, no_worker: bool) -> None:
    """Run the node until it is stopped.

    \b
    Example: pulmonode --config /etc/pulmonode/node.toml serve
    """
    settings = node.settings()
    stores = open_stores(settings)
    stores.spool.require()
    load_pipeline(settings)
    roles.require_free_port(settings)
    base = [sys.executable, "-m", "node", *(["--config", str(node.config)] if node.config else []), "role"]
    commands = {f"receiver-{number}": [*base, "receiver"] for number in range(1, settings.receive.processes + 1)}
    names = ["dispatcher", *([] if no_worker else ["worker"]), *(["web"] if settings.web.enabled else [])]
    names += ["monitor"] if settings.monitoring.enabled else []
    commands |= {name: [*base, name] for name in names}
    log = Log("serve")
    log.info("starting", version=__version__, ae=settings.node.ae_title, data=str(settings.data_dir))
    stores.trail.started()
    try:
        code = Supervisor(
            commands,
            log,
            environment={SPOOL_IDENTITY: stores.spool.identity.known},
            meters=stores.meters,
            unwell=stores.heartbeat.set_restarting,
        ).run(roles.stop_on_signals())
    finally:
        stores.trail.stopped()
    sys.exit(code)


@click.command()
@click.pass_obj
@reporting_errors
def worker(node: Node) -> None:
    """Run only a worker: more computing for a node that shares its queue and ledger.

    \b
    Example: pulmonode --config /etc/pulmonode/node.toml worker
    """
    settings = node.settings()
    watch_threads()
    sys.exit(roles.worker(settings))


@click.command(hidden=True)
@click.argument("name", type=click.Choice(["receiver", "dispatcher", "worker", "web", "monitor"]))
@click.pass_obj
@reporting_errors
def role(node: Node, name: str) -> None:
    """Be one process of the node; `serve` starts them."""
    settings = node.settings()
    watch_threads()
    faults.arm(os.environ.get(faults.ENVIRONMENT, ""))
    if name == "worker":
        sys.exit(roles.worker(settings))
    ways = {
        "receiver": roles.receiver,
        "dispatcher": roles.dispatcher,
        "web": roles.web,
        "monitor": roles.monitor,
    }
    ways[name](settings)


@click.command()
@click.option("--once", is_flag=True, help="End after the demo instead of going on as a node.")
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("~/.local/share/pulmonode-demo"),
    show_default=True,
    help="Where the demo keeps its files; emptied at the start.",
)
@reporting_errors
def demo(*, once: bool, folder: Path) -> None:
    """Show the node's main job on a synthetic case.

    Starts a node and a small PACS on this machine, sends a CT series and a segmentation through real C-STORE, waits for
    the results to arrive in that PACS, and shows them.

    \b
    Example: pulmonode demo --once
    """
    from node.commands.demo import run_demo

    sys.exit(run_demo(folder.expanduser().absolute(), Console(highlight=False), once=once))
