"""Send files and folders to the running node by C-STORE."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from node.adapters.storage_scu import Sendable
from node.commands.own import own_address, own_scu
from node.settings import Settings
from pipelines.domain.reasons import Rejected
from pipelines.imaging.header import parse_ref

# objects an association; small enough that its presentation contexts fit whatever the mixture
_BATCH: Final = 128
# PS3.10 section 8: a directory of the files beside it, which no other file may be called
_DIRECTORY: Final = "DICOMDIR"


def submit_paths(settings: Settings, paths: Sequence[Path], console: Console) -> int:
    """Send every DICOM file among `paths`; the exit code."""
    found = [sendable(path) for path in files_below(paths)]
    files = [file for file in found if isinstance(file, Sendable)]
    faults = Counter(str(fault) for fault in found if isinstance(fault, Rejected))
    if not files and not faults:
        console.print("There is no DICOM file among these.")
        return 1
    scu, node = own_scu(settings), own_address(settings)
    sent = 0
    columns = (TextColumn("Sending"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("send", total=len(files))
        for batch in batches(files):
            for answer in scu.send_files(node, batch):
                progress.advance(task)
                if answer.fault is None:
                    sent += 1
                else:
                    # its remedies are about results, not about what a person submits
                    faults[f"{answer.fault.code} {answer.fault.detail}"] += 1
    skipped = found.count(None)
    console.print(
        f"{sent} of {len(found) - skipped} instances stored"
        + (f", {skipped} other files left out." if skipped else ".")
    )
    for fault, count in faults.most_common():
        console.print(f"{count} x {fault}", markup=False)
    return 1 if faults else 0


def files_below(paths: Sequence[Path]) -> Iterator[Path]:
    """The files among `paths` and in the folders below, in a lasting order."""
    for path in paths:
        if path.is_dir():
            yield from sorted(file for file in path.rglob("*") if file.is_file())
        else:
            yield path


def sendable(path: Path) -> Sendable | Rejected | None:
    """What must be negotiated to send a file; None for one that is no instance, the reason for a damaged one."""
    with path.open("rb") as file:
        if file.read(132)[128:] != b"DICM" or path.name == _DIRECTORY:
            return None
    ref = parse_ref(path.read_bytes())
    return ref if isinstance(ref, Rejected) else Sendable(path, ref.sop_class, ref.transfer_syntax)


def batches(files: Sequence[Sendable]) -> Iterator[Sequence[Sendable]]:
    """Cut `files` into parts for one association each."""
    for start in range(0, len(files), _BATCH):
        yield files[start : start + _BATCH]
