"""What is measured together, and the measuring of it; runs in the processes of `pulmonode extract`."""

import hashlib
import platform
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Final, Literal

import SimpleITK as sitk
from pydicom import Dataset, dcmread

from node.commands.extract.remedies import for_files
from pipelines.domain.case import Lesion
from pipelines.domain.reasons import Rejected
from pipelines.domain.volume import UnreadableVoxels, Volume
from pipelines.extraction.engine import Engine, extract
from pipelines.extraction.memory import Memory
from pipelines.extraction.oracle import software
from pipelines.extraction.settings import ExtractionSettings
from pipelines.extraction.table import Cells, image_diagnostics, in_table_order, mask_diagnostics, method_diagnostics
from pipelines.imaging.acquisitions import named_images
from pipelines.imaging.case import other_patient
from pipelines.imaging.ct import ReadCt, read_ct
from pipelines.imaging.drawing import lesions_on, unmeasured_notes
from pipelines.imaging.seg import Drawn
from pipelines.imaging.volume_files import read_masks, read_volume

Severity = Literal["error", "note"]

# among the notes of a segmentation, those that tell of a lesion which is not measured
_LOST: Final = frozenset({"SEG-004", "SEG-006", "SEG-007", "ROI-001", "ROI-002", "ROI-003"})


@dataclass(frozen=True, slots=True)
class Target:
    """One segmentation file, mask file or row of a list.

    Attributes
    ----------
    key
        Tells the target from all others of the run, and is the same in the next run.
    cells
        What the table says of it before it is measured.
    mask
        The file that holds the lesions.
    label, channel
        The only label and the only component to measure; None for all.
    """

    key: str
    cells: Cells
    mask: Path
    label: int | None = None
    channel: int | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """An image, read once, with everything that is measured on it.

    Attributes
    ----------
    dicom
        True when `image` are the instances of a CT series, False when it is one file of a volume.
    """

    dicom: bool
    image: tuple[Path, ...]
    targets: tuple[Target, ...]


@dataclass(frozen=True, slots=True)
class Method:
    """How the lesions of a run are measured.

    Attributes
    ----------
    list_columns
        True when a row has the columns of a list alone before those of PyRadiomics.
    with_patient_id
        True to begin each row of a DICOM series with its patient ID.
    """

    settings: ExtractionSettings
    engine: Engine
    list_columns: bool
    with_patient_id: bool


@dataclass(frozen=True, slots=True)
class Fault:
    """Why something was not measured, or what is to be known of something that was.

    Attributes
    ----------
    cells
        Names the object: `Image`, `Mask` and `Label`, as far as they are known.
    """

    severity: Severity
    cells: Cells
    reason: Rejected


@dataclass(frozen=True, slots=True)
class Row:
    """One lesion: what names it, and the text of its features in the order of the table."""

    cells: Cells
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Measured:
    """The outcome of one target."""

    key: str
    inputs: str
    rows: tuple[Row, ...]
    faults: tuple[Fault, ...]


def state_of(paths: Sequence[Path]) -> str:
    """Changes when one of the files is replaced or written to."""
    sha = hashlib.sha256()
    for path in paths:
        try:
            found = path.stat()
        except OSError:
            sha.update(f"{path}\0-\0".encode(errors="surrogateescape"))
            continue
        sha.update(f"{path}\0{found.st_size}\0{found.st_mtime_ns}\0".encode(errors="surrogateescape"))
    return sha.hexdigest()


def inputs_of(task: Task, target: Target) -> str:
    """State of all files that the numbers of `target` come from."""
    return state_of((*task.image, target.mask))


def measure(task: Task, method: Method) -> tuple[Measured, ...]:
    """Measure all targets of `task`; whatever goes wrong ends up in their faults."""
    before = {target.key: inputs_of(task, target) for target in task.targets}
    found: list[Measured] = []
    measure_on: _OnImage | None = None
    for target in task.targets:
        try:
            measure_on = measure_on or (_dicom(task, method) if task.dicom else _files(task, method))
            rows, faults = measure_on(target)
        except Exception as fault:  # one bad file must not end the run; its kind and its place are all that may be told
            rows, faults = [], [Fault("error", target.cells, internal_error(fault))]
        found.append(Measured(target.key, before[target.key], tuple(rows), tuple(faults)))
    return tuple(found)


def internal_error(fault: Exception) -> Rejected:
    """`RUN-002` with the kind and the place of the error; its message may quote a patient."""
    frames = traceback.extract_tb(fault.__traceback__)
    place = f"{Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else "no known place"
    own = next((f for f in reversed(frames) if "site-packages" not in f.filename), None)
    called = f", called from {Path(own.filename).name}, line {own.lineno}" if own and own is not frames[-1] else ""
    return Rejected("RUN-002", f"Internal error {type(fault).__name__} in {place}{called}.", "Report it.")


_Found = tuple[list[Row], list[Fault]]
_OnImage = Callable[[Target], _Found]


def _refused(target: Target, reason: Rejected) -> _Found:
    return [], [Fault("error", target.cells, reason)]


