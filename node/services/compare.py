"""Compare the files of the spool with what the ledger says of them, in both directions."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from node.keeping import FileList, FileStore, ListedFile
from pipelines.domain.reasons import Rejected

_SETTLED_AFTER: Final = timedelta(hours=1)
"""A file is written before its row: so old it has one, or never will."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A file that is not as the ledger says.

    Attributes
    ----------
    moved_to
        Where a file that nobody knows was set aside; empty when it lies where it was.
    """

    path: str
    reason: Rejected
    moved_to: str = ""


def compare(
    files: FileStore, ledger: FileList, *, digests: bool, repair: bool, settled: timedelta = _SETTLED_AFTER
) -> Iterator[Fault]:
    """Every file that is missing, changed or unknown; safe while the node runs.

    Parameters
    ----------
    digests
        Read every file, rather than look for it and at its size.
    repair
        Set unknown files aside. What is missing or changed nobody can make but who made it first.
    settled
        Age from which on a file without a row counts as unknown.
    """
    for listed in ledger.listed():
        fault = _fault(files, listed, digests=digests)
        # it may have been given up since it was listed
        if fault is not None and ledger.must_exist(listed.path):
            yield fault
    for path in files.files(older_than_s=settled.total_seconds()):
        if not ledger.is_listed(path):
            moved_to = files.set_aside(path) if repair else ""
            detail = f"No instance and no result has the file {path}."
            remedy = "" if moved_to else "Run `pulmonode verify --repair`, which sets it aside."
            yield Fault(path, Rejected("LDG-005", detail, remedy), moved_to)


def _fault(files: FileStore, listed: ListedFile, *, digests: bool) -> Fault | None:
    remedy = (
        "Run the case again with `pulmonode retry`; the same objects come out."
        if listed.path.startswith("results/")
        else "Send it again: the node then has its file again."
    )
    size = files.size(listed.path)
    if size is None:
        return Fault(listed.path, Rejected("LDG-003", f"The file {listed.path} of {listed.what} is missing.", remedy))
    changed = listed.size is not None and size != listed.size
    if not changed and digests:
        changed = files.sha256(listed.path) != listed.sha256
    if changed:
        detail = f"The file {listed.path} of {listed.what} is not what was stored."
        return Fault(listed.path, Rejected("LDG-004", detail, remedy))
    return None
