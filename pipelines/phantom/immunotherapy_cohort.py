"""A computed cohort with a planted Rad-signature, in the files that `pulmonode train` reads.

Run `python -m pipelines.phantom.immunotherapy_cohort -o cohort`. It has the size, the classes and the clinical facts of
Dong & Chen 2025, table 2; its 1,218 features are drawn, ten of them decide about the response, and nothing about it
says anything about patients. Chance decides as well: with the default effects, whoever knew the ten features and their
coefficients would reach an AUC of 0.87, and no signature can do better. (The paper: 0.912 and 0.878.)
"""

import argparse
import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipelines.cohort.folder import CLINICAL, FEATURES
from pipelines.extraction.names import feature_names
from pipelines.extraction.settings import ExtractionSettings, load_profile
from pipelines.extraction.table import DIAGNOSTICS, in_table_order

PLANTED: Final[dict[str, float]] = {
    "original_shape_Sphericity": 1.79,
    "original_glcm_InverseVariance": -1.02,
    "original_glrlm_RunEntropy": 1.28,
    "original_glszm_ZoneEntropy": -0.64,
    "original_gldm_DependenceVariance": 0.51,
    "wavelet-LLH_glcm_Imc1": 0.77,
    "wavelet-HLL_glszm_SmallAreaEmphasis": -1.53,
    "wavelet-HHH_firstorder_Skewness": 0.38,
    "wavelet-LHL_glrlm_LongRunEmphasis": -0.51,
    "wavelet-LLL_firstorder_Kurtosis": 0.38,
}
"""The features that decide, one of shape, four of texture and five of wavelets, with the size and sign of their effect
beside each other: some decide much and others little, their mean square is 1."""
EFFECT: Final = 0.7
"""Root mean square of the coefficients per SD: the linear predictor has an SD of about 2.15, and an AUC of 0.87."""

# responders and others of table 2, training and test set together
_COUNTS: Final[dict[str, dict[str, tuple[int, int]]]] = {
    "sex": {"male": (54, 52), "female": (13, 22)},
    "location": {"RUL": (26, 33), "RML": (9, 16), "RLL": (9, 8), "LUL": (15, 12), "LLL": (8, 5)},
    "stage": {"IIIA": (7, 7), "IIIB": (12, 4), "IIIC": (4, 4), "IVA": (33, 45), "IVB": (11, 14)},
    "histology": {"squamous": (34, 49), "adenocarcinoma": (33, 25)},
    "driver_gene": {"wild type": (60, 57), "mutant": (7, 17)},
    # not in the paper: invented
    "pd_l1": {"<1%": (18, 30), "1-49%": (23, 26), ">=50%": (26, 18)},
    "ecog": {"0": (30, 28), "1": (34, 39), "2": (3, 7)},
    "smoking": {"ever": (48, 47), "never": (19, 27)},
}
_RESPONSES: Final = {"CR": (4, 0), "PR": (63, 0), "SD": (0, 24), "PD": (0, 50)}
_RESPONDERS: Final = 67
_OTHERS: Final = 74
_SCANNERS: Final = (
    ("GE MEDICAL SYSTEMS", "Discovery CT750 HD", "STANDARD", "1.25"),
    ("GE MEDICAL SYSTEMS", "LightSpeed VCT", "STANDARD", "1.25"),
    ("SIEMENS", "SOMATOM Definition Flash", "B60f", "1"),
    ("SIEMENS", "SOMATOM Force", "Br59d", "1.5"),
)


@dataclass(frozen=True, slots=True, eq=False)
class SyntheticCohort:
    """A computed cohort.

    Attributes
    ----------
    clinical
        Columns of `clinical.csv`, a text for each patient.
    features, values
        Names in the order of the extraction, and values, shape (patients, features).
    truth
        The linear predictor that the planted features give each patient, before chance is added.
    """

    clinical: Mapping[str, Sequence[str]]
    features: tuple[str, ...]
    values: NDArray[np.float64]
    truth: NDArray[np.float64]


def synthetic_cohort(
    seed: int = 0, *, effect: float = EFFECT, features: Sequence[str] | None = None
) -> SyntheticCohort:
    """Draw 141 patients of whom the 67 with the largest linear predictor, chance added, respond.

    Parameters
    ----------
    effect
        Of the planted features, root mean square of the coefficients per SD; 0 where no feature decides.
    features
        Names to draw; those of profile "recommended" by default.
    """
    names = tuple(features or feature_names(load_profile("recommended")))
    random = np.random.default_rng(seed)
    patients = _RESPONDERS + _OTHERS
    standard = _correlated(names, patients, random)
    planted = [i for i, name in enumerate(names) if name in PLANTED]
    weights = np.array([PLANTED[names[i]] for i in planted])
    truth = effect * standard[:, planted] @ weights if planted else np.zeros(patients)
    chance = random.logistic(size=patients)
    responds = np.zeros(patients, dtype=np.bool_)
    responds[np.argsort(-(truth + chance), kind="stable")[:_RESPONDERS]] = True
    return SyntheticCohort(_clinical(responds, random), names, _with_units(standard, random), truth)


