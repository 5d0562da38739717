"""The lesions of a segmentation on the volume of a CT that was read, resampled or not."""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Final

import numpy as np
from pydicom import Dataset
from pydicom.datadict import keyword_for_tag

from pipelines.domain.case import Lesion
from pipelines.domain.lesion_rule import DEFAULT_RULE, LesionRule
from pipelines.domain.reasons import Rejected
from pipelines.domain.sop_classes import RT_STRUCTURE_SET
from pipelines.domain.volume import CtVolume, Mask
from pipelines.imaging.ct import ReadCt
from pipelines.imaging.frames import AIR_HU
from pipelines.imaging.rtstruct import read_structures
from pipelines.imaging.seg import Drawn, read_segmentation
from pipelines.imaging.upright import Lattice

_WITH_PLACES: Final = frozenset(
    {"PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence", "ROIContourSequence"}
)


def lesions_on(
    ct: ReadCt,
    segmentation: Dataset,
    *,
    rule: LesionRule = DEFAULT_RULE,
    assume_charset: str = "",
    may_be_empty: bool = False,
) -> Drawn | Rejected:
    """Read the lesions of `segmentation` onto `ct.volume`.

    When the CT was resampled, a segmentation of its slices as they were sent is read on those, voxel for voxel, and its
    masks are carried over; one with a grid of its own is read on the new grid at once.

    Parameters
    ----------
    rule
        Which segments are lesions.
    may_be_empty
        True to take a segmentation in which no lesion has a voxel for what it says.
    assume_charset
        Character set of labels that are not in the declared one.
    """

    def read_on(volume: CtVolume, drawn: Dataset = segmentation) -> Drawn | Rejected:
        read = read_structures if drawn.SOPClassUID == RT_STRUCTURE_SET else read_segmentation
        return read(drawn, volume, rule=rule, assume_charset=assume_charset, may_be_empty=may_be_empty)

    if ct.lattice is None or ct.upright is None:
        return read_on(ct.volume)
    try:
        straightened = _straightened(segmentation, ct.lattice)
    except (AttributeError, TypeError, ValueError):
        # places that are no numbers: the reader of the segmentation says what is wrong with it
        return read_on(ct.volume)
    drawn = read_on(ct.acquired, straightened)
    if isinstance(drawn, Rejected) or not drawn.on_ct_slices:
        return read_on(ct.volume)
    carried = ct.upright.carried
    return replace(drawn, lesions=tuple(replace(lesion, mask=carried(lesion.mask)) for lesion in drawn.lesions))


def unmeasured_notes(ct: ReadCt, lesions: Sequence[Lesion]) -> tuple[Rejected, ...]:
    """`CT-009` for each lesion with voxels that the CT did not measure.

    Raises
    ------
    UnreadableVoxels
        If a slice that a lesion lies on cannot be decoded.
    """
    return tuple(
        Rejected(
            "CT-009",
            f"{count} of {lesion.mask.count} voxels of segment {lesion.number} lie outside the field of view of the CT "
            f"or hold less than {AIR_HU} HU.",
            "Check the contour; where the CT says that nothing was measured, air was taken.",
        )
        for lesion in lesions
        if (count := sum(_unmeasured(ct, lesion.mask)))
    )


def _unmeasured(ct: ReadCt, mask: Mask) -> Iterator[int]:
    hu = ct.volume.hu[mask.box]
    suspect = mask.voxels & (hu <= AIR_HU)
    for index in np.flatnonzero(suspect.any(axis=(1, 2))):
        place = mask.offset[0] + int(index)
        if ct.upright is None:
            _, rows, columns = mask.box
            yield int((suspect[index] & ct.frames[place].unmeasured()[rows, columns]).sum())
        elif ct.frames[ct.upright.nearest(place)].unmeasured().any():
            # of a slice that was shifted within its plane the values tell enough
            yield int(suspect[index].sum())


def _straightened(segmentation: Dataset, lattice: Lattice) -> Dataset:
    """A copy whose frames and contours lie where `lattice` has nominally what they were drawn on."""
    made = Dataset()
    tags = segmentation.keys()  # an iteration over the data set itself would decode all text
    for tag in tags:
        moved = keyword_for_tag(tag) in _WITH_PLACES
        made[tag] = deepcopy(segmentation[tag]) if moved else segmentation.get_item(tag)
    made.file_meta = segmentation.file_meta
    for group in (*_items(made, "PerFrameFunctionalGroupsSequence"), *_items(made, "SharedFunctionalGroupsSequence")):
        for plane in _items(group, "PlanePositionSequence"):
            plane.ImagePositionPatient = _points(lattice, plane.ImagePositionPatient)
    for roi in _items(made, "ROIContourSequence"):
        for contour in _items(roi, "ContourSequence"):
            contour.ContourData = _points(lattice, contour.ContourData)
    return made


def _items(dataset: Dataset, keyword: str) -> list[Dataset]:
    return list(dataset.get(keyword) or ())


def _points(lattice: Lattice, values: Sequence[float]) -> list[str]:
    points = np.asarray([float(value) for value in values]).reshape(-1, 3)
    return [f"{value:.6g}" if abs(value) < 1e-6 else f"{value:.9g}" for value in lattice.nominal_points(points).ravel()]
