"""Add patients to a cohort from a table or the command line, and show who belongs to it."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import click
from rich.console import Console

from node.adapters.ledger_cohorts import SqlCohorts
from node.bootstrap.machine import utc_now
from node.bootstrap.stores import Stores
from node.commands.cohort.known import joiner
from node.settings import Settings
from pipelines.cohort.dictionary import Checked, check_table
from pipelines.cohort.joined import disagreement
from pipelines.cohort.members import ISSUER, MEMBERS, PATIENT_ID, Member, as_json, member_of
from pipelines.cohort.table_file import RawTable, read_csv, read_workbook
from pipelines.domain.identifiers import patient_key_of
from pipelines.domain.reasons import Rejected

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
# more would scroll away what matters
_SHOWN: Final = 100


def run_import(settings: Settings, stores: Stores, cohort: str, path: Path, console: Console) -> int:
    """Read a table into a cohort, all of it or nothing; the exit code."""
    raw = read_csv(path.read_bytes()) if path.suffix.lower() == ".csv" else read_workbook(path.read_bytes())
    if isinstance(raw, Rejected):
        return tell(console, [raw])
    return _put(settings, stores, cohort, raw, console)


def run_add(settings: Settings, stores: Stores, cohort: str, facts: Mapping[str, str], console: Console) -> int:
    """Add one patient of whom the command line tells; the exit code."""
    return _put(settings, stores, cohort, RawTable(tuple(facts), (tuple(facts.values()),)), console)


def run_list(cohorts: SqlCohorts, cohort: str | None, *, as_json_text: bool) -> int:
    """Print all cohorts, or the patients of one by their keys; the exit code."""
    if cohort is None:
        names = cohorts.names()
        if as_json_text:
            click.echo(json.dumps(names, indent=2))
        else:
            for name, count in names.items():
                click.echo(f"{name}: {count} patients")
            if not names:
                click.echo("There is no cohort. `pulmonode cohort import` makes one.")
        return 0
    found = members_of(cohorts, cohort)
    if isinstance(found, Rejected):
        click.echo(str(found), err=True)
        return 1
    measured: dict[str, int] = {}
    for case in cohorts.cases([member.key for member in found]):
        if any(lesion.features for lesion in case.lesions):
            measured[case.patient_key] = measured.get(case.patient_key, 0) + 1
    told = [
        {"patient_key": member.key, **as_json(member), "measured_cases": measured.get(member.key, 0)}
        for member in found
    ]
    if as_json_text:
        click.echo(json.dumps(told, ensure_ascii=False, indent=2))
        return 0
    for one in told:
        facts = ", ".join(f"{name} {value}" for name, value in one.items() if name != "patient_key")
        click.echo(f"{str(one['patient_key'])[:12]}  {facts}")
    click.echo(f"{len(told)} patients.")
    return 0


def members_of(cohorts: SqlCohorts, cohort: str) -> tuple[Member, ...] | Rejected:
    """The patients of a cohort, or that it does not exist."""
    try:
        return cohorts.members(cohort)
    except KeyError:
        known = ", ".join(cohorts.names()) or "none"
        return Rejected(
            "COH-006",
            f"There is no such cohort (known: {known}).",
            "Make it with `pulmonode cohort import NAME FILE`.",
        )


def tell(console: Console, problems: Sequence[Rejected]) -> int:
    """Print what is wrong; the exit code of that."""
    for problem in problems[:_SHOWN]:
        console.print(str(problem), markup=False, soft_wrap=True)
    if len(problems) > _SHOWN:
        console.print(f"... and {len(problems) - _SHOWN} more.")
    return 1


def _put(settings: Settings, stores: Stores, cohort: str, raw: RawTable, console: Console) -> int:
    if _NAME.fullmatch(cohort) is None:
        raise click.UsageError("The name of a cohort has 1 to 64 letters, digits, dots, hyphens or underscores.")
    checked = check_table(MEMBERS, raw.header, raw.rows)
    members, repeated = _keyed(checked)
    problems = [*checked.problems, *repeated]
    if problems:
        tell(console, problems)
        console.print("Nothing was imported.")
        return 1
    for number, head in enumerate(raw.header, start=1):
        # only where it stands is told: a file without a line of heads begins with a patient
        if str(head) in checked.unused:
            console.print(f"Column {number} is not in the data dictionary and was not read.")
    join = joiner(settings, stores)
    for record, member in zip(checked.records, members, strict=True):
        for column in join(member).disagreed:
            console.print(str(disagreement(f"Row {record.row}", column)), markup=False, soft_wrap=True)
    new = stores.cohorts.put(cohort, members, at=utc_now())
    console.print(f"{new} patients added to {cohort}, {len(members) - new} renewed.", markup=False, soft_wrap=True)
    return 0


def _keyed(checked: Checked) -> tuple[list[Member], list[Rejected]]:
    """The rows under their patients' keys; from here on nothing holds an identifier."""
    members, problems, seen = [], [], dict[str, int]()
    for record in checked.records:
        issuer = record.values.get(ISSUER)
        key = patient_key_of(str(record.values[PATIENT_ID]), "" if issuer is None else str(issuer))
        if key in seen:
            problems.append(
                Rejected(
                    "COH-001",
                    f"Row {record.row} repeats row {seen[key]}: both are the same patient.",
                    "Keep one of them.",
                )
            )
            continue
        seen[key] = record.row
        members.append(member_of(record, key))
    return members, problems
