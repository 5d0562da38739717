"""The pictures of the page: each lesion at each visit that is shown, all at one scale."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pipelines.domain.assessment import Assessment
from pipelines.domain.case import Case, Lesion
from pipelines.domain.identifiers import SopInstanceUID
from pipelines.domain.identity import Followed, Sighting
from pipelines.domain.recist import LesionId, LesionRole, LesionState, Tenths
from pipelines.domain.volume import SliceRef
from pipelines.imaging.diameter import diameters
from pipelines.outputs.page.view import View, half_width_mm, mask_view
from pipelines.outputs.response_report import ResponseFindings, counted, lesion_lines
from pipelines.response.drawn import drawn_at
from pipelines.response.history import Visit

MOST_LESIONS: Final = 5
MOST_VISITS: Final = 5
_SHOWN_ROLES: Final = (LesionRole.TARGET, LesionRole.NEW)
_BORDER_MM: Final = 2.0
"""A long axis goes through the centres of voxels, and the voxels reach beyond it."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One lesion at one visit.

    Attributes
    ----------
    size
        The diameter that counts; None where it was not measured.
    source
        The slice that is shown; None without a picture.
    """

    label: str
    state: LesionState
    size: Tenths | None
    view: View | None = None
    source: SliceRef | None = None


@dataclass(frozen=True, slots=True)
class PictureRow:
    """One lesion over the visits that are shown."""

    lesion: LesionId
    name: str
    organ: str
    role: LesionRole
    cells: tuple[Cell, ...]


def shown_labels(told: Assessment, followed: Followed) -> tuple[str, ...]:
    """The visits of which there are pictures: the baseline, the nadir, and the latest ones."""
    labels = [point.label for point in followed.time_points]
    if len(labels) <= MOST_VISITS:
        return tuple(labels)
    sums = [(said.sum.total, said.label) for said in told.visits[:-1] if said.sum.total is not None]
    wanted = [told.baseline.label, *(label for _, label in sorted(sums)[:1]), *reversed(labels)]
    kept = set(list(dict.fromkeys(wanted))[:MOST_VISITS])
    return tuple(label for label in labels if label in kept)


def picture_rows(
    findings: ResponseFindings,
    visits: Sequence[Visit],
    cases: Mapping[SopInstanceUID, Case],
    *,
    columns: int,
    rows: int,
) -> tuple[PictureRow, ...]:
    """Target lesions, then new ones, as many as there is room for.

    Parameters
    ----------
    cases
        By segmentation; a visit whose case is not there has no pictures.
    columns, rows
        Pixels of each picture.
    """
    shown = set(shown_labels(findings.assessment, findings.followed))
    wanted = [line for line in lesion_lines(findings) if line.role in _SHOWN_ROLES][:MOST_LESIONS]
    made = []
    for line in wanted:
        seen = {
            visit.label: found
            for visit in visits
            if visit.label in shown and (found := _drawn(findings, visit, line.lesion, cases)) is not None
        }
        largest = max((sighting.long_axis for sighting, _, _ in seen.values()), default=0)
        half_mm = half_width_mm(largest / 20 + _BORDER_MM) * columns / rows
        cells = []
        for point in findings.followed.time_points:
            observed = point.of(line.lesion)
            if point.label not in shown:
                continue
            if observed is None:
                # a lesion that is not known yet
                cells.append(Cell(point.label, LesionState.ABSENT, None))
                continue
            found = seen.get(point.label)
            view, source = (None, None) if found is None else _picture(*found[1:], half_mm, columns, rows)
            cells.append(Cell(point.label, observed.state, counted(observed), view, source))
        name = findings.names.get(line.lesion, "")
        made.append(PictureRow(line.lesion, name, line.seen.organ.value, line.role, tuple(cells)))
    return tuple(made)


def _picture(case: Case, lesion: Lesion, half_mm: float, columns: int, rows: int) -> tuple[View, SliceRef]:
    measured = diameters(lesion.mask, case.ct.grid)
    view = mask_view(case.ct, lesion.mask, measured, columns=columns, rows=rows, least_half_mm=half_mm)
    return view, case.ct.slices[view.slice_index]


def _drawn(
    findings: ResponseFindings, visit: Visit, lesion: LesionId, cases: Mapping[SopInstanceUID, Case]
) -> tuple[Sighting, Case, Lesion] | None:
    """The largest segment of a lesion at a visit, with the case and the lesion that it was read as."""
    read = [cases[segmentation] for segmentation in visit.segmentations if segmentation in cases]
    for seen in drawn_at(findings.followed, visit, lesion):
        for case in read:
            for drawn in case.lesions:
                if drawn.tracking_uid == seen.own_uid:
                    return seen, case, drawn
    return None
