"""The made-up cohort, read back from the files that are written of it."""

from functools import cache

from pipelines.cohort.dictionary import check_table
from pipelines.cohort.huang.columns import LESIONS, PATIENTS
from pipelines.cohort.huang.lesions import History, histories
from pipelines.cohort.huang.patients import Patient, patients
from pipelines.cohort.huang.synthetic import synthetic_files
from pipelines.cohort.table_file import RawTable, read_csv


@cache
def made_up(count: int, seed: int = 1) -> tuple[tuple[Patient, ...], tuple[tuple[History, ...], int]]:
    """Patients and histories of lesions."""
    files = synthetic_files(count, seed)
    tables = []
    for name, dictionary in (("patients.csv", PATIENTS), ("lesions.csv", LESIONS)):
        raw = read_csv(files[name])
        assert isinstance(raw, RawTable)
        checked = check_table(dictionary, raw.header, raw.rows)
        assert checked.problems == () and checked.unused == ()
        tables.append(checked.records)
    people, problems = patients(tables[0])
    assert problems == ()
    return people, histories(tables[1])


def resistance(one: Patient) -> str:
    """The paper's definition, for patients whose treatment ended with progression."""
    assert one.progression is not None
    late = (one.progression - one.treatment_start).days >= 183
    return "acquired" if late or one.best_response in ("CR", "PR") else "primary"
