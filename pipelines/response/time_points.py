"""A patient's time points in their order, from the baseline on."""

from collections.abc import Sequence
from itertools import pairwise

from pipelines.domain.reasons import Rejected
from pipelines.domain.recist import Decisions, LesionState, TimePoint
from pipelines.domain.scan_date import ScanDate, days_between

_BASELINE_DAYS = 28


def in_order(time_points: Sequence[TimePoint], decisions: Decisions) -> tuple[TimePoint, ...] | Rejected:
    """Time points by date, those before the baseline left out; the same one told twice counts once.

    Returns
    -------
    tuple of TimePoint
        The baseline first. Time points whose dates are not complete go by the first day that they may have.
    Rejected
        `RSP-002` when two differ under one name, when none is there, or when the baseline that was chosen is not.
    """
    by_label: dict[str, TimePoint] = {}
    for point in time_points:
        if by_label.setdefault(point.label, point) != point:
            return Rejected(
                "RSP-002",
                f"Time point {point.label} is there twice, with different lesions or dates.",
                "Decide which segmentation of it counts and exclude the other one.",
            )
    ordered = sorted(by_label.values(), key=lambda point: (point.progressed_on, point.label))
    if not ordered:
        return Rejected("RSP-002", "There is no time point.", "Send a baseline scan with its segmentation.")
    if decisions.baseline is None:
        return tuple(ordered)
    if decisions.baseline not in by_label:
        return Rejected(
            "RSP-002",
            f"Time point {decisions.baseline}, chosen as the baseline, is not there.",
            "Choose the baseline anew.",
        )
    return tuple(ordered[ordered.index(by_label[decisions.baseline]) :])


def notes_on(visits: Sequence[TimePoint], start: ScanDate | None) -> list[Rejected]:
    """What a reader should know about how the visits were made."""
    notes = []
    baseline = visits[0]
    if start is not None:
        age = days_between(baseline.progressed_on, start)
        if age.low > _BASELINE_DAYS or age.high < 0:
            when = f"{age.low} days before" if age.low > 0 else f"{-age.high} days after"
            notes.append(
                Rejected(
                    "RSP-004",
                    f"The baseline scan was made {when} the first dose; RECIST asks for {_BASELINE_DAYS} days before.",
                    "Choose another baseline, if there is one.",
                )
            )
    for one, other in pairwise(visits):
        if one.progressed_on.latest >= other.progressed_on.earliest and not (
            one.progressed_on.complete and other.progressed_on.complete
        ):
            notes.append(
                Rejected(
                    "RSP-002",
                    f"Which of time points {one.label} and {other.label} came first is open: a date is not complete.",
                    "Complete the dates.",
                )
            )
    for visit in visits[1:]:
        notes.extend(_changes(baseline, visit))
    return notes


def _changes(baseline: TimePoint, visit: TimePoint) -> list[Rejected]:
    modality, thickness, merged = [], [], []
    for seen in visit.observations:
        before = baseline.of(seen.lesion)
        if seen.state is LesionState.MERGED:
            merged.append(seen.lesion)
        if before is None or LesionState.ABSENT in (seen.state, before.state):
            continue
        if seen.modality != before.modality:
            modality.append(f"{before.modality} and now {seen.modality}")
        if (
            None not in (seen.slice_thickness, before.slice_thickness)
            and seen.slice_thickness != before.slice_thickness
        ):
            thickness.append(seen.lesion)
    notes = []
    if modality:
        notes.append(
            Rejected(
                "RSP-004",
                f"Time point {visit.label}, lesions measured on {modality[0]}: {len(modality)}.",
                "Measure on the modality of the baseline, or set the lesions to not assessable.",
            )
        )
    if thickness:
        notes.append(
            Rejected(
                "RSP-004",
                f"Time point {visit.label}, lesions on slices of another thickness than at baseline: {len(thickness)}.",
                "Compare on slices of equal thickness, if there are any.",
            )
        )
    if merged:
        notes.append(
            Rejected(
                "RSP-004",
                f"Time point {visit.label}, lesions that lie in another one and count nothing: {len(merged)}.",
                "Confirm the merger; the long axis of the merged lesion counts.",
            )
        )
    return notes
