"""How many of IBSI-1's reference values the `ibsi` profile and PyRadiomics meet, as a table for people and machines.

    python -m benchmarks.ibsi [--data FOLDER] [--write]

FOLDER holds the reference values and the IBSI CT phantom as DICOM (default: SHARED_DATA). Without the phantom only the
digital phantom is measured. --write refreshes docs/ibsi.csv and the counts in docs/ibsi.md.
"""

import argparse
import csv
import io
import logging
import math
import os
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import SimpleITK as sitk
from radiomics.featureextractor import RadiomicsFeatureExtractor

from benchmarks.ibsi_phantoms import CONFIGURATIONS, DIGITAL, PHANTOM, ct_phantom, digital_phantom, measured
from pipelines.domain.feature_codes import CONCEPTS
from pipelines.domain.ibsi_codes import IBSI, ibsi_concept, ibsi_tags
from pipelines.extraction.ibsi.measure import measure

ROOT: Final = Path(__file__).parents[1]
CSV: Final = ROOT / "docs" / "ibsi.csv"
PAGE: Final = ROOT / "docs" / "ibsi.md"
FILES: Final = {name: f"ibsi_1_chest_config_{name.lower()}.csv" for name in CONFIGURATIONS} | {
    DIGITAL: "ibsi_1_dig_phantom.csv"
}


_FEATURES: Final = frozenset(ibsi_tags(("2D", "2_5D", "3D")))


@dataclass(frozen=True, slots=True)
class Reference:
    """A value of IBSI's consensus, as it is printed, with its tolerance."""

    tag: str
    printed: str
    tolerance: float

    @property
    def code(self) -> str:
        """IBSI's identifier of the feature; empty for what describes the preparation of the image."""
        return ibsi_concept(self.tag).concept.value if self.tag in _FEATURES else ""

    def met_by(self, value: float) -> bool:
        """Whether `value`, in as many digits as the reference has but at least three, is within the tolerance of it.

        >>> Reference("szm_lzhge_3D", "1490", 0.0).met_by(1494.6)
        True
        >>> Reference("stat_p10", "-304", 20.0).met_by(-325.0)
        False
        """
        if not np.isfinite(value):
            return False
        wanted = float(self.printed)
        rounded = float(f"{value:.{_digits(self.printed) - 1}e}")
        return abs(rounded - wanted) <= self.tolerance + 1e-9 * abs(wanted)


def _digits(printed: str) -> int:
    mantissa = re.sub(r"[eE].*", "", printed).lstrip("-")
    # the zeros at the end of 1490 are not known to be digits
    digits = mantissa.replace(".", "").lstrip("0") if "." in mantissa else mantissa.rstrip("0")
    return max(3, len(digits))


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; NaN where PyRadiomics has no such value or was not asked."""

    configuration: str
    reference: Reference
    value: float
    pyradiomics: float

    @property
    def passed(self) -> bool:
        return self.reference.met_by(self.value)


def read_references(path: Path) -> list[Reference]:
    """Reference values of one configuration; tags without a value are left out."""
    with path.open(encoding="utf-8-sig", newline="") as lines:
        return [
            Reference(row["tag"].strip(), row["reference value"].strip(), float(row["tolerance"].strip() or 0))
            for row in csv.DictReader(lines, delimiter=";")
            if row["reference value"].strip()
        ]


def rows(data: Path, *, pyradiomics: bool) -> list[Row]:
    """Every reference value beside what is measured.

    Parameters
    ----------
    data
        Folder with `reference_values` and, for the CT phantom, `golden/ibsi_ct_phantom`.
    pyradiomics
        True to let PyRadiomics prepare and measure as well, as near to the configuration as its settings allow.
    """
    phantom = data / PHANTOM
    found = {DIGITAL: measure(digital_phantom(), CONFIGURATIONS[DIGITAL])}
    if phantom.is_dir():
        ct, mask = ct_phantom(phantom)
        found |= {name: measured(ct, mask, of) for name, of in CONFIGURATIONS.items() if name != DIGITAL}
    others: dict[str, dict[str, float]] = {}
    if pyradiomics:
        others = {name: pyradiomics_values(name, phantom) for name in found if name in PYRADIOMICS}
    return [
        Row(name, reference, values.get(reference.tag, math.nan), others.get(name, {}).get(reference.tag, math.nan))
        for name, values in found.items()
        for reference in read_references(data / "reference_values" / FILES[name])
    ]


PYRADIOMICS: Final[dict[str, dict[str, object]]] = {
    DIGITAL: {"binWidth": 1},
    "C": {"resampledPixelSpacing": [2] * 3, "interpolator": "sitkLinear", "resegmentRange": [-1000, 400]},
    "D": {
        "resampledPixelSpacing": [2] * 3,
        "interpolator": "sitkLinear",
        "resegmentRange": [-3, 3],
        "resegmentMode": "sigma",
        "binCount": 32,
    },
    "E": {
        "resampledPixelSpacing": [2] * 3,
        "interpolator": "sitkBSpline",
        "resegmentRange": [-1000, 400],
        "binCount": 32,
    },
}
"""PyRadiomics' settings that come closest; it knows no 2D configuration, and one kind of re-segmentation at a time."""


