"""What a lesion consists of, read from codes and words."""

import re
from typing import Final

from pipelines.domain.coding import Code
from pipelines.domain.recist import LesionNature

_BY_CODE: Final = {
    ("60046008", "SCT"): LesionNature.EFFUSION,
    ("373945007", "SCT"): LesionNature.EFFUSION,
    ("389026000", "SCT"): LesionNature.ASCITES,
}
_BY_WORDS: Final = (
    (LesionNature.EFFUSION, re.compile(r"(pleural|pericardial) effusion|胸腔积液|心包积液", re.IGNORECASE)),
    (LesionNature.ASCITES, re.compile(r"ascites|腹水", re.IGNORECASE)),
    (LesionNature.LYMPHANGITIS, re.compile(r"lymphangi|淋巴管炎", re.IGNORECASE)),
    (LesionNature.LEPTOMENINGEAL, re.compile(r"leptomening|软脑膜", re.IGNORECASE)),
    (LesionNature.CARCINOMATOSIS, re.compile(r"carcinomatosis", re.IGNORECASE)),
    (LesionNature.BLASTIC_BONE, re.compile(r"blastic", re.IGNORECASE)),
    (LesionNature.LYTIC_BONE, re.compile(r"\blytic|osteolytic", re.IGNORECASE)),
    (LesionNature.SIMPLE_CYST, re.compile(r"simple cyst", re.IGNORECASE)),
)


def nature_of(code: Code | None, *words: str) -> LesionNature | None:
    """The nature that a code, its meaning or `words` tell of; None where they tell of none.

    Examples
    --------
    >>> nature_of(Code("60046008", "SCT", "Pleural effusion"))
    <LesionNature.EFFUSION: 'pleural or pericardial effusion'>
    >>> nature_of(None, "L3 lymphangitic spread")
    <LesionNature.LYMPHANGITIS: 'lymphangitis'>
    """
    if code is not None and (code.value, code.scheme) in _BY_CODE:
        return _BY_CODE[code.value, code.scheme]
    said = [*(() if code is None else (code.meaning,)), *words]
    return next((nature for nature, pattern in _BY_WORDS if any(pattern.search(one) for one in said)), None)
