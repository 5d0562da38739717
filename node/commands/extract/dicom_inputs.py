"""Pair the segmentations of a run with their CT series, by the rules of the node."""

import filecmp
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, assert_never

from pydicom.uid import UID

from node.commands.extract.files import Scanned
from node.commands.extract.plan import Plan
from node.commands.extract.remedies import for_files
from node.commands.extract.work import Fault, Measured, Target, Task
from pipelines.domain.identifiers import SeriesUID, SopInstanceUID
from pipelines.domain.instance import InstanceRef
from pipelines.domain.reasons import Rejected
from pipelines.domain.sop_classes import CT_IMAGES, SEGMENTATIONS
from pipelines.imaging.assembly import (
    Complete,
    Incomplete,
    Patience,
    SegmentationArrival,
    SeriesArrival,
    Wait,
    decide,
    series_arrival,
)

# all files are there when the run begins: nothing is waited for
_NOW: Final = datetime(2000, 1, 1, tzinfo=UTC)
_NO_PATIENCE: Final = Patience(timedelta(0), timedelta(0))

Instance = tuple[Path, InstanceRef]


def plan_dicom(scanned: Sequence[Scanned], name: Callable[[Path], str]) -> Plan:
    """Plan the DICOM files of a run.

    Parameters
    ----------
    name
        How a path is written in the table.
    """
    instances, faults, left_out = _instances(scanned, name)
    series: dict[SeriesUID, list[Instance]] = defaultdict(list)
    segmentations: list[Instance] = []
    for path, ref in instances:
        if ref.sop_class in CT_IMAGES:
            series[ref.key.series].append((path, ref))
        elif ref.sop_class in SEGMENTATIONS:
            segmentations.append((path, ref))
        else:
            left_out[f"instances of {UID(ref.sop_class).name}"] += 1
    arrivals = {uid: series_arrival([ref for _, ref in found], _NOW) for uid, found in series.items()}
    candidates = _Candidates(arrivals)
    targets: list[Target] = []
    decided: list[Measured] = []
    paired: dict[SeriesUID, list[Target]] = defaultdict(list)
    refused: set[SeriesUID] = set()
    for path, ref in segmentations:
        arrival = SegmentationArrival(ref, _NOW, "")
        decision = decide(arrival, candidates.of(ref), now=_NOW, patience=_NO_PATIENCE)
        match decision:
            case Complete(ct=ct):
                targets.append(_target(path, ref, series[ct.series], name))
                paired[ct.series].append(targets[-1])
            case Incomplete(reason=reason, ct=found_ct):
                refused.update(() if found_ct is None else (found_ct.series,))
                ct_files = None if found_ct is None else series[found_ct.series]
                target = _target(path, ref, ct_files, name)
                why = _without_ct(ref) if reason.code == "SEG-001" else for_files(reason)
                targets.append(target)
                decided.append(Measured(target.key, "", (), (Fault("error", target.cells, why),)))
            case Wait():
                raise AssertionError("there is nothing to wait for")
            case _:
                assert_never(decision)
    for uid, found in series.items():
        if uid not in paired and uid not in refused:
            left_out["CT images of series without a segmentation"] += len(found)
    tasks = tuple(
        Task(True, tuple(path for path, _ in series[uid]), tuple(of_series)) for uid, of_series in paired.items()
    )
    return Plan(tasks, tuple(targets), tuple(decided), tuple(faults), left_out)


class _Candidates:
    """The CT series among which that of a segmentation is looked for: as the ledger of the node chooses them."""

    def __init__(self, arrivals: dict[SeriesUID, SeriesArrival]) -> None:
        self._arrivals = arrivals
        self._by_study: dict[str, list[SeriesUID]] = defaultdict(list)
        self._by_instance: dict[SopInstanceUID, SeriesUID] = {}
        for uid, arrival in arrivals.items():
            self._by_study[arrival.key.study].append(uid)
            self._by_instance.update(dict.fromkeys(arrival.instances, uid))

    def of(self, segmentation: InstanceRef) -> list[SeriesArrival]:
        references = segmentation.references
        found = {
            *self._by_study[segmentation.key.study],
            *(uid for uid in references.series if uid in self._arrivals),
            *(self._by_instance[uid] for uid in references.instances if uid in self._by_instance),
        }
        return [self._arrivals[uid] for uid in sorted(found)]


def _instances(
    scanned: Sequence[Scanned], name: Callable[[Path], str]
) -> tuple[list[Instance], list[Fault], Counter[str]]:
    """The instances, each SOP Instance UID once, and what is wrong with other files."""
    first: dict[SopInstanceUID, Path] = {}
    instances: list[Instance] = []
    faults: list[Fault] = []
    conflicts: Counter[Path] = Counter()
    left_out: Counter[str] = Counter()
    for file in scanned:
        match file.content:
            case None:
                left_out["files that are no DICOM, or a DICOMDIR"] += 1
            case Rejected() as reason:
                faults.append(Fault("error", (("Image", name(file.path)),), for_files(reason)))
            case InstanceRef() as ref if ref.sop_instance not in first:
                first[ref.sop_instance] = file.path
                instances.append((file.path, ref))
            case InstanceRef() as ref if filecmp.cmp(first[ref.sop_instance], file.path, shallow=False):
                left_out["copies of instances that were found elsewhere"] += 1
            case InstanceRef():
                conflicts[file.path.parent] += 1
    for folder, count in conflicts.items():
        reason = Rejected(
            "RCV-004",
            f"{count} instances in this folder have the SOP Instance UIDs of others with different content, which "
            "were found first and are used.",
            "Measure the folders one by one.",
        )
        faults.append(Fault("error", (("Image", name(folder)),), reason))
    return instances, faults, left_out


def _target(path: Path, ref: InstanceRef, ct: Sequence[Instance] | None, name: Callable[[Path], str]) -> Target:
    folder = "" if ct is None else name(Path(os.path.commonpath([image.parent for image, _ in ct])))
    return Target(
        key=f"dicom {ref.sop_instance} {name(path)}",
        cells=(
            ("Image", folder),
            ("Mask", name(path)),
            ("StudyInstanceUID", ref.key.study),
            ("SeriesInstanceUID", "" if ct is None else ct[0][1].key.series),
            ("SegmentationSOPInstanceUID", ref.sop_instance),
        ),
        mask=path,
    )


def _without_ct(ref: InstanceRef) -> Rejected:
    series = f" {', '.join(ref.references.series)}" if ref.references.series else ""
    return Rejected(
        "SEG-001", f"CT series{series} of segmentation {ref.sop_instance} is not among the inputs.", "Add it."
    )
