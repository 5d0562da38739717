"""The tables of IBSI-2: our values and how far each is from IBSI's, for machines and as counts for people."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.ibsi import ROOT
from benchmarks.ibsi2_phantoms import FILTERS, MAPS
from pipelines.domain.ibsi_codes import ibsi_concept
from pipelines.extraction.ibsi_filters.settings import Filter
from pipelines.extraction.ibsi_filters.words import described

CSV: Final = ROOT / "docs" / "ibsi2.csv"
MAPS_CSV: Final = ROOT / "docs" / "ibsi2_maps.csv"
MAP_TOLERANCE: Final = 0.01
"""Share of the range of a reference map that no voxel may deviate by."""


@dataclass(frozen=True, slots=True)
class Row:
    """Our value of a feature of the second phase, and how it compares with IBSI's.

    Attributes
    ----------
    share
        Distance from the reference value as a share of its tolerance, as it is printed.
    """

    configuration: str
    tag: str
    value: float
    share: str
    passed: bool


@dataclass(frozen=True, slots=True)
class MapRow:
    """Our response map of the first phase: its range, and how it compares with IBSI's.

    Attributes
    ----------
    share
        Largest absolute difference of a voxel, as a share of the range of the reference map.
    """

    configuration: str
    lowest: float
    highest: float
    share: float

    @property
    def passed(self) -> bool:
        return self.share <= MAP_TOLERANCE


def published(text: str) -> dict[str, list[Row]]:
    """The rows of docs/ibsi2.csv by configuration."""
    found: dict[str, list[Row]] = {}
    for line in csv.DictReader(io.StringIO(text)):
        row = Row(
            line["configuration"],
            line["feature"],
            float(line["value"]),
            line["share_of_tolerance"],
            line["pass"] == _yes(True),
        )
        found.setdefault(row.configuration, []).append(row)
    return found


def published_maps(text: str) -> list[MapRow]:
    """The rows of docs/ibsi2_maps.csv."""
    return [
        MapRow(
            line["configuration"],
            float(line["lowest"]),
            float(line["highest"]),
            float(line["difference_share_of_range"]),
        )
        for line in csv.DictReader(io.StringIO(text))
    ]


def as_csv(table: Iterable[Row]) -> str:
    """The second phase for machines."""
    head = ("configuration", "filter", "filter_code", "feature", "ibsi_code", "value", "share_of_tolerance", "pass")
    return _csv(
        head,
        (
            (
                row.configuration,
                *_words(FILTERS[row.configuration]),
                row.tag,
                ibsi_concept(row.tag).concept.value,
                f"{row.value:.12g}",
                row.share,
                _yes(row.passed),
            )
            for row in table
        ),
    )


def maps_as_csv(table: Iterable[MapRow]) -> str:
    """The first phase for machines."""
    head = (
        "configuration",
        "phantom",
        "filter",
        "filter_code",
        "lowest",
        "highest",
        "difference_share_of_range",
        "pass",
    )
    return _csv(
        head,
        (
            (
                row.configuration,
                MAPS[row.configuration].phantom,
                *_words(MAPS[row.configuration].filter),
                f"{row.lowest:.12g}",
                f"{row.highest:.12g}",
                f"{row.share:.3g}",
                _yes(row.passed),
            )
            for row in table
        ),
    )


def _words(wanted: Filter | None) -> tuple[str, str]:
    return ("none", "") if wanted is None else (described(wanted), wanted.kernel.code)


def _yes(passed: bool) -> str:
    return "yes" if passed else "no"


def _csv(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(lines)
    return text.getvalue()


def counts(table: Sequence[Row]) -> str:
    """Passes of the second phase by configuration, as a Markdown table."""
    lines = ["| Configuration | Filter | Features |", "| --- | --- | --- |"]
    for name, wanted in FILTERS.items():
        of = [row for row in table if row.configuration == name]
        lines.append(f"| {name} | {_words(wanted)[0]} | {sum(row.passed for row in of)} of {len(of)} |")
    return "\n".join(lines)


def map_counts(table: Sequence[MapRow]) -> str:
    """Passes of the first phase by group of configurations, as a Markdown table."""
    lines = ["| Configurations | Filter | Maps | Largest deviation |", "| --- | --- | --- | --- |"]
    for group in dict.fromkeys(row.configuration.split(".")[0] for row in table):
        of = [row for row in table if row.configuration.split(".")[0] == group]
        name = _words(MAPS[of[0].configuration].filter)[0].split(",")[0]
        riesz = " and Riesz transform" if "Riesz" in _words(MAPS[of[0].configuration].filter)[0] else ""
        largest = max(100 * row.share for row in of)
        lines.append(f"| {group} | {name}{riesz} | {sum(row.passed for row in of)} of {len(of)} | {largest:.3g} % |")
    return "\n".join(lines)
