"""Read the lesions of an RT Structure Set onto the grid of a CT volume."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from pydicom import Dataset

from pipelines.domain.lesion_rule import DEFAULT_RULE, LesionRule, SegmentDescription, choose
from pipelines.domain.reasons import Rejected
from pipelines.domain.volume import CtVolume, Grid
from pipelines.imaging.charsets import UnreadableText, declared_in, text_of
from pipelines.imaging.contours import Contour, Unusable, fill
from pipelines.imaging.seg import Drawn, lesion_of, no_lesion, rule_note
from pipelines.imaging.seg_frames import Segment, first_code, unreadable_label
from pipelines.imaging.seg_place import Placed

_RESEND = "Draw the structure on the slices of the CT series and send the structure set again."
_CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR", "CLOSED_PLANAR_XOR")


@dataclass(slots=True)
class _Contours:
    """The contours of one ROI by what can be done with them."""

    closed: list[Contour] = field(default_factory=list)
    open: int = 0
    of_other_images: int = 0


def read_structures(
    structures: Dataset,
    ct: CtVolume,
    *,
    rule: LesionRule = DEFAULT_RULE,
    assume_charset: str = "",
    may_be_empty: bool = False,
) -> Drawn | Rejected:
    """Read the ROIs that are lesions, from their closed planar contours.

    A voxel belongs to the ROI when its centre lies inside a contour of its slice; a contour inside another one cuts a
    hole, as a keyhole does.

    Parameters
    ----------
    rule
        Which ROIs are lesions.
    assume_charset
        Character set of names that are not in the declared one.
    may_be_empty
        True to take lesions that have no contour for what that says: they are gone.

    Returns
    -------
    Drawn
        One lesion for each ROI that the rule takes and that covers a voxel; notes about all others and about contours
        that could not be used.
    Rejected
        `SEG-003`, `SEG-004` or `SEG-006`.

    References
    ----------
    PS3.3 C.8.8.5 (Structure Set), C.8.8.6 (ROI Contour), C.8.8.8 (RT ROI Observations).
    """
    try:
        return _read(structures, ct, rule, assume_charset, may_be_empty=may_be_empty)
    except Exception as fault:  # sequences of foreign writers fail in many ways, all with one meaning
        why = str(fault) if isinstance(fault, Unusable) else type(fault).__name__
        return Rejected(
            "SEG-006",
            f"Structure set {structures.SOPInstanceUID} cannot be decoded ({why}).",
            "Export it anew, or as a BINARY segmentation, and send it again.",
        )


def _read(
    structures: Dataset, ct: CtVolume, rule: LesionRule, assume_charset: str, *, may_be_empty: bool
) -> Drawn | Rejected:
    items = {
        int(item.ROINumber): item
        for item in structures.get("StructureSetROISequence") or ()
        if item.get("ReferencedFrameOfReferenceUID", ct.frame_of_reference) == ct.frame_of_reference
    }
    if not items or ct.frame_of_reference not in _frames_of_reference(structures):
        return Rejected(
            "SEG-003",
            f"Structure set {structures.SOPInstanceUID} and the CT have no common frame of reference.",
            _RESEND,
        )
    notes: list[Rejected] = []
    segments = _segments(structures, items, assume_charset, notes)
    choices = choose([segment.description for segment in segments], rule)
    taken = {choice.number for choice in choices if choice.taken}
    if not taken:
        return no_lesion(str(structures.SOPInstanceUID), choices)
    contours = _contours(structures, taken, ct, notes)
    lesions = []
    for segment in segments:
        number = segment.number
        if number not in taken or number not in contours:
            if number in taken and not any(
                note.code == "SEG-006" and f"ROI {number}:" in note.detail for note in notes
            ):
                notes.append(Rejected("ROI-002", f"ROI {number} has no contour.", _RESEND))
            continue
        found = contours[number]
        placed = _filled(number, found, ct.grid, notes)
        if placed is not None:
            lesions.append(lesion_of(str(structures.SOPInstanceUID), segment, placed))
    if may_be_empty and not lesions and all(note.code == "ROI-002" for note in notes):
        return Drawn((), tuple(notes), referable=False)
    if not lesions:
        return Rejected(
            "SEG-004",
            f"Structure set {structures.SOPInstanceUID} has no ROI that covers a voxel of the CT. "
            + " ".join(note.detail for note in notes[:5]),
            "Draw the lesion and send the structure set again.",
        )
    # a report refers to segments; the node writes a segmentation of what it filled
    return Drawn(tuple(lesions), (*notes, *rule_note(choices)), referable=False)


def _frames_of_reference(structures: Dataset) -> set[str]:
    named = {str(item.get("ReferencedFrameOfReferenceUID", "")) for item in structures.StructureSetROISequence}
    # an ROI that names none lies on the one of the structure set
    return named if named != {""} else {str(structures.get("FrameOfReferenceUID", ""))}


def _segments(
    structures: Dataset, items: dict[int, Dataset], assume_charset: str, notes: list[Rejected]
) -> list[Segment]:
    observations = {
        int(item.ReferencedROINumber): item
        for item in structures.get("RTROIObservationsSequence") or ()
        if item.get("ReferencedROINumber") is not None
    }
    declared = declared_in(structures)
    segments = []
    for number, item in items.items():
        observation = observations.get(number, Dataset())
        try:
            name = text_of(item, "ROIName", within=declared, assume=assume_charset)
        except UnreadableText:
            name = ""
            notes.append(unreadable_label(f"ROIName of ROI {number}"))
        description = SegmentDescription(
            number=number,
            label=name or f"ROI {number}",
            kind=first_code(observation, "RTROIIdentificationCodeSequence"),
            algorithm=str(item.get("ROIGenerationAlgorithm") or ""),
            interpreted_type=str(observation.get("RTROIInterpretedType") or "").upper(),
        )
        segments.append(Segment(description, "", ""))
    return segments


def _contours(structures: Dataset, wanted: set[int], ct: CtVolume, notes: list[Rejected]) -> dict[int, _Contours]:
    images = {str(source.sop_instance) for source in ct.slices}
    found: dict[int, _Contours] = {}
    for item in structures.get("ROIContourSequence") or ():
        number = int(item.get("ReferencedROINumber", -1))
        if number not in wanted:
            continue
        try:
            _sort(item.get("ContourSequence") or (), images, found.setdefault(number, _Contours()))
        except (TypeError, ValueError) as fault:
            del found[number]
            why = str(fault) if isinstance(fault, Unusable) else "a contour is no list of points"
            notes.append(Rejected("SEG-006", f"ROI {number}: {why}.", _RESEND))
    return found


def _sort(items: Sequence[Dataset], images: set[str], into: _Contours) -> None:
    on_ct: list[Contour] = []
    elsewhere: list[Contour] = []
    for item in items:
        kind = str(item.get("ContourGeometricType") or "")
        if kind not in _CLOSED:
            into.open += 1
            continue
        contour = Contour.of(item.get("ContourData"), exclusive=kind != "CLOSED_PLANAR")
        named = {str(image.get("ReferencedSOPInstanceUID", "")) for image in item.get("ContourImageSequence") or ()}
        (elsewhere if named and not named & images else on_ct).append(contour)
    # one structure set may hold the phases of a 4-D CT; its contours on other phases are not of this volume
    into.of_other_images += len(elsewhere) if on_ct else 0
    into.closed += on_ct or elsewhere


def _filled(number: int, contours: _Contours, grid: Grid, notes: list[Rejected]) -> Placed | None:
    if contours.open:
        notes.append(_left(number, contours.open, "points or open lines and enclose nothing"))
    if contours.of_other_images:
        notes.append(_left(number, contours.of_other_images, "drawn on images of another series"))
    try:
        filled = fill(contours.closed, grid)
    except Unusable as fault:
        notes.append(Rejected("SEG-006", f"ROI {number}: {fault}.", _RESEND))
        return None
    if filled.between:
        notes.append(_left(number, filled.between, "drawn between slices nearer to which another contour lies"))
    if filled.stretched:
        notes.append(
            Rejected(
                "SEG-008",
                f"ROI {number} is drawn every {filled.step_mm:.2f} mm; each contour was filled on all slices of the CT "
                "that are nearest to it.",
                "Nothing, if that is meant; else draw it on every slice of the CT.",
            )
        )
    if filled.mask is None:
        notes.append(Rejected("ROI-002", f"ROI {number} covers no voxel of the CT.", _RESEND))
        return None
    return Placed(filled.mask, 0, copied=False)


def _left(number: int, count: int, why: str) -> Rejected:
    return Rejected(
        "SEG-010", f"{count} contours of ROI {number} were left out: they are {why}.", "Nothing, if that is meant."
    )
