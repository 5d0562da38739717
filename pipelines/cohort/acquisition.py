"""How the CTs of a cohort were acquired: one table per scanner, as the headers tell it (Dong & Chen 2025, table 1)."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, TypeVar

from pydicom import Dataset
from pydicom.multival import MultiValue

from pipelines.cohort.sheet import Sheet, sheet

_PARAMETERS: Final = (
    ("kvp", "KVP", "kV"),
    ("tube_current_ma", "XRayTubeCurrent", "mA"),
    ("exposure_mas", "Exposure", "mAs"),
    ("pitch", "SpiralPitchFactor", ""),
    ("collimation_mm", "TotalCollimationWidth", "mm"),
    ("single_collimation_mm", "SingleCollimationWidth", "mm"),
    ("rotation_time_s", "RevolutionTime", "s"),
    ("fov_mm", "DataCollectionDiameter", "mm"),
    ("reconstruction_diameter_mm", "ReconstructionDiameter", "mm"),
    ("slice_thickness_mm", "SliceThickness", "mm"),
)
"""Name, DICOM keyword (PS3.3 C.8.2.1, C.8.15.3) and unit."""
_Value = TypeVar("_Value")
_THICK_APART_MM: Final = 0.5
"""Slice thicknesses of one cohort that differ by more are said to be mixed."""


@dataclass(frozen=True, slots=True)
class Acquisition:
    """What the header of one CT says of how it was made; None or empty where it does not."""

    study_date: date | None
    manufacturer: str
    scanner: str
    kernel: str
    numbers: tuple[tuple[str, float | None], ...]

    def number(self, name: str) -> float | None:
        """One of the parameters by its name."""
        return dict(self.numbers)[name]


def acquisition_of(header: Dataset) -> Acquisition:
    """Read the header of a CT image; for a multi-frame image also what all frames share."""
    groups = list(header.get("SharedFunctionalGroupsSequence") or ())
    return Acquisition(
        study_date=_day(_text(header, "StudyDate")),
        manufacturer=_text(header, "Manufacturer"),
        scanner=_text(header, "ManufacturerModelName"),
        kernel=_found(header, groups, "ConvolutionKernel", _text) or "",
        numbers=tuple((name, _found(header, groups, keyword, _number)) for name, keyword, _ in _PARAMETERS),
    )


def scanner_table(acquisitions: Sequence[Acquisition]) -> Sheet:
    """One row per scanner: number of CTs, and of every parameter the values with their counts, or the range."""
    heads = ["Manufacturer", "Scanner", "CTs", "Kernels"]
    heads += [f"{name} [{unit}]" if unit else name for name, _, unit in _PARAMETERS]
    groups: dict[tuple[str, str], list[Acquisition]] = {}
    for one in acquisitions:
        groups.setdefault((one.manufacturer, one.scanner), []).append(one)
    rows = [
        (
            manufacturer or "not stated",
            scanner or "not stated",
            len(group),
            _counted(one.kernel or "not stated" for one in group),
            *(_spread([one.number(name) for one in group]) for name, _, _ in _PARAMETERS),
        )
        for (manufacturer, scanner), group in sorted(groups.items())
    ]
    return sheet(
        "scanners", "Acquisition of the CTs by scanner, as their headers tell it", heads, rows, *mixed(acquisitions)
    )


def mixed(acquisitions: Sequence[Acquisition]) -> tuple[str, ...]:
    """What speaks against computing features over all of these CTs as if they were alike."""
    told = []
    kernels = [one.kernel or "not stated" for one in acquisitions]
    if len(set(kernels)) > 1:
        told.append(f"{len(set(kernels))} reconstruction kernels are mixed: {_counted(kernels)}.")
    thick = [t for one in acquisitions if (t := one.number("slice_thickness_mm")) is not None]
    if thick and max(thick) - min(thick) > _THICK_APART_MM:
        told.append(f"Slice thicknesses from {min(thick):g} to {max(thick):g} mm are mixed.")
    voltages = {one.number("kvp") for one in acquisitions} - {None}
    if len(voltages) > 1:
        told.append(
            f"{len(voltages)} tube voltages are mixed: {_spread([one.number('kvp') for one in acquisitions])} kV."
        )
    return tuple(told)


def _found(
    header: Dataset, groups: Iterable[Dataset], keyword: str, read: Callable[[Dataset, str], _Value]
) -> _Value | None:
    """The value at the top, else in a shared functional group (enhanced CT, PS3.3 A.38)."""
    value = read(header, keyword)
    if value not in (None, ""):
        return value
    for group in groups:
        for sequence in group:
            for item in sequence.value if sequence.VR == "SQ" else ():
                value = read(item, keyword)
                if value not in (None, ""):
                    return value
    return None


def _text(header: Dataset, keyword: str) -> str:
    value = header.get(keyword)
    if isinstance(value, MultiValue):
        return "/".join(str(part) for part in value)
    return "" if value is None else str(value).strip()


def _number(header: Dataset, keyword: str) -> float | None:
    try:
        return float(header.get(keyword))
    except (TypeError, ValueError):
        return None


def _day(text: str) -> date | None:
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:8])) if len(text) == 8 else None
    except ValueError:
        return None


def _counted(values: Iterable[str]) -> str:
    counts = Counter(values)
    return "; ".join(f"{value} ({count})" for value, count in sorted(counts.items()))


def _spread(values: Sequence[float | None]) -> str:
    known = sorted(value for value in values if value is not None)
    if not known:
        return "not stated"
    missing = len(values) - len(known)
    told = f"{known[0]:g}" if known[0] == known[-1] else f"{known[0]:g}–{known[-1]:g}"
    return f"{told} ({missing} not stated)" if missing else told
