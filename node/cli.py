"""The command line: verbs and help; what they do is elsewhere."""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn, cast, get_args

import click
from rich.console import Console

from node import __version__, faults, logs
from node.bootstrap import (
    Stores,
    destination,
    load_pipeline,
    make_archive,
    open_stores,
    packaged_config,
    parameter_file,
    utc_now,
)
from node.commands import roles
from node.commands.views import case_view, diagnosis_view, overview_view
from node.errors import ConfigError, TransientError
from node.logs import Log
from node.services.compare import compare
from node.services.supervise import Supervisor
from node.settings import ExtractionConfig, Settings, load_settings
from pipelines.domain.identifiers import CaseId
from pipelines.extraction.settings import PROFILES, load_profile

if TYPE_CHECKING:
    from pipelines.extraction.engine import Engine

ENGINES: Final = get_args(ExtractionConfig.model_fields["engine"].annotation)
"""Names of the extraction engines; they themselves take seconds to import."""

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


def find_config() -> Path | None:
    """The configuration file that is used when none is named."""
    candidates = (Path("/etc/pulmonode/node.toml"), packaged_config() / "node.toml")
    return next((path for path in candidates if path.is_file()), None)


def _fail(code: int, *lines: str) -> NoReturn:
    for line in lines:
        click.echo(line, err=True)
    sys.exit(code)


def reporting_errors(command: Callable[..., Any]) -> Callable[..., Any]:
    """Turn what can go wrong outside into messages and exit codes."""

    @wraps(command)
    def run(*arguments: Any, **options: Any) -> Any:
        try:
            return command(*arguments, **options)
        except ConfigError as fault:
            _fail(2, "CFG-001 The configuration is wrong:", *(f"  - {problem}" for problem in fault.problems))
        except TransientError as fault:
            _fail(1, f"{fault.code} {fault}")

    return run


class Node:
    """What every command starts from: the path of the configuration and, once asked for, its content."""

    def __init__(self, config: Path | None) -> None:
        self.config = config

    def settings(self) -> Settings:
        settings = load_settings(self.config)
        logs.configure(settings.log.level, settings.log.format)
        return settings

    def stores(self) -> Stores:
        return open_stores(self.settings())


@click.group(context_settings=CONTEXT)
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


@cli.command()
@click.option("--no-worker", is_flag=True, help="Leave the computing to `pulmonode worker` on other machines.")
@click.pass_obj
@reporting_errors
def serve(node: Node, *, no_worker: bool) -> None:
    """Run the node until it is stopped.

    \b
    Example: pulmonode --config /etc/pulmonode/node.toml serve
    """
    settings = node.settings()
    open_stores(settings)
    load_pipeline(settings)
    roles.require_free_port(settings)
    base = [sys.executable, "-m", "node", *(["--config", str(node.config)] if node.config else []), "role"]
    commands = {f"receiver-{number}": [*base, "receiver"] for number in range(1, settings.receive.processes + 1)}
    names = ["dispatcher", *([] if no_worker else ["worker"]), *(["web"] if settings.web.enabled else [])]
    commands |= {name: [*base, name] for name in names}
    log = Log("serve")
    log.info("starting", version=__version__, ae=settings.node.ae_title, data=str(settings.data_dir))
    sys.exit(Supervisor(commands, log).run(roles.stop_on_signals()))


@cli.command()
@click.pass_obj
@reporting_errors
def worker(node: Node) -> None:
    """Run only a worker: more computing for a node that shares its queue and ledger.

    \b
    Example: pulmonode --config /etc/pulmonode/node.toml worker
    """
    sys.exit(roles.worker(node.settings()))


@cli.command(hidden=True)
@click.argument("name", type=click.Choice(["receiver", "dispatcher", "worker", "web"]))
@click.pass_obj
@reporting_errors
def role(node: Node, name: str) -> None:
    """Be one process of the node; `serve` starts them."""
    settings = node.settings()
    faults.arm(os.environ.get(faults.ENVIRONMENT, ""))
    if name == "worker":
        sys.exit(roles.worker(settings))
    {"receiver": roles.receiver, "dispatcher": roles.dispatcher, "web": roles.web}[name](settings)


@cli.command()
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


@cli.command()
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
        _fail(1, f"There is no case {case}.")
    if as_json:
        click.echo(json.dumps(asdict(detail), default=str, indent=2))
    else:
        console.print(case_view(detail, stores.spool.path))


@cli.command()
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
        _fail(1, f"There is no case {case}.")
    if refused_in is not None:
        _fail(1, f"Case {case} is {refused_in}; it needs no retry.")
    click.echo(f"Case {case} will run again.")


@cli.command()
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
    _require_peer(settings, peer)
    ledger = open_stores(settings).ledger
    try:
        count = ledger.resend(CaseId(case), destination(settings, peer), at=utc_now())
    except KeyError:
        _fail(1, f"There is no case {case}.")
    if count == 0:
        detail = ledger.detail(CaseId(case))
        state = detail.row.state.value if detail else "gone"
        _fail(1, f"Case {case} is {state}; only finished results can be sent.")
    click.echo(f"{count} objects of case {case} go to {peer}.")


