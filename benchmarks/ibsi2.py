"""How many of IBSI-2's reference values and response maps the filters meet, as tables for people and machines.

    python -m benchmarks.ibsi2 [--data FOLDER] [--references FILE] [--maps FOLDER] [--write]

The first FOLDER holds the IBSI CT phantom as DICOM (default: SHARED_DATA). FILE and the folder of maps are those of
the public repository theibsi/ibsi_2_reference_data (CC0 1.0); by default they are looked for in the first FOLDER.
--write refreshes docs/ibsi2.csv, docs/ibsi2_maps.csv and the counts in docs/ibsi.md. They hold our values and how far
each is from IBSI's, none of IBSI's own.
"""

import argparse
import csv
import os
import sys
from pathlib import Path
from typing import Final

import numpy as np
import SimpleITK as sitk

from benchmarks.ibsi import PAGE, ROOT, Reference, written
from benchmarks.ibsi2_phantoms import FILTERS, MAPS, measured, phantom_images, response_map
from benchmarks.ibsi2_tables import CSV, MAPS_CSV, MapRow, Row, as_csv, counts, map_counts, maps_as_csv
from benchmarks.ibsi_phantoms import PHANTOM

REFERENCES: Final = Path("reference_values", "ibsi_2_reference_values.csv")
RESPONSE_MAPS: Final = Path("golden", "ibsi_2_response_maps")
"""Where IBSI's values and maps are looked for in the folder of data."""
SOURCE: Final = "get IBSI's files from github.com/theibsi/ibsi_2_reference_data (CC0 1.0), see docs/ibsi.md"


def compared(configuration: str, reference: Reference, value: float) -> Row:
    """Our value beside a reference value.

    >>> compared("2.A", Reference("stat_mean", "-40.5", 2.0), -41.0)
    Row(configuration='2.A', tag='stat_mean', value=-41.0, share='0.25', passed=True)
    >>> compared("2.A", Reference("stat_max", "312", 0.0), 312.4)
    Row(configuration='2.A', tag='stat_max', value=312.4, share='no tolerance: by equal digits', passed=True)
    """
    share = "no tolerance: by equal digits"
    if reference.tolerance:
        share = f"{abs(value - float(reference.printed)) / reference.tolerance:.3g}"
    return Row(configuration, reference.tag, value, share, reference.met_by(value))


def read_references(path: Path) -> dict[str, list[Reference]]:
    """The values of IBSI's own table by configuration; what has no consensus is left out."""
    found: dict[str, list[Reference]] = {}
    with path.open(encoding="utf-8-sig", newline="") as lines:
        for line in csv.DictReader(lines, delimiter=";"):
            if line["consensus_value"]:
                reference = Reference(line["feature_tag"], line["consensus_value"], float(line["tolerance"]))
                found.setdefault(line["filter_id"], []).append(reference)
    return found


def rows(phantom: Path, references: dict[str, list[Reference]]) -> list[Row]:
    """What is measured on the CT phantom beside every reference value."""
    images = phantom_images(phantom)
    table = []
    for configuration, wanted in FILTERS.items():
        found = measured(images[configuration[-1]], wanted)
        table += [compared(configuration, of, found[of.tag]) for of in references[configuration]]
    return table


def map_file(configuration: str, folder: Path) -> Path:
    """IBSI's map of a configuration in the folder of its maps."""
    return folder / f"{configuration.replace('.', '_')}-ValidCRM.nii"


def map_row(configuration: str, folder: Path) -> MapRow:
    """Our response map beside IBSI's in `folder`."""
    file = map_file(configuration, folder)
    reference = sitk.GetArrayFromImage(sitk.ReadImage(str(file))).astype(np.float64)
    ours = response_map(configuration)
    share = float(np.abs(ours - reference).max() / np.ptp(reference))
    return MapRow(configuration, float(ours.min()), float(ours.max()), share)


def main() -> int:
    """Print what does not pass and the counts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = os.environ.get("SHARED_DATA") or ROOT.parent / "shared" / "data"
    parser.add_argument("--data", type=Path, default=default, help="folder of the CT phantom")
    parser.add_argument("--references", type=Path, help=f"IBSI's table of reference values (default: {REFERENCES})")
    parser.add_argument("--maps", type=Path, help=f"folder of IBSI's response maps (default: {RESPONSE_MAPS})")
    parser.add_argument("--write", action="store_true", help="refresh the tables and the counts in docs")
    given = parser.parse_args()
    if not (given.data / PHANTOM).is_dir():
        parser.error(f"the CT phantom is not in {given.data}")
    references = given.references or given.data / REFERENCES
    folder = given.maps or given.data / RESPONSE_MAPS
    absent = [file for file in (references, *(map_file(name, folder) for name in MAPS)) if not file.is_file()]
    if absent:
        others = f" and {len(absent) - 1} other files are" if absent[1:] else " is"
        parser.exit(2, f"{absent[0]}{others} not there: {SOURCE}\n")
    table = rows(given.data / PHANTOM, read_references(references))
    maps = [map_row(name, folder) for name in MAPS]
    for row in table:
        if not row.passed:
            print(f"{row.configuration}: {row.tag} is {row.value:.6g}; share of the tolerance: {row.share}")
    for of_map in maps:
        if not of_map.passed:
            print(f"{of_map.configuration}: a voxel differs by {100 * of_map.share:.2g} % of the range")
    print(counts(table))
    print(map_counts(maps))
    if given.write:
        CSV.write_text(as_csv(table), "utf-8")
        MAPS_CSV.write_text(maps_as_csv(maps), "utf-8")
        page = written(PAGE.read_text("utf-8"), "filters", counts(table))
        PAGE.write_text(written(page, "response maps", map_counts(maps)), "utf-8")
    return 0 if all(row.passed for row in table) and all(row.passed for row in maps) else 1


if __name__ == "__main__":
    sys.exit(main())
