"""Enter and show what is known of a patient's treatment; the Patient ID becomes its digest before anything else."""

import getpass
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from node.bootstrap.records import make_recorder
from node.bootstrap.stores import open_stores
from node.commands.entries import option_of
from node.following import EntryRow, EntrySource
from node.settings import Settings
from pipelines.clinical.tables import CellProblem, read_table
from pipelines.domain.clinical import Key, PatientKey, patient_key
from pipelines.domain.clinical_fields import BY_NAME, Group, column_of, contradictions, parse_value
from pipelines.domain.progression import Course


def account() -> str:
    """Who runs the command."""
    try:
        return getpass.getuser()[:64]
    except (KeyError, OSError):
        return "unknown"


def asked_id(given: str) -> str:
    """The Patient ID; `-` reads it from standard input, where no list of processes shows it."""
    return sys.stdin.readline().strip() if given == "-" else given


def parsed(values: Mapping[Key, str]) -> dict[Key, str]:
    """Values of options as they are recorded.

    Raises
    ------
    click.UsageError
        If one of them is not allowed.
    """
    done = {}
    for key, text in values.items():
        try:
            done[key] = parse_value(BY_NAME[key.name], text)
        except ValueError as fault:
            raise click.UsageError(f"{option_of(BY_NAME[key.name])}: {fault}") from fault
    return done


def set_patient(settings: Settings, patient: PatientKey, values: Mapping[Key, str], *, who: str) -> list[str]:
    """Record entries of one patient; what to tell.

    Raises
    ------
    click.UsageError
        If what would be known then contradicts itself.
    """
    stores = open_stores(settings)
    entries = parsed(values)
    wrong = contradictions({**stores.clinical.entries(patient), **entries})
    if wrong:
        raise click.UsageError("; ".join(f"{column_of(key)}: {why}" for key, why in wrong))
    changed = make_recorder(stores).enter({patient: entries}, EntrySource.COMMAND, who=who)
    told = ["Recorded." if changed else "Nothing has changed."]
    return [*told, *_stranger(settings, patient)]


def _stranger(settings: Settings, patient: PatientKey) -> list[str]:
    if open_stores(settings).readings.cases_of(patient):
        return []
    return [
        "There is no case of a patient with this ID yet. If there should be, mind capitals and zeros, and give "
        "--issuer where images name the issuer of the ID (0010,0021)."
    ]


def import_table(settings: Settings, path: Path, *, skip: bool, who: str) -> tuple[list[str], list[str], bool]:
    """Import a table; what to tell, its problems, and whether all of it was imported."""
    table = read_table(path.read_bytes(), path.suffix)
    stores = open_stores(settings)
    problems: list[CellProblem] = list(table.problems)
    rows = []
    for row in table.rows:
        wrong = contradictions({**stores.clinical.entries(row.patient), **row.entries})
        problems += [CellProblem(row.row, column_of(key), f"{why} as known") for key, why in wrong]
        if not wrong:
            rows.append(row)
    told = [f"CLN-001 {problem}" for problem in sorted(problems, key=lambda one: one.row)]
    if problems and not (skip and rows):
        return ["Nothing was imported."], told, False
    entries = {row.patient: row.entries for row in rows}
    changed = make_recorder(stores).enter(entries, EntrySource.TABLE, who=who)
    left = len({problem.row for problem in problems})
    counted = f"{len(rows)} patients, {len(changed)} of them with something new."
    return [counted, *([f"{left} rows were left out."] if left else [])], told, not problems


