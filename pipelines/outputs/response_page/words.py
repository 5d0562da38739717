"""Every word that the page of response has of its own, in each of its languages."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from pipelines.outputs.page.settings import PageLanguage
from pipelines.outputs.response_page.reasons import in_chinese


@dataclass(frozen=True, slots=True)
class ResponseWords:
    """Labels of the page; what stands in braces is filled in.

    Attributes
    ----------
    terms
        What the rules say, by their own words for it; those words stand where there is no other.
    meanings
        Of the message codes that an assessment may bear; empty where the message itself is in this language.
    """

    title: str
    best: str
    pattern: str
    resistance: str
    next_scan: str
    next_unset: str
    table: str
    columns: tuple[str, ...]
    earlier: str
    sums: str
    lesions: str
    days: str
    nadir: str
    least: str
    pictures: str
    no_picture: str
    now: str
    baseline: str
    evidence: str
    notes: str
    no_notes: str
    decided_by: str
    rules: str
    terms: Mapping[str, str]
    meanings: Mapping[str, str]
    reason_of: Callable[[str, Mapping[str, str]], str | None]

    def reason(self, why: str) -> str:
        """A reason of the assessment in this language; as it is where it cannot be said in it."""
        return self.reason_of(why, self.terms) or why

    def term(self, word: str) -> str:
        return self.terms.get(word, word)


_ENGLISH: Final = ResponseWords(
    title="Response to treatment",
    best="Best overall response",
    pattern="Pattern of progression",
    resistance="Resistance to immunotherapy",
    next_scan="Next CT (decision support)",
    next_unset="by protocol",
    table="Visits",
    columns=("Visit", "Day", "Sum mm", "vs baseline", "vs nadir", "Target", "Non-target", "New", "Overall", "iRECIST"),
    earlier="{count} visits in between are not shown; see the report of response.",
    sums="Sum of diameters of the target lesions, mm",
    lesions="Diameter of each lesion, mm",
    days="days from baseline",
    nadir="nadir {value}",
    least="circles: smallest size of each lesion",
    pictures="Lesions",
    no_picture="no picture",
    now="now",
    baseline="baseline",
    evidence="Progressing lesions",
    notes="To be looked at by the reader",
    no_notes="None.",
    decided_by="Decided by",
    rules="Rules",
    terms={
        "none": "none",
        "oligo": "oligoprogression",
        "systemic": "systemic progression",
        "absent": "gone",
    },
    meanings={},
    reason_of=lambda reason, terms: reason,
)
_CHINESE: Final = ResponseWords(
    title="治疗反应",
    best="最佳总体反应",
    pattern="进展模式",
    resistance="免疫治疗耐药",
    next_scan="下次 CT（辅助决策）",
    next_unset="按方案",
    table="各次检查",
    columns=("检查", "天数", "总和 mm", "较基线", "较最低点", "靶病灶", "非靶病灶", "新病灶", "总体反应", "iRECIST"),
    earlier="其间 {count} 次检查未列出，见治疗反应报告。",
    sums="靶病灶直径总和，mm",
    lesions="各病灶直径，mm",
    days="距基线天数",
    nadir="最低点 {value}",
    least="圆圈：各病灶最小值",
    pictures="病灶",
    no_picture="无图像",
    now="本次",
    baseline="基线",
    evidence="进展病灶",
    notes="须由阅片医师确认",
    no_notes="无。",
    decided_by="决定者",
    rules="规则",
    terms={
        "CR": "CR 完全缓解",
        "PR": "PR 部分缓解",
        "SD": "SD 疾病稳定",
        "PD": "PD 疾病进展",
        "NE": "NE 不可评估",
        "none": "无",
        "oligo": "寡进展",
        "systemic": "系统性进展",
        "indeterminate": "无法判定",
        "primary": "原发性耐药",
        "acquired": "获得性耐药",
        "after the end of treatment": "停药后进展",
        "not evaluable": "不可评估",
        "target": "靶病灶",
        "non-target": "非靶病灶",
        "new": "新病灶",
        "excluded": "不计入",
        "lung": "肺",
        "pleura": "胸膜",
        "lymph node": "淋巴结",
        "mediastinum": "纵隔",
        "pericardium": "心包",
        "liver": "肝",
        "adrenal gland": "肾上腺",
        "bone": "骨",
        "brain": "脑",
        "meninges": "脑膜",
        "kidney": "肾",
        "spleen": "脾",
        "pancreas": "胰腺",
        "peritoneum": "腹膜",
        "breast": "乳腺",
        "thyroid": "甲状腺",
        "skin": "皮肤",
        "soft tissue": "软组织",
        "unknown": "部位未注明",
        "grown": "增大",
        "back after a complete response": "完全缓解后再现",
        "unequivocal progression of a non-target lesion": "非靶病灶明确进展",
        "part of the growth of the sum": "总和增大的一部分",
        "absent": "消失",
        "present": "可见",
        "too small": "过小",
        "not assessable": "不可评估",
        "split": "分裂",
        "merged": "融合",
    },
    meanings={
        "RSP-001": "两个时间点的病灶无法对应",
        "RSP-002": "各时间点相互矛盾",
        "RSP-003": "病灶的选择与所见矛盾",
        "RSP-004": "病灶的测量方式不同",
        "RSP-005": "缺少阅片医师的决定",
        "RSP-006": "阅片医师的决定无法采用",
    },
    reason_of=in_chinese,
)
RESPONSE_WORDS: Final[Mapping[PageLanguage, ResponseWords]] = {"en": _ENGLISH, "zh": _CHINESE}
