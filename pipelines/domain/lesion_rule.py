"""Which segments of a segmentation are lesions: a rule that says for each why it is taken or left."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from pipelines.domain.coding import Code

Unnamed = Literal["lone", "all", "none"]

LESION_CODES: Final = frozenset(
    {
        ("SCT", "108369006"),  # Neoplasm
        ("SCT", "86049000"),  # Malignant neoplasm, primary
        ("SCT", "14799000"),  # Neoplasm, metastatic
        ("SCT", "128462008"),  # Metastasis
        ("SCT", "52988006"),  # Lesion
        ("SCT", "4147007"),  # Mass
        ("SCT", "27925004"),  # Nodule
        ("SCT", "254637007"),  # Non-small cell lung cancer
        ("SCT", "254634000"),  # Squamous cell carcinoma of lung
        ("SCT", "254626006"),  # Adenocarcinoma of lung
        ("SRT", "M-80000"),
        ("SRT", "M-80003"),
        ("SRT", "M-80006"),
        ("SRT", "M-01100"),
        ("SRT", "M-03010"),
    }
)
ABNORMAL_CODES: Final = frozenset({("SCT", "49755003"), ("SRT", "M-01000")})
"""Category Morphologically Abnormal Structure (PS3.16 CID 7150): a lesion unless the type says otherwise."""
BENIGN_CODES: Final = frozenset(
    {
        ("SCT", "79654002"),  # Edema
        ("SCT", "6574001"),  # Necrosis
        ("SCT", "50960005"),  # Hemorrhage
        ("SCT", "41699000"),  # Effusion
        ("SCT", "18115005"),  # Pathologic calcification
        ("SCT", "46621007"),  # Atelectasis
        ("DCM", "111102"),  # Non-lesion
    }
)
NORMAL_CODES: Final = frozenset(
    {
        ("SCT", "91723000"),  # Anatomical structure
        ("SCT", "123037004"),  # Body structure
        ("SCT", "113343008"),  # Organ
        ("SCT", "85756007"),  # Tissue
        ("SCT", "91720002"),  # Body substance
        ("SCT", "309825002"),  # Spatial and relational concept
        ("SCT", "260787004"),  # Physical object
        ("SRT", "T-D000A"),
        ("SRT", "T-D0050"),
        ("SRT", "T-D0070"),
        ("SRT", "R-42018"),
        ("SRT", "A-00004"),
        ("DCM", "130060"),  # Organ at risk
        ("DCM", "130047"),  # External body structure
    }
)
"""Categories and types that stand for healthy anatomy, substances, devices and regions."""
_TISSUE: Final = frozenset({("SCT", "85756007"), ("SRT", "T-D0050")})
_BACKGROUND: Final = ("DCM", "125040")

_PLANNING: Final = re.compile(
    r"(?<![a-z])[cpi]tv(?![a-z])|peri-?[ _]?tumou?r|tumou?r[ _-]*(?:free|bed)|non[ _-]?(?:tumou?r|lesion)"
    r"|(?:clinical|planning|internal)[ _]target"
    r"|(?:lungs?|liver|brain|body|bones?)[ _]*(?:-|minus|sub|without|excl?[a-z]*)[ _]*(?:i?gtv|tumou?r|lesion)"
    r"|瘤周|肺[ _]*[-减][ _]*(?:i?gtv|肿瘤)",
    re.IGNORECASE,
)
"""Words of volumes around a lesion, or of an organ without it; they hold words for lesions and mean another thing."""
_LESION: Final = re.compile(
    r"tumou?r|neoplas|lesion|nodul|(?<![a-z])mass(?:es)?(?![a-z])|(?<![a-z])i?gtv|gross[ _]target|metasta"
    r"|(?<![a-z])mets?(?![a-z])|cancer|carcinom|malignan|sarcoma|lymphoma|nsclc|tumeur|l[äé]sion"
    r"|肿瘤|腫瘤|腫瘍|肿块|腫塊|病灶|病变|病變|结节|結節|癌|转移|轉移|転移|瘤|종양|결절|병변",
    re.IGNORECASE,
)
_ORGAN: Final = re.compile(
    r"lung|lobe|heart|aort|atri(?:um|al)|ventric|myocard|pericard|vena|vein|arter|trunk|vessel|trachea|bronch|airway"
    r"|(?:o)?esophag|spinal|spine|vertebra|cord|rib|stern|costal|cartilage|clavic|scapul|humer|femur|sacrum|(?<![a-z])hip"
    r"|pelvi|skull|brain|thyroid|thymus|mediastin|diaphragm|pleura|liver|spleen|kidney|adrenal|pancrea|gallbladder|stomach"
    r"|duoden|bowel|colon|rectum|bladder|prostat|muscle|autochthon|gluteus|iliopsoas|iliac|(?<![a-z])fat(?![a-z])|skin"
    r"|(?<![a-z])body(?![a-z])|external|(?<![a-z])bones?(?![a-z])|(?<![a-z])face(?![a-z])|breast|plexus|chest"
    r"|couch|table|background|anatomical structure"
    r"|肺|心|主动脉|动脉|静脉|气管|食管|食道|脊髓|肋|胸骨|锁骨|椎|肝|脾|肾|胰|胆|胃|肠|膀胱|体表|皮肤|骨",
    re.IGNORECASE,
)
_SAYS_LESION: Final = "GTV"
_NO_LESION_TYPES: Final = frozenset(
    {
        "EXTERNAL", "PTV", "CTV", "TREATED_VOLUME", "IRRAD_VOLUME", "OAR", "BOLUS", "AVOIDANCE", "ORGAN", "MARKER",
        "REGISTRATION", "ISOCENTER", "CONTRAST_AGENT", "CAVITY", "BRACHY_CHANNEL", "BRACHY_ACCESSORY", "SUPPORT",
        "BRACHY_SRC_APP", "BRACHY_CHNL_SHLD", "FIXATION", "DOSE_REGION", "CONTROL", "DOSE_MEASUREMENT", "DEVICE",
    }
)  # fmt: skip
_SHOWN: Final = 12
"""Reasons that a message tells."""


@dataclass(frozen=True, slots=True)
class SegmentDescription:
    """What a segmentation says about one segment or ROI.

    Attributes
    ----------
    category, kind
        Segmented Property Category and Type (PS3.3 C.8.20.4), or the ROI Identification Code.
    algorithm
        AUTOMATIC, SEMIAUTOMATIC, MANUAL, or empty.
    interpreted_type
        RT ROI Interpreted Type (PS3.3 C.8.8.8.1), empty for a SEG.
    """

    number: int
    label: str
    category: Code | None = None
    kind: Code | None = None
    algorithm: str = ""
    interpreted_type: str = ""


@dataclass(frozen=True, slots=True)
class LesionRule:
    """What a site adds to the rule.

    Attributes
    ----------
    include, exclude
        Regular expressions that are searched in the label, whatever its case.
    include_codes, exclude_codes
        `SCHEME:VALUE` of a category or type.
    algorithms
        Segment Algorithm Types that count; empty for any.
    unnamed
        What to do when nothing says lesion or organ: take the segment if it is the only one (`lone`), take all such
        segments (`all`), or leave them (`none`).
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    include_codes: tuple[str, ...] = ()
    exclude_codes: tuple[str, ...] = ()
    algorithms: tuple[str, ...] = ()
    unnamed: Unnamed = "lone"


