from collections import Counter

import pytest

from pipelines.domain.feature_codes import CONCEPTS, describe
from pipelines.domain.ibsi_codes import AGGREGATIONS, IBSI, ibsi_concept, ibsi_tags
from tests.pipelines.domain.test_coding import meanings

ALL = ibsi_tags(("2D", "2_5D", "3D"))


def test_no_code_is_used_twice() -> None:
    used = Counter(code.value for code in (*IBSI.values(), *AGGREGATIONS.values()))
    assert [value for value, times in used.items() if times > 1] == []


def test_no_two_pyradiomics_features_have_one_code() -> None:
    used = Counter(code.value for code in CONCEPTS.values())
    assert [value for value, times in used.items() if times > 1] == []


def test_every_code_that_dicom_lists_has_its_meaning() -> None:
    wrong = {code.value: code.meaning for code in IBSI.values() if meanings(code) not in (set(), {code.meaning})}
    assert wrong == {}
    # the families that DICOM lists as a whole; it lists neither statistics, peaks nor the volume histogram
    families = ("morph_", "ih_", "cm_", "rlm_", "szm_", "dzm_", "ngt_", "ngl_")
    assert [tag for tag, code in IBSI.items() if tag.startswith(families) and not meanings(code)] == []


def test_every_value_can_be_told_from_every_other_by_its_coding() -> None:
    assert len(ALL) == len(set(ALL)) == 482
    coded = [(ibsi_concept(tag).concept, ibsi_concept(tag).modifiers) for tag in ALL]
    assert len(set(coded)) == len(coded)


@pytest.mark.parametrize(
    ("name", "code", "unit", "modifiers"),
    [
        ("ibsi_morph_volume", "RNU0", "mm3", []),
        ("ibsi_morph_integ_int", "99N0", "[hnsf'U].mm3", []),
        ("ibsi_stat_mean", "Q4LE", "[hnsf'U]", []),
        ("ibsi_stat_kurt", "IPH6", "1", []),
        ("ibsi_stat_energy", "N8CA", "[hnsf'U]2", []),
        ("ibsi_ih_mean", "X6K6", "1", []),
        ("ibsi_ivh_v90", "BC2M", "1", ["AT90"]),
        ("ibsi_ivh_i10", "GBPN", "[hnsf'U]", ["AT10"]),
        ("ibsi_ivh_diff_i10_i90", "CNV2", "[hnsf'U]", ["10LESS90"]),
        ("ibsi_loc_peak_glob", "0F91", "[hnsf'U]", []),
        ("ibsi_cm_joint_entr_3D_avg", "TU9B", "1", ["ITBB"]),
        ("ibsi_cm_joint_entr_2_5D_comb", "TU9B", "1", ["ZW7Z"]),
        ("ibsi_cm_joint_entr_2D_comb", "TU9B", "1", ["SUJT"]),
        ("ibsi_dzm_sde_2_5D", "0GBI", "1", ["62GR"]),
        ("ibsi_ngl_dc_energy_3D", "CAS9", "1", ["KOBO"]),
    ],
)
def test_concept_unit_and_aggregation_of_a_feature(name: str, code: str, unit: str, modifiers: list[str]) -> None:
    described = describe(name)
    assert (described.concept.value, described.unit.value) == (code, unit)
    assert [value.value for _, value in described.modifiers] == modifiers


@pytest.mark.parametrize("name", ["ibsi_cm_joint_entr", "ibsi_cm_joint_entr_4D_avg", "ibsi_stat_mode", "ibsi_ivh_v"])
def test_a_tag_that_is_not_in_the_tables_is_refused(name: str) -> None:
    with pytest.raises(KeyError):
        describe(name)
