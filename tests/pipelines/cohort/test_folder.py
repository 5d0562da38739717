"""A cohort in two tables is read whole, or every fault is named."""

from dataclasses import replace
from datetime import date

import numpy as np

from pipelines.cohort.folder import OutcomeChoice, read_cohort
from pipelines.domain.reasons import Rejected
from pipelines.domain.training_table import ClassCovariate, NumberCovariate, TrainingTable

CLINICAL = (
    "patient,response,age,ecog,site,study_date\nA,CR,61.5,0,one,2020-02-03\nB,PD,,1,two,2021-01-01\nC,SD,70.25,,one,\n"
)
FEATURES = (
    "patient,diagnostics_Mask-original_VoxelNum,original_shape_Sphericity,original_glcm_Imc1\n"
    "A,10,0.5,1\nA,30,0.7,nan\nB,5,0.6,2\nC,6,0.4,3\nD,6,0.4,3\n"
)


def test_the_largest_lesion_of_each_patient_is_taken() -> None:
    table = read_cohort(CLINICAL, FEATURES, OutcomeChoice())
    assert isinstance(table, TrainingTable)
    assert table.patients == ("A", "B", "C")
    assert table.features == ("original_glcm_Imc1", "original_shape_Sphericity")
    np.testing.assert_array_equal(table.values, [[np.nan, 0.7], [2, 0.6], [3, 0.4]])
    assert table.positive.tolist() == [True, False, False]
    assert table.sites == ("one", "two", "one")
    assert table.study_dates == (date(2020, 2, 3), date(2021, 1, 1), None)


def test_numbers_and_codes_are_told_apart_and_gaps_are_kept() -> None:
    table = read_cohort(CLINICAL, FEATURES, OutcomeChoice())
    assert isinstance(table, TrainingTable)
    age, ecog = table.covariates
    assert isinstance(age, NumberCovariate)
    assert np.isnan(age.values[1])
    assert ecog == ClassCovariate("ecog", ("0", "1", ""))


def test_all_faults_are_told_at_once_without_naming_a_patient() -> None:
    clinical = "patient,response\nSECRET,CR\nSECRET,PR\n,PD\nOTHER,XX\n"
    found = read_cohort(clinical, FEATURES, OutcomeChoice())
    assert isinstance(found, Rejected)
    assert found.code == "TRAIN-001"
    for fault in ("1 rows of clinical.csv name no patient (lines 4)", "repeat a patient (lines 3)", "(lines 5)"):
        assert fault in found.detail
    assert "SECRET" not in str(found)
    assert "OTHER" not in str(found)


def test_a_missing_column_is_told() -> None:
    found = read_cohort("who,response\nA,CR\n", FEATURES, OutcomeChoice())
    assert isinstance(found, Rejected)
    assert "clinical.csv has no column patient" in found.detail
    found = read_cohort(CLINICAL, "name,original_shape_Sphericity\nA,1\n", OutcomeChoice())
    assert isinstance(found, Rejected)
    assert "none of the columns patient, Patient, PatientID, case" in found.detail


def test_lesions_without_a_size_are_not_chosen_among() -> None:
    found = read_cohort(CLINICAL, FEATURES.replace("diagnostics_Mask-original_VoxelNum", "x"), OutcomeChoice())
    assert isinstance(found, Rejected)
    assert "1 patients have several lesions" in found.detail


def test_tables_of_different_settings_are_not_mixed() -> None:
    text = (
        "patient,diagnostics_Configuration_Settings,original_shape_Sphericity\nA,\"{'a': 1}\",1\nB,\"{'a': 2}\",2\n"
        "C,\"{'a': 1}\",3\n"
    )
    found = read_cohort(CLINICAL, text, OutcomeChoice())
    assert isinstance(found, Rejected)
    assert "mixes 2 different extraction settings" in found.detail


def test_without_a_list_of_negative_values_every_other_value_is_negative() -> None:
    choice = replace(OutcomeChoice(), column="ecog", positive=("1",), negative=())
    found = read_cohort(CLINICAL, FEATURES, choice)
    assert isinstance(found, Rejected)
    assert "1 rows of clinical.csv have no outcome (lines 4)" in found.detail
    table = read_cohort(CLINICAL.replace("70.25,,", "70.25,2,"), FEATURES, choice)
    assert isinstance(table, TrainingTable)
    assert table.positive.tolist() == [False, True, False]


def test_a_byte_order_mark_is_no_part_of_the_first_column() -> None:
    assert isinstance(read_cohort("\ufeff" + CLINICAL, "\ufeff" + FEATURES, OutcomeChoice()), TrainingTable)


def test_a_line_that_ends_as_none_does_and_a_field_that_never_ends_are_told() -> None:
    assert isinstance(read_cohort(CLINICAL.replace("\n", "\r"), FEATURES, OutcomeChoice()), TrainingTable)
    assert isinstance(read_cohort(CLINICAL.replace("CR", "CR\r"), FEATURES, OutcomeChoice()), TrainingTable | Rejected)
    endless = CLINICAL + '"' + "x" * 200_000
    found = read_cohort(endless, FEATURES, OutcomeChoice())
    assert isinstance(found, Rejected)
    assert found.code == "TRAIN-001"
