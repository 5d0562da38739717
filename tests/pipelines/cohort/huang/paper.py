"""Patients with the counts that Huang et al. 2025 print in table 1 and in sections 2.4 to 2.10."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from pipelines.cohort.huang.patients import Patient

# variable: (level, oligoprogression, systemic progression), table 1 before matching
BEFORE: dict[str, list[tuple[Any, int, int]]] = {
    "age": [(65.0, 163, 151), (50.0, 126, 139)],
    "sex": [("male", 255, 232), ("female", 34, 58)],
    "smoking": [("ever", 233, 211), ("never", 56, 79)],
    "ecog": [(0, 43, 40), (1, 246, 250)],
    "brain_metastases": [("yes", 22, 31), ("no", 267, 259)],
    "histology": [("squamous", 200, 148), ("adenocarcinoma", 89, 142)],
    "stage": [("IIIC", 67, 49), ("IV", 222, 241)],
    "pd_l1": [("<1%", 97, 122), ("1-49%", 119, 103), (">=50%", 73, 65)],
    # section 2.10
    "best_response": [("PR", 184, 119), ("SD", 105, 171)],
    "local_therapy": [("no", 266, 290), ("yes", 23, 0)],
}
# after matching, with the two rows of PD-L1 that the paper swaps put right
AFTER: dict[str, list[tuple[Any, int, int]]] = {
    "age": [(65.0, 128, 119), (50.0, 106, 115)],
    "sex": [("male", 200, 201), ("female", 34, 33)],
    "smoking": [("ever", 183, 180), ("never", 51, 54)],
    "ecog": [(0, 29, 37), (1, 205, 197)],
    "brain_metastases": [("yes", 22, 25), ("no", 212, 209)],
    "histology": [("squamous", 146, 147), ("adenocarcinoma", 88, 87)],
    "stage": [("IIIC", 41, 45), ("IV", 193, 189)],
    "pd_l1": [("<1%", 89, 109), ("1-49%", 96, 77), (">=50%", 49, 48)],
}
# section 2.5; the paper's 42.2 % of lymph nodes are of 289, which is no share of 290
SITES = {
    "lung": (193, 181),
    "lymph node": (70, 122),
    "bone": (27, 66),
    "adrenal": (21, 33),
    "brain": (14, 30),
    "liver": (12, 57),
}
START = date(2020, 1, 1)


def patient(row: int = 2, **known: Any) -> Patient:
    """A patient of the study who progressed on day 150 and died on day 400; `known` changes that."""
    values: dict[str, Any] = {
        "patient": f"P{row}",
        "age": 60.0,
        "sex": "male",
        "smoking": "ever",
        "ecog": 1,
        "brain_metastases": "no",
        "histology": "squamous",
        "stage": "IV",
        "pd_l1": "<1%",
        "driver": "negative",
        "measurable": "yes",
        "first_line": "chemo-immunotherapy",
        "treatment_start": START,
        "progression": START + timedelta(days=150),
        "death": START + timedelta(days=400),
        "last_contact": None,
        "immunotherapy_end": None,
        "best_response": "SD",
        "pattern": "oligo",
        "resistance": None,
        "baseline_sites": None,
        "progression_sites": None,
        "local_therapy": None,
        "second_line": None,
        "second_line_start": None,
        "second_progression": None,
    }
    return Patient(row=row, **(values | known))


def of_counts(counts: Mapping[str, Sequence[tuple[Any, int, int]]]) -> tuple[Patient, ...]:
    """Patients whose margins are these counts."""
    groups = []
    for place, pattern in enumerate(("oligo", "systemic")):
        size = sum(entry[1 + place] for entry in next(iter(counts.values())))
        columns = {name: [e[0] for e in entries for _ in range(e[1 + place])] for name, entries in counts.items()}
        sites = [tuple(site for site, both in SITES.items() if number < both[place]) for number in range(size)]
        groups += [
            {
                "pattern": pattern,
                "progression_sites": sites[number],
                **{name: columns[name][number] for name in columns},
            }
            for number in range(size)
        ]
    return tuple(patient(row, **values) for row, values in enumerate(groups, start=2))
