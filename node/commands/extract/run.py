"""Run `pulmonode extract`: find, pair, measure in parallel, and write the table."""

import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Final

from rich.console import Console

from node import __version__
from node.commands.extract.dicom_inputs import plan_dicom
from node.commands.extract.files import Scanned, files_below, scan
from node.commands.extract.journal import Journal
from node.commands.extract.plan import Plan, is_volume, merged
from node.commands.extract.pool import in_chunks, run_all
from node.commands.extract.progress import Progress, progress
from node.commands.extract.tables import write_faults, write_lesions
from node.commands.extract.volume_inputs import plan_list, plan_pair, plan_volumes
from node.commands.extract.work import Fault, Measured, Method, Task, inputs_of, measure
from node.errors import ConfigError
from pipelines.domain.identifiers import digest_of
from pipelines.domain.reasons import Rejected
from pipelines.extraction.engine import Engine
from pipelines.extraction.names import feature_names
from pipelines.extraction.oracle import software
from pipelines.extraction.settings import ExtractionSettings
from pipelines.extraction.table import in_table_order

_CHUNK: Final = 64
# headers of so many files are read before processes for it have started
_FEW: Final = 2000


@dataclass(frozen=True, slots=True)
class Request:
    """What the command line asks for.

    Attributes
    ----------
    inputs
        A list, an image and its mask, or folders and files of DICOM.
    output
        The table; journal and errors lie beside it.
    jobs
        Processes that measure; None for one a core.
    label
        The only label of mask files that is measured; None measures all.
    """

    inputs: tuple[Path, ...]
    output: Path
    settings: ExtractionSettings
    engine: Engine
    jobs: int | None
    label: int | None = None
    with_patient_id: bool = False
    restart: bool = False

    @property
    def processes(self) -> int:
        return self.jobs or len(os.sched_getaffinity(0))

    @property
    def journal(self) -> Path:
        return self.output.with_name(f"{self.output.name}.journal")

    @property
    def errors(self) -> Path:
        return self.output.with_name(f"{self.output.stem}.errors{self.output.suffix}")

    @property
    def digest(self) -> str:
        """SHA-256 over everything but the files that a row depends on."""
        return digest_of(
            __version__,
            repr(software()),
            self.settings.digest,
            repr(self.settings.described()),
            self.engine,
            repr(self.label),
            repr(self.with_patient_id),
        )


def run_extract(request: Request, console: Console) -> int:
    """Measure everything among the inputs; the exit code.

    Raises
    ------
    ConfigError
        If the inputs do not go together or the output cannot be written.
    """
    own = frozenset(path.absolute() for path in (request.output, request.errors, request.journal))
    if request.output.exists() and not request.journal.exists() and not request.restart:
        raise ConfigError([f"{request.output} is there and not from this command; choose another, or give --restart"])
    if not request.output.absolute().parent.is_dir():
        raise ConfigError([f"the folder of {request.output} is not there"])
    with Journal(request.journal, request.digest, restart=request.restart) as journal:
        try:
            with _stopped_by_sigterm(), progress(console) as bar:
                plan = _plan(request, own, bar)
                interrupted = _measure(plan, request, journal, bar)
        except KeyboardInterrupt:
            console.print("Interrupted before anything was measured.")
            return 1
        return _finish(plan, request, journal, console, interrupted=interrupted)


def _plan(request: Request, own: frozenset[Path], bar: Progress) -> Plan:
    inputs = [path.absolute() for path in request.inputs]
    lists = [path for path in inputs if path.is_file() and path.suffix.lower() == ".csv"]
    if lists:
        if len(inputs) > 1:
            raise ConfigError(["a list is measured alone; name no other input beside it"])
        if request.with_patient_id:
            raise ConfigError(["a list has no patient ID but in its own columns; leave --with-patient-id out"])
        return plan_list(lists[0], label=request.label)
    base = Path(os.path.commonpath([path if path.is_dir() else path.parent for path in inputs]))
    name: Callable[[Path], str] = partial(os.path.relpath, start=base)
    named = [path for path in inputs if path.is_file() and is_volume(path)]
    if named:
        if len(inputs) != 2 or len(named) != 2:
            raise ConfigError(["name an image and its mask and nothing else, a folder, or a list (CSV)"])
        return plan_pair(named[0], named[1], name, label=request.label)
    files = files_below(inputs, without=own)
    volumes = [path for path in files if is_volume(path)]
    others = [path for path in files if not is_volume(path)]
    plans = [
        plan_dicom(_scanned(others, request.processes, bar), name),
        plan_volumes(volumes, name, label=request.label),
    ]
    return merged(plans)


