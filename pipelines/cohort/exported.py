"""The two tables that `pulmonode train` takes, of the eligible patients of a cohort and under pseudonyms."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

from pipelines.cohort.acquisition import Acquisition
from pipelines.cohort.members import START, Member
from pipelines.cohort.pseudonyms import Pseudonyms
from pipelines.cohort.table_file import write_csv
from pipelines.domain.reasons import Rejected

LesionChoice = Literal["largest", "all", "weighted"]
"""Which lesions of a patient: the largest; all of them, one row each; or one row of means weighted by volume."""

_COVARIATES: Final = ("agent", "age", "sex", "stage", "histology", "driver", "pd_l1", "ecog", "smoking", "location")
"""What is known at the first dose; the number of doses is not, and would tell of the response."""
_OLDEST: Final = 90
"""Ages above are written as this one: so few are older that their age may name them."""
_SETTINGS: Final = "diagnostics_Configuration_Settings"


@dataclass(frozen=True, slots=True)
class MeasuredVolume:
    """A lesion's volume and features; names in the order of the extraction."""

    volume_ml: float
    features: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Included:
    """An eligible patient with the CT that was chosen."""

    member: Member
    study_date: date | None
    acquisition: Acquisition | None
    lesions: tuple[MeasuredVolume, ...]


def clinical_table(people: Sequence[Included], pseudonyms: Pseudonyms) -> bytes:
    """`clinical.csv`: a row for each patient; a column that nobody has a value for is left out."""
    rows = [_clinical(one, pseudonyms) for one in people]
    heads = [head for head in rows[0] if head == "patient" or any(row[head] not in (None, "") for row in rows)]
    return write_csv(heads, [[row[head] for head in heads] for row in rows])


def feature_table(
    people: Sequence[Included],
    pseudonyms: Pseudonyms,
    lesions: LesionChoice = "largest",
    settings: Mapping[str, str] | None = None,
) -> bytes | Rejected:
    """`features.csv`: one row a lesion, or one a patient.

    Parameters
    ----------
    settings
        How the features were extracted, where that is known.

    Returns
    -------
    Rejected
        `COH-007` when the lesions have features of different names.
    """
    names = tuple(people[0].lesions[0].features)
    known = set(names)
    strangers = sum(set(lesion.features) != known for one in people for lesion in one.lesions)
    if strangers:
        return Rejected(
            "COH-007",
            f"{strangers} lesions have other features than the first one.",
            "Measure all cases again with the same settings (`pulmonode retry CASE`).",
        )
    extra = () if settings is None else (_SETTINGS,)
    rows: list[list[object]] = []
    for one in people:
        for number, lesion in enumerate(_chosen(one.lesions, lesions), start=1):
            row: list[object] = [pseudonyms.patient(one.member.key), number, lesion.volume_ml]
            row += [repr(dict(settings or {}))] if extra else []
            # as many digits as a float has: the model must see what the node will see
            rows.append([*row, *(_digits(lesion.features[name]) for name in names)])
    return write_csv(["patient", "lesion", "volume_ml", *extra, *names], rows)


def _digits(value: float) -> str:
    return "" if math.isnan(value) else repr(value)


def _chosen(lesions: Sequence[MeasuredVolume], choice: LesionChoice) -> Sequence[MeasuredVolume]:
    match choice:
        case "all":
            return lesions
        case "largest":
            return [max(lesions, key=lambda lesion: lesion.volume_ml)]
        case "weighted":
            total = sum(lesion.volume_ml for lesion in lesions)
            mean = {
                name: sum(lesion.volume_ml * lesion.features[name] for lesion in lesions) / total
                for name in lesions[0].features
            }
            return [MeasuredVolume(total, mean)]


def _clinical(one: Included, pseudonyms: Pseudonyms) -> dict[str, object]:
    member, acquisition = one.member, one.acquisition
    site, age = member.word("site"), member.number("age")
    start = member.day(START)
    return {
        "patient": pseudonyms.patient(member.key),
        "response": member.word("response"),
        "response_class": member.word("response_class"),
        "site": None if site is None else pseudonyms.site(site),
        "study_date": _moved(one.study_date, member, pseudonyms),
        "treatment_start_date": _moved(start, member, pseudonyms),
        "manufacturer": acquisition.manufacturer if acquisition else None,
        "scanner": acquisition.scanner if acquisition else None,
        "kernel": acquisition.kernel if acquisition else None,
        "slice_thickness_mm": acquisition.number("slice_thickness_mm") if acquisition else None,
        "kvp": acquisition.number("kvp") if acquisition else None,
        **{name: member.values.get(name) for name in _COVARIATES},
        "age": None if age is None else min(age, _OLDEST),
    }


def _moved(day: date | None, member: Member, pseudonyms: Pseudonyms) -> str | None:
    return None if day is None else pseudonyms.moved(member.key, day).isoformat()
