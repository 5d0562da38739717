"""Every result of one processed case before every foreign program that reads it: no error and no unknown warning."""

import json
import re
from pathlib import Path
from typing import Final

import numpy as np
import pytest
import SimpleITK as sitk
from pydicom import dcmread

from pipelines.domain.coding import PRIVATE_SCHEME, PRIVATE_SCHEME_UID
from tests.e2e.conftest import Processed
from tests.pipelines.outputs.tools import pixelmed_errors, run

pytestmark = pytest.mark.e2e

KINDS: Final = ("sr-features", "sr-case", "sr-diameters", "key-objects", "page-pdf", "map", "map-2", "seg")
DOCUMENTS: Final = ("sr-features", "sr-case", "sr-diameters", "key-objects")

IGNORED: Final = {
    "dciodvfy": (
        # it knows no private coding scheme, even if the object says whose it is
        rf"Unrecognized defined term = <({PRIVATE_SCHEME}|{re.escape(PRIVATE_SCHEME_UID)})>",
        # its table of the Contributing Equipment Sequence is older than this attribute of it (PS3.3 C.12.1.1.5)
        r"</ContributingEquipmentSequence\(0018,a001\)\[\d+\]/DeviceUID\(0018,1002\)> - Attribute is not present",
    ),
    "dcentvfy": (
        # documents have the number of their order in another module than images
        r"Different information entities for attribute - Element=<AccessionNumber> IE <(Series|Study)> versus ",
        # the structure set that was received says less of the study, and names the study as a "detached" object
        r"Element=<StudyDescription> IE=<Study> for file <[^>]*/in/",
        r"Missing SOPInstanceUID that was referenced - .* for file <[^>]*/in/",
    ),
    "dsrdump": (
        # limits of DCMTK 3.6.7, of which it informs
        r"W: Check for template constraints not yet supported",
        r"W: The VR checker does not support this Specific Character Set: ISO_IR 192",
    ),
}
"""What each program says that is no fault of the object."""


def complaints(program: str, *arguments: object) -> list[str]:
    """Errors and warnings of a program, without those that are ignored."""
    finished = run(program, *arguments)
    said = re.findall(r"^(?:Error|Warning|[EWF]:).*$", finished.stdout + finished.stderr, re.MULTILINE)
    return [line for line in said if not any(re.search(pattern, line) for pattern in IGNORED[program])]


def test_the_case_has_every_kind_of_result(processed: Processed) -> None:
    assert set(processed.spooled) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_dicom3tools_finds_nothing_wrong(processed: Processed, kind: str) -> None:
    assert complaints("dciodvfy", "-new", processed.spooled[kind]) == []


def test_dicom3tools_finds_no_contradiction_within_the_study(processed: Processed) -> None:
    assert complaints("dcentvfy", *processed.received, *processed.spooled.values()) == []


# the report of all features takes the validator minutes; the tests of that report give it a shorter one
@pytest.mark.parametrize("kind", ["sr-case", "sr-diameters", "key-objects"])
def test_pixelmed_finds_no_error_in_the_templates(processed: Processed, kind: str) -> None:
    assert pixelmed_errors(processed.spooled[kind]) == []


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_dcmtk_reads_every_document(processed: Processed, kind: str) -> None:
    assert complaints("dsrdump", processed.spooled[kind]) == []
    page = run("dsr2html", processed.spooled[kind])
    assert page.returncode == 0
    assert "</html>" in page.stdout


@pytest.mark.parametrize("kind", KINDS)
def test_orthanc_gives_every_result_back_as_it_was_made(processed: Processed, kind: str) -> None:
    assert dcmread(processed.returned[kind]) == dcmread(processed.spooled[kind])


def test_dcmqi_reads_the_same_features_in_the_same_order_for_each_segment(processed: Processed, tmp_path: Path) -> None:
    into = tmp_path / "measurements.json"
    done = run("tid1500reader", "--inputDICOM", processed.spooled["sr-features"], "--outputMetadata", into)
    assert done.returncode == 0, done.stderr
    groups = json.loads(into.read_text())["Measurements"]
    assert [group["ReferencedSegment"] for group in groups] == [1, 2]
    first, second = ([json.dumps(item["quantity"]) for item in group["measurementItems"]] for group in groups)
    assert len(first) == 1218
    assert first == second


@pytest.mark.parametrize("kind", ["sr-case", "sr-diameters"])
def test_dcmqi_reads_the_other_reports(processed: Processed, tmp_path: Path, kind: str) -> None:
    done = run("tid1500reader", "--inputDICOM", processed.spooled[kind], "--outputMetadata", tmp_path / "report.json")
    assert done.returncode == 0, done.stderr


def test_dcmqi_reads_the_maps_inside_the_segments_that_it_reads(processed: Processed, tmp_path: Path) -> None:
    segments = tmp_path / "segments"
    segments.mkdir()
    done = run(
        "segimage2itkimage", "--inputDICOM", processed.spooled["seg"], "--outputDirectory", segments, "--mergeSegments"
    )
    assert done.returncode == 0, done.stderr
    (file,) = segments.glob("*.nrrd")
    labels = sitk.ReadImage(str(file))
    assert set(np.unique(sitk.GetArrayFromImage(labels))) == {0, 1, 2}
    for kind in ("map", "map-2"):
        folder = tmp_path / kind
        folder.mkdir()
        done = run("paramap2itkimage", "--inputDICOM", processed.spooled[kind], "--outputDirectory", folder)
        assert done.returncode == 0, done.stderr
        values = sitk.ReadImage(str(folder / "pmap.nrrd"))
        # the segmentation holds only the slices that are drawn on
        over = sitk.GetArrayFromImage(sitk.Resample(labels, values, sitk.Transform(), sitk.sitkNearestNeighbor)) > 0
        shown = sitk.GetArrayFromImage(values) != 0
        assert not shown[~over].any()
        assert shown[over].mean() > 0.9
