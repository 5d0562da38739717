"""Screen a cohort, and write its eligible patients as the folder that `pulmonode train` takes."""

import shutil
import uuid
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final

from pydicom import dcmread
from rich.console import Console

from node.adapters.ledger_cohorts import CohortCase
from node.bootstrap.stores import Stores
from node.commands.cohort.gather import Gathered, from_file, from_ledger
from node.commands.cohort.keep import members_of, tell
from node.commands.cohort.known import joined_and_told, joiner
from node.commands.cohort.secret import read_pseudonyms
from node.ports import StoredFile
from node.settings import Settings
from pipelines.cohort.acquisition import Acquisition, mixed, scanner_table
from pipelines.cohort.deidentify import Subject, deidentified
from pipelines.cohort.eligibility import Rules, Screened, screen
from pipelines.cohort.exported import Included, LesionChoice, clinical_table, feature_table
from pipelines.cohort.members import Member
from pipelines.cohort.pseudonyms import Pseudonyms
from pipelines.cohort.table_file import write_csv
from pipelines.domain.reasons import Rejected
from pipelines.figures.flow import flow_diagram

_FLOW_HEADS: Final = ("step", "reason", "excluded", "left")


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """What was asked for.

    Attributes
    ----------
    features
        Table of `pulmonode extract`; None for the ledger's measurements.
    secret
        File of the secret for pseudonyms.
    dicom
        Whether the images are wanted, too.
    """

    cohort: str
    rules: Rules
    lesions: LesionChoice
    features: Path | None
    secret: Path
    output: Path
    dicom: bool


def run_screen(
    settings: Settings, stores: Stores, cohort: str, rules: Rules, features: Path | None, console: Console
) -> int:
    """Print how many patients are left at each step; the exit code is 1 when nobody is."""
    found = _screened(settings, stores, cohort, rules, features, console)
    if isinstance(found, Rejected):
        return tell(console, [found])
    _print_flow(found[1], console)
    return 0 if found[1].chosen else 1


def run_export(settings: Settings, stores: Stores, request: ExportRequest, console: Console) -> int:
    """Write the folder, which appears whole or not at all; the exit code."""
    pseudonyms = read_pseudonyms(request.secret)
    if isinstance(pseudonyms, Rejected):
        return tell(console, [pseudonyms])
    if request.output.exists():
        console.print(f"{request.output} exists already; name another folder.", markup=False, soft_wrap=True)
        return 2
    found = _screened(settings, stores, request.cohort, request.rules, request.features, console)
    if isinstance(found, Rejected):
        return tell(console, [found])
    gathered, screened = found
    _print_flow(screened, console)
    made = request.output.with_name(f"{request.output.name}.{uuid.uuid4().hex[:8]}.part")
    made.mkdir(parents=True)
    try:
        refused = _write(stores, request, gathered, screened, pseudonyms, made)
        if refused is not None:
            return tell(console, [refused])
        made.rename(request.output)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    for notice in mixed(_acquisitions(gathered, screened)):
        console.print(notice, markup=False, soft_wrap=True)
    console.print(f"{len(screened.chosen)} patients written to {request.output}.", markup=False, soft_wrap=True)
    return 0


def _screened(
    settings: Settings, stores: Stores, cohort: str, rules: Rules, features: Path | None, console: Console
) -> tuple[Gathered, Screened] | Rejected:
    kept = members_of(stores.cohorts, cohort)
    if isinstance(kept, Rejected):
        return kept
    members = joined_and_told(kept, joiner(settings, stores), console)
    gathered = from_ledger(stores, members) if features is None else from_file(features, members)
    return gathered if isinstance(gathered, Rejected) else (gathered, screen(gathered.candidates, rules))


def _write(
    stores: Stores,
    request: ExportRequest,
    gathered: Gathered,
    screened: Screened,
    pseudonyms: Pseudonyms,
    folder: Path,
) -> Rejected | None:
    if not screened.chosen:
        return Rejected(
            "COH-006", "No patient of the cohort is eligible.", "Look at the steps above, and change the rules."
        )
    settings = gathered.settings_of([ct.case for _, ct in screened.chosen])
    if isinstance(settings, Rejected):
        return settings
    # pseudonyms in their order: that of the ledger's keys would tell which key is which
    people = sorted(
        (gathered.included(member, ct) for member, ct in screened.chosen),
        key=lambda one: pseudonyms.patient(one.member.key),
    )
    features = feature_table(people, pseudonyms, request.lesions, settings)
    if isinstance(features, Rejected):
        return features
    scanners = scanner_table(_acquisitions(gathered, screened))
    flow = flow_diagram(screened.flow())
    files = {
        "clinical.csv": clinical_table(people, pseudonyms),
        "features.csv": features,
        "flow.csv": write_csv(_FLOW_HEADS, screened.rows()),
        "flow.svg": flow.svg(),
        "flow.png": flow.png(),
        "scanners.csv": scanners.csv(),
        "notices.txt": "".join(f"{notice}\n" for notice in scanners.notes).encode("utf-8"),
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
    if request.dicom:
        if not gathered.cases:
            return Rejected("COH-006", "Features from a file have no images in the spool.", "Export without --dicom.")
        for member, ct in screened.chosen:
            refused = _write_images(stores, gathered.cases[ct.case], member, pseudonyms, folder / "dicom")
            if refused is not None:
                return refused
    return None


def _write_images(
    stores: Stores, case: CohortCase, member: Member, pseudonyms: Pseudonyms, folder: Path
) -> Rejected | None:
    subject = Subject(member.key, pseudonyms)
    place = folder / subject.pseudonym
    place.mkdir(parents=True)
    if case.segmentation is None or not case.images:
        return Rejected(
            "COH-006", f"Files of case {case.case} were given up.", "Send them again, or export without --dicom."
        )
    named: list[tuple[str, StoredFile]] = [(f"ct-{n:04}.dcm", file) for n, file in enumerate(case.images, start=1)]
    for name, file in (*named, ("segmentation.dcm", case.segmentation)):
        made = deidentified(dcmread(BytesIO(stores.spool.read(file))), subject)
        if isinstance(made, Rejected):
            return Rejected(made.code, f"Case {case.case}: {made.detail}", made.remedy)
        made.save_as(place / name, enforce_file_format=True)
    return None


def _acquisitions(gathered: Gathered, screened: Screened) -> list[Acquisition]:
    found: list[Included] = [gathered.included(member, ct) for member, ct in screened.chosen]
    return [one.acquisition for one in found if one.acquisition is not None]


def _print_flow(screened: Screened, console: Console) -> None:
    for label, why, excluded, left in screened.rows():
        told = f" ({excluded} left out: {why})" if excluded else ""
        console.print(f"{left:>6}  {label}{told}", markup=False, soft_wrap=True)