def _scanned(paths: Sequence[Path], jobs: int, bar: Progress) -> list[Scanned]:
    found: dict[Path, Scanned] = {}
    bar.begin("Looking into files", len(paths))
    if len(paths) <= _FEW:
        bar.advance(len(paths), failed=0)
        return list(scan(paths))
    with closing(run_all(scan, in_chunks(paths, _CHUNK), jobs)) as results:
        for chunk, scanned in results:
            lost = Rejected("RUN-001", "The process that read the header died.", "Look at the file and report it.")
            for one in scanned or tuple(Scanned(path, lost) for path in chunk):
                found[one.path] = one
            bar.advance(len(chunk), failed=0)
    return [found[path] for path in paths]


def _measure(plan: Plan, request: Request, journal: Journal, bar: Progress) -> bool:
    """Measure what is not done yet; True if a person stopped it."""
    open_tasks = [task for task in (_open_part(task, journal) for task in plan.tasks) if task.targets]
    method = Method(request.settings, request.engine, plan.list_columns is not None, request.with_patient_id)
    total = sum(len(task.targets) for task in plan.tasks)
    todo = sum(len(task.targets) for task in open_tasks)
    bar.begin("Measuring", total)
    bar.advance(total - todo, failed=0)
    try:
        with closing(run_all(partial(measure, method=method), open_tasks, request.processes)) as results:
            for task, found in results:
                outcomes = found if found is not None else _died(task)
                journal.add(outcomes)
                failed = sum(any(fault.severity == "error" for fault in one.faults) for one in outcomes)
                bar.advance(len(task.targets), failed=failed)
    except KeyboardInterrupt:
        return True
    return False


def _open_part(task: Task, journal: Journal) -> Task:
    targets = tuple(target for target in task.targets if journal.finished(target.key, inputs_of(task, target)) is None)
    return Task(task.dicom, task.image, targets)


def _died(task: Task) -> tuple[Measured, ...]:
    reason = Rejected(
        "RUN-001", "The process that measured it died twice.", "Look at the memory of the machine and at the files."
    )
    return tuple(
        Measured(target.key, inputs_of(task, target), (), (Fault("error", target.cells, reason),))
        for target in task.targets
    )


def _finish(plan: Plan, request: Request, journal: Journal, console: Console, *, interrupted: bool) -> int:
    decided = {one.key: one for one in plan.decided}

    def outcome(key: str) -> Measured | None:
        return decided.get(key) or journal.outcome(key)

    features = in_table_order(feature_names(request.settings))
    lesions = write_lesions(request.output, plan, outcome, features, with_patient_id=request.with_patient_id)
    found = [outcome(target.key) for target in plan.targets]
    faults = [*plan.faults, *(fault for one in found if one is not None for fault in one.faults)]
    write_faults(request.errors, faults)
    _tell(plan, request, lesions, faults, console)
    if interrupted:
        rest = sum(one is None for one in found)
        console.print(f"Interrupted; {rest} segmentations are left. The same command goes on from here.")
        return 1
    return 1 if lesions == 0 or any(fault.severity == "error" for fault in faults) else 0


def _tell(plan: Plan, request: Request, lesions: int, faults: Sequence[Fault], console: Console) -> None:
    """Counts and codes only: paths may be made of names."""
    said = [f"{lesions} lesions measured: {request.output}"]
    codes = Counter((fault.severity, fault.reason.code) for fault in faults)
    for severity, what in (("error", "not measured"), ("note", "to be known")):
        told = [f"{count} x {code}" for (kind, code), count in sorted(codes.items()) if kind == severity]
        if told:
            said.append(f"{what}: {', '.join(told)}; see {request.errors}")
    said.extend(f"left out: {count} {what}" for what, count in sorted(plan.left_out.items()))
    if not plan.targets:
        said.append("There is no lesion among these inputs.")
    for line in said:
        console.print(line, markup=False, soft_wrap=True)


@contextmanager
def _stopped_by_sigterm() -> Iterator[None]:
    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
