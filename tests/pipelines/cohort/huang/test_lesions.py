"""Histories of lesions, made up and of patients of five trials."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipelines.cohort.dictionary import check_table
from pipelines.cohort.huang.columns import LESIONS
from pipelines.cohort.huang.lesions import History, histories
from pipelines.figures.patients import Course, Swimmer, spider, swimmer, waterfall

HEADER = ["patient", "lesion", "day", "diameter_mm"]


def read(rows: list[list[object]]) -> tuple[tuple[History, ...], int]:
    checked = check_table(LESIONS, HEADER, rows)
    assert not checked.problems
    return histories(checked.records)


def test_the_sum_of_all_lesions_is_followed_from_the_last_visit_before_treatment() -> None:
    ((found,), incomplete) = read(
        [["A", "1", -60, 99], ["A", "1", -5, 30], ["A", "2", -5, 20], ["A", "1", 42, 20], ["A", "2", 42, 15],
         ["A", "1", 84, 40], ["A", "2", 84, 21]]
    )  # fmt: skip
    assert found.sums.tolist() == [50, 35, 61]
    assert found.change == pytest.approx([0, -30, 22])
    assert found.best_change == pytest.approx(-30)
    assert incomplete == 0


def test_a_visit_that_lacks_a_lesion_is_counted_and_left_out() -> None:
    ((found,), incomplete) = read(
        [["A", "1", 0, 30], ["A", "2", 0, 20], ["A", "1", 42, 10], ["A", "1", 84, 8], ["A", "2", 84, 8]]
    )
    assert found.sums.tolist() == [50, 16]
    assert incomplete == 1


def test_a_patient_with_one_visit_has_no_best_change() -> None:
    ((found,), _) = read([["A", "1", 0, 30]])
    assert np.isnan(found.best_change)


def test_the_series_of_five_trials_run_whole_through_the_plots_of_patients(shared_data: Path) -> None:
    # Laleh et al. 2022, PLOS Comput Biol: one lesion a patient
    table = pd.read_csv(shared_data / "tables/tumour_growth_laleh2022_half_a.csv")
    table["day"] = table["T_days"].round().astype(int)
    kept = table.drop_duplicates(["Pt_hashID", "day"])
    rows = [[one.Pt_hashID, "target", one.day, one.Lesion_diam] for one in kept.itertuples()]
    found, incomplete = read(rows)
    assert incomplete == 0
    assert len(found) == (kept.groupby("Pt_hashID")["Lesion_diam"].first() > 0).sum()
    changes = [one.best_change for one in found]
    classes = ["PR" if change <= -30 else "SD" for change in changes]
    assert waterfall(changes, classes, ylabel="Best change (%)").svg().startswith(b"<?xml")
    assert spider([Course(one.months, one.change, "all") for one in found]).svg().startswith(b"<?xml")
    lanes = [
        Swimmer(f"row {row}", ((min(0.0, float(one.months[0])), float(one.months[-1]), "Followed"),))
        for row, one in enumerate(found[:60])
    ]
    assert swimmer(lanes).svg().startswith(b"<?xml")
