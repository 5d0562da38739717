"""The organ of a lesion from its codes."""

import pytest

from pipelines.domain.coding import Code
from pipelines.domain.organs import Organ, organ_of


@pytest.mark.parametrize(
    ("code", "organ"),
    [
        (Code("3341006", "SCT", "Right lung"), Organ.LUNG),
        (Code("10200004", "SCT", "Liver"), Organ.LIVER),
        (Code("59441001", "SCT", "Lymph node"), Organ.LYMPH_NODE),
        (Code("53074004", "SCT", "hilar lymph node"), Organ.LYMPH_NODE),
        (Code("127921007", "SCT", "segmental lymph node of the lung"), Organ.LYMPH_NODE),
        (Code("41275005", "SCT", "Left adrenal gland"), Organ.ADRENAL),
        (Code("29392005", "SCT", "Right adrenal gland"), Organ.ADRENAL),
        (Code("51282000", "SCT", "Vertebra"), Organ.BONE),
        (Code("11068009", "SCT", "T9 vertebra"), Organ.BONE),
        (Code("91397008", "SCT", "Facial bones"), Organ.BONE),
        (Code("12738006", "SCT", "Brain"), Organ.BRAIN),
        (Code("75093004", "SCT", "Skin of abdomen"), Organ.SKIN),
        (Code("T-28000", "SRT", "Lung"), Organ.LUNG),
        (Code("68367000", "SCT", "Thigh"), Organ.UNKNOWN),
    ],
)
def test_codes_name_organs(code: Code, organ: Organ) -> None:
    assert organ_of([code]) is organ


def test_no_code_names_no_organ() -> None:
    assert organ_of([]) is Organ.UNKNOWN


def test_a_code_that_is_known_comes_before_words() -> None:
    assert organ_of([Code("X1", "99LOCAL", "lymph node"), Code("10200004", "SCT", "Liver")]) is Organ.LIVER
