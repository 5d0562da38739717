"""When a segmentation and its CT series are a case: pairing and completeness, decided from evidence alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from pipelines.domain.case import SeriesKey
from pipelines.domain.identifiers import FrameOfReferenceUID, SeriesUID, SopInstanceUID, StudyUID
from pipelines.domain.instance import InstanceRef, Plane
from pipelines.domain.reasons import Rejected
from pipelines.domain.waiting import waited
from pipelines.imaging.geometry import TOLERANCES, Tolerances, normal_of, parallel, stack

_FEW: Final = 3
"""A stack has few gaps, as a broken transfer leaves them, while there are this many slices for each."""
_NEARLY_ALL: Final = 0.9
_AXIAL: Final = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


@dataclass(frozen=True, slots=True)
class SeriesArrival:
    """What has arrived of one CT series.

    Attributes
    ----------
    planes
        Planes of the single-frame images without localizers; empty for a multi-frame series.
    frames
        Frames of all images, localizers not counted.
    frame_positions_mm
        Positions of the frames of multi-frame images.
    original
        True when all images are ORIGINAL and PRIMARY: as the scanner made them, not reformatted.
    """

    key: SeriesKey
    patient_key: str
    frame_of_reference: FrameOfReferenceUID | None
    instances: frozenset[SopInstanceUID]
    planes: tuple[Plane, ...]
    frames: int
    last_received_at: datetime
    frame_positions_mm: tuple[tuple[float, float, float], ...] = ()
    original: bool = True


@dataclass(frozen=True, slots=True)
class SegmentationArrival:
    """A segmentation that has arrived."""

    ref: InstanceRef
    received_at: datetime
    calling_ae_title: str


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for what.

    Attributes
    ----------
    quiet
        Time without a new instance after which a series counts as sent.
    missing
        Time to wait for a CT series or for missing slices, from the last arrival on.
    """

    quiet: timedelta
    missing: timedelta


@dataclass(frozen=True, slots=True)
class MissingCt:
    """What would have to be retrieved for the case to become complete.

    Attributes
    ----------
    study
        Where the series is to be looked for; a series may lie in another study than the segmentation that names it.
    series
        Empty when the segmentation names none.
    instances
        Images that are named and have not arrived.
    """

    study: StudyUID
    series: tuple[SeriesUID, ...]
    instances: tuple[SopInstanceUID, ...]


@dataclass(frozen=True, slots=True)
class Wait:
    """Not yet; look again at `until` or when something arrives."""

    why: str
    until: datetime
    missing: MissingCt | None = None


@dataclass(frozen=True, slots=True)
class Complete:
    """All that the case needs is there."""

    why: str
    ct: SeriesKey


@dataclass(frozen=True, slots=True)
class Incomplete:
    """It will not become a case as it is; a late instance changes that."""

    reason: Rejected
    ct: SeriesKey | None
    missing: MissingCt | None = None


Decision = Wait | Complete | Incomplete


def series_arrival(images: Sequence[InstanceRef], last_received_at: datetime) -> SeriesArrival:
    """What the `images` of one CT series, at least one, are as a whole."""
    used = [image for image in images if not image.localizer]
    first = (used or images)[0]
    return SeriesArrival(
        key=first.key,
        patient_key=first.patient_key,
        frame_of_reference=first.frame_of_reference,
        instances=frozenset(image.sop_instance for image in images),
        planes=tuple(image.plane for image in used if image.plane is not None),
        frames=sum(image.frames for image in used),
        last_received_at=last_received_at,
        frame_positions_mm=tuple(position for image in used for position in image.frame_positions_mm),
        original=bool(used) and all(image.original for image in used),
    )


