"""Read the lesions of a DICOM segmentation onto the grid of a CT volume."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.uid import RLELossless

from pipelines.domain.case import Lesion
from pipelines.domain.identifiers import derived_uid
from pipelines.domain.lesion_rule import DEFAULT_RULE, Choice, LesionRule, choose, described
from pipelines.domain.reasons import Rejected
from pipelines.domain.volume import CtVolume
from pipelines.imaging.seg_frames import Frames, Segment, read_frames, read_segments, without_frames
from pipelines.imaging.seg_pixels import DEFLATED_IMAGE_FRAME, ReadFrame, Undecodable, frame_reader, transfer_syntax_of
from pipelines.imaging.seg_place import Patch, Placed, Places, Uneven, copied, places_on, resampled

_RESEND: Final = "Export the segmentation on the original CT series and send it again."
_MEANT: Final = "Nothing, if that is meant; else"
_RULE: Final = (
    "If one of them is a lesion, name it in lesions.include or lesions.include_codes, or choose another value of "
    "lesions.unnamed; then retry the case."
)


@dataclass(frozen=True, slots=True)
class Drawn:
    """The lesions that a segmentation holds.

    Attributes
    ----------
    referable
        True when a report can refer to the received segments: they hold the measured voxels, in an encoding that
        other systems read.
    on_ct_slices
        True when all were drawn on the slices of the CT, not on a grid of their own.
    """

    lesions: tuple[Lesion, ...]
    notes: tuple[Rejected, ...]
    referable: bool = True
    on_ct_slices: bool = True


@dataclass(frozen=True, slots=True)
class _Threshold:
    """The smallest stored value that means inside, and why, where the pixels leave a choice."""

    value: int
    why: str = ""


def read_segmentation(
    segmentation: Dataset,
    ct: CtVolume,
    *,
    rule: LesionRule = DEFAULT_RULE,
    assume_charset: str = "",
    may_be_empty: bool = False,
) -> Drawn | Rejected:
    """Read the segments of a SEG or label map that are lesions.

    BINARY frames are taken as they are. In a FRACTIONAL segmentation a voxel belongs to the segment from half of the
    maximum on; one that knows only 0 and one other value is a mask whatever that value is, as some writers store 1 of
    255. Frames on the CT's grid are copied, others are resampled with the nearest neighbour. Only frames of lesions are
    decoded.

    Parameters
    ----------
    rule
        Which segments are lesions.
    assume_charset
        Character set of labels that are not in the declared one.
    may_be_empty
        True to take a segmentation of lesions that has no voxel, or no frame, for what it says: they are gone.

    Returns
    -------
    Drawn
        One lesion for each segment that the rule takes and that has a voxel on the CT; notes about all others, about a
        threshold, about resampling and about what was left out.
    Rejected
        `SEG-003`, `SEG-004`, `SEG-006` or `SEG-007`.

    References
    ----------
    PS3.3 C.8.20 (Segmentation).
    """
    if str(segmentation.get("FrameOfReferenceUID", "")) != ct.frame_of_reference:
        return Rejected(
            "SEG-003",
            f"Segmentation {segmentation.SOPInstanceUID} and the CT have no common frame of reference.",
            _RESEND,
        )
    try:
        return _read(segmentation, ct, rule, assume_charset, may_be_empty=may_be_empty)
    except Exception as fault:  # decoders and sequences of foreign writers fail in many ways, all with one meaning
        why = str(fault) if isinstance(fault, Undecodable) else type(fault).__name__
        return Rejected(
            "SEG-006",
            f"Segmentation {segmentation.SOPInstanceUID} cannot be decoded ({why}).",
            "Export it as a BINARY segmentation, uncompressed, and send it again.",
        )


def _read(
    segmentation: Dataset, ct: CtVolume, rule: LesionRule, assume_charset: str, *, may_be_empty: bool
) -> Drawn | Rejected:
    segments, notes = read_segments(segmentation, assume_charset)
    choices = choose([segment.description for segment in segments], rule)
    taken = {choice.number for choice in choices if choice.taken}
    wanted = [segment for segment in segments if segment.number in taken]
    if not wanted:
        return no_lesion(str(segmentation.SOPInstanceUID), choices)
    if without_frames(segmentation):
        notes.extend(_empty(segment.number, outside=False) for segment in wanted)
        return _nothing(str(segmentation.SOPInstanceUID), notes, may_be_empty=may_be_empty)
    frames, read = read_frames(segmentation), frame_reader(segmentation)
    found = _label_map(frames, read, taken) if frames.segments is None else None
    threshold = _Threshold(1)
    if found is None:
        threshold = _threshold(segmentation, len(frames.positions_mm), read)
        found = _masks(frames, read, taken, threshold.value)
        notes.extend(_unknown(frames, {segment.number for segment in segments}))
    shape = int(segmentation.Rows), int(segmentation.Columns)
    places = places_on(frames, shape, ct.grid)
    lesions: list[Lesion] = []
    placed_all: list[Placed] = []
    for segment in wanted:
        patches = found.get(segment.number, [])
        placed = _placed(segment.number, patches, frames, places, ct) if patches else Placed(None, 0, copied=True)
        if isinstance(placed, Rejected) or placed.mask is None:
            notes.append(placed if isinstance(placed, Rejected) else _empty(segment.number, outside=bool(patches)))
            continue
        if placed.outside:
            notes.append(_cut(segment.number, placed.outside))
        placed_all.append(placed)
        lesions.append(lesion_of(str(segmentation.SOPInstanceUID), segment, placed))
    if not lesions:
        return _nothing(str(segmentation.SOPInstanceUID), notes, may_be_empty=may_be_empty)
    notes.extend(_remarks(str(segmentation.SOPInstanceUID), threshold, placed_all, choices))
    referable = (
        frames.segments is not None
        and not threshold.why
        and all(placed.copied and not placed.outside for placed in placed_all)
        and transfer_syntax_of(segmentation) not in (RLELossless, DEFLATED_IMAGE_FRAME)
    )
    on_ct_slices = all(placed.copied for placed in placed_all)
    return Drawn(tuple(lesions), tuple(notes), referable=referable, on_ct_slices=on_ct_slices)


def _masks(frames: Frames, read: ReadFrame, wanted: set[int], threshold: int) -> dict[int, list[Patch]]:
    assert frames.segments is not None
    found: dict[int, list[Patch]] = {}
    for index in np.flatnonzero(np.isin(frames.segments, sorted(wanted))):
        patch = Patch.of(int(index), read(int(index)) >= threshold)
        if patch is not None:
            found.setdefault(int(frames.segments[index]), []).append(patch)
    return found


def _label_map(frames: Frames, read: ReadFrame, wanted: set[int]) -> dict[int, list[Patch]]:
    found: dict[int, list[Patch]] = {}
    for index in range(len(frames.positions_mm)):
        values = read(index)
        for number in wanted.intersection(np.flatnonzero(np.bincount(values.ravel())).tolist()):
            patch = Patch.of(index, values == number)
            if patch is not None:
                found.setdefault(number, []).append(patch)
    return found


def _threshold(segmentation: Dataset, frames: int, read: ReadFrame) -> _Threshold:
    kind = segmentation.get("SegmentationType")
    if kind == "BINARY" or (kind is None and segmentation.BitsAllocated == 1):
        return _Threshold(1)
    if kind != "FRACTIONAL":
        raise Undecodable("SegmentationType is missing or unknown")
    values: NDArray[np.int64] = np.unique(np.concatenate([np.unique(read(index)) for index in range(frames)]))
    above = values[values > 0]
    if len(above) <= 1:
        value = int(above[0]) if len(above) else 1
        return _Threshold(value, f"its pixels know only 0 and {value}, so every pixel above 0 counts")
    maximum = int(segmentation.get("MaximumFractionalValue") or 0)
    if not maximum:
        raise Undecodable("MaximumFractionalValue is missing")
    value = (maximum + 1) // 2
    return _Threshold(value, f"a pixel counts from {value} of {maximum} on")


def _placed(number: int, patches: Sequence[Patch], frames: Frames, places: Places, ct: CtVolume) -> Placed | Rejected:
    if places.fits[[patch.frame for patch in patches]].all():
        return copied(patches, places, ct.grid)
    try:
        return resampled(patches, frames, ct.grid)
    except Uneven:
        return Rejected(
            "SEG-007", f"The frames of segment {number} lie neither on the CT nor evenly spaced beside it.", _RESEND
        )


def lesion_of(sop_instance: str, segment: Segment, placed: Placed) -> Lesion:
    """A segment on the CT as a lesion; tracking identifiers that it lacks are derived."""
    assert placed.mask is not None
    number, label = segment.number, segment.description.label
    return Lesion(
        number=number,
        label=label,
        tracking_id=segment.tracking_id or f"{label} ({number})",
        tracking_uid=segment.tracking_uid or derived_uid("lesion", sop_instance, str(number)),
        kind=segment.description.kind,
        mask=placed.mask,
        regions=() if segment.region is None else (segment.region,),
        tracking_id_sent=bool(segment.tracking_id),
        tracking_uid_sent=bool(segment.tracking_uid),
    )


def no_lesion(sop_instance: str, choices: Sequence[Choice]) -> Rejected:
    """The reason why a segmentation in which the rule finds no lesion is no case."""
    return Rejected("SEG-004", f"Segmentation {sop_instance} has no lesion. {described(choices)}", _RULE)


def rule_note(choices: Sequence[Choice]) -> list[Rejected]:
    """A note about the rule, where it left a segment or took one that nothing calls a lesion."""
    if all(choice.taken and choice.evident for choice in choices):
        return []
    return [Rejected("SEG-011", described(choices), f"{_MEANT} change the section lesions of the configuration.")]


def _unknown(frames: Frames, known: set[int]) -> list[Rejected]:
    numbers: Mapping[int, int] = {}
    if frames.segments is not None:
        others = frames.segments[~np.isin(frames.segments, sorted(known))]
        numbers = dict(zip(*(part.tolist() for part in np.unique(others, return_counts=True)), strict=True))
    if not numbers:
        return []
    count = sum(numbers.values())
    listed = ", ".join(str(number) for number in list(numbers)[:12])
    return [
        Rejected(
            "SEG-010",
            f"{count} frames of segment {listed} were left out: the segmentation does not describe it.",
            "Correct the segmentation in the system that wrote it, if these frames show a lesion.",
        )
    ]


def _cut(number: int, pixels: int) -> Rejected:
    return Rejected(
        "SEG-010",
        f"{pixels} voxels of segment {number} lie beyond the border of the CT and were left out.",
        f"{_MEANT} send the CT series that it was drawn on.",
    )


def _remarks(
    sop_instance: str, threshold: _Threshold, placed: Sequence[Placed], choices: Sequence[Choice]
) -> list[Rejected]:
    notes = []
    if threshold.why:
        notes.append(
            Rejected(
                "SEG-009",
                f"Segmentation {sop_instance} is fractional: {threshold.why}.",
                f"{_MEANT} export it as a BINARY segmentation.",
            )
        )
    if not all(one.copied for one in placed):
        notes.append(
            Rejected(
                "SEG-008",
                f"Segmentation {sop_instance} has a grid of its own; its voxels were carried over to "
                "the CT with the nearest neighbour.",
                f"{_MEANT} export it on the original CT series and send it again.",
            )
        )
    return [*notes, *rule_note(choices)]


def _empty(number: int, *, outside: bool) -> Rejected:
    if outside:
        return Rejected("SEG-007", f"Segment {number} lies outside the CT.", _RESEND)
    return Rejected("ROI-002", f"Segment {number} has no voxel.", f"{_MEANT} draw it and send again.")


def _nothing(sop_instance: str, notes: Sequence[Rejected], *, may_be_empty: bool) -> Drawn | Rejected:
    outside = [note for note in notes if note.code == "SEG-007"]
    if outside:
        return outside[0]
    # frames of a segment that is not described may hold what was meant
    if may_be_empty and all(note.code == "ROI-002" for note in notes):
        return Drawn((), tuple(notes), referable=False)
    return Rejected(
        "SEG-004",
        f"Segmentation {sop_instance} has no segment with a voxel.",
        "Draw the lesion and send the segmentation again.",
    )
