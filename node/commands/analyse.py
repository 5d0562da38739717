"""Analyse a cohort from its tables, and write the report."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from rich.console import Console

from node import __version__
from pipelines.cohort.dictionary import Checked, Dictionary, check_table
from pipelines.cohort.huang.analysis import analyse
from pipelines.cohort.huang.choices import PROFILES
from pipelines.cohort.huang.columns import LESIONS, PATIENTS
from pipelines.cohort.huang.lesions import History, histories
from pipelines.cohort.huang.patients import Patient, patients
from pipelines.cohort.huang.report import report_files
from pipelines.cohort.huang.synthetic import synthetic_files
from pipelines.cohort.table_file import RawTable, read_csv, read_workbook, sheets
from pipelines.domain.progression import Course, Resistance
from pipelines.domain.reasons import Rejected
from pipelines.domain.responses import OverallResponse
from pipelines.domain.scan_date import ScanDate
from pipelines.response.resistance import SEED_B, resistance_of

_TABLE: Final = "patients"
_LESIONS: Final = "lesions"
# more would scroll away what matters
_SHOWN: Final = 100


@dataclass(frozen=True, slots=True)
class _Source:
    """A table as it lies on disk: a file, and in a workbook the sheet."""

    name: str
    data: bytes
    sheet: str | None

    def read(self) -> RawTable | Rejected:
        return read_csv(self.data) if self.name.lower().endswith(".csv") else read_workbook(self.data, self.sheet)


@dataclass(frozen=True, slots=True)
class Cohort:
    """What was read of a cohort.

    Attributes
    ----------
    lesions
        Histories, and the visits that lacked a lesion.
    unused
        Columns of the table of patients that mean nothing here.
    sources
        The files' bytes by their names.
    """

    people: tuple[Patient, ...]
    lesions: tuple[tuple[History, ...], int]
    unused: tuple[str, ...]
    sources: dict[str, bytes]


def run_analysis(cohort: Path, profile: str, output: Path, console: Console, *, dpi: int) -> int:
    """Analyse the cohort of Huang et al. 2025's study; the exit code.

    It is 1 when a table cannot be used, and also when the report was written but the matched groups are not balanced.
    """
    found = read_cohort(cohort)
    if not isinstance(found, Cohort):
        return _tell(console, found)
    for head in found.unused:
        console.print(f"The column {head} is not used.", markup=False, soft_wrap=True)
    findings = analyse(found.people, PROFILES[profile], seed_b_resistance, found.lesions)
    if isinstance(findings, Rejected):
        return _tell(console, [findings])
    output.mkdir(parents=True, exist_ok=True)
    files = report_files(findings, version=__version__, sources=found.sources, dpi=dpi)
    for file in files:
        (output / file.name).write_bytes(file.data)
    console.print(f"{len(findings.flow.included)} of {findings.flow.screened} patients analysed.")
    console.print(f"{len(files)} files written to {output}; begin with report.html.", markup=False, soft_wrap=True)
    return _tell(console, findings.alarms) if findings.alarms else 0


def read_cohort(cohort: Path) -> Cohort | list[Rejected]:
    """Read and check all tables of a cohort; every problem of all of them, if there is one."""
    found = _sources(cohort)
    if isinstance(found, Rejected):
        return [found]
    table, lesions = found
    checked = _checked(table, PATIENTS)
    if isinstance(checked, Rejected):
        return [checked]
    people, contradictions = patients(checked.records)
    problems = [*checked.problems, *contradictions]
    known: tuple[tuple[History, ...], int] = ((), 0)
    if lesions is not None:
        sizes = _checked(lesions, LESIONS)
        if isinstance(sizes, Rejected):
            problems.append(sizes)
        else:
            problems += [replace(problem, detail=f"Lesions: {problem.detail}") for problem in sizes.problems]
            known = histories(sizes.records)
    sources = {one.name: one.data for one in (table, lesions) if one is not None}
    return problems or Cohort(people, known, checked.unused, sources)


def run_synthetic(output: Path, patient_count: int, seed: int, console: Console) -> int:
    """Write a made-up cohort; the exit code."""
    output.mkdir(parents=True, exist_ok=True)
    for name, data in synthetic_files(patient_count, seed).items():
        (output / name).write_bytes(data)
    told = f"Written to {output}: analyse it with `pulmonode analyse {output} --study seed-b -o report`."
    console.print(told, markup=False, soft_wrap=True)
    return 0


def seed_b_resistance(one: Patient) -> str | None:
    """The type of resistance by the paper's definition, from best response and dates."""
    best = OverallResponse(one.best_response) if one.best_response is not None else OverallResponse.NE
    found = resistance_of(
        Course(
            start=ScanDate.on(one.treatment_start),
            last_dose=None if one.immunotherapy_end is None else ScanDate.on(one.immunotherapy_end),
            death=None if one.death is None else ScanDate.on(one.death),
        ),
        None if one.progression is None else ScanDate.on(one.progression),
        best,
        # the table tells the best response alone: what it was, some visit before progression was
        () if best in (OverallResponse.PD, OverallResponse.NE) else (best,),
        SEED_B,
    ).resistance
    return {Resistance.PRIMARY: "primary", Resistance.ACQUIRED: "acquired"}.get(found, "indeterminate")


def _checked(source: _Source, dictionary: Dictionary) -> Checked | Rejected:
    raw = source.read()
    return raw if isinstance(raw, Rejected) else check_table(dictionary, raw.header, raw.rows)


def _sources(cohort: Path) -> tuple[_Source, _Source | None] | Rejected:
    """The table of patients, and that of lesions where there is one."""
    if cohort.is_file():
        data = cohort.read_bytes()
        names = sheets(data) if cohort.suffix.lower() == ".xlsx" else ()
        table = _Source(cohort.name, data, _TABLE if _TABLE in names else None)
        return table, _Source(cohort.name, data, _LESIONS) if _LESIONS in names else None
    found = {
        wanted: next((path for path in (cohort / f"{wanted}.csv", cohort / f"{wanted}.xlsx") if path.is_file()), None)
        for wanted in (_TABLE, _LESIONS)
    }
    table_path, lesion_path = found[_TABLE], found[_LESIONS]
    if table_path is None:
        return Rejected(
            "COH-003",
            "The folder holds neither patients.csv nor patients.xlsx.",
            "Name the file of the table, or the folder that holds it under that name.",
        )
    table = _Source(table_path.name, table_path.read_bytes(), None)
    return table, None if lesion_path is None else _Source(lesion_path.name, lesion_path.read_bytes(), None)


def _tell(console: Console, problems: Sequence[Rejected]) -> int:
    for problem in problems[:_SHOWN]:
        console.print(str(problem), markup=False, soft_wrap=True)
    if len(problems) > _SHOWN:
        console.print(f"... and {len(problems) - _SHOWN} more.")
    return 1
