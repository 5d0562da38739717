"""The organ that a lesion lies in, as response criteria count organs, read from its anatomic region codes."""

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from pipelines.domain.coding import Code


class Organ(StrEnum):
    """An organ in the sense of RECIST 1.1: paired organs are one, and so are all lymph nodes."""

    LUNG = "lung"
    PLEURA = "pleura"
    LYMPH_NODE = "lymph node"
    MEDIASTINUM = "mediastinum"
    PERICARDIUM = "pericardium"
    LIVER = "liver"
    ADRENAL = "adrenal gland"
    BONE = "bone"
    BRAIN = "brain"
    MENINGES = "meninges"
    KIDNEY = "kidney"
    SPLEEN = "spleen"
    PANCREAS = "pancreas"
    PERITONEUM = "peritoneum"
    BREAST = "breast"
    THYROID = "thyroid"
    SKIN = "skin"
    SOFT_TISSUE = "soft tissue"
    UNKNOWN = "unknown"


_BY_CODE: Final[dict[tuple[str, str], Organ]] = {
    ("SCT", code): organ
    for organ, codes in {
        Organ.LUNG: "39607008 3341006 44029006 31094006 45653009 90572001 72481006 44714003 72674008 86598002",
        Organ.PLEURA: "3120008",
        Organ.LYMPH_NODE: "59441001 62683002 53074004 28330007 65690001 76838003 68171009 91394001 312501005 47109002",
        Organ.MEDIASTINUM: "72410000",
        Organ.PERICARDIUM: "76848001 25489000",
        Organ.LIVER: "10200004 303270005",
        Organ.ADRENAL: "23451007 41275005",
        Organ.BONE: "3138006 51282000 113197003 56873002 51299004 79601000 54735007 89546000 71341001 85050009",
        Organ.BRAIN: "12738006 119238007 61962009",
        Organ.MENINGES: "1231004",
        Organ.KIDNEY: "64033007 25990002",
        Organ.SPLEEN: "78961009",
        Organ.PANCREAS: "15776009",
        Organ.PERITONEUM: "83670000",
        Organ.BREAST: "76752008",
        Organ.THYROID: "69748006",
        Organ.SKIN: "39937001",
        Organ.SOFT_TISSUE: "87784001 91727004",
    }.items()
    for code in codes.split()
}

_BY_MEANING: Final = tuple(
    (organ, re.compile(rf"\b(?:{words})", re.IGNORECASE))
    for organ, words in (
        # first what is named after another organ: the node of the lung hilum is no lung
        (Organ.LYMPH_NODE, "lymph nodes?|nodes?$"),
        (Organ.MENINGES, "mening|dura mater"),
        (Organ.PLEURA, "pleura"),
        (Organ.PERICARDIUM, "pericardi"),
        (Organ.PERITONEUM, "periton|omentum"),
        (Organ.ADRENAL, "adrenal"),
        (Organ.SKIN, "skin"),
        (Organ.SOFT_TISSUE, "muscle|soft tissue|subcutaneous"),
        (Organ.BONE, "bones?|vertebra|ribs?|sternum|skull|sacrum|femur|humerus|clavicle|scapula|ilium|spine"),
        (Organ.BRAIN, "brain|cerebr|cerebell"),
        (Organ.LUNG, "lungs?|pulmonary"),
        (Organ.LIVER, "liver|hepatic"),
        (Organ.KIDNEY, "kidneys?|renal"),
        (Organ.SPLEEN, "spleen|splenic"),
        (Organ.PANCREAS, "pancrea"),
        (Organ.BREAST, "breast"),
        (Organ.THYROID, "thyroid"),
        (Organ.MEDIASTINUM, "mediastin"),
    )
)
"""Words of Code Meanings: SNOMED CT has some two hundred codes for single nodes and bones alone."""


def organ_of(regions: Sequence[Code]) -> Organ:
    """The organ that Anatomic Region Sequence names; `UNKNOWN` when nothing in it names one.

    Codes decide; only where all are foreign their meanings do.

    References
    ----------
    PS3.3 C.8.20.4 (Anatomic Region Sequence of a segment). RECIST 1.1 section 3.1.2 and the EORTC's answers on
    paired organs and lymph nodes.

    Examples
    --------
    >>> organ_of([Code("44029006", "SCT", "Left lung")])
    <Organ.LUNG: 'lung'>
    >>> organ_of([Code("196662004", "SCT", "intrapulmonary lymph node")])
    <Organ.LYMPH_NODE: 'lymph node'>
    """
    for code in regions:
        known = _BY_CODE.get((code.scheme, code.value))
        if known is not None:
            return known
    for code in regions:
        for organ, words in _BY_MEANING:
            if words.search(code.meaning):
                return organ
    return Organ.UNKNOWN
