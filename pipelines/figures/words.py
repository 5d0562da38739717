"""The words that figures and reports add by themselves, in English and in Chinese."""

from typing import Final

from pipelines.figures.canvas import Language

_CHINESE: Final = {
    "1 − specificity": "1 − 特异度",
    "Sensitivity": "灵敏度",
    "Cut-off": "截断值",
    "Predicted probability": "预测概率",
    "Observed proportion": "实际比例",
    "Ideal": "理想",
    "Patients": "例数",
    "Threshold probability": "阈值概率",
    "Net benefit": "净获益",
    "Treat all": "全部治疗",
    "Treat none": "均不治疗",
    "Points": "得分",
    "Total points": "总分",
    "Number at risk": "风险人数",
    "Median": "中位",
    "not reached": "未达到",
    "Coefficient": "系数",
    "Non-zero coefficients": "非零系数个数",
    "Importance": "重要性",
    "Pearson correlation": "Pearson 相关系数",
    "Intraclass correlation coefficient": "组内相关系数",
    "Features": "特征数",
    "kept": "保留",
    "dropped": "剔除",
    "not computable": "无法计算",
    "not evaluable": "不可评估",
    "sens.": "灵敏度",
    "spec.": "特异度",
    "Standardised mean difference": "标准化均数差",
    "Before matching": "匹配前",
    "After matching": "匹配后",
    "Excluded": "排除",
    "Crude": "单因素",
    "Adjusted": "多因素",
    "reference": "参照",
    "P": "P",
    "Patients, one bar each": "患者（每条一例）",
    "of all": "占全部",
    "of those with the site at baseline": "占基线有该部位者",
    "Same site again": "同部位进展",
    "Baseline sites": "基线转移部位",
    "Sites of progression": "进展部位",
    "Percentage of patients": "患者百分比",
    "Trend": "趋势检验",
    "ongoing": "治疗中",
    "Contents": "目录",
    "Figure": "图",
    "Table": "表",
    "Notice": "提示",
    "Warning": "警告",
}


def say(words: str, language: Language) -> str:
    """Words of ours in the language of a figure.

    Raises
    ------
    KeyError
        If the words have no translation: that is a mistake in this package.

    >>> say("Number at risk", "zh")
    '风险人数'
    """
    return words if language == "en" else _CHINESE[words]