def pyradiomics_values(name: str, phantom: Path) -> dict[str, float]:
    """What PyRadiomics makes of a configuration, under the tags of the features that bear IBSI's code."""
    logging.getLogger("radiomics").setLevel(logging.ERROR)
    if name == DIGITAL:
        roi = digital_phantom()
        image, mask = sitk.GetImageFromArray(roi.image), sitk.GetImageFromArray(roi.morphological.astype(np.uint8))
        for made in (image, mask):
            made.SetSpacing(roi.spacing_mm)
    else:
        ct, drawn = ct_phantom(phantom)
        image, mask = sitk.GetImageFromArray(ct.hu[:]), sitk.GetImageFromArray(drawn.on(ct.grid).astype(np.uint8))
        for made in (image, mask):
            made.SetSpacing(ct.grid.spacing_mm)
            made.SetOrigin(ct.grid.origin_mm)
            made.SetDirection(ct.grid.direction)
    found = RadiomicsFeatureExtractor(additionalInfo=False, **PYRADIOMICS[name]).execute(image, mask)
    stems = {code: stem for stem, code in IBSI.items()}
    endings = {"cm": "_3D_avg", "rlm": "_3D_avg", "szm": "_3D", "ngt": "_3D", "ngl": "_3D"}
    values = {}
    for feature, value in found.items():
        stem = stems.get(CONCEPTS[feature.removeprefix("original_")])
        if stem is not None:
            values[stem + endings.get(stem.split("_")[0], "")] = float(value)
    return values


def as_csv(table: Iterable[Row]) -> str:
    """The table for machines."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("configuration", "feature", "ibsi_code", "reference", "tolerance", "value", "pass"))
    for row in table:
        of = row.reference
        passed = "yes" if row.passed else "no"
        writer.writerow(
            (row.configuration, of.tag, of.code, of.printed, f"{of.tolerance:g}", f"{row.value:.6g}", passed)
        )
    return text.getvalue()


def read_csv(text: str) -> list[Row]:
    """The rows of `as_csv`, to compare with."""
    return [
        Row(
            line["configuration"],
            Reference(line["feature"], line["reference"], float(line["tolerance"])),
            float(line["value"]),
            math.nan,
        )
        for line in csv.DictReader(io.StringIO(text))
    ]


def counts(table: Sequence[Row]) -> str:
    """Passes by configuration, as a Markdown table."""
    lines = ["| Configuration | Features | Steps before | PyRadiomics |", "| --- | --- | --- | --- |"]
    for name in CONFIGURATIONS:
        of = [row for row in table if row.configuration == name]
        if not of:
            continue
        features, steps = [row for row in of if row.reference.code], [row for row in of if not row.reference.code]
        others = [row for row in of if not math.isnan(row.pyradiomics)]
        met = sum(row.reference.met_by(row.pyradiomics) for row in others)
        lines.append(
            f"| {name} | {_of(features)} | {_of(steps) if steps else 'none'} "
            f"| {f'{met} of {len(others)}' if others else 'not possible'} |"
        )
    return "\n".join(lines)


def _of(table: Sequence[Row]) -> str:
    return f"{sum(row.passed for row in table)} of {len(table)}"


def written(page: str, name: str, block: str) -> str:
    """`page` with what is measured under `name` replaced by `block`, whatever stands there, even nothing.

    Raises
    ------
    ValueError
        If the page has no such place, or several.
    """
    place = re.compile(rf"(<!-- measured: {re.escape(name)} -->\n).*?(<!-- end -->)", re.DOTALL)
    made, count = place.subn(lambda marks: f"{marks[1]}\n{block}\n\n{marks[2]}", page)
    if count != 1:
        raise ValueError(f"the page has {count} places for {name}")
    return made


def main() -> int:
    """Print what does not pass and the counts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = os.environ.get("SHARED_DATA") or ROOT.parent / "shared" / "data"
    parser.add_argument("--data", type=Path, default=default, help="folder of reference values and of the CT phantom")
    parser.add_argument("--write", action="store_true", help="refresh docs/ibsi.csv and docs/ibsi.md")
    given = parser.parse_args()
    if given.write and not (given.data / PHANTOM).is_dir():
        parser.error(f"the CT phantom is not in {given.data}: the table would lose its configurations A to E")
    table = rows(given.data, pyradiomics=True)
    for row in table:
        if not row.passed:
            of = row.reference
            print(f"{row.configuration}: {of.tag} is {row.value:.6g}, not {of.printed} within {of.tolerance:g}")
    print(counts(table))
    if given.write:
        CSV.write_text(as_csv(table), "utf-8")
        PAGE.write_text(written(PAGE.read_text("utf-8"), "counts", counts(table)), "utf-8")
    return 0 if all(row.passed for row in table) else 1


if __name__ == "__main__":
    sys.exit(main())
