"""A made-up cohort for the progression study, whose truth is known."""

import json
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from math import exp, log
from typing import Final

import numpy as np
from scipy.special import expit

from pipelines.cohort.dictionary import Dictionary
from pipelines.cohort.huang.columns import LESIONS, PATIENTS, SITES
from pipelines.cohort.huang.endpoints import CUT_OFF, DAYS_A_MONTH
from pipelines.cohort.table_file import dictionary_csv, write_csv

Cells = dict[str, object]


@dataclass(frozen=True, slots=True)
class Truth:
    """What the made-up patients follow; the counts and medians of Huang et al. 2025 stood model.

    Attributes
    ----------
    odds_*
        Adjusted odds ratios of systemic progression; all others are 1.
    hazard_pfs
        Of oligoprogression against systemic progression for the time to progression (Weibull, proportional).
    hazard_after
        The same for survival from progression on (exponential).
    hazard_second_line
        The same for the time to second progression.
    hazard_after_pd_l1
        For each level of PD-L1, survival from progression.
    shape, median_pfs, median_after
        Of systemic progression, in months.
    share_*
        Probabilities.
    """

    odds_male: float = 0.65
    odds_ever_smoker: float = 0.85
    odds_squamous: float = 0.50
    odds_stage_iv: float = 1.45
    odds_pd_l1_1_49: float = 0.72
    odds_pd_l1_50: float = 0.72
    hazard_pfs: float = 0.64
    hazard_after: float = 0.60
    hazard_second_line: float = 0.68
    hazard_after_pd_l1: float = 0.90
    shape: float = 1.1
    median_pfs: float = 5.0
    median_after: float = 6.0
    share_response_oligo: float = 0.637
    share_response_systemic: float = 0.410
    share_pd_l1_missing: float = 0.18
    share_no_local_therapy: float = 0.92


TRUTH: Final = Truth()
# shares of patients with each site progressing, after the paper's section 2.5; who has none is given the lung, which
# brings that to two thirds
_PROGRESSION: Final = {
    "oligo": (0.16, 0.22, 0.09, 0.04, 0.07, 0.045, 0.02, 0.02),
    "systemic": (0.50, 0.42, 0.23, 0.20, 0.11, 0.10, 0.08, 0.05),
}
_BASELINE: Final = (0.45, 0.75, 0.22, 0.10, 0.12, 0.0, 0.18, 0.05)
_EXCLUDED: Final = 0.1
_MONTH_ZERO: Final = date(2018, 4, 1)
_VISIT_DAYS: Final = 42


@dataclass(frozen=True, slots=True)
class SyntheticCohort:
    """Rows of both tables, as texts would be read."""

    patients: tuple[Cells, ...]
    lesions: tuple[Cells, ...]
    truth: dict[str, float]


def synthetic_cohort(patients: int = 579, seed: int = 1, truth: Truth = TRUTH) -> SyntheticCohort:
    """Make up a cohort.

    Parameters
    ----------
    patients
        Those who meet the criteria; about a tenth more are added that do not, so that the flow has something to tell.
    seed
        The same seed gives the same cohort.
    """
    if patients < 1:
        raise ValueError("a cohort has one patient at least")
    rng = np.random.default_rng(seed)
    rows: list[Cells] = []
    lesions: list[Cells] = []
    for _ in range(patients):
        rows.append(_patient(rng, truth))
    rows += [_unfit(rng, number, _patient(rng, truth)) for number in range(round(patients * _EXCLUDED))]
    order = rng.permutation(len(rows))
    rows = [rows[place] for place in order]
    for number, row in enumerate(rows, start=1):
        row["patient"] = f"S{number:04d}"
        lesions += _lesions(rng, row)
    return SyntheticCohort(
        tuple(rows),
        tuple(lesions),
        {**asdict(truth), "seed": seed, "patients": patients},
    )


