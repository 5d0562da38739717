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
    make_queue,
    open_stores,
    packaged_config,
    parameter_file,
    utc_now,
)
from node.commands import roles
from node.commands.entries import entry_options
from node.commands.views import case_view, diagnosis_view, overview_view
from node.errors import ConfigError, TransientError
from node.logs import Log
from node.services.compare import compare
from node.services.supervise import Supervisor
from node.settings import ExtractionConfig, Settings, load_settings
from pipelines.domain.case_state import CaseState
from pipelines.domain.clinical_fields import MOST_REPEATED
from pipelines.domain.identifiers import CaseId
from pipelines.domain.priority import Priority
from pipelines.domain.readings import Question, words_of
from pipelines.domain.reasons import Rejected
from pipelines.extraction.settings import PROFILES, load_profile

if TYPE_CHECKING:
    from node.commands.models import Told
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
    stores = open_stores(settings)
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
        code = Supervisor(commands, log, meters=stores.meters, unwell=stores.heartbeat.set_restarting).run(
            roles.stop_on_signals()
        )
    finally:
        stores.trail.stopped()
    sys.exit(code)


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
@click.argument("name", type=click.Choice(["receiver", "dispatcher", "worker", "web", "monitor"]))
@click.pass_obj
@reporting_errors
def role(node: Node, name: str) -> None:
    """Be one process of the node; `serve` starts them."""
    settings = node.settings()
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
    assessed = stores.history.assessed(CaseId(case))
    if as_json:
        told = asdict(detail) | {"response": None if assessed is None else asdict(assessed)}
        click.echo(json.dumps(told, default=str, indent=2))
    else:
        console.print(case_view(detail, stores.spool.path, assessed))


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
        _fail(1, f"There is no case {case}.")
    if state is CaseState.QUEUED and chosen is not Priority.OFF_PEAK:
        # its first message stays where it is, and finds the case taken
        make_queue(settings).submit(CaseId(case), chosen)
    click.echo(f"Case {case} is {priority} ({state}).")


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
def sbom() -> None:
    """List what this installation is made of, as CycloneDX JSON.

    \b
    Example: pulmonode sbom > sbom.json
    """
    from uuid import uuid4

    from node.commands.sbom import bill_of_materials

    click.echo(json.dumps(bill_of_materials(utc_now(), uuid4()), indent=2))


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
    """Put cohorts together, screen and export them, and compare readers."""