DEFAULT_RULE: Final = LesionRule()


@dataclass(frozen=True, slots=True)
class Choice:
    """Whether a segment is a lesion.

    Attributes
    ----------
    why
        The reason in words of this module and codes: never text of the sender, which may hold a name.
    evident
        False when nothing in the segmentation said so, and the default decided.
    """

    number: int
    taken: bool
    why: str
    evident: bool = True


def choose(segments: Sequence[SegmentDescription], rule: LesionRule) -> tuple[Choice, ...]:
    """Tell for each segment whether it is a lesion, and why.

    The first that applies decides: the site's exclusions, the site's inclusions, a label of a planning volume, a code
    or word for a lesion, a code or word for anatomy, the site's choice for segments that say neither.

    Examples
    --------
    >>> found = choose([SegmentDescription(1, "GTV-1"), SegmentDescription(2, "heart")], LesionRule())
    >>> [(one.number, one.taken, one.why) for one in found]
    [(1, True, "its label says 'gtv'"), (2, False, "its label says 'heart'")]
    """
    lone = len(segments) == 1
    return tuple(_choice(segment, rule, lone=lone) for segment in segments)


def _choice(segment: SegmentDescription, rule: LesionRule, *, lone: bool) -> Choice:
    for taken, why in (
        (False, _by_site(segment, rule.exclude, rule.exclude_codes, "lesions.exclude")),
        (False, _wrong_algorithm(segment, rule.algorithms)),
        (True, _by_site(segment, rule.include, rule.include_codes, "lesions.include")),
        (False, _planning(segment)),
        (True, _lesion(segment)),
        (False, _anatomy(segment)),
    ):
        if why:
            return Choice(segment.number, taken, why)
    taken = rule.unnamed == "all" or (rule.unnamed == "lone" and lone)
    setting = f"lesions.unnamed is {rule.unnamed!r}"
    if taken and rule.unnamed == "lone":
        return Choice(segment.number, taken, f"it is the only segment and {setting}", evident=False)
    return Choice(segment.number, taken, f"nothing says lesion or organ and {setting}", evident=False)


