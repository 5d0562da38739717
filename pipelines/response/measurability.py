"""Whether a lesion may be measured at baseline (RECIST 1.1, section 3.1)."""

from enum import StrEnum
from typing import Final

from pipelines.domain.recist import LesionNature, LesionObservation, LesionState, Tenths

LEAST_LONG_AXIS: Final = Tenths(100)
LEAST_NODE: Final = Tenths(150)
NORMAL_NODE_BELOW: Final = Tenths(100)
_THIN_SLICE: Final = 50
_NEVER_MEASURED: Final = frozenset(LesionNature) - {
    LesionNature.SOLID,
    LesionNature.LYTIC_BONE,
    LesionNature.CYSTIC_METASTASIS,
}


class Measurability(StrEnum):
    """What a lesion can be at baseline."""

    MEASURABLE = "measurable"
    NON_MEASURABLE = "non-measurable"
    NO_DISEASE = "no disease"


def measurability(seen: LesionObservation, *, irradiated: bool = False) -> tuple[Measurability, str]:
    """Class of a lesion at baseline, and the reason.

    Parameters
    ----------
    irradiated
        It lies in an irradiated field and has not grown since.

    References
    ----------
    Eisenhauer et al. 2009, sections 3.1.1 to 3.1.3: long axis of 10 mm, twice the slice thickness where slices are
    thicker than 5 mm; nodes 15 mm in short axis, pathological from 10 mm on.
    """
    if seen.nature is LesionNature.SIMPLE_CYST:
        return Measurability.NO_DISEASE, "a simple cyst is no malignant lesion"
    if seen.nature in _NEVER_MEASURED:
        return Measurability.NON_MEASURABLE, f"{seen.nature.value} cannot be measured"
    if seen.state is LesionState.ABSENT:
        return Measurability.NO_DISEASE, "absent at baseline"
    if seen.state is not LesionState.MEASURED or seen.axis is None:
        return Measurability.NON_MEASURABLE, f"{seen.state.value} at baseline"
    if seen.is_node:
        return _node(seen.axis)
    least = LEAST_LONG_AXIS
    if seen.slice_thickness is not None and seen.slice_thickness > _THIN_SLICE:
        least = Tenths(2 * seen.slice_thickness)
    if seen.axis < least:
        return Measurability.NON_MEASURABLE, f"long axis {mm(seen.axis)}, less than {mm(least)}"
    if irradiated:
        return Measurability.NON_MEASURABLE, "irradiated, and no growth since"
    return Measurability.MEASURABLE, f"long axis {mm(seen.axis)}"


def _node(short_axis: Tenths) -> tuple[Measurability, str]:
    said = f"short axis {mm(short_axis)}"
    if short_axis < NORMAL_NODE_BELOW:
        return Measurability.NO_DISEASE, f"{said}, a normal node"
    if short_axis < LEAST_NODE:
        return Measurability.NON_MEASURABLE, f"{said}, pathological and less than {mm(LEAST_NODE)}"
    return Measurability.MEASURABLE, said


def mm(length: Tenths) -> str:
    """A length as people write it.

    Examples
    --------
    >>> mm(Tenths(149))
    '14.9 mm'
    """
    return f"{length // 10}.{length % 10} mm"
