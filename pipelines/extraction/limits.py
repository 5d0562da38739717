"""When a lesion has no features at all, and when the fast engine leaves it to PyRadiomics."""

from dataclasses import dataclass
from typing import Final

from pipelines.domain.case import Lesion
from pipelines.domain.reasons import Rejected

_REDRAW: Final = "Check the contour of this lesion and send a corrected segmentation."


@dataclass(frozen=True, slots=True)
class Unsupported:
    """Why the fast engine does not compute these features; PyRadiomics does."""

    reason: str


def too_small(lesion: Lesion) -> Rejected | None:
    """`ROI-001` for a lesion that spans fewer than two voxels in two directions."""
    if sum(extent > 1 for extent in lesion.mask.voxels.shape) >= 2:
        return None
    size = " x ".join(str(extent) for extent in lesion.mask.voxels.shape)
    return Rejected(
        "ROI-001", f"Segment {lesion.number} covers {size} voxels; a lesion needs two in two directions.", _REDRAW
    )


def refused(lesion: Lesion, fault: ValueError) -> Rejected:
    """`ROI-003` with the words of PyRadiomics."""
    return Rejected("ROI-003", f"PyRadiomics refuses segment {lesion.number}: {fault}.", _REDRAW)