def _by_site(segment: SegmentDescription, patterns: Sequence[str], codes: Sequence[str], name: str) -> str:
    for pattern in patterns:
        if re.search(pattern, segment.label, re.IGNORECASE):
            return f"{name} has {pattern!r}"
    for code in (segment.kind, segment.category):
        if code is not None and f"{code.scheme}:{code.value}" in codes:
            return f"{name}_codes has {code.scheme}:{code.value}"
    return ""


def _wrong_algorithm(segment: SegmentDescription, algorithms: Sequence[str]) -> str:
    if not algorithms or segment.algorithm in algorithms:
        return ""
    known = segment.algorithm if segment.algorithm in ("AUTOMATIC", "SEMIAUTOMATIC", "MANUAL") else "not stated"
    return f"its algorithm type is {known} and lesions.algorithms has {', '.join(algorithms)}"


def _planning(segment: SegmentDescription) -> str:
    return _word(_PLANNING, segment.label, "label") or _word(_PLANNING, _meaning(segment.kind), "type")


def _lesion(segment: SegmentDescription) -> str:
    if segment.interpreted_type == _SAYS_LESION:
        return "its RT interpreted type is GTV"
    kind, category = _key(segment.kind), _key(segment.category)
    if kind in LESION_CODES:
        return f"its type is {_shown(kind)}"
    if kind in BENIGN_CODES:
        return ""
    said = _word(_LESION, _meaning(segment.kind), "type") or _word(_LESION, segment.label, "label")
    if said:
        return said
    return f"its category is {_shown(category)}" if category in ABNORMAL_CODES else ""


def _anatomy(segment: SegmentDescription) -> str:
    if segment.interpreted_type in _NO_LESION_TYPES:
        return f"its RT interpreted type is {segment.interpreted_type}"
    kind, category = _key(segment.kind), _key(segment.category)
    if kind == _BACKGROUND or category == _BACKGROUND:
        return "it is the background"
    if kind in BENIGN_CODES:
        return f"its type is {_shown(kind)}"
    # drawing programs write tissue of the type tissue where nobody has chosen anything
    if category in NORMAL_CODES and not (category in _TISSUE and (kind in _TISSUE or kind is None)):
        return f"its category is {_shown(category)}"
    if kind in NORMAL_CODES - _TISSUE:
        return f"its type is {_shown(kind)}"
    return _word(_ORGAN, segment.label, "label") or _word(_ORGAN, _meaning(segment.kind), "type")


def _word(words: re.Pattern[str], text: str, where: str) -> str:
    found = words.search(text)
    return f"its {where} says {found.group().lower()!r}" if found else ""


def _key(code: Code | None) -> tuple[str, str] | None:
    return None if code is None else (code.scheme, code.value)


def _meaning(code: Code | None) -> str:
    return "" if code is None else code.meaning


def _shown(code: tuple[str, str] | None) -> str:
    return "" if code is None else f"{code[1]} ({code[0]})"


def described(choices: Sequence[Choice]) -> str:
    """What was taken and left, and why, without any text of the sender.

    Examples
    --------
    >>> described([Choice(1, True, "its label says 'gtv'"), Choice(2, False, "its label says 'heart'")])
    "Lesion: segment 1 (its label says 'gtv'). No lesion: segment 2 (its label says 'heart')."
    """
    parts = (
        (name, [c for c in choices if c.taken is taken]) for name, taken in (("Lesion", True), ("No lesion", False))
    )
    return " ".join(f"{name}: {_listed(some)}." for name, some in parts if some)


def _listed(choices: Sequence[Choice]) -> str:
    by_reason: dict[str, list[str]] = {}
    for choice in choices:
        by_reason.setdefault(choice.why, []).append(str(choice.number))
    groups = [f"segment {', '.join(numbers)} ({why})" for why, numbers in by_reason.items()]
    more = [f"and {len(groups) - _SHOWN} more kinds"] if len(groups) > _SHOWN else []
    return "; ".join((*groups[:_SHOWN], *more))
