"""What the node knows of an instance from its header alone."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from pipelines.domain.case import SeriesKey
from pipelines.domain.identifiers import FrameOfReferenceUID, SeriesUID, SopClassUID, SopInstanceUID

MAX_FRAME_POSITIONS: Final = 2000
# a direction is a unit vector in print of three digits or more
_UNIT: Final = 5e-3


@dataclass(frozen=True, slots=True)
class Plane:
    """Where an image lies (PS3.3 C.7.6.2): position of the first voxel and the two in-plane directions."""

    position_mm: tuple[float, float, float]
    orientation: tuple[float, float, float, float, float, float]


def are_directions(orientation: Sequence[float]) -> bool:
    """True for two perpendicular unit vectors, but for what writers round away; of anything else no normal follows."""
    a, b, c, d, e, f = orientation
    products = (a * a + b * b + c * c - 1, d * d + e * e + f * f - 1, a * d + b * e + c * f)
    # what is no number is within nothing
    return all(abs(product) <= _UNIT for product in products)


@dataclass(frozen=True, slots=True)
class References:
    """What a segmentation says it was drawn on."""

    series: tuple[SeriesUID, ...] = ()
    instances: tuple[SopInstanceUID, ...] = ()


@dataclass(frozen=True, slots=True)
class InstanceRef:
    """One received instance, by its header.

    Attributes
    ----------
    patient_key
        SHA-256 over Patient ID and its issuer: tells patients apart without naming them.
    frames
        Number of Frames, 1 when absent.
    plane
        None for multi-frame instances, which carry their planes per frame, and for objects without pixels.
    localizer
        True for a scout image (Image Type value 3 LOCALIZER).
    original
        True for what the scanner made itself (Image Type ORIGINAL, PRIMARY).
    frame_positions_mm
        Different positions of the frames of a multi-frame instance, at most `MAX_FRAME_POSITIONS`.
    """

    sop_class: SopClassUID
    sop_instance: SopInstanceUID
    key: SeriesKey
    transfer_syntax: str
    patient_key: str
    modality: str
    frame_of_reference: FrameOfReferenceUID | None = None
    frames: int = 1
    plane: Plane | None = None
    localizer: bool = False
    original: bool = False
    frame_positions_mm: tuple[tuple[float, float, float], ...] = ()
    references: References = field(default=References())