def _patient(rng: np.random.Generator, truth: Truth) -> Cells:
    age = float(np.clip(np.round(rng.normal(60.5, 8.5)), 30, 80))
    male = rng.random() < 0.841
    smoker = rng.random() < (0.88 if male else 0.17)
    squamous = rng.random() < (0.64 if male else 0.38)
    advanced = rng.random() < 0.80
    brain = advanced and rng.random() < 0.115
    level = int(rng.choice(3, p=[0.378, 0.383, 0.239]))
    odds = (
        log(truth.odds_male) * male
        + log(truth.odds_ever_smoker) * smoker
        + log(truth.odds_squamous) * squamous
        + log(truth.odds_stage_iv) * advanced
        + log(truth.odds_pd_l1_1_49) * (level == 1)
        + log(truth.odds_pd_l1_50) * (level == 2)
    )
    # the constant balances the groups: the mean of the terms above is about -0.8
    systemic = rng.random() < expit(odds + 0.80)
    ratio = 1.0 if systemic else truth.hazard_pfs
    scale = truth.median_pfs / log(2) ** (1 / truth.shape) * ratio ** (-1 / truth.shape)
    start = _MONTH_ZERO + timedelta(days=int(rng.integers(0, 55 * 30)))
    to_progression = max(round(scale * rng.weibull(truth.shape) * DAYS_A_MONTH), 7)
    response = _response(rng, to_progression / DAYS_A_MONTH, systemic, truth)
    hazard = (1.0 if systemic else truth.hazard_after) * truth.hazard_after_pd_l1**level
    after = max(round(rng.exponential(truth.median_after / log(2) / hazard) * DAYS_A_MONTH), 1)
    progression = start + timedelta(days=to_progression)
    death = progression + timedelta(days=after)
    lost = rng.random() < 0.06
    last = progression + timedelta(days=int(rng.integers(0, after))) if lost else min(death, CUT_OFF)
    row: Cells = {
        "patient": "",
        "age": age,
        "sex": "male" if male else "female",
        "smoking": "ever" if smoker else "never",
        "ecog": int(rng.random() < 0.857),
        "brain_metastases": "yes" if brain else "no",
        "histology": "squamous" if squamous else "adenocarcinoma",
        "stage": "IV" if advanced else "IIIC",
        "pd_l1": ("<1%", "1-49%", ">=50%")[level],
        "driver": "negative",
        "measurable": "yes",
        "first_line": "chemo-immunotherapy",
        "treatment_start": start,
        "progression": progression,
        "death": death if not lost and death <= CUT_OFF else None,
        "last_contact": last,
        "immunotherapy_end": progression,
        "best_response": response,
        "pattern": "systemic" if systemic else "oligo",
        "resistance": None,
        "baseline_sites": "; ".join(_sites(rng, _BASELINE, brain=brain)) or "no",
        "progression_sites": "; ".join(_progressing(rng, systemic)),
        "local_therapy": "no" if systemic or rng.random() < truth.share_no_local_therapy else "yes",
    }
    row |= _second_line(rng, progression, last, systemic, truth)
    # older patients and those who progress early lack the test more often: missing at random given what is known
    if rng.random() < expit(log(truth.share_pd_l1_missing / (1 - truth.share_pd_l1_missing)) + 0.03 * (age - 60.5)
                            - 0.05 * (to_progression / DAYS_A_MONTH - 7)):  # fmt: skip
        row["pd_l1"] = None
    return row


def _response(rng: np.random.Generator, month: float, systemic: bool, truth: Truth) -> str:
    # a response needs a visit before that of progression
    if round(month * DAYS_A_MONTH) <= _VISIT_DAYS:
        return "PD"
    share = truth.share_response_systemic if systemic else truth.share_response_oligo
    # only those with a scan before progression can respond; a late progression goes with a response
    early = 1 - exp(-log(2) * (_VISIT_DAYS / DAYS_A_MONTH / (truth.median_pfs if systemic else 7.5)) ** truth.shape)
    share = min(share / (1 - early), 0.95)
    if rng.random() < expit(log(share / (1 - share)) + 0.08 * (month - (7.5 if systemic else 10.5))):
        return "CR" if rng.random() < 0.05 else "PR"
    return "SD" if month > 2.5 or rng.random() < 0.5 else "PD"


def _sites(rng: np.random.Generator, shares: tuple[float, ...], *, brain: bool) -> list[str]:
    return [
        site for site, share in zip(SITES, shares, strict=True) if rng.random() < share or (site == "brain" and brain)
    ]


