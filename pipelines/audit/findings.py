"""What an audit can find: one table of codes, and a finding."""

from dataclasses import dataclass
from typing import Final, Literal

Severity = Literal["conflict", "note"]

CODES: Final[dict[str, tuple[Severity, str]]] = {
    "AUD-001": ("conflict", "no count gives this percentage"),
    "AUD-002": ("conflict", "count and percentage disagree"),
    "AUD-003": ("conflict", "parts do not add up to the total"),
    "AUD-004": ("conflict", "one quantity is told with two values"),
    "AUD-005": ("conflict", "p value does not follow from the counts or means"),
    "AUD-006": ("conflict", "p value is that of another test than named"),
    "AUD-007": ("conflict", "chi-square where expected counts ask for an exact test"),
    "AUD-008": ("conflict", "p values of one table come from different methods"),
    "AUD-009": ("conflict", "test statistic does not follow from the counts"),
    "AUD-010": ("conflict", "standardised difference does not follow from the counts"),
    "AUD-011": ("conflict", "ratio and confidence interval disagree"),
    "AUD-012": ("conflict", "p value and confidence interval decide differently"),
    "AUD-013": ("note", "p value is not that of the confidence interval"),
    "AUD-014": ("conflict", "ratio does not follow from the counts"),
    "AUD-015": ("conflict", "words and ratio point in different directions"),
    "AUD-016": ("conflict", "no count gives this sensitivity, specificity or predictive value"),
    "AUD-017": ("conflict", "area under the curve and confidence interval disagree"),
    "AUD-018": ("note", "how the interval of the area was made"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that does not fit.

    Attributes
    ----------
    code
        One of `CODES`.
    table, row
        Where it is printed.
    printed
        What is printed there.
    possible
        What would be possible instead, or what the other numbers say.
    """

    code: str
    table: str
    row: str
    printed: str
    possible: str

    @property
    def severity(self) -> Severity:
        return CODES[self.code][0]

    @property
    def meaning(self) -> str:
        return CODES[self.code][1]
