"""Immune checkpoint inhibitors, by the names and codes that treatment records use for them."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Agent:
    """A PD-1 or PD-L1 inhibitor.

    Attributes
    ----------
    name
        International nonproprietary name.
    target
        PD-1, PD-L1, or both targets of a bispecific antibody.
    atc
        Code of the WHO's ATC classification; empty where none is known here.
    rxnorm
        Concept of the ingredient in RxNorm; empty where none is known here.
    synonyms
        Chinese names, trade names and codes of development.
    """

    name: str
    target: str
    atc: str = ""
    rxnorm: str = ""
    synonyms: tuple[str, ...] = ()


# The ATC codes are those of the WHO's index from 2022 on, which moved PD-1 and PD-L1 inhibitors to L01FF. Public value
# sets name the RxNorm concepts of nivolumab, pembrolizumab and atezolizumab and the ATC codes from L01FF07 on one by
# one; the others were found there without a name beside them. An agent without a code here is known by its names.
AGENTS: Final = (
    Agent("nivolumab", "PD-1", "L01FF01", "1597876", ("纳武利尤单抗", "纳武单抗", "欧狄沃", "opdivo", "bms-936558")),
    Agent("pembrolizumab", "PD-1", "L01FF02", "1547545", ("帕博利珠单抗", "派姆单抗", "可瑞达", "keytruda", "mk-3475")),
    Agent("durvalumab", "PD-L1", "L01FF03", "1919503", ("度伐利尤单抗", "英飞凡", "imfinzi", "medi4736")),
    Agent("avelumab", "PD-L1", "L01FF04", "1875534", ("阿维鲁单抗", "阿维单抗", "bavencio")),
    Agent("atezolizumab", "PD-L1", "L01FF05", "1792776", ("阿替利珠单抗", "阿特珠单抗", "泰圣奇", "tecentriq")),
    Agent("cemiplimab", "PD-1", "L01FF06", "2058826", ("西米普利单抗", "libtayo")),
    Agent("dostarlimab", "PD-1", "L01FF07", "", ("多塔利单抗", "jemperli")),
    Agent("tislelizumab", "PD-1", "L01FF09", "", ("替雷利珠单抗", "百泽安", "tevimbra", "bgb-a317")),
    Agent("retifanlimab", "PD-1", "L01FF10", "", ("瑞弗利单抗", "zynyz")),
    Agent("sugemalimab", "PD-L1", "", "", ("舒格利单抗", "择捷美", "cejemly", "cs1001")),
    Agent("serplulimab", "PD-1", "", "", ("斯鲁利单抗", "汉斯状", "hetronifly", "hlx10")),
    Agent("toripalimab", "PD-1", "L01FF13", "", ("特瑞普利单抗", "拓益", "loqtorzi", "js001")),
    Agent("sintilimab", "PD-1", "", "", ("信迪利单抗", "达伯舒", "tyvyt", "ibi308")),
    Agent("camrelizumab", "PD-1", "", "", ("卡瑞利珠单抗", "艾瑞卡", "shr-1210")),
    Agent("penpulimab", "PD-1", "", "", ("派安普利单抗", "安尼可", "ak105")),
    Agent("zimberelimab", "PD-1", "", "", ("赛帕利单抗", "誉妥", "gls-010")),
    Agent("pucotenlimab", "PD-1", "", "", ("普特利单抗", "普佑恒", "hx008")),
    Agent("enlonstobart", "PD-1", "", "", ("恩朗苏拜单抗", "恩舒幸", "sg001")),
    Agent("finotonlimab", "PD-1", "", "", ("菲诺利单抗", "安佑平", "sct-i10a")),
    Agent("envafolimab", "PD-L1", "", "", ("恩沃利单抗", "恩维达", "kn035")),
    Agent("adebrelimab", "PD-L1", "", "", ("阿得贝利单抗", "艾瑞利", "shr-1316")),
    Agent("benmelstobart", "PD-L1", "", "", ("贝莫苏拜单抗", "安得卫", "tqb2450")),
    Agent("tagitanlimab", "PD-L1", "", "", ("塔戈利单抗", "科泰莱", "kl-a167")),
    Agent("socazolimab", "PD-L1", "", "", ("索卡佐利单抗", "善克钰", "zkab001")),
    Agent("cadonilimab", "PD-1/CTLA-4", "", "", ("卡度尼利单抗", "开坦尼", "ak104")),
    Agent("ivonescimab", "PD-1/VEGF", "", "", ("依沃西单抗", "依达方", "ak112")),
)
"""ATC codes of the WHO's index, RxNorm concepts of ingredients; empty where none was found."""
_OF_ITS_CLASS: Final = Agent("PD-1/PD-L1 inhibitor", "PD-1/PD-L1")
_ATC_CLASS: Final = "L01FF"
"""PD-1/PD-L1 inhibitors; newer ones have a code of it that the table does not list."""

_BY_NAME: Final = {name: agent for agent in AGENTS for name in (agent.name, *agent.synonyms)}
# a latin name stands by itself ("nivolumab-hyaluronidase" is one), a Chinese one wherever it stands
_NAMES: Final = re.compile(
    "|".join(
        rf"(?<![a-z0-9]){re.escape(name)}(?![a-z0-9])" if name.isascii() else re.escape(name)
        for name in sorted(_BY_NAME, key=len, reverse=True)
    )
)
ATC: Final = "http://www.whocc.no/atc"
RXNORM: Final = "http://www.nlm.nih.gov/research/umls/rxnorm"
_BY_CODE: Final = {(ATC, agent.atc): agent for agent in AGENTS if agent.atc} | {
    (RXNORM, agent.rxnorm): agent for agent in AGENTS if agent.rxnorm
}


def agent_named(text: str) -> Agent | None:
    """The inhibitor that a text names, whatever else it says of strength or form.

    Examples
    --------
    >>> agent = agent_named("Pembrolizumab 100 mg/4 mL")
    >>> agent.name if agent else None
    'pembrolizumab'
    """
    found = _NAMES.search(unicodedata.normalize("NFKC", text).casefold())
    return None if found is None else _BY_NAME[found.group()]


def agent_coded(system: str, code: str) -> Agent | None:
    """The inhibitor of a code, `system` being the URI that FHIR names the classification by."""
    known = _BY_CODE.get((system, code))
    if known is None and system == ATC and code.startswith(_ATC_CLASS):
        return _OF_ITS_CLASS
    return known


def inhibitors(names: Iterable[str]) -> tuple[Agent, ...]:
    """The inhibitors among names of medicines."""
    return tuple(agent for name in names if (agent := agent_named(name)) is not None)