def _progressing(rng: np.random.Generator, systemic: bool) -> list[str]:
    return _sites(rng, _PROGRESSION["systemic" if systemic else "oligo"], brain=False) or ["lung"]


def _second_line(rng: np.random.Generator, progression: date, last: date, systemic: bool, truth: Truth) -> Cells:
    start = progression + timedelta(days=int(rng.integers(7, 45)))
    if rng.random() > 0.75 or start >= last:
        return {"second_line": "none", "second_line_start": None, "second_progression": None}
    regimen = str(
        rng.choice(
            ["chemo-immunotherapy", "chemo-immunotherapy with antiangiogenic", "chemotherapy", "antiangiogenic"],
            p=[0.38, 0.40, 0.15, 0.07],
        )
    )
    hazard = 1.0 if systemic else truth.hazard_second_line
    again = start + timedelta(days=max(round(rng.exponential(3.5 / log(2) / hazard) * DAYS_A_MONTH), 7))
    return {
        "second_line": regimen,
        "second_line_start": start,
        "second_progression": again if again <= last else None,
    }


def _unfit(rng: np.random.Generator, number: int, row: Cells) -> Cells:
    """A patient who does not meet one of the criteria, each in turn."""
    changes: tuple[Cells, ...] = (
        {"stage": "IIIB"},
        {"first_line": "other"},
        {"driver": "positive"},
        {"ecog": 2},
        {"age": float(rng.integers(81, 90))},
        {"histology": "other"},
        {"progression": None, "pattern": None, "best_response": "PR", "progression_sites": None, "second_line": "none",
         "second_line_start": None, "second_progression": None, "immunotherapy_end": None},
    )  # fmt: skip
    return row | changes[number % len(changes)]


def _lesions(rng: np.random.Generator, row: Cells) -> list[Cells]:
    """Target lesions at a visit every six weeks, with a course that ends in the patient's best response."""
    start, end = row["treatment_start"], row["progression"] or row["last_contact"]
    assert isinstance(start, date) and isinstance(end, date)
    last = (end - start).days
    count = int(rng.integers(1, 5))
    first = rng.uniform(12, 55, count)
    organs = [str(rng.choice(["lung", "lung", "lymph node", "liver", "adrenal"])) for _ in range(count)]
    depth = {
        "CR": 0.0,
        "PR": rng.uniform(0.25, 0.66),
        "SD": rng.uniform(0.75, 1.05),
        "PD": 1.0,
    }[str(row["best_response"])]
    days = [int(-rng.integers(1, 21)), *range(_VISIT_DAYS, last, _VISIT_DAYS)]
    # the course falls to its depth over the first visits and leaves it at progression
    factors = [1.0, *(1 + (depth - 1) * min(visit / 2, 1) for visit in range(1, len(days)))]
    if len(days) == 2:
        factors[1] = depth
    if row["progression"] is not None:
        floor = min(factors)
        total = float(first.sum())
        days.append(max(last, 1))
        factors.append(max(floor * rng.uniform(1.25, 1.7), floor + rng.uniform(6, 15) / total))
    return [
        {
            "patient": row["patient"],
            "lesion": f"T{number + 1}",
            "organ": organs[number],
            "day": day,
            "diameter_mm": round(float(size * factor), 1),
        }
        for day, factor in zip(days, factors, strict=True)
        for number, size in enumerate(first)
    ]


def synthetic_files(patients: int, seed: int) -> dict[str, bytes]:
    """A made-up cohort as the files of a folder that can be analysed, with its dictionaries and its truth."""
    made = synthetic_cohort(patients, seed)
    return {
        "patients.csv": _csv(PATIENTS, made.patients),
        "lesions.csv": _csv(LESIONS, made.lesions),
        "patients-dictionary.csv": dictionary_csv(PATIENTS.columns),
        "lesions-dictionary.csv": dictionary_csv(LESIONS.columns),
        "truth.json": (json.dumps(made.truth, indent=2) + "\n").encode("utf-8"),
    }


def _csv(dictionary: Dictionary, rows: tuple[Cells, ...]) -> bytes:
    names = [column.name for column in dictionary.columns]
    return write_csv(names, [[row[name] for name in names] for row in rows])