def _correlated(names: Sequence[str], patients: int, random: np.random.Generator) -> NDArray[np.float64]:
    """Standard normal features: those of one image and class repeat each other in a few groups, as real ones do."""
    kinds = [name.rpartition("_")[0] for name in names]
    groups: dict[tuple[str, int], NDArray[np.float64]] = {}
    size = random.normal(size=patients)
    made = np.empty((patients, len(names)))
    for column, (name, kind) in enumerate(zip(names, kinds, strict=True)):
        group = (name, -1) if name in PLANTED else (kind, int(random.integers(3)))
        if group not in groups:
            groups[group] = random.normal(size=patients)
        made[:, column] = 0.3 * size + 0.9 * groups[group] + 0.3 * random.normal(size=patients)
    return np.asarray((made - made.mean(axis=0)) / made.std(axis=0))


def _with_units(standard: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
    """The same order of the patients in each feature, on scales from thousandths to thousands, half of them skewed."""
    columns = standard.shape[1]
    scale = 10.0 ** random.uniform(-3, 3, size=columns)
    middle = scale * random.uniform(3, 10, size=columns)
    skewed = random.random(columns) < 0.5
    bent = np.where(skewed, (np.exp(0.4 * standard) - np.exp(0.08)) / 0.45, standard)
    return np.asarray(middle + scale * bent)


def _clinical(responds: NDArray[np.bool_], random: np.random.Generator) -> dict[str, list[str]]:
    patients = len(responds)
    columns: dict[str, list[str]] = {"patient": [f"P{number:03d}" for number in range(1, patients + 1)]}
    days = (date(2024, 11, 30) - date(2018, 6, 1)).days
    studies = [date(2018, 6, 1) + timedelta(days=int(day)) for day in random.integers(0, days, size=patients)]
    waits = random.integers(0, 29, size=patients)
    columns["study_date"] = [day.isoformat() for day in studies]
    columns["treatment_start_date"] = [
        (day + timedelta(days=int(wait))).isoformat() for day, wait in zip(studies, waits, strict=True)
    ]
    columns["age"] = [f"{age:.1f}" for age in np.clip(random.normal(65.4, 9.3, size=patients), 30, 90)]
    scanners = [_SCANNERS[choice] for choice in random.integers(0, len(_SCANNERS), size=patients)]
    for place, name in enumerate(("manufacturer", "scanner", "kernel", "slice_thickness_mm")):
        columns[name] = [scanner[place] for scanner in scanners]
    for name, counts in _COUNTS.items():
        columns[name] = _dealt(counts, responds, random)
    columns["response"] = _dealt(_RESPONSES, responds, random)
    return columns


def _dealt(
    counts: Mapping[str, tuple[int, int]], responds: NDArray[np.bool_], random: np.random.Generator
) -> list[str]:
    dealt = np.empty(len(responds), dtype=object)
    for side, rows in enumerate((np.flatnonzero(responds), np.flatnonzero(~responds))):
        cards = [level for level, numbers in counts.items() for _ in range(numbers[side])]
        dealt[rows] = random.permutation(np.array(cards, dtype=object))
    return [str(card) for card in dealt]


def cohort_files(cohort: SyntheticCohort, settings: ExtractionSettings) -> dict[str, str]:
    """Content of `clinical.csv`, and of `features.csv` as `pulmonode extract` writes it."""
    names = in_table_order(cohort.features)
    places = [cohort.features.index(name) for name in names]
    said = {
        "diagnostics_Configuration_Settings": str(dict(settings.described())),
        "diagnostics_Configuration_Engine": "drawn at random",
    }
    patients = cohort.clinical["patient"]
    rows = [
        [patient, f"{patient}/ct", f"{patient}/seg.dcm", 1, *(said.get(name, "") for name in DIAGNOSTICS)]
        + [float(f"{value:.12g}") for value in row[places]]
        for patient, row in zip(patients, cohort.values, strict=True)
    ]
    return {
        CLINICAL: _csv(list(cohort.clinical), list(zip(*cohort.clinical.values(), strict=True))),
        FEATURES: _csv(["patient", "Image", "Mask", "Label", *DIAGNOSTICS, *names], rows),
    }


def _csv(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue()


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the cohort to the folder that the command line names."""
    parser = argparse.ArgumentParser(description="Draw a cohort with a planted Rad-signature.")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder to write, such as cohort")
    parser.add_argument("--seed", type=int, default=0, help="another number draws another cohort")
    parser.add_argument(
        "--effect", type=float, default=EFFECT, help="root mean square of the planted coefficients per SD"
    )
    options = parser.parse_args(arguments)
    output: Path = options.output
    output.mkdir(parents=True, exist_ok=True)
    cohort = synthetic_cohort(options.seed, effect=options.effect)
    for name, text in cohort_files(cohort, load_profile("recommended")).items():
        (output / name).write_text(text, encoding="utf-8")
    print(f"{output}: {len(cohort.truth)} computed patients, {len(cohort.features)} features, {len(PLANTED)} planted")


if __name__ == "__main__":
    main()