def _dicom(task: Task, method: Method) -> _OnImage:
    images = [dcmread(path) for path in task.image]
    headers = [_without_pixels(image) for image in images]
    together = read_ct(images)

    def read_for(segmentation: Dataset) -> ReadCt | Rejected:
        # of two acquisitions the segmentation may name one; all that name none share what is decoded once
        return together if isinstance(together, ReadCt) else read_ct(images, named=lambda: named_images(segmentation))

    def on_ct(target: Target) -> _Found:
        segmentation = dcmread(target.mask)
        ct = read_for(segmentation)
        if isinstance(ct, Rejected):
            return _refused(target, for_files(ct))
        drawn = other_patient(headers, segmentation) or lesions_on(ct, segmentation)
        if isinstance(drawn, Rejected):
            return _refused(target, for_files(drawn))
        patient: Cells = (("PatientID", str(headers[0].get("PatientID", ""))),) if method.with_patient_id else ()
        try:
            notes = (*ct.notes, *unmeasured_notes(ct, drawn.lesions), *drawn.notes)
            drawn = replace(drawn, notes=tuple(for_files(note) for note in notes))
            diagnostics = image_diagnostics(ct.volume)
            return _lesions(replace(target, cells=(*patient, *target.cells)), ct.volume, drawn, diagnostics, method)
        except UnreadableVoxels as fault:
            return _refused(target, for_files(fault.reason))

    return on_ct


def _without_pixels(image: Dataset) -> Dataset:
    """The part of the header that names the patient, so that the pixels can be let go."""
    kept = Dataset()
    for keyword in ("PatientID", "IssuerOfPatientID"):
        if keyword in image:
            kept[keyword] = image[keyword]
    return kept


def _files(task: Task, method: Method) -> _OnImage:
    image = _read(task.image[0], "image")
    volume = image if isinstance(image, Rejected) else read_volume(image)
    diagnostics = () if isinstance(volume, Rejected) else image_diagnostics(volume)

    def on_volume(target: Target) -> _Found:
        if isinstance(volume, Rejected):
            return _refused(target, volume)
        mask = _read(target.mask, "mask")
        if isinstance(mask, Rejected):
            return _refused(target, mask)
        rows: list[Row] = []
        faults: list[Fault] = []
        channels = range(mask.GetNumberOfComponentsPerPixel()) if target.channel is None else (target.channel,)
        for channel in channels:
            drawn = read_masks(mask, volume, label=target.label, channel=channel)
            cells = target.cells if method.list_columns else (*target.cells, ("Label_channel", str(channel)))
            made, why = _lesions(replace(target, cells=cells), volume, drawn, diagnostics, method)
            rows.extend(made)
            faults.extend(why)
        return rows, faults

    return on_volume


def _read(path: Path, what: str) -> sitk.Image | Rejected:
    try:
        return sitk.ReadImage(str(path))
    except RuntimeError:
        why = "is damaged or of no kind that SimpleITK reads" if path.is_file() else "is not there"
        return Rejected("VOL-001", f"The {what} file {why}.", "Check the file; give NRRD, NIfTI or MetaImage.")


def _lesions(target: Target, volume: Volume, drawn: Drawn, diagnostics: Cells, method: Method) -> _Found:
    faults = [Fault("error" if note.code in _LOST else "note", target.cells, note) for note in drawn.notes]
    rows: list[Row] = []
    room = Memory()
    for lesion in drawn.lesions:
        cells = target.cells if method.list_columns else (*target.cells, *_lesion_cells(lesion, target))
        made = extract(volume, lesion, method.settings, engine=method.engine, room=room)
        if isinstance(made.outcome, Rejected):
            faults.append(Fault("error", cells, for_files(made.outcome)))
            continue
        if made.verification is not None and made.verification.failed:
            told = f"Label {lesion.number}: {made.verification}."
            faults.append(Fault("note", cells, Rejected("ROI-010", told, "The row holds the numbers of PyRadiomics.")))
        if made.reason:
            told = f"PyRadiomics measured label {lesion.number}: {made.reason}."
            faults.append(Fault("note", cells, Rejected("ROI-004", told, "Nothing.")))
        found = dict(made.outcome.items())
        described = method_diagnostics(
            method.settings,
            made.engine,
            software(),
            pulmonode=metadata.version("pulmonode"),
            python=platform.python_version(),
        )
        rows.append(
            Row(
                (*cells, *described, *diagnostics, *mask_diagnostics(volume, lesion.mask)),
                # the shortest text that reads back as the same number
                tuple(repr(found[name]) for name in in_table_order(made.outcome.names)),
            )
        )
    return rows, faults


def _lesion_cells(lesion: Lesion, target: Target) -> Cells:
    number = ("Label", str(lesion.number))
    if not any(column == "StudyInstanceUID" for column, _ in target.cells):
        return (number,)
    return (
        number,
        ("SegmentLabel", lesion.label),
        ("TrackingID", lesion.tracking_id),
        ("TrackingUID", lesion.tracking_uid),
    )
