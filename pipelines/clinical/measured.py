"""The lesions that a Structured Report measures (TID 1500): a visit of which there is no segmentation."""

import math
from collections.abc import Iterator, Sequence
from typing import Final

from pydicom import Dataset

from pipelines.domain import coding as words
from pipelines.domain.case import SeriesKey
from pipelines.domain.coding import Code
from pipelines.domain.history import MEASURED_ONLY, Scan
from pipelines.domain.identifiers import (
    FrameOfReferenceUID,
    SeriesUID,
    SopInstanceUID,
    StudyUID,
    derived_uid,
    digest_of,
    is_uid,
)
from pipelines.domain.identity import NOWHERE, Sighting
from pipelines.domain.organs import Organ, organ_of
from pipelines.domain.recist import tenths
from pipelines.domain.scan_date import ScanDate

_LONG: Final = frozenset({("103339001", "SCT"), ("G-A185", "SRT"), ("103355008", "SCT"), ("M-02550", "SRT")})
"""Long axis, and Diameter where a report tells one alone."""
_SHORT: Final = frozenset({("103340004", "SCT"), ("G-A186", "SRT")})
_VOLUME: Final = frozenset({("118565006", "SCT"), ("G-D705", "SRT")})
_SITE: Final = frozenset({("363698007", "SCT"), ("G-C0E3", "SRT")})
_MM_IN: Final = {"mm": 1.0, "cm": 10.0}
_ML_IN: Final = {"cm3": 1.0, "ml": 1.0, "mL": 1.0, "mm3": 0.001}
_DEEPEST: Final = 16
_DATES: Final = ("StudyDate", "SeriesDate", "ContentDate")


def measured_scan(report: Dataset) -> Scan | None:
    """The lesions of a report that have a long axis in mm, as a scan whose voxels nobody has.

    The day is that of the study. A lesion that the report measures more than once counts by its largest long axis; one
    that it does not name gets a name of its own, by which nobody knows it again.

    Returns
    -------
    Scan
        `extent` covers nothing: what the report does not tell of was not looked at.
    None
        When the report measures no lesion or bears no date.

    References
    ----------
    PS3.16 TID 1500, 1410, 1411, 1501 (groups with Tracking Identifiers), CID 7470 (linear measurements).
    """
    day = _day(report)
    uid = str(report.get("SOPInstanceUID", ""))
    found: dict[str, Sighting] = {}
    for group in _groups(report, 0):
        seen = _sighting(group, uid, len(found) + 1)
        if seen is None:
            continue
        name = seen.tracking_uid or seen.own_uid
        before = found.get(name)
        if before is None or seen.long_axis > before.long_axis:
            found[name] = seen
    if day is None or not found:
        return None
    key = SeriesKey(StudyUID(str(report.StudyInstanceUID)), SeriesUID(str(report.SeriesInstanceUID)))
    told = [f"{name} {seen.long_axis} {seen.short_axis} {seen.volume_ml} {seen.organ}" for name, seen in found.items()]
    digest = digest_of(uid, str(day), *told)
    return Scan(day, key, SopInstanceUID(uid), FrameOfReferenceUID(""), tuple(found.values()), MEASURED_ONLY, digest)


def _day(report: Dataset) -> ScanDate | None:
    for keyword in _DATES:
        text = str(report.get(keyword) or "").strip()
        if len(text) == 8 and text.isdigit():
            try:
                return ScanDate.parse(f"{text[:4]}-{text[4:6]}-{text[6:]}")
            except ValueError:
                continue
    return None


def _groups(container: Dataset, depth: int) -> Iterator[Dataset]:
    if depth > _DEEPEST:
        return
    for item in container.get("ContentSequence") or ():
        if item.get("ValueType") == "CONTAINER":
            if _named(item, frozenset({(words.MEASUREMENT_GROUP.value, words.MEASUREMENT_GROUP.scheme)})):
                yield item
            yield from _groups(item, depth + 1)


def _sighting(group: Dataset, report: str, number: int) -> Sighting | None:
    items: Sequence[Dataset] = group.get("ContentSequence") or ()
    long_mm = _number(items, _LONG, _MM_IN)
    if long_mm is None or long_mm <= 0:
        return None
    short_mm = _number(items, _SHORT, _MM_IN)
    uids = [str(one.get("UID", "")) for one in items if _is(one, words.TRACKING_UID)]
    named = uids[0] if len(uids) == 1 and is_uid(uids[0]) else ""
    ids = [str(one.get("TextValue", "")).strip() for one in items if _is(one, words.TRACKING_IDENTIFIER)]
    organ = _organ(items)
    return Sighting(
        number=number,
        tracking_id=ids[0] if len(ids) == 1 else "",
        tracking_uid=named,
        own_uid=named or derived_uid("measured lesion", report, str(number)),
        organ=organ,
        is_node=organ is Organ.LYMPH_NODE,
        long_axis=tenths(long_mm),
        # a single diameter is all that is known of the lesion
        short_axis=tenths(long_mm if short_mm is None else short_mm),
        volume_ml=_number(items, _VOLUME, _ML_IN),
        points_mm=NOWHERE,
        step_mm=1.0,
    )


def _organ(items: Sequence[Dataset]) -> Organ:
    sites = [code for one in items if _named(one, _SITE) and (code := _code(one, "ConceptCodeSequence")) is not None]
    labels = [str(one.get("TextValue", "")) for one in items if _is(one, words.LESION_LABEL)]
    found = organ_of(sites)
    # the node's own reports of response tell the organ as a word
    known = [organ for organ in Organ if organ.value in labels]
    return known[0] if found is Organ.UNKNOWN and known else found


def _number(items: Sequence[Dataset], names: frozenset[tuple[str, str]], units: dict[str, float]) -> float | None:
    """The largest finite value of that name in the units of the result."""
    values = []
    for one in items:
        if one.get("ValueType") != "NUM" or not _named(one, names):
            continue
        for measured in one.get("MeasuredValueSequence") or ():
            unit = _code(measured, "MeasurementUnitsCodeSequence")
            factor = None if unit is None else units.get(unit.value)
            try:
                value = float(measured.get("NumericValue"))
            except (TypeError, ValueError):
                continue
            if factor is not None and math.isfinite(value):
                values.append(value * factor)
    return max(values, default=None)


def _is(item: Dataset, name: Code) -> bool:
    return _named(item, frozenset({(name.value, name.scheme)}))


def _named(item: Dataset, names: frozenset[tuple[str, str]]) -> bool:
    code = _code(item, "ConceptNameCodeSequence")
    return code is not None and (code.value, code.scheme) in names


def _code(item: Dataset, keyword: str) -> Code | None:
    sequence = item.get(keyword)
    if not sequence:
        return None
    try:
        return Code(
            str(sequence[0].get("CodeValue", "")),
            str(sequence[0].get("CodingSchemeDesignator", "")),
            str(sequence[0].get("CodeMeaning", ""))[:64] or "-",
        )
    except ValueError:
        # longer than codes that are known here
        return None