@cohort.command("import")
@click.argument("name")
@click.argument("table", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.pass_obj
@reporting_errors
def cohort_import(node: Node, name: str, table: Path) -> None:
    """Read the patients of TABLE (CSV or .xlsx) into the cohort NAME: all of them, or none when a cell is wrong.

    The Patient ID is turned into a digest at once; patients that are there already are renewed.

    \b
    Example: pulmonode cohort import nsclc patients.xlsx
    """
    from node.commands.cohort.keep import run_import

    sys.exit(run_import(node.settings(), node.stores(), name, table, Console(stderr=True, highlight=False)))


@cohort.command("add")
@click.argument("name")
@click.option("--patient", required=True, help="Patient ID as in the DICOM files; only a digest of it is kept.")
@click.option("--set", "facts", multiple=True, metavar="COLUMN=VALUE", help="A column of the data dictionary.")
@click.pass_obj
@reporting_errors
def cohort_add(node: Node, name: str, patient: str, facts: tuple[str, ...]) -> None:
    """Add one patient to the cohort NAME, or renew all that is known of one.

    \b
    Example: pulmonode cohort add nsclc --patient 4711 --set therapy_start=2024-03-01 --set response=PR
    """
    from node.commands.cohort.keep import run_add

    pairs = [fact.partition("=") for fact in facts]
    if any(not between for _, between, _ in pairs):
        raise click.UsageError("--set needs COLUMN=VALUE.")
    known = {"patient_id": patient, **{column: value for column, _, value in pairs}}
    sys.exit(run_add(node.settings(), node.stores(), name, known, Console(stderr=True, highlight=False)))


@cohort.command("list")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
@click.pass_obj
@reporting_errors
def cohort_list(node: Node, name: str | None, *, as_json: bool) -> None:
    """Show all cohorts, or the patients of the cohort NAME by their digests.

    \b
    Example: pulmonode cohort list nsclc
    """
    from node.commands.cohort.keep import run_list

    sys.exit(run_list(node.stores().cohorts, name, as_json_text=as_json))


_COHORT_RULES: Final = (
    click.option(
        "--days", type=(int, int), default=(-28, 0), show_default=True, help="Day of the CT, from the first dose."
    ),
    click.option(
        "--slice-mm", type=(float, float), default=(0.4, 5.0), show_default=True, help="Least and most slice thickness."
    ),
    click.option(
        "--any-stage", is_flag=True, help="Take patients of every stage, and of none known.  [default: III and IV]"
    ),
    click.option(
        "--least-doses", type=click.IntRange(min=1), default=1, show_default=True, help="Doses of immunotherapy."
    ),
    click.option(
        "--refuse-note",
        "refuse_notes",
        multiple=True,
        default=("CT-006", "CT-007", "CT-008", "CT-011"),
        show_default=True,
        help="Code of a message that rules a CT out; none with an empty one.",
    ),
    click.option(
        "--features",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="Features from a table of `pulmonode extract --with-patient-id` instead of the ledger.",
    ),
)
_COHORT_SECRET: Final = click.option(
    "--secret",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File of the secret for pseudonyms.  [default: cohort-secret in the data folder]",
)


def _with_cohort_rules(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(_COHORT_RULES):
        command = option(command)
    return command


def _cohort_rules(
    days: tuple[int, int], slice_mm: tuple[float, float], doses: int, notes: tuple[str, ...], *, any_stage: bool
) -> Any:
    from pipelines.cohort.eligibility import Rules
    from pipelines.cohort.members import ADVANCED

    try:
        return Rules(*days, *slice_mm, () if any_stage else ADVANCED, doses, tuple(note for note in notes if note))
    except ValueError as fault:
        raise click.UsageError("A lower limit of --days or --slice-mm lies above the upper one.") from fault


@cohort.command("screen")
@click.argument("name")
@_with_cohort_rules
@click.pass_obj
@reporting_errors
def cohort_screen(
    node: Node,
    name: str,
    days: tuple[int, int],
    slice_mm: tuple[float, float],
    least_doses: int,
    refuse_notes: tuple[str, ...],
    features: Path | None,
    *,
    any_stage: bool,
) -> None:
    """Show how many patients of the cohort NAME are eligible, and why the others are not.

    \b
    Example: pulmonode cohort screen nsclc
    """
    from node.commands.cohort.export import run_screen

    rules = _cohort_rules(days, slice_mm, least_doses, refuse_notes, any_stage=any_stage)
    sys.exit(run_screen(node.settings(), node.stores(), name, rules, features, Console(highlight=False)))


@cohort.command("export")
@click.argument("name")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder to write; it must not exist.",
)
@click.option(
    "--lesions",
    type=click.Choice(["largest", "all", "weighted"]),
    default="largest",
    show_default=True,
    help="Of several lesions of a patient: the largest, all, or means weighted by volume.",
)
@click.option("--dicom", is_flag=True, help="Write the de-identified CTs and segmentations, too.")
@_COHORT_SECRET
@_with_cohort_rules
@click.pass_obj
@reporting_errors
def cohort_export(
    node: Node,
    name: str,
    output: Path,
    lesions: Any,
    secret: Path | None,
    days: tuple[int, int],
    slice_mm: tuple[float, float],
    least_doses: int,
    refuse_notes: tuple[str, ...],
    features: Path | None,
    *,
    dicom: bool,
    any_stage: bool,
) -> None:
    """Write the eligible patients of the cohort NAME, under pseudonyms, as the folder that `pulmonode train` takes.

    \b
    Example: pulmonode cohort export nsclc -o cohort
    """
    from node.commands.cohort.export import ExportRequest, run_export

    rules = _cohort_rules(days, slice_mm, least_doses, refuse_notes, any_stage=any_stage)
    request = ExportRequest(name, rules, lesions, features, _cohort_secret(node, secret), output.absolute(), dicom)
    sys.exit(run_export(node.settings(), node.stores(), request, Console(stderr=True, highlight=False)))


@cohort.command("keygen")
@_COHORT_SECRET
@click.pass_obj
@reporting_errors
def cohort_keygen(node: Node, *, secret: Path | None) -> None:
    """Make the secret from which pseudonyms are made. Keep a copy: without it nobody can make the same again.

    \b
    Example: pulmonode cohort keygen
    """
    from node.commands.cohort.secret import make_secret

    path = _cohort_secret(node, secret)
    if not make_secret(path):
        _fail(1, f"{path} exists already; it was left as it is.")
    click.echo(f"Written to {path}.")


@cohort.command("sample")
@click.argument("name")
@click.option("-n", "count", type=click.IntRange(min=1), default=20, show_default=True, help="Number of cases.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="The same seed, the same cases.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="CSV file to write.")
@click.pass_obj
@reporting_errors
def cohort_sample(node: Node, name: str, count: int, seed: int, output: Path | None) -> None:
    """Choose at random the cases of the cohort NAME that a second reader draws again.

    \b
    Example: pulmonode cohort sample nsclc -n 20 --seed 7
    """
    from node.commands.cohort.second_reader import run_sample

    sys.exit(run_sample(node.stores(), name, count, seed, output, Console(stderr=True, highlight=False)))


@cohort.command("agreement")
@click.argument("name")
@click.option(
    "--form",
    type=click.Choice(["ICC1", "ICC2", "ICC3", "ICC1k", "ICC2k", "ICC3k"]),
    default="ICC2",
    show_default=True,
    help="Of Shrout & Fleiss; ICC2 is ICC(2,1), absolute agreement.",
)
@click.option(
    "--rule",
    type=click.Choice(["estimate", "lower"]),
    default="estimate",
    show_default=True,
    help="What must lie above the threshold: the coefficient, or its lower 95 % limit.",
)
@click.option(
    "--threshold", type=click.FloatRange(0, 1), default=0.8, show_default=True, help="Features at it are dropped."
)
@click.option("--every-lesion", is_flag=True, help="Compare all lesions instead of the largest of each patient.")
@click.option("-o", "--output", type=click.Path(file_okay=False, path_type=Path), help="Folder for tables and figure.")
@_COHORT_SECRET
@click.pass_obj
@reporting_errors
def cohort_agreement(
    node: Node,
    name: str,
    form: Any,
    rule: Any,
    threshold: float,
    output: Path | None,
    secret: Path | None,
    *,
    every_lesion: bool,
) -> None:
    """Compare two readers of the cohort NAME: overlap of lesions, agreement of features, and which features to keep.

    A second reader's segmentation is another one of the same CT. `train --reliable` takes OUTPUT/reliable.txt.

    \b
    Example: pulmonode cohort agreement nsclc -o agreement
    """
    from node.commands.cohort.second_reader import AgreementRequest, run_agreement

    request = AgreementRequest(name, form, rule, threshold, every_lesion, output, _cohort_secret(node, secret))
    sys.exit(run_agreement(node.settings(), node.stores(), request, Console(highlight=False)))


def _cohort_secret(node: Node, given: Path | None) -> Path:
    from node.commands.cohort.secret import FILE

    return given or node.settings().data_dir / FILE


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
@click.argument("cohort", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder to write: the model package, unsigned, with report.html, tables and figures. It must not exist.",
)
@click.option(
    "--profile",
    type=click.Choice(["recommended", "seed-a"]),
    default="recommended",
    show_default=True,
    help="How to train and to judge: nested cross-validation, or the split of Dong & Chen 2025.",
)
@click.option("--seed", type=click.IntRange(min=0, max=2**31), default=0, show_default=True, help="Of every draw.")
@click.option(
    "--outcome", default="response", show_default=True, help="Column of clinical.csv with what the model predicts."
)
@click.option(
    "--positive", default="CR,PR", show_default=True, help="Values of that column that are positive, with commas."
)
@click.option("--negative", help="Values that are negative.  [default: SD,PD for response, else all others]")
@click.option("--positive-class", help="Name of the positive class.  [default: responder (CR/PR), else the values]")
@click.option("--negative-class", help="Name of the other.  [default: non-responder (SD/PD), else the values]")
@click.option("--covariates", help="Columns to compare the score with, with commas.  [default: all other columns]")
@click.option(
    "--reliable",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with the names of the features to look at, one a line, such as those with a sufficient ICC.",
)
@click.option("--measure", type=click.Choice(["deviance", "auc", "class"]), help="Error of the lasso's folds.")
@click.option("--rule", type=click.Choice(["min", "1se"]), help="Which penalty: of the least error, or within 1 SE.")
@click.option("--by-site", is_flag=True, help="Keep the patients of a hospital (column site) in one outer fold.")
@click.option("--bootstraps", type=click.IntRange(min=0), help="Samples for the optimism; 0 for none.")
@click.option("--permutations", type=click.IntRange(min=0), help="Draws of shuffled labels; 0 for none.")
@click.option("--repeats", type=click.IntRange(min=0), help="Repeats of the nested cross-validation; 0 for none.")
@click.option(
    "--extraction", type=click.Choice(list(PROFILES)), help="Settings of the features, if features.csv lacks it."
)
@click.option("--data-from", help="First study date, YYYY-MM-DD, if clinical.csv has no study_date.")
@click.option("--data-to", help="Last study date.")
@click.option("--name", default="rad-signature", show_default=True, help="Of the model.")
@click.option("--model-version", default="1.0.0", show_default=True, help="Of the model.")
@click.option("--licence", default="not licensed to others", show_default=True, help="Of the model.")
@click.option(
    "--intended-use", default="Research; not for clinical use", show_default=True, help="Printed in every report."
)
@click.option("--data", "described", default="not described", help="Who the patients are, for the model card.")
@click.option("--demonstration", is_flag=True, help="The model must not be used for patients.")
@click.option("--jobs", type=click.IntRange(min=1), help="Processes that fit at the same time. Default: one a core.")
@click.pass_context
def train(context: click.Context, /, **_: Any) -> None:
    """Train a Rad-signature on a cohort, and judge it.

    COHORT is a folder with clinical.csv (a column `patient`, the outcome, covariates) and features.csv as
    `pulmonode extract` writes it. The same call gives the same bytes.

    \b
    Example: pulmonode train cohort -o model
    """
    from node.commands.train.options import request_of
    from node.commands.train.run import run_train

    sys.exit(run_train(request_of(context), Console(stderr=True, highlight=False)))


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


@cli.command()
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


@cli.group()
def model() -> None:
    """Look after the models that score: their keys, their signatures, and which of them is used."""


_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
_PACKAGE = click.Path(exists=True, file_okay=False, path_type=Path)


def _tell(told: "Told | Rejected", *, as_json: bool) -> None:
    if isinstance(told, Rejected):
        if as_json:
            click.echo(json.dumps(asdict(told), indent=2))
        _fail(1, str(told))
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


@cli.group()
def patient() -> None:
    """Enter what is known of a patient's treatment and fate, and look at it.

    ID is the Patient ID as the images have it; `-` reads it from standard input. Only its digest is kept.
    """


@patient.command("set")
@click.argument("patient_id", metavar="ID")
@click.option("--issuer", default="", help="Issuer of Patient ID (0010,0021), where images have it.")
@click.option("--line", type=click.IntRange(1, MOST_REPEATED), help="Number of the line that --line-... is about.")
@click.option("--local", type=click.IntRange(1, MOST_REPEATED), help="Number of the treatment of --local-....")
@click.option("--by", "who", help="Who says so, a role or an account.  [default: the account]")
@entry_options
@click.pass_obj
@reporting_errors
def patient_set(
    node: Node, patient_id: str, issuer: str, line: int | None, local: int | None, who: str | None, **entries: str
) -> None:
    """Record what is known of the patient ID. An empty value takes an entry back; nothing is ever overwritten.

    \b
    Example: pulmonode patient set 4711 --ici-start 2024-01-15 --line 2 --line-start 2024-09
    """
    from node.commands.patient import account, key_from, keyed, set_patient

    values = keyed(entries, line=line, local=local)
    if not values:
        raise click.UsageError("Nothing to record; see --help for what can be said.")
    for told in set_patient(node.settings(), key_from(patient_id, issuer), values, who=who or account()):
        click.echo(told)


@patient.command("show")
@click.argument("patient_id", metavar="ID")
@click.option("--issuer", default="", help="Issuer of Patient ID (0010,0021), where images have it.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
@click.pass_obj
@reporting_errors
def patient_show(node: Node, patient_id: str, issuer: str, *, as_json: bool) -> None:
    """Show what is known of the patient ID, who entered it and when.

    \b
    Example: pulmonode patient show 4711
    """
    from node.commands.patient import key_from, shown

    click.echo(shown(node.settings(), key_from(patient_id, issuer), as_json=as_json))


@patient.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--skip", is_flag=True, help="Import the rows that are right and leave the others.")
@click.option("--issuer", default="", help="Issuer of Patient ID (0010,0021) of the patients of a bundle.")
@click.option("--identifier-system", help="System of the identifier in a bundle that is the Patient ID of DICOM.")
@click.option("--by", "who", help="Who says so, a role or an account.  [default: the account]")
@click.pass_obj
@reporting_errors
def patient_import(
    node: Node, file: Path, issuer: str, identifier_system: str | None, who: str | None, *, skip: bool
) -> None:
    """Import a table of patients (CSV or XLSX) or a FHIR R4 bundle (JSON).

    The columns are those of the data dictionary in the manual. When one cell is wrong nothing is imported, unless
    --skip is given. What is not understood in a bundle is listed and left.

    \b
    Example: pulmonode patient import cohort.xlsx
    """
    from node.commands.patient import account, describe, import_bundle, import_table

    asked = who or account()
    if file.suffix.lower() == ".json":
        told, problems, whole = import_bundle(
            node.settings(), file, issuer=issuer, identifier_system=identifier_system, who=asked
        )
    else:
        told, problems, whole = import_table(node.settings(), file, skip=skip, who=asked)
    for line in describe(problems):
        click.echo(line, err=True)
    for line in told:
        click.echo(line)
    sys.exit(0 if whole or skip else 1)


@cli.command()
@click.argument("case", type=int)
@click.option("--lesion", type=int, help="Number of the lesion that the decisions are about.")
@click.option("--role", type=click.Choice(list(words_of(Question.ROLE))), help="What it counts as.")
@click.option(
    "--non-target", type=click.Choice(list(words_of(Question.NON_TARGET))), help="How this non-target lesion does."
)
@click.option("--new", type=click.Choice(list(words_of(Question.NEW_LESION))), help="How sure it is that it is new.")
@click.option("--nature", type=click.Choice(list(words_of(Question.NATURE))), help="What it consists of.")
@click.option("--same-as", help="Which lesion it is: CASE:LESION, a Tracking UID, or `different`.")
@click.option("--irradiated", type=click.Choice(["yes", "no"]), help="In an irradiated field, and not grown since.")
@click.option("--node", "new_node", type=click.Choice(["yes", "no"]), help="A node that grew is new disease.")
@click.option("--markers", type=click.Choice(["yes", "no"]), help="A tumour marker is above normal at this scan.")
@click.option("--baseline", type=click.Choice(["yes", "no"]), help="This scan is the baseline.")
@click.option("--undo", type=int, is_flag=False, flag_value=0, help="Take back decision N; without N the last one.")
@click.option("--reason", default="", help="Why.")
@click.option("--by", "who", help="Who decides, a role or an account.  [default: the account]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
@click.pass_obj
@reporting_errors
def review(
    node: Node,
    case: int,
    lesion: int | None,
    role: str | None,
    non_target: str | None,
    new: str | None,
    nature: str | None,
    same_as: str | None,
    irradiated: str | None,
    new_node: str | None,
    markers: str | None,
    baseline: str | None,
    undo: int | None,
    reason: str,
    who: str | None,
    *,
    as_json: bool,
) -> None:
    """List the lesions of CASE with what readers decided, or decide. Every decision is kept, also when taken back.

    \b
    Example: pulmonode review 17 --lesion 2 --role non-target --reason "beside the heart"
    """
    from node.commands.patient import account
    from node.commands.review import run_review

    given = {
        Question.ROLE: role,
        Question.NON_TARGET: non_target,
        Question.NEW_LESION: new,
        Question.NATURE: nature,
        Question.SAME_AS: same_as,
        Question.IRRADIATED: irradiated,
        Question.NODE: new_node,
        Question.MARKERS: markers,
        Question.BASELINE: baseline,
    }
    answers = {question: word for question, word in given.items() if word is not None}
    asked = who or account()
    click.echo(
        run_review(node.stores(), CaseId(case), answers, lesion, undo, who=asked, reason=reason, as_json=as_json)
    )


def _require_peer(settings: Settings, name: str) -> None:
    names = [peer.name for peer in settings.peers]
    if name not in names:
        known = ", ".join(names) or "none is configured"
        raise click.UsageError(f"There is no peer {name} (known: {known}).")
