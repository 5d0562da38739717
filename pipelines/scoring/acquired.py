"""How a CT was acquired, as far as its header says, for a comparison with the training data."""

import math
from dataclasses import dataclass

from pydicom import Dataset

_OF_THERAPY = ("THERAPY", "TREATMENT")


@dataclass(frozen=True, slots=True)
class Acquired:
    """Acquisition of one CT; None where the header does not say.

    Attributes
    ----------
    kernel
        Convolution Kernel; the values of a list joined by a backslash, as they are stored.
    days_before_therapy
        Negative for a CT after the first dose.
    """

    slice_thickness_mm: float | None = None
    kernel: str | None = None
    kvp: float | None = None
    days_before_therapy: float | None = None


def acquired(header: Dataset) -> Acquired:
    """Read Slice Thickness, Convolution Kernel, KVP, and the time from therapy where a trial has written it.

    References
    ----------
    PS3.3 C.8.2.1, C.7.6.2 and C.7.2.3: Longitudinal Temporal Offset from Event (0012,0052) counts days from an event to
    the study; here it counts when its type (0012,0053) names therapy or treatment.
    """
    kernel = header.get("ConvolutionKernel")
    parts = [kernel] if isinstance(kernel, str) else list(kernel or ())
    joined = "\\".join(str(part).strip() for part in parts)
    event = str(header.get("LongitudinalTemporalEventType") or "").upper()
    offset = _number(header.get("LongitudinalTemporalOffsetFromEvent"))
    return Acquired(
        slice_thickness_mm=_number(header.get("SliceThickness")),
        kernel=joined or None,
        kvp=_number(header.get("KVP")),
        days_before_therapy=-offset if offset is not None and any(word in event for word in _OF_THERAPY) else None,
    )


def _number(value: object) -> float | None:
    try:
        number = float(str(value))
    except ValueError:
        return None
    return number if math.isfinite(number) else None
