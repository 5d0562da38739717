"""What `pulmonode train` does: reads a cohort, trains, judges, and writes one folder."""

import hashlib
import platform
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from node import __version__
from node.adapters.model_folder import write_folder
from node.commands.train.package import Labels, attachments, model_package
from pipelines.cohort.folder import CLINICAL, FEATURES, OutcomeChoice, read_cohort
from pipelines.domain.reasons import Rejected
from pipelines.domain.training_table import TrainingTable
from pipelines.extraction.settings import load_profile
from pipelines.scoring.facts import Extraction
from pipelines.training.profiles import Profile, Recipe
from pipelines.training.report import summary, weaknesses
from pipelines.training.study import Study, study
from pipelines.training.validation import Data, Done, Run, Task, one_by_one, perform

_SOFTWARE: Final = ("numpy", "scipy", "scikit-learn", "statsmodels", "matplotlib")
_CHUNK: Final = 4
_GIVEN_AWAY: Final = frozenset({"report.html", "command.json", "tables/signature.csv", "tables/performance.csv"})

PACKAGE: Final = "package"
"""Folder of the model package in that of the results."""


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for.

    Attributes
    ----------
    arguments
        The command line, as it is told in the results.
    reliable
        File with the names of the features to look at, one a line; None for all.
    extraction
        Profile of the extraction, for a table of features that does not say it.
    """

    folder: Path
    output: Path
    arguments: tuple[str, ...]
    choice: OutcomeChoice
    profile: Profile
    labels: Labels
    seed: int
    jobs: int
    by_site: bool
    reliable: Path | None
    extraction: str | None


def run_train(request: Request, console: Console) -> int:
    """Train and write; the exit code."""
    if request.output.exists():
        return _refused(_taken(request), console)
    inputs = _inputs(request)
    if isinstance(inputs, Rejected):
        return _refused(inputs, console)
    table = read_cohort(inputs[CLINICAL].decode("utf-8", "replace"), inputs[FEATURES].decode("utf-8"), request.choice)
    if isinstance(table, Rejected):
        return _refused(table, console)
    reliable = None
    if request.reliable is not None:
        table = table.only(inputs["reliable"].decode("utf-8").split())
        reliable = len(table.features)
        if not reliable:
            return _refused(_unknown_features(request.reliable), console)
    with (
        _progress(request.profile, len(set(table.sites)), console) as (bar, task),
        _workers(request.jobs, bar, task) as run,
    ):
        made = study(table, request.profile, seed=request.seed, run=run, by_site=request.by_site, reliable=reliable)
    if isinstance(made, Rejected):
        return _refused(made, console)
    return _write(made, request, inputs, console)


def _write(made: Study, request: Request, inputs: dict[str, bytes], console: Console) -> int:
    software = {"pulmonode": __version__, "Python": platform.python_version()}
    software |= {name: version(name) for name in _SOFTWARE}
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in sorted(inputs.items())}
    command = {
        "command": list(request.arguments),
        "seed": request.seed,
        "profile": asdict(request.profile),
        "inputs": digests,
        "software": software,
    }
    run = {
        "command": " ".join(request.arguments),
        "seed": str(request.seed),
        **{f"SHA-256 of {name}": digest for name, digest in digests.items()},
        **software,
    }
    attached = attachments(made, run, command)
    extraction = _extraction(made.table, request)
    labels = _labels(made.table, request)
    reason = _no_package(made, extraction, labels)
    files = dict(attached)
    if reason is None and extraction is not None:
        # the package goes to others: what is known of single patients stays behind
        given = {name: data for name, data in attached.items() if name in _GIVEN_AWAY}
        package = model_package(made, extraction, labels, software, given)
        files |= {f"{PACKAGE}/{name}": data for name, data in package.items()}
    try:
        write_folder(request.output, files)
    except FileExistsError:
        return _refused(_taken(request), console)
    except OSError as fault:
        return _refused(
            Rejected("TRAIN-004", f"{request.output} cannot be written: {fault.strerror}.", "Name another folder."),
            console,
        )
    console.print(summary(made), markup=False)
    for weakness in weaknesses(made):
        console.print(f"  - {weakness}", markup=False)
    if reason is not None:
        return _refused(reason, console)
    console.print(f"Written to {request.output}.", markup=False)
    console.print(f"Sign the model with: pulmonode model sign {request.output / PACKAGE}", markup=False)
    return 0


def _taken(request: Request) -> Rejected:
    return Rejected("TRAIN-004", f"{request.output} exists already.", "Name another folder with --output.")


def _inputs(request: Request) -> dict[str, bytes] | Rejected:
    paths = {CLINICAL: request.folder / CLINICAL, FEATURES: request.folder / FEATURES}
    if request.reliable is not None:
        paths["reliable"] = request.reliable
    found = {}
    for name, path in paths.items():
        try:
            found[name] = path.read_bytes()
        except OSError as fault:
            return Rejected(
                "TRAIN-001",
                f"{path} cannot be read: {fault.strerror}.",
                f"A cohort is a folder with {CLINICAL} and {FEATURES}.",
            )
    return found


def _unknown_features(path: Path) -> Rejected:
    return Rejected("TRAIN-001", f"{path.name} names none of the features.", "Name features as PyRadiomics does.")


def _extraction(table: TrainingTable, request: Request) -> Extraction | None:
    if table.profile is not None and table.settings_sha256 is not None:
        return Extraction(profile=table.profile, settings_sha256=table.settings_sha256)
    if request.extraction is None:
        return None
    settings = load_profile(request.extraction)
    return Extraction(profile=settings.profile, settings_sha256=settings.digest)


def _labels(table: TrainingTable, request: Request) -> Labels:
    days = sorted(day.isoformat() for day in table.study_dates if day is not None)
    labels = request.labels
    if days:
        labels = replace(labels, data_from=labels.data_from or days[0], data_to=labels.data_to or days[-1])
    return labels


def _no_package(made: Study, extraction: Extraction | None, labels: Labels) -> Rejected | None:
    if not made.selected:
        return Rejected(
            "TRAIN-003",
            "No feature was selected: the report is written, a model is not.",
            "Nothing in the features tells the classes apart reliably. Collect more patients.",
        )
    missing = []
    if extraction is None:
        missing.append("with which settings the features were measured (--extraction)")
    if not (labels.data_from and labels.data_to):
        missing.append("from when the CTs are (column study_date, or --data-from and --data-to)")
    if not missing:
        return None
    return Rejected(
        "TRAIN-005",
        f"The report is written, a model package is not: nothing says {' nor '.join(missing)}.",
        "Say it and train again.",
    )


def _refused(reason: Rejected, console: Console) -> int:
    console.print(str(reason), markup=False)
    return 1


@contextmanager
def _progress(profile: Profile, sites: int, console: Console) -> Iterator[tuple[Progress, TaskID]]:
    plan = profile.validation
    total = plan.outer_folds * plan.outer_repeats + plan.bootstraps + plan.subsamples + (sites if sites > 1 else 0)
    total += (1 + plan.permutations) * (plan.outer_folds or 5) if plan.permutations else 0
    columns = (TextColumn("Fitting"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        yield bar, bar.add_task("fit", total=total)


@contextmanager
def _workers(jobs: int, bar: Progress, task: TaskID) -> Iterator[Run]:
    def counted(done: Iterator[Done]) -> Iterator[Done]:
        for one in done:
            bar.advance(task)
            yield one

    if jobs == 1:
        yield lambda data, recipe, tasks: counted(iter(one_by_one(data, recipe, tasks)))
        return
    # a copy of a process that has threads may never run
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as executor:

        def run(data: Data, recipe: Recipe, tasks: Sequence[Task]) -> Iterator[Done]:
            return counted(executor.map(partial(perform, data, recipe), tasks, chunksize=_CHUNK))

        yield run
