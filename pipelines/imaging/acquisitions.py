"""Which frames of a CT series are the volume that a segmentation was drawn on, when the series holds more than one."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from pydicom import Dataset

from pipelines.domain.reasons import Rejected
from pipelines.domain.volume import SliceRef
from pipelines.imaging.damaged import READ_FAULTS
from pipelines.imaging.frames import ACQUISITION_NAMES, KERNEL, CtFrame
from pipelines.imaging.geometry import Stack, Tolerances, parallel, stack

NamedImages = frozenset[tuple[str, int | None]]
"""Images that a segmentation was drawn on: SOP Instance UID, and the frame (from 1) where it names one."""

_SEPARATE = "Send the acquisitions as series of their own, or a segmentation that names the images it was drawn on."
_LEAST_OVERLAP = 0.5
"""Part of the shorter of two acquisitions that the other covers too; less is one series in two parts."""


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """One stack of frames, and what was left out for it.

    Attributes
    ----------
    frames
        In the order that `stacked` counts them.
    left_out
        How many frames were not taken, by the reason.
    """

    frames: tuple[CtFrame, ...]
    stacked: Stack
    left_out: tuple[tuple[str, int], ...]


def named_images(segmentation: Dataset) -> NamedImages:
    """The images that the frames or contours of `segmentation` were drawn on, else all that it refers to.

    None when its references cannot be read.

    References
    ----------
    PS3.3 C.7.6.16.2.6 (Derivation Image), C.8.8.6 (ROI Contour), C.12.1.1 (Common Instance Reference).
    """
    try:
        return frozenset(_references(segmentation))
    except READ_FAULTS:
        return frozenset()


def _references(segmentation: Dataset) -> set[tuple[str, int | None]]:
    drawn: set[tuple[str, int | None]] = set()
    groups = [
        *(segmentation.get("PerFrameFunctionalGroupsSequence") or ()),
        *(segmentation.get("SharedFunctionalGroupsSequence") or ()),
    ]
    for group in groups:
        for derivation in group.get("DerivationImageSequence") or ():
            for source in derivation.get("SourceImageSequence") or ():
                drawn.update(_named(source))
    for roi in segmentation.get("ROIContourSequence") or ():
        for contour in roi.get("ContourSequence") or ():
            for image in contour.get("ContourImageSequence") or ():
                drawn.update(_named(image))
    if not drawn:
        for series in segmentation.get("ReferencedSeriesSequence") or ():
            for instance in series.get("ReferencedInstanceSequence") or ():
                drawn.update(_named(instance))
    return drawn


def choose(frames: Sequence[CtFrame], named: Callable[[], NamedImages], tolerances: Tolerances) -> Chosen | Rejected:
    """The frames of one volume.

    Of frames in several directions those are taken that the segmentation names, else the most. Frames that differ in
    matrix, pixel spacing or frame of reference, or that are several acquisitions of the same place, are told apart by
    the segmentation alone. Of frames with equal pixels at one place the first is taken.

    Parameters
    ----------
    named
        Gives the images that the segmentation names; asked only when there is a choice.

    Returns
    -------
    Chosen
        One stack, which may still have gaps, uneven steps or a tilt.
    Rejected
        `CT-001` with what the series holds.

    Raises
    ------
    UnusableImage
        If the pixels of frames at one place have to be compared and cannot be decoded.
    """
    left_out: list[tuple[str, int]] = []
    directions = _grouped(frames, lambda one, other: parallel(one.plane, other.plane, tolerances))
    kept = directions[0] if len(directions) == 1 else _named_group(directions, named()) or max(directions, key=len)
    if len(kept) < len(frames):
        left_out.append(("in another direction", len(frames) - len(kept)))

    kinds = _by(kept, lambda frame: (frame.shape, frame.frame_of_reference, _rounded(frame.spacing_mm)))
    if len(kinds) > 1:
        fitting = _named_group(list(kinds.values()), named())
        if fitting is None:
            return _differing(kept)
        left_out.append(("of another matrix, pixel spacing or frame of reference", len(kept) - len(fitting)))
        kept = fitting

    stacked = stack([frame.plane for frame in kept], tolerances)
    repeated, differing = _compared(kept, stacked)
    # images of several kernels may fill each other's gaps; images of several exposures then are one volume
    in_order = stacked.regular and not stacked.gaps and not differing
    names, groups = _acquisitions(kept, tolerances, (KERNEL,) if in_order else ACQUISITION_NAMES)
    if not groups:
        return _not_separable(kept, differing) if differing else _chosen(kept, stacked, repeated, left_out)
    of_segmentation = _named_group(groups, named())
    if of_segmentation is None:
        described = "; ".join(f"{len(group)} images with {_described(group[0], names)}" for group in groups[:5])
        return Rejected("CT-001", f"The series holds {len(groups)} acquisitions: {described}.", _SEPARATE)
    other = f"of another acquisition than {_described(of_segmentation[0], names)}"
    left_out.append((other, len(kept) - len(of_segmentation)))
    again = stack([frame.plane for frame in of_segmentation], tolerances)
    repeated, _ = _compared(of_segmentation, again)
    return _chosen(of_segmentation, again, repeated, left_out)


def _named(item: Dataset) -> list[tuple[str, int | None]]:
    uid = str(item.get("ReferencedSOPInstanceUID") or "")
    numbers = item.get("ReferencedFrameNumber")
    if numbers is None:
        return [(uid, None)]
    return [(uid, int(number)) for number in (numbers if isinstance(numbers, Sequence) else [numbers])]


def _is_named(ref: SliceRef, named: NamedImages) -> bool:
    return (str(ref.sop_instance), None) in named or (str(ref.sop_instance), ref.frame) in named


def _named_group(groups: Sequence[list[CtFrame]], named: NamedImages) -> list[CtFrame] | None:
    """The only group that holds a named image; None when there is none or more than one."""
    fitting = [group for group in groups if any(_is_named(frame.ref, named) for frame in group)]
    return fitting[0] if len(fitting) == 1 else None


def _grouped(frames: Sequence[CtFrame], alike: Callable[[CtFrame, CtFrame], bool]) -> list[list[CtFrame]]:
    groups: list[list[CtFrame]] = []
    for frame in frames:
        fitting = next((group for group in groups if alike(group[0], frame)), None)
        if fitting is None:
            groups.append([frame])
        else:
            fitting.append(frame)
    return groups


def _by(frames: Sequence[CtFrame], key: Callable[[CtFrame], Hashable]) -> dict[Hashable, list[CtFrame]]:
    groups: dict[Hashable, list[CtFrame]] = {}
    for frame in frames:
        groups.setdefault(key(frame), []).append(frame)
    return groups


def _rounded(spacing_mm: tuple[float, float]) -> tuple[float, float]:
    return round(spacing_mm[0], 3), round(spacing_mm[1], 3)


def _differing(frames: Sequence[CtFrame]) -> Rejected:
    matrices = sorted({f"{rows} x {columns}" for rows, columns in (frame.shape for frame in frames)})
    spacings = sorted({" x ".join(f"{step:g}" for step in _rounded(frame.spacing_mm)) for frame in frames})
    frames_of_reference = {frame.frame_of_reference for frame in frames}
    return Rejected(
        "CT-001",
        "The images are not of one volume: matrix "
        f"{' and '.join(matrices)}, pixel spacing {' and '.join(spacings)} mm, "
        f"{len(frames_of_reference)} frame(s) of reference.",
        _SEPARATE,
    )


def _compared(frames: Sequence[CtFrame], stacked: Stack) -> tuple[int, list[tuple[CtFrame, CtFrame]]]:
    """How many frames repeat another at their place, and the pairs whose pixels differ."""
    pairs = [(frames[one], frames[other]) for one, other in stacked.duplicates]
    differing = [(one, other) for one, other in pairs if not _same_pixels(one, other)]
    resent = sum(one.ref == other.ref for one, other in pairs)
    return len(pairs) - len(differing) - resent, differing


def _same_pixels(one: CtFrame, other: CtFrame) -> bool:
    return (one.instance is other.instance and one.index == other.index) or np.array_equal(
        one.hounsfield(), other.hounsfield()
    )


def _acquisitions(
    frames: Sequence[CtFrame], tolerances: Tolerances, tried: Sequence[str]
) -> tuple[tuple[str, ...], list[list[CtFrame]]]:
    """The fewest names whose values split `frames` into whole stacks over the same place; none when nothing does."""
    known = [name for name in tried if len({_values(frame, (name,)) for frame in frames}) > 1]
    for count in (1, 2):
        for names in combinations(known, count):
            groups = list(_by(frames, lambda frame, names=names: _values(frame, names)).values())  # type: ignore[misc]
            if len(groups) > 1 and _are_acquisitions(groups, tolerances):
                return names, groups
    return (), []


def _values(frame: CtFrame, names: tuple[str, ...]) -> tuple[str | None, ...]:
    values = dict(frame.acquisition)
    return tuple(values.get(name) for name in names)


def _are_acquisitions(groups: Sequence[list[CtFrame]], tolerances: Tolerances) -> bool:
    if min(map(len, groups)) < 2:
        return False
    stacks = [stack([frame.plane for frame in group], tolerances) for group in groups]
    whole = all(made.regular and not made.gaps for made in stacks)
    same = all(not _compared(group, made)[1] for group, made in zip(groups, stacks, strict=True))
    return whole and same and all(_overlap(one, other) for one, other in combinations(stacks, 2))


def _overlap(one: Stack, other: Stack) -> bool:
    common = min(one.heights_mm[-1], other.heights_mm[-1]) - max(one.heights_mm[0], other.heights_mm[0])
    shorter = min(made.heights_mm[-1] - made.heights_mm[0] for made in (one, other))
    return common >= _LEAST_OVERLAP * shorter


def _described(frame: CtFrame, names: Sequence[str]) -> str:
    values = dict(frame.acquisition)
    return ", ".join(f"{name} {values.get(name, 'none')}" for name in names)


def _not_separable(frames: Sequence[CtFrame], differing: Sequence[tuple[CtFrame, CtFrame]]) -> Rejected:
    one, other = (frame.ref.sop_instance for frame in differing[0])
    return Rejected(
        "CT-001",
        f"{len(differing)} of {len(frames)} images lie where another one with different pixels lies (as {one} and "
        f"{other}): two acquisitions, which neither number nor time nor kernel tells apart.",
        _SEPARATE,
    )


def _chosen(frames: Sequence[CtFrame], stacked: Stack, repeated: int, left_out: Sequence[tuple[str, int]]) -> Chosen:
    copies = [("as copies of others", repeated)] if repeated else []
    return Chosen(tuple(frames), stacked, (*left_out, *copies))
