"""The audit of the two papers: every discrepancy that is known is found, and nothing in the rows that reproduce."""

from collections import Counter
from pathlib import Path

import pytest

from pipelines.audit.audit import audit
from pipelines.audit.entries import Entry
from pipelines.audit.findings import Finding
from pipelines.audit.formats import read_entries

EXAMPLES = Path(__file__).parents[3] / "docs" / "audit"


def entries_of(name: str) -> tuple[Entry, ...]:
    file = EXAMPLES / name
    listed = read_entries(file.read_bytes(), file.suffix)
    assert listed.problems == ()
    return listed.entries


@pytest.fixture(scope="module")
def radiomics() -> tuple[Finding, ...]:
    return audit(entries_of("dong-chen-2025.csv"))


@pytest.fixture(scope="module")
def progression() -> tuple[Finding, ...]:
    return audit(entries_of("huang-2025.toml"))


# code, row, and a part of what is possible: found by hand before there was an audit
RADIOMICS = [
    ("AUD-007", "stage, training", "0.0217"),
    ("AUD-002", "driver gene, training", "89.80"),
    ("AUD-002", "driver gene, training", "10.20"),
    ("AUD-002", "stage, test", "5.56"),
    ("AUD-003", "test set, responders and non-responders", "18 for 8"),
    ("AUD-003", "responders, training and test", "18 for 8"),
    ("AUD-004", "number of features selected", "one value"),
    ("AUD-016", "Rad-signature in the test set", "18/25"),
    ("AUD-018", "Rad-signature in the training set", "exact binomial"),
    ("AUD-018", "Rad-signature in the test set", "exact binomial"),
]
PROGRESSION = [
    ("AUD-003", "PD-L1, after matching", "exchanged"),
    ("AUD-010", "PD-L1, after matching", "0.188"),
    ("AUD-001", "lymph nodes, systemic progression", "122/290 = 42.1"),
    ("AUD-015", "male, risk told as raised", "lower"),
    ("AUD-015", "smoking, risk told as raised", "lower"),
    ("AUD-012", "PFS2, chemotherapy and immunotherapy", "log-rank"),
    ("AUD-013", "OS, chemotherapy and immunotherapy", "log-rank"),
    ("AUD-012", "PFS2, with anti-angiogenic therapy", "log-rank"),
    ("AUD-013", "OS, with anti-angiogenic therapy", "log-rank"),
    ("AUD-011", "systemic progression, OS by resistance, before matching", "lower limit 1.67"),
    ("AUD-008", "p values", "PD-L1, before matching"),
]


@pytest.mark.parametrize(("paper", "expected"), [("radiomics", RADIOMICS), ("progression", PROGRESSION)])
def test_exactly_the_known_discrepancies_are_found(
    paper: str, expected: list[tuple[str, str, str]], request: pytest.FixtureRequest
) -> None:
    found: tuple[Finding, ...] = request.getfixturevalue(paper)
    assert Counter((one.code, one.row) for one in found) == Counter((code, row) for code, row, _ in expected)
    for code, row, hint in expected:
        assert any(one.code == code and one.row == row and hint in one.possible for one in found), (code, row, hint)


def test_most_rows_of_both_papers_are_found_sound(
    radiomics: tuple[Finding, ...], progression: tuple[Finding, ...]
) -> None:
    for name, found, sound in (("dong-chen-2025.csv", radiomics, 15), ("huang-2025.toml", progression, 68)):
        blamed = {(one.table, one.row) for one in found}
        assert sum((entry.place.table, entry.place.row) not in blamed for entry in entries_of(name)) == sound


def test_the_p_column_of_the_progression_paper_mixes_wald_with_chi_square(progression: tuple[Finding, ...]) -> None:
    (mixed,) = [one for one in progression if one.code == "AUD-008"]
    regression, _, counted = mixed.possible.partition("A test of counts")
    for row in ("age", "smoking", "brain metastasis", "stage"):
        assert f"{row}, before matching" in regression
    assert "PD-L1, before matching" in counted
    assert "after matching" not in regression
