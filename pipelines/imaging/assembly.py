"""When a segmentation and its CT series are a case: pairing and completeness, decided from evidence alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from pipelines.domain.case import SeriesKey
from pipelines.domain.identifiers import FrameOfReferenceUID, SeriesUID, SopInstanceUID
from pipelines.domain.instance import InstanceRef, Plane
from pipelines.domain.reasons import Rejected
from pipelines.imaging.geometry import TOLERANCES, Tolerances, parallel, stack

_FEW: Final = 3
"""A stack has few gaps, as a broken transfer leaves them, while there are this many slices for each."""


@dataclass(frozen=True, slots=True)
class SeriesArrival:
    """What has arrived of one CT series.

    Attributes
    ----------
    planes
        Planes of the single-frame images without localizers; empty for a multi-frame series.
    frames
        Frames of all images, localizers not counted.
    """

    key: SeriesKey
    patient_key: str
    frame_of_reference: FrameOfReferenceUID | None
    instances: frozenset[SopInstanceUID]
    planes: tuple[Plane, ...]
    frames: int
    last_received_at: datetime


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
class Wait:
    """Not yet; look again at `until` or when something arrives."""

    why: str
    until: datetime


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


Decision = Wait | Complete | Incomplete


def pair(segmentation: InstanceRef, candidates: Sequence[SeriesArrival]) -> SeriesArrival | Rejected | None:
    """Find the CT series that `segmentation` was drawn on; the first rule that finds one decides.

    1. The series it names in its references.
    2. The one series that holds the images it names.
    3. Without any reference: the one series of its study on its frame of reference.

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
    if not fitting and references.instances:
        named = frozenset(references.instances)
        fitting = [series for series in candidates if series.instances & named]
    if not fitting and not references.series and not references.instances:
        fitting = [
            series
            for series in candidates
            if series.key.study == segmentation.key.study
            and series.frame_of_reference is not None
            and series.frame_of_reference == segmentation.frame_of_reference
        ]
    if len(fitting) > 1:
        names = ", ".join(sorted(series.key.series for series in fitting))
        return Rejected(
            "SEG-002",
            f"Segmentation {segmentation.sop_instance} fits CT series {names}.",
            "Send a segmentation that refers to one series.",
        )
    return fitting[0] if fitting else None


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
    ct = pair(ref, candidates)
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
    if missing is not None and now < newest + patience.missing:
        return Wait(f"{missing.detail} Waiting for the rest.", newest + patience.missing)
    if missing is not None:
        return Incomplete(missing, ct.key)
    # the CT must be quiet; the segmentation is one object and complete in itself
    if now < ct.last_received_at + patience.quiet:
        return Wait(
            f"CT series {ct.key.series} is arriving ({ct.frames} slices so far).", ct.last_received_at + patience.quiet
        )
    return Complete(f"{_evidence(ref, ct)}; quiet for {patience.quiet.total_seconds():g} s.", ct.key)


def _without_ct(segmentation: SegmentationArrival, *, now: datetime, patience: Patience) -> Decision:
    ref = segmentation.ref
    named = _named_series(ref.references.series)
    if now < segmentation.received_at + patience.missing:
        return Wait(f"{named} has not arrived.", segmentation.received_at + patience.missing)
    waited = (now - segmentation.received_at).total_seconds()
    return Incomplete(
        Rejected(
            "SEG-001",
            f"Segmentation {ref.sop_instance} from AE {segmentation.calling_ae_title}: {named} has not arrived "
            f"(waited {waited:.0f} s).",
            "Send that series to this node; the case then starts by itself.",
        ),
        None,
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
