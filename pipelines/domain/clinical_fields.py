"""The data dictionary of a patient's treatment and fate: the one table that entry, checks and manual are made from."""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from pipelines.domain.clinical import ClinicalData, Entries, Key, LocalTherapy, LocalTherapyKind, TherapyLine
from pipelines.domain.organs import Organ
from pipelines.domain.progression import Stop
from pipelines.domain.scan_date import ScanDate

MOST_REPEATED: Final = 9
"""Lines and local treatments of one patient at most."""
_LONGEST: Final = 200


class Kind(StrEnum):
    """How a value is written."""

    DATE = "date"
    DAY = "day"
    YES_NO = "yes or no"
    CHOICE = "one word"
    CHOICES = "list of words"
    NAMES = "list of names"
    TEXT = "text"


class Group(StrEnum):
    """What comes several times; its number stands in the name of a column, as in `line2_start`."""

    LINE = "line"
    LOCAL = "local"


@dataclass(frozen=True, slots=True)
class Field:
    """One entry of the dictionary.

    Attributes
    ----------
    name
        Within its group, if it has one.
    choices
        What may be written; empty where anything may be.
    """

    name: str
    kind: Kind
    meaning: str
    group: Group | None = None
    choices: tuple[str, ...] = ()

    @property
    def allowed(self) -> str:
        """What may be written, for people."""
        match self.kind:
            case Kind.DATE:
                return "a date as YYYY-MM-DD, or YYYY-MM or YYYY where no more is known"
            case Kind.DAY:
                return "a date as YYYY-MM-DD"
            case Kind.YES_NO:
                return "yes or no"
            case Kind.CHOICE:
                return f"one of {', '.join(self.choices)}"
            case Kind.CHOICES:
                return f"any of {', '.join(self.choices)}, divided by semicolons; none when there are none"
            case Kind.NAMES:
                return f"names divided by semicolons, {_LONGEST} characters at most"
            case Kind.TEXT:
                return f"text of {_LONGEST} characters at most"

    def key(self, number: int = 0) -> Key:
        """The entry of this field; `number` counts what comes several times."""
        return Key(self.name if self.group is None else f"{self.group}_{self.name}", number)


_ORGANS: Final = tuple(organ.value for organ in Organ if organ is not Organ.UNKNOWN)
_NONE: Final = "none"

FIELDS: Final = (
    Field("ici_start", Kind.DATE, "First dose of the first immune checkpoint inhibitor."),
    Field("ici_last_dose", Kind.DATE, "Last dose of it, once it is given no more."),
    Field("ici_ongoing", Kind.YES_NO, "Whether it is still given."),
    Field("ici_stopped_for", Kind.CHOICE, "Why it ended.", choices=tuple(stop.value for stop in Stop)),
    Field(
        "rapid_progression",
        Kind.YES_NO,
        "Progression was so rapid, or the patient deteriorated so, that no confirming scan was waited for.",
    ),
    Field("second_progression", Kind.DATE, "Progression under the line after the inhibitor."),
    Field("death", Kind.DATE, "Death of any cause."),
    Field("last_contact", Kind.DATE, "Last day on which the patient was known to be alive."),
    Field("baseline_sites", Kind.CHOICES, "Organs with metastases at baseline.", choices=_ORGANS),
    Field("data_cut", Kind.DAY, "Cut-off of the data; nothing later counts."),
    Field("regimen", Kind.TEXT, "Name of the regimen.", Group.LINE),
    Field("agents", Kind.NAMES, "Medicines of it.", Group.LINE),
    Field("start", Kind.DATE, "First day of the line.", Group.LINE),
    Field("end", Kind.DATE, "Last dose of the line.", Group.LINE),
    Field("date", Kind.DATE, "Day, or first day, of the local treatment.", Group.LOCAL),
    Field("kind", Kind.CHOICE, "What it was.", Group.LOCAL, tuple(kind.value for kind in LocalTherapyKind)),
    Field("site", Kind.CHOICE, "The organ that was treated.", Group.LOCAL, _ORGANS),
)
"""In the order in which people are shown them."""

BY_NAME: Final = {field.key().name: field for field in FIELDS}
_COLUMN: Final = re.compile(rf"({'|'.join(Group)})([1-{MOST_REPEATED}])_([a-z]+)")


def column_of(key: Key) -> str:
    """The name that an entry has as the column of a table.

    Examples
    --------
    >>> column_of(Key("line_start", 2))
    'line2_start'
    """
    field = BY_NAME[key.name]
    return key.name if field.group is None else f"{field.group}{key.number}_{field.name}"


def key_of(column: str) -> Key | None:
    """The entry that a column holds; None when it is none of the dictionary."""
    found = _COLUMN.fullmatch(column)
    if found is not None:
        key = Key(f"{found[1]}_{found[3]}", int(found[2]))
        return key if key.name in BY_NAME else None
    field = BY_NAME.get(column)
    return Key(column) if field is not None and field.group is None else None


