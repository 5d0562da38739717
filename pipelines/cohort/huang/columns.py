"""The data dictionary of the progression study: one table of patients, one of lesions."""

from typing import Final

from pipelines.cohort.dictionary import Column, Dictionary

SITES: Final = ("lung", "lymph node", "bone", "liver", "adrenal", "brain", "pleura", "other")
"""Organs of metastases and of progression, in the order of the paper's figures."""
_SITES: Final = {
    "lung": ("lungs", "肺"),
    "lymph node": ("lymph nodes", "ln", "node", "淋巴结"),
    "bone": ("bones", "骨"),
    "liver": ("肝", "肝脏"),
    "adrenal": ("adrenal gland", "肾上腺"),
    "brain": ("cns", "脑"),
    "pleura": ("胸膜",),
    "other": ("others", "其他"),
}
_YES_NO: Final = {"yes": ("y", "1", "true", "是", "有"), "no": ("n", "0", "false", "否", "无")}
PDL1: Final = ("<1%", "1-49%", ">=50%")
"""Levels of PD-L1 expression (tumour proportion score), in order."""
SECOND_LINES: Final = (
    "chemo-immunotherapy",
    "chemo-immunotherapy with antiangiogenic",
    "chemotherapy",
    "immunotherapy",
    "antiangiogenic",
    "other",
    "none",
)

PATIENTS: Final = Dictionary(
    (
        Column(
            "patient",
            "A pseudonym; never a name or a hospital's number.",
            "text",
            required=True,
            aliases=("id", "编号"),
        ),
        Column(
            "age",
            "Age at the start of treatment, in years.",
            "number",
            least=0,
            most=120,
            required=True,
            aliases=("年龄",),
        ),
        Column(
            "sex",
            "Sex.",
            "category",
            {"male": ("m", "1", "男"), "female": ("f", "2", "女")},
            required=True,
            aliases=("gender", "性别"),
        ),
        Column(
            "smoking",
            "Whether the patient ever smoked.",
            "category",
            {"ever": ("yes", "是", "有", "1", "former", "current"), "never": ("no", "否", "无", "0")},
            aliases=("smoking_history", "吸烟史"),
        ),
        Column("ecog", "ECOG performance status.", "whole", least=0, most=5, aliases=("ps", "ECOG评分")),
        Column("brain_metastases", "Brain metastases at baseline.", "category", _YES_NO, aliases=("脑转移",)),
        Column(
            "histology",
            "Histology.",
            "category",
            {
                "squamous": ("lusc", "scc", "squamous cell carcinoma", "鳞癌"),
                "adenocarcinoma": ("luad", "adeno", "腺癌"),
                "other": ("nos", "large cell", "其他"),
            },
            required=True,
            aliases=("pathology", "病理类型"),
        ),
        Column(
            "stage",
            "Stage (IASLC, 8th edition).",
            "category",
            {
                "I": ("IA", "IB", "Ⅰ"),
                "II": ("IIA", "IIB", "Ⅱ"),
                "IIIA": ("ⅢA",),
                "IIIB": ("ⅢB",),
                "IIIC": ("ⅢC",),
                "IV": ("IVA", "IVB", "Ⅳ", "ⅣA", "ⅣB"),
            },
            required=True,
            aliases=("分期",),
        ),
        Column(
            "pd_l1",
            "PD-L1 expression (tumour proportion score).",
            "category",
            {
                "<1%": ("<1", "negative", "阴性"),
                "1-49%": ("1-49", "1%-49%", "1%~49%"),
                ">=50%": (">=50", "≥50%", "≥50"),
            },
            aliases=("PD-L1表达",),
        ),
        Column(
            "driver",
            "Driver gene alteration by sequencing.",
            "category",
            {"negative": ("no", "0", "阴性"), "positive": ("yes", "1", "阳性")},
            aliases=("驱动基因",),
        ),
        Column("measurable", "At least one measurable lesion by RECIST 1.1.", "category", _YES_NO),
        Column(
            "first_line",
            "First-line treatment.",
            "category",
            {"chemo-immunotherapy": ("chemo-io", "化疗联合免疫"), "other": ("其他",)},
        ),
        Column("treatment_start", "First day of first-line treatment.", "date", required=True, aliases=("治疗开始",)),
        Column(
            "progression", "Day of the scan that first showed progression.", "date", aliases=("pd_date", "进展日期")
        ),
        Column("death", "Day of death.", "date", aliases=("死亡日期",)),
        Column(
            "last_contact",
            "Last day on which the patient was known to be alive; needed without a death.",
            "date",
            aliases=("last_follow_up", "末次随访"),
        ),
        Column("immunotherapy_end", "Last dose of the immune checkpoint inhibitor.", "date"),
        Column(
            "best_response",
            "Best overall response to first-line treatment (RECIST 1.1).",
            "category",
            {"CR": (), "PR": (), "SD": (), "PD": (), "NE": ()},
            aliases=("bor", "最佳疗效"),
        ),
        Column(
            "pattern",
            "How widely the disease first progressed.",
            "category",
            {"oligo": ("oligoprogression", "寡进展"), "systemic": ("systemic progression", "广泛进展")},
            aliases=("进展模式",),
        ),
        Column(
            "resistance",
            "Type of resistance; derived from response and dates where empty.",
            "category",
            {"primary": ("原发",), "acquired": ("secondary", "继发"), "indeterminate": ()},
            aliases=("耐药类型",),
        ),
        Column(
            "baseline_sites", "Organs with metastases at baseline.", "categories", _SITES, aliases=("基线转移部位",)
        ),
        Column(
            "progression_sites",
            "Organs with new or growing lesions at first progression.",
            "categories",
            _SITES,
            aliases=("进展部位",),
        ),
        Column(
            "local_therapy",
            "Local consolidative treatment after first progression.",
            "category",
            _YES_NO,
            aliases=("局部治疗",),
        ),
        Column(
            "second_line", "Second-line treatment.", "category", dict.fromkeys(SECOND_LINES, ()), aliases=("二线治疗",)
        ),
        Column("second_line_start", "First day of second-line treatment.", "date"),
        Column("second_progression", "Day of progression under second-line treatment.", "date"),
    ),
    key=("patient",),
)

LESIONS: Final = Dictionary(
    (
        Column("patient", "The patient, as in the table of patients.", "text", required=True, aliases=("id", "编号")),
        Column("lesion", "A name that the lesion keeps over time.", "text", required=True),
        Column("organ", "Organ in which the lesion lies.", "category", _SITES),
        Column(
            "day",
            "Days from the start of treatment to the scan; negative before.",
            "whole",
            least=-400,
            most=20000,
            required=True,
        ),
        Column(
            "diameter_mm",
            "Diameter that counts for the sum (long axis; of a node the short axis), in mm; 0 when gone.",
            "number",
            least=0,
            most=500,
            required=True,
        ),
    ),
    key=("patient", "lesion", "day"),
)
