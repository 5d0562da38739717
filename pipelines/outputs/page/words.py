"""Every word that the page has of its own, in each of its languages."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pipelines.outputs.page.settings import PageLanguage
from pipelines.outputs.provenance import DEMONSTRATION_NOTICE


@dataclass(frozen=True, slots=True)
class Words:
    """Labels of the page; what stands in braces is filled in.

    Attributes
    ----------
    code
        Language after RFC 5646.
    meanings
        Of the message codes that a case may bear; empty where the message itself is in this language.
    """

    code: str
    title: str
    purpose: str
    demonstration: str
    name: str
    patient_id: str
    birth_date: str
    sex: str
    age: str
    study: str
    study_date: str
    accession: str
    prediction: str
    no_prediction: str
    no_model: str
    positive: str
    negative: str
    probability: str
    cut_off: str
    percentiles: str
    nomogram: str
    points: str
    signature: str
    scored_lesion: str
    lesion: str
    place: str
    window: str
    other_lesions: str
    contributions: str
    contributions_note: str
    measurements: str
    number: str
    label: str
    volume: str
    long_axis: str
    short_axis: str
    remark: str
    scored: str
    more_lesions: str
    notes: str
    no_notes: str
    more_notes: str
    model: str
    model_demonstration: str
    software: str
    produced: str
    meanings: Mapping[str, str]


_ENGLISH: Final = Words(
    code="en-US",
    title="AI result page",
    purpose="For research and decision support only. Not a diagnosis. A physician reads it together with the images.",
    demonstration=DEMONSTRATION_NOTICE,
    name="Patient",
    patient_id="Patient ID",
    birth_date="Birth date",
    sex="Sex",
    age="Age",
    study="Study",
    study_date="Study date",
    accession="Accession number",
    prediction="Prediction",
    no_prediction="No prediction",
    no_model="No model is configured. The lesions were measured, nothing was predicted.",
    positive="probability at or above the cut-off",
    negative="probability below the cut-off",
    probability="Probability",
    cut_off="Cut-off",
    percentiles="In training: above {positive} % of {positives} positive, {negative} % of {negatives} negative cases",
    nomogram="Nomogram",
    points="Points",
    signature="Rad-signature",
    scored_lesion="Lesion {number}, scored: {label}",
    lesion="Lesion {number}: {label}",
    place="Slice {index} of {count}, z {z} mm",
    window="W {width} L {level} HU",
    other_lesions="Further lesions",
    contributions="Largest contributions to the Rad-signature",
    contributions_note="Terms in log odds; all terms and the intercept together: {signature}",
    measurements="Measurements",
    number="No.",
    label="Lesion",
    volume="Volume cm\N{SUPERSCRIPT THREE}",
    long_axis="Long mm",
    short_axis="Short mm",
    remark="Remark",
    scored="scored",
    more_lesions="and {count} more, see the case report",
    notes="Warnings and notes",
    no_notes="None.",
    more_notes="and {count} more, see the case report: {codes}",
    model="Model",
    model_demonstration="demonstration",
    software="Software",
    produced="Produced",
    meanings={},
)
_CHINESE: Final = Words(
    code="zh-CN",
    title="AI 结果页",
    purpose="仅供科研与辅助决策，不作为诊断依据；须由医师结合影像判读。",
    demonstration="演示模型，由合成数据训练，不得用于临床",
    name="患者",
    patient_id="患者编号",
    birth_date="出生日期",
    sex="性别",
    age="年龄",
    study="检查",
    study_date="检查日期",
    accession="检查号",
    prediction="预测结果",
    no_prediction="无预测结果",
    no_model="未配置模型：仅测量病灶，未作预测。",
    positive="概率达到或高于截断值",
    negative="概率低于截断值",
    probability="概率",
    cut_off="截断值",
    percentiles="训练集：高于 {positives} 例阳性的 {positive} %，高于 {negatives} 例阴性的 {negative} %",
    nomogram="列线图",
    points="评分",
    signature="影像组学标签",
    scored_lesion="病灶 {number}（用于评分）：{label}",
    lesion="病灶 {number}：{label}",
    place="第 {index} 层，共 {count} 层，z {z} mm",
    window="窗宽 {width} 窗位 {level} HU",
    other_lesions="其他病灶",
    contributions="对影像组学标签贡献最大的特征",
    contributions_note="各项为对数优势；全部各项与截距之和：{signature}",
    measurements="测量值",
    number="编号",
    label="病灶",
    volume="体积 cm\N{SUPERSCRIPT THREE}",
    long_axis="长径 mm",
    short_axis="短径 mm",
    remark="备注",
    scored="用于评分",
    more_lesions="另有 {count} 个病灶，见病例报告",
    notes="警告与说明",
    no_notes="无。",
    more_notes="另有 {count} 条，见病例报告：{codes}",
    model="模型",
    model_demonstration="演示",
    software="软件",
    produced="生成时间",
    meanings={
        "CT-001": "CT 图像不属于同一容积",
        "CT-002": "CT 层面缺失",
        "CT-003": "不支持的 CT 几何",
        "CT-004": "CT 像素数据损坏或无法解码",
        "CT-005": "序列中没有可测量的 CT 图像",
        "CT-006": "CT 层面已平移到直立网格",
        "CT-007": "CT 层面已插值为等间距",
        "CT-008": "CT 经过有损压缩",
        "CT-009": "病灶超出 CT 的测量范围",
        "CT-010": "CT 序列中的部分图像被略去",
        "CT-011": "CT 数值不是 HU",
        "SEG-001": "分割所对应的 CT 序列未到达",
        "SEG-002": "无法确定分割所对应的 CT 序列",
        "SEG-003": "分割使用了另一参考坐标系",
        "SEG-004": "分割中没有病灶",
        "SEG-005": "分割属于另一患者",
        "SEG-006": "分割无法解码",
        "SEG-007": "分割不在 CT 范围内",
        "SEG-008": "分割已转换到 CT 网格",
        "SEG-009": "分数型分割按阈值截取",
        "SEG-010": "分割的一部分被略去",
        "SEG-011": "部分分割段不是病灶，或未注明即被采用",
        "ROI-001": "病灶过小，无法测量",
        "ROI-002": "分割段为空",
        "ROI-003": "病灶特征无法计算",
        "ROI-004": "病灶由 PyRadiomics 直接测量",
        "ROI-010": "快速引擎与 PyRadiomics 结果不一致",
        "MAP-001": "省略了一幅特征图",
        "MODEL-001": "模型包损坏或被改动",
        "MODEL-002": "模型包需要本节点不计算的特征",
        "MODEL-003": "模型包以其他特征提取设置训练",
        "MODEL-004": "模型包无法读取",
        "MODEL-005": "病例无法评分",
        "MODEL-006": "模型包未签名",
        "MODEL-007": "模型包的签名密钥不受信任",
        "MODEL-008": "模型已停用",
        "MODEL-009": "没有启用的模型",
        "MODEL-010": "密钥无法使用",
        "MODEL-011": "有特征超出训练数据的范围",
        "MODEL-012": "各特征合起来远离训练数据",
        "MODEL-013": "层厚超出训练数据的范围",
        "MODEL-014": "卷积核不在训练数据之中",
        "MODEL-015": "管电压不在训练数据之中",
        "MODEL-016": "CT 距治疗的时间与训练数据不同",
        "MODEL-017": "模型未以数值说明其训练数据",
        "MODEL-018": "已有同名同版本的另一模型包",
        "MODEL-019": "模型记录无法使用",
    },
)
WORDS: Final[Mapping[PageLanguage, Words]] = {"en": _ENGLISH, "zh": _CHINESE}
