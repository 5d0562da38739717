"""The data dictionary of a node's own cohorts: what may be said of a patient whose CT the node has measured."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from pipelines.cohort.dictionary import Column, Dictionary, Record, Value

AGENTS: Final = (
    "nivolumab",
    "pembrolizumab",
    "cemiplimab",
    "sintilimab",
    "camrelizumab",
    "tislelizumab",
    "toripalimab",
    "penpulimab",
    "serplulimab",
    "atezolizumab",
    "durvalumab",
    "avelumab",
    "sugemalimab",
    "benmelstobart",
    "adebrelimab",
    "ipilimumab",
    "other",
)
"""Immune checkpoint inhibitors; a closed list, for a free text may hold anything."""
ADVANCED: Final = ("III", "IIIA", "IIIB", "IIIC", "IV")
PATIENT_ID: Final = "patient_id"
ISSUER: Final = "issuer_of_patient_id"
START: Final = "therapy_start"

MEMBERS: Final = Dictionary(
    (
        Column(
            PATIENT_ID,
            "Patient ID as in the DICOM files; only a digest of it is kept.",
            "text",
            required=True,
            aliases=("PatientID", "病历号", "患者编号"),
        ),
        Column(ISSUER, "Issuer of Patient ID, where the DICOM files have one.", "text", aliases=("issuer",)),
        Column(
            "agent",
            "Immune checkpoint inhibitor.",
            "category",
            dict.fromkeys(AGENTS, ()),
            aliases=("therapy", "therapy_agent", "drug", "药物"),
        ),
        Column(
            START,
            "Day of the first dose; empty when there was none.",
            "date",
            aliases=("treatment_start", "treatment_start_date", "治疗开始"),
        ),
        Column("doses", "Number of doses that were given.", "whole", least=0, most=1000, aliases=("cycles", "周期数")),
        Column(
            "response",
            "Best overall response (RECIST 1.1).",
            "category",
            {"CR": (), "PR": (), "SD": (), "PD": (), "NE": ()},
            aliases=("best_response", "bor", "最佳疗效"),
        ),
        Column(
            "response_class",
            "Response in two classes, where the best overall response is not known.",
            "category",
            {"responder": ("cr/pr", "1", "yes", "应答"), "non-responder": ("sd/pd", "0", "no", "非应答")},
        ),
        Column("site", "The hospital; exports hold a pseudonym.", "text", aliases=("hospital", "centre", "医院")),
        Column("age", "Age at the first dose, in years.", "number", least=0, most=120, aliases=("年龄",)),
        Column("sex", "Sex.", "category", {"male": ("m", "男"), "female": ("f", "女")}, aliases=("gender", "性别")),
        Column(
            "stage",
            "Stage (IASLC, 8th edition).",
            "category",
            {
                "I": ("IA", "IB", "Ⅰ"),
                "II": ("IIA", "IIB", "Ⅱ"),
                "III": ("Ⅲ",),
                "IIIA": ("ⅢA",),
                "IIIB": ("ⅢB",),
                "IIIC": ("ⅢC",),
                "IV": ("IVA", "IVB", "Ⅳ", "ⅣA", "ⅣB"),
            },
            aliases=("分期",),
        ),
        Column(
            "histology",
            "Histology.",
            "category",
            {
                "squamous": ("lusc", "scc", "squamous cell carcinoma", "鳞癌"),
                "adenocarcinoma": ("luad", "adeno", "腺癌"),
                "other": ("nos", "large cell", "其他"),
            },
            aliases=("pathology", "病理类型"),
        ),
        Column(
            "driver",
            "Driver gene alteration.",
            "category",
            {"negative": ("no", "0", "阴性"), "positive": ("yes", "1", "阳性")},
            aliases=("driver_gene", "驱动基因"),
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
        Column("ecog", "ECOG performance status.", "whole", least=0, most=5, aliases=("ps", "ECOG评分")),
        Column(
            "smoking",
            "Whether the patient ever smoked.",
            "category",
            {"ever": ("yes", "是", "有", "1", "former", "current"), "never": ("no", "否", "无", "0")},
            aliases=("smoking_history", "吸烟史"),
        ),
        Column(
            "location",
            "Whether the tumour is central or peripheral.",
            "category",
            {"central": ("中央型",), "peripheral": ("周围型",)},
            aliases=("tumour_location", "部位"),
        ),
        Column("study_date", "Day of the CT; for features from a file.", "date", aliases=("ct_date",)),
        Column(
            "slice_thickness_mm",
            "Slice thickness of the CT; for features from a file.",
            "number",
            least=0.1,
            most=20,
        ),
    ),
    key=(PATIENT_ID, ISSUER),
)


@dataclass(frozen=True, slots=True)
class Member:
    """A patient of a cohort, without a name and without an identifier of the hospital.

    Attributes
    ----------
    key
        The ledger's digest of Patient ID and issuer.
    values
        By the names of the columns of `MEMBERS`, but for the identifiers; what is not known is left out.
    """

    key: str
    values: Mapping[str, Value]

    def day(self, name: str) -> date | None:
        """The value of a column of days."""
        value = self.values.get(name)
        return value if isinstance(value, date) else None

    def number(self, name: str) -> float | None:
        """The value of a column of numbers."""
        value = self.values.get(name)
        return float(value) if isinstance(value, int | float) else None

    def word(self, name: str) -> str | None:
        """The value of a column of text or levels."""
        value = self.values.get(name)
        return value if isinstance(value, str) else None

    @property
    def outcome(self) -> str | None:
        """Response or class; None where nothing can be learnt from it."""
        response = self.word("response")
        return response if response not in (None, "NE") else self.word("response_class")


def member_of(record: Record, key: str) -> Member:
    """A row of a checked table as it is kept, under the patient's `key`."""
    kept = {
        name: value for name, value in record.values.items() if name not in (PATIENT_ID, ISSUER) and value is not None
    }
    return Member(key, kept)


def as_json(member: Member) -> dict[str, str | float | int]:
    """The values in types that JSON has."""
    return {
        name: value.isoformat() if isinstance(value, date) else value
        for name, value in member.values.items()
        if isinstance(value, date | str | int | float)
    }


def from_json(key: str, kept: Mapping[str, str | float | int]) -> Member:
    """What `as_json` wrote; columns that this release does not know are left out."""
    kinds = {column.name: column.kind for column in MEMBERS.columns}
    return Member(
        key,
        {
            name: date.fromisoformat(value) if kinds[name] == "date" and isinstance(value, str) else value
            for name, value in kept.items()
            if name in kinds
        },
    )