@cli.command()
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
        _fail(1, told)
    click.echo(told)


@cli.command()
@click.argument("peer")
@click.pass_obj
@reporting_errors
def echo(node: Node, peer: str) -> None:
    """Verify that PEER answers a C-ECHO.

    \b
    Example: pulmonode echo PACS
    """
    settings = node.settings()
    _require_peer(settings, peer)
    fault = make_archive(settings, lambda file: Path(file.path)).echo(peer)
    if fault is not None:
        _fail(1, str(fault))
    click.echo(f"{peer} answers.")


@cli.command()
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


@cli.command()
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


STUDIES: Final = ("seed-b",)
"""Cohort studies that can be analysed; seed-b is Huang et al. 2025."""
PROFILES_OF_STUDIES: Final = ("seed-b", "recommended")


@cli.command()
@click.argument("cohort", metavar="COHORT", type=click.Path(exists=True, path_type=Path))
@click.option("--study", type=click.Choice(STUDIES), required=True, help="What to ask of the cohort.")
@click.option(
    "--profile",
    type=click.Choice(PROFILES_OF_STUDIES),
    default="seed-b",
    show_default=True,
    help="Choices as the paper made them, or as is recommended.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Folder for the report; made if it is not there.",
)
@click.option(
    "--dpi", type=click.IntRange(50, 1200), default=300, show_default=True, help="Pixels per inch of PNG files."
)
@reporting_errors
def analyse(*, cohort: Path, study: str, profile: str, output: Path, dpi: int) -> None:
    """Analyse a cohort: matching, survival, tables and figures in one report.

    COHORT is a table of patients (CSV or .xlsx), or a folder with patients.csv and, if there is one, lesions.csv. The
    exit code is 1 when a cell cannot be used, and also when the report is written but the matched groups are not
    balanced.

    \b
    Example: pulmonode analyse cohort.csv --study seed-b -o report
    """
    from node.commands.analyse import run_analysis

    sys.exit(run_analysis(cohort, profile, output, Console(stderr=True, highlight=False), dpi=dpi))


@cli.group()
def cohort() -> None:
    """Work with the tables of a cohort."""


@cohort.command()
@click.option("--study", type=click.Choice(STUDIES), required=True, help="The study that the cohort is made for.")
@click.option("--patients", type=click.IntRange(20, 100_000), default=579, show_default=True, help="Eligible patients.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="The same seed, the same cohort.")
@click.option(
    "-o", "--output", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder for the tables."
)
@reporting_errors
def synthetic(*, study: str, patients: int, seed: int, output: Path) -> None:
    """Write a made-up cohort whose truth is known, with the data dictionary of its tables.

    \b
    Example: pulmonode cohort synthetic --study seed-b -o made-up
    """
    from node.commands.analyse import run_synthetic

    sys.exit(run_synthetic(output, patients, seed, Console(stderr=True, highlight=False)))


@cli.command()
@click.argument(
    "tables", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="TABLES..."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
def audit(tables: tuple[Path, ...], *, as_json: bool) -> None:
    """Find numbers in result TABLES that contradict each other.

    TABLES are CSV, XLSX or TOML files that list printed percentages, counts, p values, ratios and intervals. A finding
    says that the numbers cannot all be right, not which of them is wrong. The exit code is 1 when something conflicts.

    \b
    Example: pulmonode audit table1.csv
    """
    from node.commands.audit import run_audit

    sys.exit(run_audit(tables, as_json=as_json))


@cli.command()
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


@cli.command()
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


@cli.command()
@click.option("--quick", is_flag=True, help="Look at names and sizes only, without reading the files.")
@click.option("--repair", is_flag=True, help="Move files that nobody knows into spool/lost+found.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
@click.pass_obj
@reporting_errors
def verify(node: Node, *, quick: bool, repair: bool, as_json: bool) -> None:
    """Compare the ledger with the files on the disk: missing, changed and unknown ones. The node may run meanwhile.

    \b
    Example: pulmonode verify --repair
    """
    stores = node.stores()
    faults = list(compare(stores.spool, stores.files, digests=not quick, repair=repair))
    if as_json:
        click.echo(json.dumps([asdict(fault) for fault in faults], indent=2))
    else:
        for fault in faults:
            click.echo(f"{fault.reason}" + (f" Moved to {fault.moved_to}." if fault.moved_to else ""))
        click.echo(f"{len(faults)} faults.")
    sys.exit(1 if any(not fault.moved_to for fault in faults) else 0)


@cli.group()
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
    pipeline = load_pipeline(node.settings())
    click.echo(f"The configuration is right ({node.config or 'defaults'}).")
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


def _require_peer(settings: Settings, name: str) -> None:
    names = [peer.name for peer in settings.peers]
    if name not in names:
        known = ", ".join(names) or "none is configured"
        raise click.UsageError(f"There is no peer {name} (known: {known}).")