def parse_value(field: Field, text: str) -> str:
    """What is written down for `text`; empty for an empty one.

    Raises
    ------
    ValueError
        If it is not allowed. The message never quotes the text, which may be anything of a patient's.

    Examples
    --------
    >>> parse_value(BY_NAME["ici_ongoing"], "Yes")
    'yes'
    """
    plain = unicodedata.normalize("NFC", text).strip()
    if not plain:
        return ""
    try:
        return _PARSERS[field.kind](field, plain)
    except ValueError:
        raise ValueError(f"allowed is {field.allowed}") from None


def _date(_: Field, text: str) -> str:
    ScanDate.parse(text)
    digits = text.replace("-", "")
    return "-".join(part for part in (digits[:4], digits[4:6], digits[6:]) if part)


def _day(field: Field, text: str) -> str:
    if not ScanDate.parse(text).complete:
        raise ValueError
    return _date(field, text)


def _yes_no(_: Field, text: str) -> str:
    return {"yes": "yes", "no": "no", "true": "yes", "false": "no", "1": "yes", "0": "no"}.get(text.lower()) or _wrong()


def _choice(field: Field, text: str) -> str:
    return text.lower() if text.lower() in field.choices else _wrong()


def _choices(field: Field, text: str) -> str:
    parts = _parts(text.lower())
    if parts == (_NONE,):
        return _NONE
    return ";".join(dict.fromkeys(_choice(field, part) for part in parts)) or _wrong()


def _text(_: Field, text: str) -> str:
    return text if len(text) <= _LONGEST and text.isprintable() else _wrong()


def _names(field: Field, text: str) -> str:
    return _text(field, ";".join(_parts(text)))


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in re.split("[;；]", text) if part.strip())


def _wrong() -> str:
    raise ValueError


_PARSERS: Final[dict[Kind, Callable[[Field, str], str]]] = {
    Kind.DATE: _date,
    Kind.DAY: _day,
    Kind.YES_NO: _yes_no,
    Kind.CHOICE: _choice,
    Kind.CHOICES: _choices,
    Kind.NAMES: _names,
    Kind.TEXT: _text,
}


def clinical_data(entries: Entries) -> ClinicalData:
    """What the entries say together; each is as `parse_value` wrote it."""

    def text(name: str, number: int = 0) -> str:
        return entries.get(Key(name, number), "")

    def when(name: str, number: int = 0) -> ScanDate | None:
        found = text(name, number)
        return ScanDate.parse(found) if found else None

    def said(name: str) -> bool | None:
        return {"yes": True, "no": False}.get(text(name))

    def numbers(group: Group) -> list[int]:
        return sorted({key.number for key, value in entries.items() if value and BY_NAME[key.name].group is group})

    sites, stop, cut = text("baseline_sites"), text("ici_stopped_for"), text("data_cut")
    return ClinicalData(
        lines=tuple(
            TherapyLine(
                number,
                text("line_regimen", number),
                _parts(text("line_agents", number)),
                when("line_start", number),
                when("line_end", number),
            )
            for number in numbers(Group.LINE)
        ),
        local_therapies=tuple(
            LocalTherapy(
                number,
                when("local_date", number),
                LocalTherapyKind(kind) if (kind := text("local_kind", number)) else None,
                Organ(site) if (site := text("local_site", number)) else None,
            )
            for number in numbers(Group.LOCAL)
        ),
        ici_start=when("ici_start"),
        ici_last_dose=when("ici_last_dose"),
        ici_ongoing=said("ici_ongoing"),
        ici_stopped_for=Stop(stop) if stop else None,
        rapid_progression=said("rapid_progression"),
        second_progression=when("second_progression"),
        death=when("death"),
        last_contact=when("last_contact"),
        baseline_sites=frozenset(Organ(site) for site in _parts(sites) if site != _NONE) if sites else None,
        data_cut=date.fromisoformat(cut) if cut else None,
    )


def contradictions(entries: Entries) -> list[tuple[Key, str]]:
    """Entries that cannot be true together: the one that is probably wrong, and why."""
    dates = {key: ScanDate.parse(value) for key, value in entries.items() if value and _is_date(key)}
    pairs = [(Key(earlier), Key(later)) for earlier, later in _IN_ORDER]
    pairs += [(Key("line_start", n), Key("line_end", n)) for n in range(1, MOST_REPEATED + 1)]
    pairs += [(Key("line_start", n), Key("line_start", n + 1)) for n in range(1, MOST_REPEATED)]
    death = Key("death")
    pairs += [(key, death) for key in dates if key.number]
    wrong = [
        (later, f"it is before {column_of(earlier)}")
        for earlier, later in pairs
        if earlier in dates and later in dates and dates[later].latest < dates[earlier].earliest
    ]
    if entries.get(Key("ici_ongoing")) == "yes":
        wrong += [
            (key, "ici_ongoing says that it is still given")
            for key in (Key("ici_last_dose"), Key("ici_stopped_for"))
            if entries.get(key)
        ]
    return wrong


def _is_date(key: Key) -> bool:
    return BY_NAME[key.name].kind is Kind.DATE


_IN_ORDER: Final = (
    ("ici_start", "ici_last_dose"),
    ("ici_start", "second_progression"),
    ("ici_start", "last_contact"),
    ("ici_start", "death"),
    ("ici_last_dose", "death"),
    ("second_progression", "death"),
    ("last_contact", "death"),
)