def import_bundle(
    settings: Settings, path: Path, *, issuer: str, identifier_system: str | None, who: str
) -> tuple[list[str], list[str], bool]:
    """Import a FHIR bundle; what to tell, what was not understood, and whether anything was imported."""
    from pipelines.clinical.fhir import numbered, read_bundle

    found = read_bundle(path.read_bytes(), issuer=issuer, identifier_system=identifier_system)
    stores = open_stores(settings)
    left = [str(one) for one in found.left]
    entries: dict[PatientKey, dict[Key, str]] = {}
    for number, one in enumerate(found.patients, 1):
        held = stores.clinical.entries(one.patient)
        treatments, missed = numbered(one.treatments, held)
        new = {**one.entries, **treatments}
        wrong = contradictions({**held, **new})
        left += [f"patient {number}: {column_of(key)}: {why}" for key, why in wrong]
        if missed:
            left.append(f"patient {number}: {missed} local treatments more than can be kept")
        if not wrong:
            entries[one.patient] = {**entries.get(one.patient, {}), **new}
    changed = make_recorder(stores).enter(entries, EntrySource.FHIR, who=who)
    counted = f"{len(entries)} patients, {len(changed)} of them with something new; {len(left)} things not understood."
    return [counted], [f"CLN-002 {one}" for one in left], bool(entries)


def keyed(values: Mapping[str, str | None], *, line: int | None, local: int | None) -> dict[Key, str]:
    """Options that were given, as entries.

    Raises
    ------
    click.UsageError
        If an option of a line or a local treatment comes without its number.
    """
    numbers = {Group.LINE: line, Group.LOCAL: local}
    found = {}
    for name, text in values.items():
        if text is None:
            continue
        field = BY_NAME[name]
        number = 0 if field.group is None else numbers[field.group]
        if number is None:
            raise click.UsageError(f"{option_of(field)} needs --{field.group} N, the number of which one is meant.")
        found[field.key(number)] = text
    return found


def shown(settings: Settings, patient: PatientKey, *, as_json: bool) -> str:
    """What is known of a patient, who entered it and when, and what an assessment takes from it."""
    stores = open_stores(settings)
    history = stores.clinical.entry_history(patient)
    course = stores.clinical.clinical(patient).course
    held = {row.key: row for row in history}
    rows = [row for row in sorted(held.values(), key=lambda row: _place(row.key)) if row.value]
    if as_json:
        told = {
            "entries": {column_of(row.key): row.value for row in rows},
            "course": _facts(course),
            "history": [_said(row) for row in history],
        }
        return json.dumps(told, ensure_ascii=False, indent=2)
    if not rows:
        return "Nothing is known of this patient."
    width = max(len(column_of(row.key)) for row in rows)
    lines = [
        f"{column_of(row.key):{width}}  {row.value}  ({row.source}, {row.who}, {row.at:%Y-%m-%d %H:%M})" for row in rows
    ]
    missing = [name for name, value in _facts(course).items() if value is None]
    return "\n".join([*lines, "", f"Not known: {', '.join(missing) or 'nothing'}."])


def _place(key: Key) -> tuple[int, int]:
    names = list(BY_NAME)
    return (key.number, names.index(key.name))


def _said(row: EntryRow) -> dict[str, str]:
    return {
        "entry": column_of(row.key),
        "value": row.value,
        "source": row.source.value,
        "who": row.who,
        "at": row.at.isoformat(),
    }


def _facts(course: Course) -> dict[str, str | bool | None]:
    def text(value: object) -> str | None:
        return None if value is None else str(value)

    return {
        "start": text(course.start),
        "last_dose": text(course.last_dose),
        "ongoing": course.ongoing,
        "stopped_for": text(course.stopped_for),
        "rapid": course.rapid,
        "second_line": text(course.second_line),
        "second_progression": text(course.second_progression),
        "death": text(course.death),
        "last_contact": text(course.last_contact),
        "data_cut": text(course.data_cut),
    }


def key_from(patient_id: str, issuer: str) -> PatientKey:
    """The key of the patient that a person names.

    Raises
    ------
    click.UsageError
        If the ID is empty.
    """
    asked = asked_id(patient_id)
    if not asked.strip():
        raise click.UsageError("The Patient ID is empty.")
    return patient_key(asked, issuer)


def describe(problems: Sequence[str], *, limit: int = 50) -> list[str]:
    """The first problems, and how many there are beyond."""
    more = len(problems) - limit
    return [*problems[:limit], *([f"and {more} more problems"] if more > 0 else [])]