def pair(
    segmentation: InstanceRef, candidates: Sequence[SeriesArrival], tolerances: Tolerances = TOLERANCES
) -> SeriesArrival | Rejected | None:
    """Find the CT series that `segmentation` was drawn on; the first rule that finds one decides.

    1. The series it names in its references.
    2. The series that holds the images it names: at least nine tenths of those that have arrived.
    3. Without any reference: the series of its study and patient, on its frame of reference, that overlaps with it; of
       several, original axial ones go before others, and then the one with most slices at the places of its frames.

    A series of another study on the same frame of reference is never taken unless it is named.

    Returns
    -------
    SeriesArrival
        The series.
    Rejected
        `SEG-002` when more than one series fits.
    None
        No series that fits has arrived.
    """
    references = segmentation.references
    fitting = [series for series in candidates if series.key.series in references.series]
    if len(fitting) != 1 and references.instances:
        fitting = _holding(frozenset(references.instances), fitting or candidates) or fitting
    if not fitting and not references.series and not references.instances:
        fitting = _at_its_place(segmentation, candidates, tolerances)
    if len(fitting) > 1:
        names = ", ".join(sorted(series.key.series for series in fitting))
        return Rejected(
            "SEG-002",
            f"Segmentation {segmentation.sop_instance} fits CT series {names}.",
            "Send a segmentation that refers to one series.",
        )
    return fitting[0] if fitting else None


def _holding(named: frozenset[SopInstanceUID], candidates: Sequence[SeriesArrival]) -> list[SeriesArrival]:
    held = [(series, len(series.instances & named)) for series in candidates if series.instances & named]
    enough = [series for series, count in held if count >= _NEARLY_ALL * sum(count for _, count in held)]
    return enough or [series for series, _ in held]


def _at_its_place(
    segmentation: InstanceRef, candidates: Sequence[SeriesArrival], tolerances: Tolerances
) -> list[SeriesArrival]:
    here = [series for series in candidates if _same_space(segmentation, series)]
    # with another patient's ID it is quarantined, but only when no series of the same patient fits
    here = [series for series in here if series.patient_key == segmentation.patient_key] or here
    matches = [(series, _matches(segmentation.frame_positions_mm, series, tolerances.position_mm)) for series in here]
    overlapping = [(series, count) for series, count in matches if count is not None]
    preferred = [one for one in overlapping if one[0].original and _axial(one[0])] or overlapping
    most = max((count for _, count in preferred), default=0)
    return [series for series, count in preferred if count == most]


def _same_space(segmentation: InstanceRef, series: SeriesArrival) -> bool:
    return (
        series.key.study == segmentation.key.study
        and series.frame_of_reference is not None
        and series.frame_of_reference == segmentation.frame_of_reference
    )


def _matches(
    positions_mm: Sequence[tuple[float, float, float]], series: SeriesArrival, tolerance_mm: float
) -> int | None:
    """How many frames lie on slices of `series`; None when all lie beyond it, 0 when nothing is known of either."""
    slices = [plane.position_mm for plane in series.planes] or list(series.frame_positions_mm)
    if not positions_mm or not slices:
        return 0
    normal = normal_of(series.planes[0].orientation if series.planes else _AXIAL)
    frames = np.unique(np.round(np.asarray(positions_mm) @ normal, 3))
    heights = np.sort(np.asarray(slices) @ normal)
    if frames[-1] < heights[0] - tolerance_mm or frames[0] > heights[-1] + tolerance_mm:
        return None
    return int((np.abs(frames[:, None] - heights[None, :]).min(axis=1) <= tolerance_mm).sum())


def _axial(series: SeriesArrival) -> bool:
    return not series.planes or bool(abs(normal_of(series.planes[0].orientation)[2]) > _NEARLY_ALL)


