"""The root of the command line: the options that all verbs share, and which verbs there are."""

from pathlib import Path
from typing import Final

import click

from node import __version__
from node.bootstrap.machine import packaged_config
from node.verbs.audit import audit
from node.verbs.cases import delete, prioritise, retry, send, status
from node.verbs.clinical import patient
from node.verbs.cohort import cohort
from node.verbs.context import Node
from node.verbs.due import due
from node.verbs.extraction import extract
from node.verbs.installation import config, conformance, doctor, sbom
from node.verbs.models import model
from node.verbs.peers import echo, submit
from node.verbs.review import review
from node.verbs.serving import demo, role, serve, worker
from node.verbs.studies import analyse
from node.verbs.training import train
from node.verbs.upkeep import backup, restore, verify
from node.verbs.users import user

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 110}
VERBS: Final = (
    # the running node
    serve,
    worker,
    role,
    demo,
    # what it has and what people know of it
    status,
    retry,
    prioritise,
    send,
    delete,
    patient,
    review,
    due,
    # its neighbours
    echo,
    submit,
    # models and research
    extract,
    model,
    cohort,
    train,
    analyse,
    audit,
    # the installation
    config,
    doctor,
    conformance,
    sbom,
    backup,
    restore,
    verify,
    user,
)


def find_config() -> Path | None:
    """The configuration file that is used when none is named."""
    candidates = (Path("/etc/pulmonode/node.toml"), packaged_config() / "node.toml")
    return next((path for path in candidates if path.is_file()), None)


@click.group(context_settings=CONTEXT, commands=VERBS)
@click.version_option(__version__, prog_name="pulmonode")
@click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    envvar="PULMONODE_CONFIG",
    help="Configuration file. Default: /etc/pulmonode/node.toml, else the packaged defaults.",
)
@click.pass_context
def cli(context: click.Context, config: Path | None) -> None:
    """DICOM node for lung-cancer immunotherapy imaging.

    Receives CT and segmentations by C-STORE, measures every lesion, scores the patient, and sends Structured Reports
    and Parametric Maps back to the PACS.
    """
    context.obj = Node((config or find_config() or Path()).absolute() if config or find_config() else None)
