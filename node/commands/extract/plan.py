"""What a run of `pulmonode extract` has to do, before it does it."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from node.commands.extract.work import Fault, Measured, Target, Task

VOLUME_SUFFIXES: Final = (".nii.gz", ".nrrd", ".nhdr", ".nii", ".mha", ".mhd")
"""File names that end like this are image or mask files."""

_FILE_COLUMNS: Final = ("Label_channel",)
_DICOM_COLUMNS: Final = (
    "SegmentLabel",
    "TrackingID",
    "TrackingUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SegmentationSOPInstanceUID",
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What was found among the inputs.

    Attributes
    ----------
    tasks
        What there is to measure.
    targets
        All targets in the order of the table, those without a task included.
    decided
        Outcome of each target that cannot be measured.
    faults
        About files that belong to no target.
    left_out
        How many of what there is nothing to measure on.
    list_columns
        Columns of the list; None when the inputs are no list.
    """

    tasks: tuple[Task, ...]
    targets: tuple[Target, ...]
    decided: tuple[Measured, ...] = ()
    faults: tuple[Fault, ...] = ()
    left_out: Counter[str] = field(default_factory=Counter)
    list_columns: tuple[str, ...] | None = None

    def columns(self, *, with_patient_id: bool) -> tuple[str, ...]:
        """Columns of the table that name a lesion."""
        if self.list_columns is not None:
            return self.list_columns
        dicom = any("StudyInstanceUID" in dict(target.cells) for target in self.targets)
        files = any("StudyInstanceUID" not in dict(target.cells) for target in self.targets)
        return (
            *(("PatientID",) if with_patient_id else ()),
            *("Image", "Mask", "Label"),
            *(_FILE_COLUMNS if files else ()),
            *(_DICOM_COLUMNS if dicom else ()),
        )


def merged(plans: Sequence[Plan]) -> Plan:
    """One plan of several, ordered by image and mask."""
    left_out: Counter[str] = Counter()
    for plan in plans:
        left_out.update(plan.left_out)
    return Plan(
        tuple(task for plan in plans for task in plan.tasks),
        tuple(sorted((target for plan in plans for target in plan.targets), key=_place)),
        tuple(one for plan in plans for one in plan.decided),
        tuple(fault for plan in plans for fault in plan.faults),
        left_out,
    )


def _place(target: Target) -> tuple[str, str, str]:
    cells = dict(target.cells)
    return cells["Image"], cells["Mask"], target.key


def is_volume(path: Path) -> bool:
    """True if `path` is called like an image or mask file."""
    return path.name.lower().endswith(VOLUME_SUFFIXES)


def stem(path: Path) -> str:
    """Name of an image or mask file without its ending."""
    name = path.name
    ending = next(ending for ending in VOLUME_SUFFIXES if name.lower().endswith(ending))
    return name[: -len(ending)]


def by_image(image: Path, targets: Iterable[Target]) -> Task:
    """Everything that is measured on one image file."""
    return Task(dicom=False, image=(image,), targets=tuple(targets))
