"""Turn CT instances into one volume, or name the defect that forbids it."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from pipelines.domain.identifiers import FrameOfReferenceUID
from pipelines.domain.reasons import Rejected
from pipelines.domain.transfer_syntaxes import TRANSFER_SYNTAXES, Compression
from pipelines.domain.volume import CtVolume, UnreadableVoxels
from pipelines.imaging.acquisitions import Chosen, NamedImages, choose
from pipelines.imaging.frames import WIDEST_MM, CtFrame, UnusableImage, ct_frames, is_localizer, is_picture
from pipelines.imaging.geometry import TOLERANCES, Gap, Tolerances
from pipelines.imaging.upright import Lattice, Upright, grid_of, upright
from pipelines.imaging.voxels import LazyVoxels

_RESEND: Final = "Send the CT series again."
_OTHER_SERIES: Final = "Send an axial CT series without this defect."
_NOTHING: Final = "Nothing, if that is meant."
_MOST_SLICES: Final = 4
"""How many times the slices of an uneven series may become, before its spacing counts as no spacing at all."""
_HOUNSFIELD: Final = frozenset({"", "HU", "HU_MOD"})


@dataclass(frozen=True, slots=True, eq=False)
class ReadCt:
    """A CT series that was read.

    Attributes
    ----------
    volume
        What is measured. Its voxels are decoded when they are looked at.
    acquired
        The slices as they were sent, in whose indices a segmentation of them is drawn; `volume` itself when that is
        not resampled.
    frames
        Source of each slice of `acquired`.
    notes
        What a reader of the report should know: `CT-006` to `CT-008`, `CT-010`, `CT-011`.
    lattice, upright
        Where the slices lie and how they were brought onto the grid of `volume`; None when it is not resampled.
    """

    volume: CtVolume
    acquired: CtVolume
    frames: tuple[CtFrame, ...]
    notes: tuple[Rejected, ...]
    lattice: Lattice | None = None
    upright: Upright | None = None


def _no_images() -> NamedImages:
    return frozenset()


def read_ct(
    instances: Sequence[Dataset],
    *,
    named: Callable[[], NamedImages] = _no_images,
    tolerances: Tolerances = TOLERANCES,
) -> ReadCt | Rejected:
    """Stack the images of one series, by their headers: pixels are decoded where they are looked at.

    Parameters
    ----------
    instances
        Single-frame, Enhanced or Legacy Converted Enhanced CT images with pixel data, in any order.
    named
        Gives the images that the segmentation names; asked when the series holds more than one volume.

    Returns
    -------
    ReadCt
        int16 where all HU values are whole numbers in its range, else int32 or float64. Slices of a tilted gantry or
        at uneven steps are brought to a regular grid.
    Rejected
        `CT-001` to `CT-005`.

    References
    ----------
    PS3.3 C.7.6.2 (Image Plane), C.7.6.16 (functional groups), C.8.2.1 (CT Image).
    """
    try:
        pictures = [instance for instance in instances if is_picture(instance)]
        images = [i for i in instances if not is_localizer(i) and not is_picture(i)]
        frames = [frame for instance in images for frame in ct_frames(instance)]
        if not frames:
            return Rejected("CT-005", "The series holds no CT image but localizers.", _OTHER_SERIES)
        chosen = choose(frames, named, tolerances)
    except UnusableImage as fault:
        return fault.reason
    if isinstance(chosen, Rejected):
        return chosen
    defect = _defect(chosen)
    if defect is not None:
        return defect
    localizers = len(instances) - len(images) - len(pictures)
    outside = [("that are localizers", localizers), ("that are pictures in colours", len(pictures))]
    notes = (*_left_out([*outside, *chosen.left_out], len(instances)), *_values_notes(chosen))
    return _volume(chosen, notes)


def _defect(chosen: Chosen) -> Rejected | None:
    stacked = chosen.stacked
    first = chosen.frames[0]
    if not first.frame_of_reference:
        return Rejected("CT-001", "The CT images name no frame of reference.", _OTHER_SERIES)
    if len(stacked.order) < 2:
        return Rejected("CT-005", "The series holds a single slice.", _OTHER_SERIES)
    if stacked.gaps:
        places = ", ".join(_missing(gap, stacked.axis) for gap in stacked.gaps[:5])
        more = f" and {len(stacked.gaps) - 5} more gaps" if len(stacked.gaps) > 5 else ""
        missing = "1 slice is" if stacked.missing == 1 else f"{stacked.missing} slices are"
        return Rejected("CT-002", f"{missing} missing: {places}{more} (spacing {stacked.spacing_mm:.2f} mm).", _RESEND)
    if stacked.spacing_mm > WIDEST_MM:
        return Rejected("CT-003", f"The slices lie {stacked.spacing_mm:.0f} mm apart.", _OTHER_SERIES)
    rise = stacked.heights_mm[-1] - stacked.heights_mm[0]
    smallest = float(np.diff(stacked.heights_mm).min())
    if not stacked.regular and rise / smallest > _MOST_SLICES * len(stacked.order):
        return Rejected("CT-003", f"The slices lie too unevenly: {_spacings(chosen)}.", _OTHER_SERIES)
    return None


def _missing(gap: Gap, axis: int) -> str:
    name, first, last = "xyz"[axis], gap.at_mm[axis], gap.to_mm[axis]
    return f"{name} = {first:.2f} mm" if gap.missing == 1 else f"{name} = {first:.2f} to {last:.2f} mm"


def _spacings(chosen: Chosen) -> str:
    """Where the step between slices changes, and from what to what."""
    stacked = chosen.stacked
    steps = np.diff(stacked.heights_mm)
    changes = []
    for index in range(1, len(steps)):
        before, after = float(steps[index - 1]), float(steps[index])
        if abs(after - before) > max(0.01, 0.02 * stacked.spacing_mm):
            at = chosen.frames[stacked.order[index]].plane.position_mm[stacked.axis]
            changes.append(f"{before:.2f} -> {after:.2f} mm at {'xyz'[stacked.axis]} = {at:.2f} mm")
    more = f" and {len(changes) - 3} more changes" if len(changes) > 3 else ""
    where = f"spacing {', '.join(changes[:3])}{more}" if changes else f"spacing {stacked.spacing_mm:.2f} mm"
    return f"{where}, up to {stacked.irregular_mm:.2f} mm off"


def _left_out(reasons: Sequence[tuple[str, int]], total: int) -> tuple[Rejected, ...]:
    counted = [f"{count} {why}" for why, count in reasons if count]
    if not counted:
        return ()
    return (Rejected("CT-010", f"Of {total} CT instances, images were left out: {', '.join(counted)}.", _NOTHING),)


def _values_notes(chosen: Chosen) -> tuple[Rejected, ...]:
    """What to know about the values: lost by compression, or no HU."""
    notes = []
    instances = {id(frame.instance): frame.instance for frame in chosen.frames}.values()
    lossy = [instance for instance in instances if _is_lossy(instance)]
    if lossy:
        methods = ", ".join(sorted({_compression(instance) for instance in lossy}))
        notes.append(
            Rejected(
                "CT-008",
                f"{len(lossy)} of {len(instances)} CT instances were compressed with loss ({methods}).",
                "For numbers that compression did not touch, send the CT as it was acquired.",
            )
        )
    types = Counter(frame.rescale_type for frame in chosen.frames if frame.rescale_type not in _HOUNSFIELD)
    if types:
        notes.append(
            Rejected(
                "CT-011",
                f"{types.total()} of {len(chosen.frames)} images hold {', '.join(sorted(types))}, not HU.",
                "Check that the values are Hounsfield units; a model trained on HU fits nothing else.",
            )
        )
    return tuple(notes)


def _is_lossy(instance: Dataset) -> bool:
    """Compressed with loss now or before; where the transfer syntax leaves it open, unless the image denies it."""
    syntax = TRANSFER_SYNTAXES.get(str(instance.file_meta.TransferSyntaxUID), Compression.NONE)
    declared = str(instance.get("LossyImageCompression") or "")
    return declared == "01" or syntax is Compression.LOSSY or (syntax is Compression.EITHER and declared != "00")


def _compression(instance: Dataset) -> str:
    ratio = instance.get("LossyImageCompressionRatio")
    ratios = [ratio] if isinstance(ratio, str | float | int) else list(ratio or ())
    name = str(instance.file_meta.TransferSyntaxUID.name)
    return " ".join([name, *(f"ratio {value}" for value in ratios)])


def _volume(chosen: Chosen, notes: tuple[Rejected, ...]) -> ReadCt:
    stacked = chosen.stacked
    frames = tuple(chosen.frames[index] for index in stacked.order)
    first = frames[0]
    row_spacing, column_spacing = first.spacing_mm
    rise = stacked.heights_mm[-1] - stacked.heights_mm[0]
    shape = (len(frames), *first.shape)
    nominal = grid_of(
        first.plane.position_mm,
        first.plane.orientation,
        shape,
        (column_spacing, row_spacing, rise / (len(frames) - 1)),
    )
    frame_of_reference = FrameOfReferenceUID(first.frame_of_reference)
    refs = tuple(frame.ref for frame in frames)
    acquired = CtVolume(LazyVoxels(shape, lambda index: _hounsfield(frames[index])), nominal, frame_of_reference, refs)
    if stacked.regular and stacked.upright:
        return ReadCt(acquired, acquired, frames, notes)
    heights = np.array(stacked.heights_mm)
    places = Lattice(nominal, heights - heights[0], np.array(stacked.sideways_mm))
    made = upright(places, stacked)
    resampled = CtVolume(
        LazyVoxels(made.grid.shape, lambda index: made.hounsfield(acquired.hu, index)),
        made.grid,
        frame_of_reference,
        tuple(refs[made.nearest(index)] for index in range(made.grid.shape[0])),
        resampled=True,
    )
    return ReadCt(resampled, acquired, frames, (*notes, *_resampling_notes(chosen, made)), places, made)


def _resampling_notes(chosen: Chosen, made: Upright) -> tuple[Rejected, ...]:
    stacked = chosen.stacked
    notes = []
    consequence = "Lesions were measured there; diameters are not drawn and maps are not made."
    if not stacked.upright:
        furthest = float(np.linalg.norm(stacked.sideways_mm, axis=1).max())
        notes.append(
            Rejected(
                "CT-006",
                f"The slices do not stand above each other (tilt {stacked.tilt_degrees:.1f} degrees, up to "
                f"{furthest:.2f} mm aside). Each was shifted within its plane onto an upright grid. {consequence}",
                "For numbers without interpolation, send a series without gantry tilt and draw the lesions on it.",
            )
        )
    if not stacked.regular:
        notes.append(
            Rejected(
                "CT-007",
                f"The slices lie unevenly: {_spacings(chosen)}. They were interpolated to "
                f"{made.grid.shape[0]} slices every {made.grid.spacing_mm[2]:.3f} mm. {consequence}",
                "For numbers without interpolation, send a series of one spacing and draw the lesions on it.",
            )
        )
    return tuple(notes)


def _hounsfield(frame: CtFrame) -> NDArray[Any]:
    try:
        return frame.hounsfield()
    except UnusableImage as fault:
        raise UnreadableVoxels(fault.reason) from fault