def decide(
    segmentation: SegmentationArrival,
    candidates: Sequence[SeriesArrival],
    *,
    now: datetime,
    patience: Patience,
    tolerances: Tolerances = TOLERANCES,
) -> Decision:
    """Decide whether the case of `segmentation` can start."""
    ref = segmentation.ref
    rivals = [] if ref.references.series or ref.references.instances else [c for c in candidates if _same_space(ref, c)]
    arrived = max((series.last_received_at for series in rivals), default=None)
    if arrived is not None and not waited(arrived, patience.quiet, now=now):
        # which one fits best is seen when all are there
        return Wait("CT series on the frame of reference of the segmentation are arriving.", arrived + patience.quiet)
    ct = pair(ref, candidates, tolerances)
    if isinstance(ct, Rejected):
        return Incomplete(ct, None)
    if ct is None:
        return _without_ct(segmentation, now=now, patience=patience)
    if ct.patient_key != ref.patient_key:
        return Incomplete(
            Rejected(
                "SEG-005",
                f"Segmentation {ref.sop_instance} and CT series {ct.key.series} carry different patient IDs.",
                "Correct the patient ID in the sending system, export the segmentation anew and send it.",
            ),
            ct.key,
        )
    newest = max(ct.last_received_at, segmentation.received_at)
    missing = incompleteness(ref, ct, tolerances)
    if missing is not None:
        absent = tuple(uid for uid in ref.references.instances if uid not in ct.instances)
        rest = MissingCt(ct.key.study, (ct.key.series,), absent)
        if now < newest + patience.missing:
            return Wait(f"{missing.detail} Waiting for the rest.", newest + patience.missing, rest)
        return Incomplete(missing, ct.key, rest)
    # the CT must be quiet; the segmentation is one object and complete in itself
    if not waited(ct.last_received_at, patience.quiet, now=now):
        return Wait(
            f"CT series {ct.key.series} is arriving ({ct.frames} slices so far).", ct.last_received_at + patience.quiet
        )
    return Complete(f"{_evidence(ref, ct)}; quiet for {patience.quiet.total_seconds():g} s.", ct.key)


def _without_ct(segmentation: SegmentationArrival, *, now: datetime, patience: Patience) -> Decision:
    ref = segmentation.ref
    named = _named_series(ref.references.series)
    missing = MissingCt(ref.key.study, ref.references.series, ref.references.instances)
    if now < segmentation.received_at + patience.missing:
        return Wait(f"{named} has not arrived.", segmentation.received_at + patience.missing, missing)
    waited = (now - segmentation.received_at).total_seconds()
    return Incomplete(
        Rejected(
            "SEG-001",
            f"Segmentation {ref.sop_instance} from AE {segmentation.calling_ae_title}: {named} has not arrived "
            f"(waited {waited:.0f} s).",
            "Send that series to this node; the case then starts by itself.",
        ),
        None,
        missing,
    )


def _named_series(series: Sequence[SeriesUID]) -> str:
    if not series:
        return "The CT series it was drawn on"
    return f"CT series {', '.join(series)}"


def incompleteness(ref: InstanceRef, ct: SeriesArrival, tolerances: Tolerances = TOLERANCES) -> Rejected | None:
    """What is known to be missing of the CT: images that the segmentation `ref` names, or gaps between slices."""
    remedy = "Send the CT series again; the case then starts by itself."
    named = frozenset(ref.references.instances)
    absent = named - ct.instances
    # a reference to something else than this series (an earlier segmentation, say) is no missing slice
    if absent and named & ct.instances:
        return Rejected(
            "CT-002", f"{len(absent)} of {len(named)} images that the segmentation names are missing.", remedy
        )
    if ct.frames == 0:
        return Rejected("CT-005", f"CT series {ct.key.series} holds localizers only.", "Send the axial CT series.")
    if len(ct.planes) < 3 or not all(parallel(ct.planes[0], plane) for plane in ct.planes):
        return None
    stacked = stack(ct.planes, tolerances)
    # many gaps, or some between uneven steps, may be those between two acquisitions, which reading the case tells apart
    if not stacked.gaps or not stacked.regular or len(stacked.gaps) * _FEW > len(stacked.order):
        return None
    places = ", ".join(f"{gap.missing} above {gap.after_mm:.2f} mm" for gap in stacked.gaps[:5])
    return Rejected(
        "CT-002",
        f"{stacked.missing} slices of CT series {ct.key.series} are missing ({places}; "
        f"spacing {stacked.spacing_mm:.2f} mm).",
        remedy,
    )


def _evidence(ref: InstanceRef, ct: SeriesArrival) -> str:
    named = len(frozenset(ref.references.instances) & ct.instances)
    parts = [f"{ct.frames} CT slices"]
    if named:
        parts.append(f"all {named} images that the segmentation names are there")
    if len(ct.planes) >= 3 and all(parallel(ct.planes[0], plane) for plane in ct.planes):
        parts.append(f"no gap at {stack(ct.planes).spacing_mm:.2f} mm spacing")
    return ", ".join(parts)
