"""Every code of the audit is on its page, as the code has it."""

import re
from pathlib import Path

from pipelines.audit.findings import CODES
from pipelines.audit.reading import KINDS, TESTS

PAGE = (Path(__file__).parents[3] / "docs" / "audit.md").read_text("utf-8")


def test_every_code_is_documented_with_its_severity_and_meaning() -> None:
    listed = re.findall(r"^\| (AUD-\d{3}) \| (\w+) \| ([^|]+) \|", PAGE, re.MULTILINE)
    assert {code: (severity, meaning.strip()) for code, severity, meaning in listed} == CODES
    assert set(re.findall(r"AUD-\d{3}", PAGE)) == CODES.keys()


def test_every_kind_of_entry_and_every_test_is_documented() -> None:
    assert set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)) == set(KINDS)
    assert all(f"`{test}`" in PAGE for test in TESTS)
